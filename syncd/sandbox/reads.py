"""Reading one row, a page of rows, or a count."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cmp_to_key
from itertools import islice
from typing import Any

import msgspec

from syncd.sandbox import errors, shapes
from syncd.sandbox.columns import Table
from syncd.sandbox.filters import Filter, everything, parse
from syncd.sandbox.query import (
    PAGE,
    Cookie,
    Order,
    Query,
    page_size,
    read_options,
    write_cookie,
)
from syncd.sandbox.store import Row, Rows, Store

__all__ = ["Reader"]

COUNTED = 5000
"""`$count=true` counts no further (dataverse-web-api.md section 1.4)."""
SORTINGS = 4
"""Sorted key lists that are kept for the pages to come."""

BY_KEY = (Order(0, descending=False),)

Encode = Callable[[list[Row]], bytes]


@dataclass(frozen=True, slots=True)
class Sorting:
    """The keys that pass a filter in the order asked for, as long as the table stays as it is."""

    generation: int
    keys: list[str]


@dataclass(frozen=True, slots=True)
class Page:
    """A JSON array of rows, and the last of them if others follow."""

    content: bytes
    last: Row | None


class Reader:
    """Answers reads of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sortings: dict[tuple[str, str | None, tuple[Order, ...]], Sorting] = {}

    def count(self, rows: Rows, query: str) -> int:
        """Return how many rows there are, or pass the filter."""
        asked = read_options(rows.table, query)
        if asked.filter_text is None:
            return len(rows.by_key)
        return sum(1 for _ in self._passing(rows, asked))

    def one(self, rows: Rows, key: str, query: str, base: str, wanted: str | None) -> bytes:
        """Return the JSON of one row that is there, with the annotations of this pattern."""
        table, asked = rows.table, read_options(rows.table, query)
        context = f"{base}/$metadata#{_entity(table, asked)}/$entity"
        if asked.filter_text or asked.order or asked.top is not None or asked.count:
            raise errors.query("A single row takes $select and $expand only.")
        encoded = self._encoder(table, asked, wanted)([rows.by_key[key]])
        return b'{"@odata.context":' + msgspec.json.encode(context) + b"," + encoded[2:-1]

    def page(self, rows: Rows, query: str, base: str, preferences: Mapping[str, str]) -> bytes:
        """Return the JSON of a page: rows, a count if asked for, and the link to the next page."""
        table, asked = rows.table, read_options(rows.table, query)
        wanted = preferences.get("odata.include-annotations")
        preferred = page_size(preferences)
        # A preferred page size makes the platform ignore $top (section 1.3).
        top = asked.top if preferred is None else None
        size = preferred or PAGE
        found = self._page(rows, asked, size if top is None else min(size, top), wanted)
        parts = [b'{"@odata.context":']
        parts.append(msgspec.json.encode(f"{base}/$metadata#{_entity(table, asked)}"))
        if asked.count:
            parts.append(self._counted(rows, asked, wanted))
        parts += [b',"value":', found.content]
        if found.last is not None and (top is None or top > size):
            link = _next_link(base, table, asked, found.last)
            parts += [b',"@odata.nextLink":', msgspec.json.encode(link)]
        parts.append(b"}")
        return b"".join(parts)

    def _page(self, rows: Rows, asked: Query, limit: int, wanted: str | None) -> Page:
        table = rows.table
        plain = not (asked.filter_text or asked.expand or wanted)
        if plain and asked.order[:1] in {(), BY_KEY}:
            after = asked.cookie.key if asked.cookie else None
            spans, more = rows.index.spans(after, limit)
            last = spans[-1].bucket.rows[spans[-1].stop - 1] if more and spans else None
            return Page(shapes.encode_spans(table, asked.select, spans), last)
        found = self._rows(rows, asked, limit + 1)
        shown = found[:limit]
        content = self._encoder(table, asked, wanted)(shown)
        return Page(content, shown[-1] if shown and len(found) > limit else None)

    def _passing(self, rows: Rows, asked: Query) -> Iterator[Row]:
        return filter(self._filter(rows, asked).test, rows.index.after(None))

    def _filter(self, rows: Rows, asked: Query) -> Filter:
        if asked.filter_text is None:
            return Filter(everything)
        return parse(self._store, rows, asked.filter_text, asked.aliases)

    def _rows(self, rows: Rows, asked: Query, limit: int) -> list[Row]:
        by_key = rows.by_key
        if asked.order[:1] not in {(), BY_KEY}:
            return [by_key[key] for key in self._sorted(rows, asked, limit)]
        after = asked.cookie.key if asked.cookie else None
        chosen = self._filter(rows, asked)
        if chosen.within is None:
            candidates = rows.index.after(after)
        else:
            keys = sorted(key for key in chosen.within if after is None or key > after)
            candidates = (by_key[key] for key in keys)
        return list(islice(filter(chosen.test, candidates), limit))

    def _sorted(self, rows: Rows, asked: Query, limit: int) -> list[str]:
        name = (rows.table.name, asked.filter_text, asked.order)
        sorting = self._sortings.get(name)
        if sorting is None or sorting.generation != rows.generation:
            keys = [str(row[0]) for row in self._passing(rows, asked)]
            _sort(keys, rows, asked.order)
            sorting = Sorting(rows.generation, keys)
            self._sortings[name] = sorting
            if len(self._sortings) > SORTINGS:
                del self._sortings[next(iter(self._sortings))]
        start = _start(sorting.keys, rows, asked) if asked.cookie else 0
        return sorting.keys[start : start + limit]

    def _counted(self, rows: Rows, asked: Query, wanted: str | None) -> bytes:
        total = sum(1 for _ in islice(self._passing(rows, asked), COUNTED + 1))
        shown = b',"@odata.count":%d' % min(total, COUNTED)
        if wanted and fnmatchcase("Microsoft.Dynamics.CRM.totalrecordcount", wanted):
            over = b"true" if total > COUNTED else b"false"
            shown += b',"@Microsoft.Dynamics.CRM.totalrecordcount":%d' % min(total, COUNTED)
            shown += b',"@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded":' + over
        return shown

    def _encoder(self, table: Table, asked: Query, wanted: str | None) -> Encode:
        if not wanted and not asked.expand:
            return lambda rows: shapes.encode(table, asked.select, rows)
        patterns = (wanted or "").split(",")

        def wants(name: str) -> bool:
            return any(fnmatchcase(name, pattern) for pattern in patterns)

        def slowly(rows: list[Row]) -> bytes:
            return msgspec.json.encode([self._whole(table, asked, row, wants) for row in rows])

        return slowly

    def _whole(
        self, table: Table, asked: Query, row: Row, wants: Callable[[str], bool]
    ) -> dict[str, object]:
        shown = shapes.annotated(self._store, table, asked.select, row, wants)
        for at, select in asked.expand:
            column = table.columns[at]
            target = self._store.tables.get(column.target or "")
            other = target.by_key.get(str(row[at])) if target else None
            if target is None or other is None:
                shown[str(column.nav)] = None
                continue
            inner = read_options(target.table, f"$select={select}" if select else "")
            shown[str(column.nav)] = shapes.annotated(
                self._store, target.table, inner.select, other, wants
            )
        return shown


