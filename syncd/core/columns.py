"""From rows to records by columns: a page at once costs a fifth of its rows one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any, Generic, TypeVar, cast

from syncd.core.cells import Field, Type, Unfit, cell_reader
from syncd.core.identity import guid, login, text
from syncd.core.mapping import MEMO, PersonMapping, compile_mapping, encoder, ordinal
from syncd.core.ports import Record

__all__ = ["PageMapper", "compile_page", "normal_forms"]

Row = Sequence[str]
PageMapper = Callable[[Sequence[Row], Sequence[bytes]], list[Record | None]]
"""From rows of texts, all of one width, and their marks to what a `Mapper` makes of each."""
Key = TypeVar("Key", str, tuple[str, ...])
T = TypeVar("T")
Read = Callable[[Sequence[Sequence[str]]], Sequence[T]]
"""Reads a field of all rows from the columns of a page."""


class _Odd:
    """Stands where a cell does not fit: the row is mapped by itself, which says why."""


ODD = _Odd()


class _Memo(dict[Key, "T | _Odd"], Generic[Key, T]):
    """What cells were read as; asking for a new one reads it."""

    def __init__(self, read: Callable[[Key], T]) -> None:
        self.read: Callable[[Key], T] = read

    def __missing__(self, cell: Key) -> T | _Odd:
        if len(self) >= MEMO:
            self.clear()
        found: T | _Odd
        try:
            found = self.read(cell)
        except Unfit:
            found = ODD
        self[cell] = found
        return found


def compile_page(mapping: PersonMapping, order: Sequence[str]) -> PageMapper:
    """
    Return the function that makes records of a page of rows whose columns come in *order*.

    It gives what `compile_mapping` would give for each row.
    """
    single = compile_mapping(mapping, order)
    at = {name: index for index, name in enumerate(order)}
    key, *rungs = mapping.standing()[:5]
    if not all(each is None or _direct(each) for each in (key, *rungs)):
        return lambda rows, marks: list(map(single, rows, marks))
    forms = (text, guid, text, login, login)
    readers: list[Read[object]] = [
        _identity(each, at, form) for each, form in zip((key, *rungs), forms, strict=True)
    ]
    kinds = (Type.BOOL, Type.DATE, Type.DATE)
    numbers = zip(mapping.standing()[5:], kinds, strict=True)
    readers += [_number(each, kind, at) for each, kind in numbers]
    readers.append(_attributes(mapping.attributes, at))

    def to_records(rows: Sequence[Row], marks: Sequence[bytes]) -> list[Record | None]:
        columns = list(zip(*rows, strict=True))
        found = [read(columns) for read in readers]
        # A zip of nine columns has no type of its own.
        page: list[Any] = list(zip(found[0], marks, *found[1:], repeat(None)))
        for number in _odd(found):
            page[number] = single(rows[number], marks[number])
        return page

    return to_records


def _odd(found: Sequence[Sequence[object]]) -> set[int]:
    """Return the rows that have no key or a cell that does not fit."""
    numbers = {n for n, key in enumerate(found[0]) if key is None} if None in found[0] else set()
    for column in found[5:]:
        if ODD in column:
            numbers.update(n for n, value in enumerate(column) if value is ODD)
    return numbers


def _direct(each: Field) -> bool:
    return each.type is Type.TEXT and each.split is None and each.default is None


def _identity(
    each: Field | None, at: Mapping[str, int], normal: Callable[[str], str]
) -> Read[str | None]:
    if each is None:
        return _nothing
    index = at[text(each.column)]

    return lambda columns: normal_forms(columns[index], normal)


def normal_forms(cells: Sequence[str | None], normal: Callable[[str], str]) -> Sequence[str | None]:
    """Write cells in one of the normal forms of `core.identity`; what is empty then is None."""
    present = [cell or "" for cell in cells] if None in cells else cast("Sequence[str]", cells)
    joined = "".join(present)
    if not joined:
        return [None] * len(cells)
    if joined.isascii() and "{" not in joined and "}" not in joined:
        # Of plain texts that is what needs no call for each.
        stripped = map(str.strip, present)
        values = list(stripped if normal is text else map(str.lower, stripped))
    else:
        values = list(map(normal, present))
    return [value or None for value in values] if "" in values else values


def _number(each: Field | None, kind: Type, at: Mapping[str, int]) -> Read[int | _Odd | None]:
    if each is None:
        return _nothing
    index = at[text(each.column)]
    read = cell_reader(replace(each, type=kind, split=None))
    memo: _Memo[str, int | None] = _Memo(lambda cell: ordinal(read(cell)))
    return lambda columns: list(map(memo.__getitem__, columns[index]))


def _attributes(fields: Mapping[str, Field], at: Mapping[str, int]) -> Read[str | _Odd]:
    if not fields:
        return lambda columns: ["{}"] * len(columns[0])
    indices = [at[text(each.column)] for each in fields.values()]
    encode = encoder(fields)

    def encoded(picked: tuple[str, ...]) -> str:
        found, problem = encode(picked)
        if problem is not None:
            raise Unfit(problem)
        return found

    memo: _Memo[tuple[str, ...], str] = _Memo(encoded)

    def read(columns: Sequence[Sequence[str]]) -> list[str | _Odd]:
        return list(map(memo.__getitem__, zip(*(columns[i] for i in indices), strict=True)))

    return read


def _nothing(columns: Sequence[Sequence[str]]) -> list[None]:
    return [None] * len(columns[0])
