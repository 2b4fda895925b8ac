"""From a row of a source to a record of a person (behaviour.md section 1)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from operator import itemgetter
from typing import TypeVar

from syncd.core.cells import Field, Type, Unfit, cell_reader, written
from syncd.core.identity import guid, login, text
from syncd.core.model import Value
from syncd.core.ports import Record

__all__ = [
    "MEMO",
    "Field",
    "Mapper",
    "PersonMapping",
    "Type",
    "compile_mapping",
    "decode_attributes",
    "encode_attributes",
    "encoder",
    "ordinal",
]

Cells = Sequence[object]
Mapper = Callable[[Cells, bytes | None], Record | None]
"""From the cells of a row and its mark to a record; None where the row has no usable key."""
Encoded = tuple[str, str | None]
"""Attributes as canonical JSON, and what of them could not be read."""
T = TypeVar("T")
Get = Callable[[Cells], T | None]

ENCODE = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode
MEMO = 32_768
"""Distinct cells or rows of attributes remembered; more would cost memory and save no time."""


@dataclass(frozen=True, slots=True)
class PersonMapping:
    """Which column says what about a person; None where no column does."""

    key: Field
    object_id: Field | None = None
    employee_id: Field | None = None
    user_name: Field | None = None
    mail: Field | None = None
    enabled: Field | None = None
    starts_on: Field | None = None
    leaves_on: Field | None = None
    attributes: Mapping[str, Field] = field(default_factory=dict)

    def columns(self) -> tuple[str, ...]:
        """Return the distinct normal forms of the mapped columns' names, the key's first."""
        named = (*self.standing(), *self.attributes.values())
        return tuple(dict.fromkeys(text(each.column) for each in named if each is not None))

    def standing(self) -> tuple[Field | None, ...]:
        """Return the fields that every record has, in the order of a record, the key first."""
        rungs = (self.object_id, self.employee_id, self.user_name, self.mail)
        return (self.key, *rungs, self.enabled, self.starts_on, self.leaves_on)

    def shape(self) -> str:
        """Write everything that decides how a row is read; the same for mappings that are alike."""
        return repr((self.standing(), sorted(self.attributes.items())))


def encode_attributes(attributes: Mapping[str, Value]) -> str:
    """Write attributes so that equal ones are the same text, whatever their order."""
    return ENCODE({name: _plain(value) for name, value in attributes.items()})


def decode_attributes(encoded: str) -> dict[str, Value]:
    """Read what `encode_attributes` wrote."""
    return {name: _value(plain) for name, plain in json.loads(encoded).items()}


def _plain(value: Value) -> object:
    return {"d": value.isoformat()} if isinstance(value, date) else value


def _value(plain: object) -> Value:
    match plain:
        case {"d": str(day)}:
            return date.fromisoformat(day)
        case list():
            return tuple(str(each) for each in plain)
        case None | bool() | int() | float() | str():
            return plain
    raise ValueError(f"attributes hold a {type(plain).__name__}, which no attribute can be")


def compile_mapping(
    mapping: PersonMapping, order: Sequence[str], *, native: bool = False
) -> Mapper:
    """
    Return the function that makes records of rows whose columns come in *order*.

    *order* holds normal forms of column names, every mapped one among them. *native*
    says that cells may be JSON values and not only texts. The record of a row with a
    cell that does not fit names it in its problem and has no mark: it is read anew
    each time.
    """
    at = {name: index for index, name in enumerate(order)}
    key = _identity(mapping.key, at, text)
    readers = _readers(mapping, at)
    object_id, employee_id, user_name, mail, enabled, starts_on, leaves_on = readers
    attributes = _attributes(mapping.attributes, at, native=native)

    def to_record(cells: Cells, mark: bytes | None) -> Record | None:
        encoded, problem = attributes(cells)
        try:
            name = key(cells)
            if name is None:
                return None
            if problem is None:
                return (
                    name,
                    mark,
                    object_id(cells),
                    employee_id(cells),
                    user_name(cells),
                    mail(cells),
                    enabled(cells),
                    starts_on(cells),
                    leaves_on(cells),
                    encoded,
                    None,
                )
        except Unfit:
            pass
        return _held(_tried(key, cells, []), readers, cells, (encoded, problem))

    return to_record


Readers = tuple[Get[str], Get[str], Get[str], Get[str], Get[int], Get[int], Get[int]]


def _readers(mapping: PersonMapping, at: Mapping[str, int]) -> Readers:
    return (
        _identity(mapping.object_id, at, guid),
        _identity(mapping.employee_id, at, text),
        _identity(mapping.user_name, at, login),
        _identity(mapping.mail, at, login),
        _number(mapping.enabled, Type.BOOL, at),
        _number(mapping.starts_on, Type.DATE, at),
        _number(mapping.leaves_on, Type.DATE, at),
    )


def _held(name: str | None, readers: Readers, cells: Cells, attributes: Encoded) -> Record | None:
    """Read cell by cell, to name everything that does not fit."""
    if name is None:
        return None
    object_id, employee_id, user_name, mail, enabled, starts_on, leaves_on = readers
    encoded, problem = attributes
    problems = [] if problem is None else [problem]
    return (
        name,
        None,
        _tried(object_id, cells, problems),
        _tried(employee_id, cells, problems),
        _tried(user_name, cells, problems),
        _tried(mail, cells, problems),
        _tried(enabled, cells, problems),
        _tried(starts_on, cells, problems),
        _tried(leaves_on, cells, problems),
        encoded,
        "; ".join(problems),
    )


def _tried(get: Get[T], cells: Cells, problems: list[str]) -> T | None:
    try:
        return get(cells)
    except Unfit as unfit:
        problems.append(str(unfit))
        return None


def _nothing(_: Cells) -> None:
    return None


def _identity(each: Field | None, at: Mapping[str, int], normal: Callable[[str], str]) -> Get[str]:
    """Read what a person is found by, in its normal form; empty is None."""
    if each is None:
        return _nothing
    index = at[text(each.column)]
    read = cell_reader(each)
    direct = each.type is Type.TEXT and each.split is None and each.default is None

    def get(cells: Cells) -> str | None:
        raw = cells[index]
        if direct and isinstance(raw, str):
            return normal(raw) or None
        value = written(read(raw))
        return None if value is None else normal(value) or None

    return get


def _number(each: Field | None, kind: Type, at: Mapping[str, int]) -> Get[int]:
    """Read a bool as 1 or 0, a date as its proleptic ordinal; empty is None."""
    if each is None:
        return _nothing
    index = at[text(each.column)]
    read = cell_reader(replace(each, type=kind, split=None))
    memo: dict[str, int | None] = {}

    def get(cells: Cells) -> int | None:
        raw = cells[index]
        if not isinstance(raw, str):
            return ordinal(read(raw))
        try:
            return memo[raw]
        except KeyError:
            answer = ordinal(read(raw))
        if len(memo) >= MEMO:
            memo.clear()
        memo[raw] = answer
        return answer

    return get


def ordinal(value: Value) -> int | None:
    """Write a bool as 1 or 0, a date as its proleptic ordinal."""
    if value is None:
        return None
    return value.toordinal() if isinstance(value, date) else int(value is True)


def _attributes(
    fields: Mapping[str, Field], at: Mapping[str, int], *, native: bool
) -> Callable[[Cells], Encoded]:
    """Read all attributes of a row at once: few combinations occur, so they are remembered."""
    if not fields:
        return lambda _: ("{}", None)
    indices = [at[text(each.column)] for each in fields.values()]
    # The first once more: an itemgetter of a single index would give no tuple.
    pick = itemgetter(*indices, indices[0])
    encode = encoder(fields)
    memo: dict[object, Encoded] = {}

    def get(cells: Cells) -> Encoded:
        picked = pick(cells)
        # 1, 1.0 and true are equal and hash alike, but are not the same in a text.
        known = repr(picked) if native else picked
        found = memo.get(known)
        if found is None:
            if len(memo) >= MEMO:
                memo.clear()
            found = memo[known] = encode(picked)
        return found

    return get


def encoder(fields: Mapping[str, Field]) -> Callable[[Cells], Encoded]:
    """Return what encodes the cells of attributes, given in the order of *fields*."""
    readers = [(name, cell_reader(each)) for name, each in fields.items()]

    def encode(picked: Cells) -> Encoded:
        values: dict[str, Value] = {}
        problems: list[str] = []
        for (name, read), raw in zip(readers, picked, strict=False):
            try:
                values[name] = read(raw)
            except Unfit as unfit:
                values[name] = None
                problems.append(str(unfit))
        return encode_attributes(values), "; ".join(problems) or None

    return encode