def _entity(table: Table, asked: Query) -> str:
    if asked.select is None:
        return table.set_name
    names = ",".join(table.columns[at].read for at in asked.select)
    return f"{table.set_name}({names})"


def _next_link(base: str, table: Table, asked: Query, last: Row) -> str:
    page = asked.cookie.page + 1 if asked.cookie else 2
    values = [last[each.at] for each in asked.order]
    token = write_cookie(Cookie(page, str(last[0]), values))
    return f"{base}/{table.set_name}?{asked.rest}{'&' if asked.rest else ''}$skiptoken={token}"


def _sort(keys: list[str], rows: Rows, order: tuple[Order, ...]) -> None:
    """Sort by the last column first: each later pass keeps the order of equals."""
    for each in reversed(order):
        keys.sort(key=_place(rows, each.at), reverse=each.descending)


def _place(rows: Rows, at: int) -> Callable[[str], tuple[bool, str]]:
    by_key = rows.by_key
    return lambda key: _rank(by_key[key][at])


def _rank(value: object) -> tuple[bool, str]:
    """Put an empty value before all others, and texts without regard to case."""
    folded = value.casefold() if isinstance(value, str) else value
    return value is not None, folded  # type: ignore[return-value]  # a number compares likewise


def _start(keys: list[str], rows: Rows, asked: Query) -> int:
    """Find where the page after the cookie begins, though the table may have moved since."""
    cookie = asked.cookie
    assert cookie is not None  # noqa: S101  # asked by the caller

    def compare(left: tuple[list[object], str], right: tuple[list[object], str]) -> int:
        for each, one, other in zip(asked.order, left[0], right[0], strict=True):
            first, second = _rank(one), _rank(other)
            if first != second:
                return -1 if (first < second) is not each.descending else 1
        return (left[1] > right[1]) - (left[1] < right[1])

    ranked = cmp_to_key(compare)

    def place(key: str) -> Any:
        row = rows.by_key[key]
        return ranked(([row[each.at] for each in asked.order], key))

    return bisect_right(keys, ranked((cookie.values, cookie.key)), key=place)
