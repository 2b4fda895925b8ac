"""From rows to records by columns: a page at once costs a fifth of its rows one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, compress
from typing import Any, Generic, TypeVar, cast, overload

from syncd.core.cells import Field, Type, Unfit, cell_reader
from syncd.core.identity import guid, login, text
from syncd.core.mapping import MEMO, PersonMapping, compile_mapping, encoder, ordinal
from syncd.core.ports import Record

__all__ = ["Page", "PageMapper", "compile_page", "normal_forms"]

FIELDS = 11
"""How many parts a `Record` has."""


class Page(Sequence[Record]):
    """
    Records that are at hand column by column, one for each part of a `Record`.

    To whoever asks for single ones it is a sequence of records. Made, joined and written
    by columns a million people never are a million tuples.
    """

    __slots__ = ("columns",)

    def __init__(self, columns: Sequence[Sequence[Any]]) -> None:
        """Take columns of one length."""
        self.columns = columns

    @classmethod
    def of(cls, records: Sequence[Record]) -> Page:
        """Lay out records that are at hand one by one."""
        if isinstance(records, Page):
            return records
        return cls(list(zip(*records, strict=True)) if records else [()] * FIELDS)

    @classmethod
    def joined(cls, pages: Sequence[Page]) -> Page:
        """Join pages, in their order."""
        if len(pages) == 1:
            return pages[0]
        parts = zip(*(page.columns for page in pages), strict=True)
        return cls([list(chain.from_iterable(part)) for part in parts] or [()] * FIELDS)

    def picked(self, which: Sequence[bool]) -> Page:
        """Return the records at the places that are true."""
        return Page([list(compress(column, which)) for column in self.columns])

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.columns[0])

    def __iter__(self) -> Iterator[Record]:
        """Give one record after the other."""
        return cast("Iterator[Record]", zip(*self.columns, strict=True))

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Page: ...
    def __getitem__(self, place: int | slice) -> Record | Page:
        """Return one record, or a page of some."""
        parts = [column[place] for column in self.columns]
        return Page(parts) if isinstance(place, slice) else cast("Record", tuple(parts))


Columns = Sequence[Sequence[str]]
PageMapper = Callable[[Columns, Sequence[bytes]], "Page | None"]
"""
From rows of texts, column by column, and their marks to what a `Mapper` makes of each row.

None where it makes nothing of one.
"""
Key = TypeVar("Key", str, tuple[str, ...])
T = TypeVar("T")
Read = Callable[[Columns], Sequence[T]]
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
        return lambda columns, marks: _whole(map(single, zip(*columns, strict=True), marks))
    forms = (text, guid, text, login, login)
    readers: list[Read[object]] = [
        _identity(each, at, form) for each, form in zip((key, *rungs), forms, strict=True)
    ]
    kinds = (Type.BOOL, Type.DATE, Type.DATE)
    numbers = zip(mapping.standing()[5:], kinds, strict=True)
    readers += [_number(each, kind, at) for each, kind in numbers]
    readers.append(_attributes(mapping.attributes, at))

    def to_page(columns: Columns, marks: Sequence[bytes]) -> Page | None:
        found = [read(columns) for read in readers]
        page = Page([found[0], marks, *found[1:], _nothing(columns)])
        odd = _odd(found)
        if not odd:
            return page
        rows: list[Record | None] = list(page)
        for number in odd:
            rows[number] = single([column[number] for column in columns], marks[number])
        return _whole(rows)

    return to_page


def _whole(records: Iterable[Record | None]) -> Page | None:
    """Return a page of all records, None if one is none."""
    found = list(records)
    return None if None in found else Page.of(cast("list[Record]", found))


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

    def read(columns: Columns) -> list[str | _Odd]:
        return list(map(memo.__getitem__, zip(*(columns[i] for i in indices), strict=True)))

    return read


def _nothing(columns: Columns) -> list[None]:
    return [None] * len(columns[0])
