"""What one cell of a row means, and when it does not fit (behaviour.md section 1)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from syncd.core.identity import text
from syncd.core.model import Value

__all__ = ["Field", "Type", "Unfit", "cell_reader", "written"]

ISO = "%Y-%m-%d"
SHOWN = 40
"""Characters of an unfitting cell that are shown to the operator."""
MEMO = 32_768
"""Distinct days remembered by a reader of dates."""

WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
DIGITS = {"%Y": "(?P<Y>[0-9]{4})", "%m": "(?P<m>[0-9]{2})", "%d": "(?P<d>[0-9]{2})"}
"""How the parts of a day are usually written."""
YES = frozenset({"true", "yes", "1"})
NO = frozenset({"false", "no", "0"})


class Type(StrEnum):
    """What a cell holds."""

    TEXT = "text"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    DATE = "date"


class Unfit(Exception):
    """A cell does not fit its type; the text names the column and shows the start of the cell."""


@dataclass(frozen=True, slots=True)
class Field:
    """
    Where a value stands and how it is written there.

    `format` is one of strptime for dates, `split` parts a text into a list,
    `true_values` are all the texts that mean true, `default` stands in for an
    empty cell and is read as the cell would be.
    """

    column: str
    type: Type = Type.TEXT
    format: str | None = None
    split: str | None = None
    true_values: tuple[str, ...] | None = None
    default: str | None = None


Read = Callable[[object], Value]


def cell_reader(field: Field) -> Read:
    """
    Return the function that reads the cells of a field.

    It takes a text or a JSON value. An empty cell is None, or an empty list where the
    field is split. Raises Unfit for a cell that does not fit.
    """
    convert = _converter(field)
    empty: Value = None if field.split is None else ()
    default = None if field.default is None else text(field.default)

    def read(raw: object) -> Value:
        cell = text(raw) if isinstance(raw, str) else raw
        if cell is None or cell == "":
            cell = default
        return convert(cell) if cell is not None and cell != "" else empty

    return read


def written(value: Value) -> str | None:
    """Write a value as an identity is compared: as text."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case tuple():
            return ",".join(value)
        case _:
            return str(value)


def _converter(field: Field) -> Read:
    if field.split is not None:
        return _list(field, field.split)
    match field.type:
        case Type.TEXT:
            return _text(field)
        case Type.INT:
            return _int(field)
        case Type.FLOAT:
            return _float(field)
        case Type.BOOL:
            return _bool(field)
        case Type.DATE:
            return _date(field)


def _unfit(field: Field, cell: object, wanted: str) -> Unfit:
    return Unfit(f'column "{text(field.column)}": {_shown(cell)} is not {wanted}')


def _shown(cell: object) -> str:
    """Show a cell, cut; of what is nested only the kind, because nobody mapped its parts."""
    match cell:
        case str():
            return f'"{cell}"' if len(cell) <= SHOWN else f'"{cell[:SHOWN]}…"'
        case bool():
            return "true" if cell else "false"
        case int() | float():
            return _shown(str(cell))[1:-1] if _printable(cell) else "a huge number"
        case list() | tuple():
            return "a list"
        case _:
            return "an object"


def _printable(number: float) -> bool:
    return isinstance(number, float) or number.bit_length() < 1024


def _plain_text(cell: object) -> str | None:
    """Return the text form of a text or a number; None for anything else."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int | float) and not isinstance(cell, bool) and _printable(cell):
        return str(cell)
    return None


def _text(field: Field) -> Read:
    def convert(cell: object) -> Value:
        plain = _plain_text(cell)
        if plain is None:
            raise _unfit(field, cell, "a text")
        return plain

    return convert


def _list(field: Field, mark: str) -> Read:
    def convert(cell: object) -> Value:
        plain = _plain_text(cell)
        parts = plain.split(mark) if plain is not None else cell
        if not isinstance(parts, list | tuple):
            raise _unfit(field, cell, "a list of texts")
        texts = [_plain_text(part) for part in parts if part is not None]
        if None in texts:
            raise _unfit(field, cell, "a list of texts")
        return tuple(part for part in (text(each) for each in texts if each) if part)

    return convert


def _int(field: Field) -> Read:
    def convert(cell: object) -> Value:
        number = int(cell) if isinstance(cell, str) and WHOLE.fullmatch(cell) else cell
        if not isinstance(number, int) or isinstance(number, bool):
            raise _unfit(field, cell, "a whole number")
        if not -(2**63) <= number < 2**63:
            raise _unfit(field, cell, "a whole number of at most 64 bits")
        return number

    return convert


def _float(field: Field) -> Read:
    def convert(cell: object) -> Value:
        number = math.inf
        if (isinstance(cell, str) and DECIMAL.fullmatch(cell)) or _is_number(cell):
            number = float(cell)  # type: ignore[arg-type]  # the line above says what it is
        if not math.isfinite(number):
            raise _unfit(field, cell, "a number")
        return number

    return convert


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool) and _printable(cell)


def _bool(field: Field) -> Read:
    chosen = field.true_values
    true = None if chosen is None else frozenset(text(each) for each in chosen)

    def convert(cell: object) -> Value:
        if isinstance(cell, bool):
            return cell
        plain = _plain_text(cell)
        if plain is not None and true is not None:
            return plain in true
        word = "" if plain is None else plain.lower()
        if word not in YES and word not in NO:
            raise _unfit(field, cell, "true or false")
        return word in YES

    return convert


def _date(field: Field) -> Read:
    form = field.format or ISO
    usual = _usual(form)
    memo: dict[str, date] = {}

    def convert(cell: object) -> Value:
        if not isinstance(cell, str):
            raise _unfit(field, cell, f"a date like {form}")
        day = memo.get(cell)
        if day is None:
            try:
                day = usual(cell) or datetime.strptime(cell, form).date()  # noqa: DTZ007  # a day
            except ValueError:
                raise _unfit(field, cell, f"a date like {form}") from None
            if len(memo) < MEMO:
                memo[cell] = day
        return day

    return convert


def _usual(form: str) -> Callable[[str], date | None]:
    """
    Return what reads days in which all digits are written out, and None for any other text.

    strptime, which reads all the others, takes ten times as long.
    """
    parts = re.split("(%.)", form)
    if sorted(parts[1::2]) != sorted(DIGITS):
        return lambda _: None
    pattern = re.compile("".join(DIGITS.get(part, re.escape(part)) for part in parts))

    def read(cell: str) -> date | None:
        found = pattern.fullmatch(cell)
        try:
            return found and date(int(found["Y"]), int(found["m"]), int(found["d"]))
        except ValueError:
            return None

    return read
