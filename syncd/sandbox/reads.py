"""Reading one row, a page of rows, or a count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote

import msgspec

from syncd.sandbox import aggregate, errors, fetchxml, shapes, sql
from syncd.sandbox.columns import Table
from syncd.sandbox.filters import Filter, everything, parse
from syncd.sandbox.metadata import query_options
from syncd.sandbox.ordering import sort_keys, start
from syncd.sandbox.query import (
    PAGE,
    Cookie,
    Order,
    Query,
    page_size,
    read_options,
    write_cookie,
)
from syncd.sandbox.showing import Branch, Wants, branches, rendered, wishes
from syncd.sandbox.store import Row, Rows, Store

__all__ = ["Reader", "Scope"]

COUNTED = 5000
"""`$count=true` counts no further (dataverse-web-api.md section 1.4)."""
SORTINGS = 4
"""Sorted key lists that are kept for the pages to come."""

TOTAL = "Microsoft.Dynamics.CRM.totalrecordcount"
EXCEEDED = "Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"
VERSION = "Microsoft.Dynamics.CRM.globalmetadataversion"

BY_KEY = (Order(0, descending=False),)

Encode = Callable[[list[Row]], bytes]


@dataclass(frozen=True, slots=True)
class Sorting:
    """The keys that pass a filter in the order asked for, as long as the table stays as it is."""

    generation: int
    keys: list[str]


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of a table: the keys of what a row's collection holds, and its address."""

    path: str
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Page:
    """A JSON array of rows, and the last of them if others follow."""

    content: bytes
    last: Row | None


class Reader:
    """Answers reads of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sortings: dict[object, Sorting] = {}

    def count(self, rows: Rows, query: str, scope: Scope | None = None) -> int:
        """Return how many rows there are, or pass the filter."""
        asked = read_options(rows.table, query)
        if asked.filter_text is None and scope is None:
            return len(rows.by_key)
        return sum(1 for _ in self._passing(rows, asked, scope))

    def one(self, rows: Rows, key: str, query: str, base: str, wanted: str | None) -> bytes:
        """Return the JSON of one row that is there, with the annotations of this pattern."""
        table, asked = rows.table, read_options(rows.table, query)
        context = f"{base}/$metadata#{_entity(table, asked)}/$entity"
        if asked.filter_text or asked.order or asked.top is not None or asked.count:
            raise errors.query("A single row takes $select and $expand only.")
        encoded = self._encoder(table, asked, wanted, base)([rows.by_key[key]])
        return b'{"@odata.context":' + msgspec.json.encode(context) + b"," + encoded[2:-1]

    def page(
        self,
        rows: Rows,
        query: str,
        base: str,
        preferences: Mapping[str, str],
        scope: Scope | None = None,
    ) -> bytes:
        """Return the JSON of a page: rows, a count if asked for, and the link to the next page."""
        other = self._in_other_words(rows, query, base, preferences)
        if other is not None:
            return other
        table, asked = rows.table, read_options(rows.table, query)
        wanted = preferences.get("odata.include-annotations")
        preferred = page_size(preferences)
        # A preferred page size makes the platform ignore $top (section 1.3).
        top = asked.top if preferred is None else None
        size = preferred or PAGE
        limit = size if top is None else min(size, top)
        found = self._page(rows, asked, limit, wanted, base, scope)
        parts = [b'{"@odata.context":']
        parts.append(msgspec.json.encode(f"{base}/$metadata#{_entity(table, asked)}"))
        if asked.count or wanted:
            parts.append(self._counted(rows, asked, wishes(wanted), scope))
        parts += [b',"value":', found.content]
        if found.last is not None and (top is None or top > size):
            address = f"{base}/{scope.path if scope else table.set_name}"
            parts += [b',"@odata.nextLink":', _next_link(address, asked, found.last)]
        parts.append(b"}")
        return b"".join(parts)

    def _in_other_words(
        self, rows: Rows, query: str, base: str, preferences: Mapping[str, str]
    ) -> bytes | None:
        """Answer an aggregate, FetchXML or SQL; None for the usual options."""
        if not any(word in query for word in ("apply=", "etchXml=", "sql=")):
            return None
        options = query_options(query)
        if "$apply" in options:
            return aggregate.page(self._store, rows, query, base)
        if "fetchXml" in options:
            return fetchxml.fetch(self._store, rows, options["fetchXml"], base, preferences)
        if "sql" in options:
            link = f"sql={quote(options['sql'], safe='')}"
            return sql.select(rows, options["sql"], options.get("$skiptoken"), base, link)
        return None

    def _page(
        self,
        rows: Rows,
        asked: Query,
        limit: int,
        wanted: str | None,
        base: str,
        scope: Scope | None,
    ) -> Page:
        table = rows.table
        plain = not (asked.filter_text or asked.expand or wanted or scope)
        if plain and asked.order[:1] in {(), BY_KEY}:
            after = asked.cookie.key if asked.cookie else None
            spans, more = rows.index.spans(after, limit)
            last = spans[-1].bucket.rows[spans[-1].stop - 1] if more and spans else None
            return Page(shapes.encode_spans(table, asked.select, spans), last)
        found = self._rows(rows, asked, limit + 1, scope)
        shown = found[:limit]
        content = self._encoder(table, asked, wanted, base)(shown)
        return Page(content, shown[-1] if shown and len(found) > limit else None)

    def _passing(self, rows: Rows, asked: Query, scope: Scope | None) -> Iterator[Row]:
        chosen = self._filter(rows, asked, scope)
        return filter(chosen.test, _candidates(rows, chosen, None))

    def _filter(self, rows: Rows, asked: Query, scope: Scope | None) -> Filter:
        if asked.filter_text is None:
            return Filter(everything, scope.keys if scope else None)
        chosen = parse(self._store, rows, asked.filter_text, asked.aliases)
        if scope is None:
            return chosen
        within = scope.keys if chosen.within is None else scope.keys & chosen.within
        return Filter(chosen.test, within)

    def _rows(self, rows: Rows, asked: Query, limit: int, scope: Scope | None) -> list[Row]:
        if asked.order[:1] not in {(), BY_KEY}:
            by_key = rows.by_key
            return [by_key[key] for key in self._sorted(rows, asked, limit, scope)]
        after = asked.cookie.key if asked.cookie else None
        chosen = self._filter(rows, asked, scope)
        return list(islice(filter(chosen.test, _candidates(rows, chosen, after)), limit))

    def _sorted(self, rows: Rows, asked: Query, limit: int, scope: Scope | None) -> list[str]:
        aliases = tuple(asked.aliases.items())
        name = (rows.table.name, asked.filter_text, aliases, asked.order, scope)
        # A filter may look into other tables, so any write makes what was sorted old.
        generation = sum(each.generation for each in self._store.tables.values())
        sorting = self._sortings.get(name)
        if sorting is None or sorting.generation != generation:
            keys = [str(row[0]) for row in self._passing(rows, asked, scope)]
            sort_keys(keys, rows, asked.order)
            sorting = Sorting(generation, keys)
            self._sortings[name] = sorting
            if len(self._sortings) > SORTINGS:
                del self._sortings[next(iter(self._sortings))]
        begin = start(sorting.keys, rows, asked.order, asked.cookie) if asked.cookie else 0
        return sorting.keys[begin : begin + limit]

    def _counted(self, rows: Rows, asked: Query, wants: Wants, scope: Scope | None) -> bytes:
        """Return the counts asked for; without `$count` the annotation says -1 (section 1.4)."""
        shown, total = b"", -1
        if asked.count:
            total = sum(1 for _ in islice(self._passing(rows, asked, scope), COUNTED + 1))
            shown = b',"@odata.count":%d' % min(total, COUNTED)
        if wants(TOTAL):
            shown += b',"@%b":%d' % (TOTAL.encode(), min(total, COUNTED))
        if wants(EXCEEDED):
            over = b"true" if total > COUNTED else b"false"
            shown += b',"@%b":%b' % (EXCEEDED.encode(), over)
        if wants(VERSION):
            shown += b',"@%b":"1"' % VERSION.encode()
        return shown

    def _encoder(self, table: Table, asked: Query, wanted: str | None, base: str) -> Encode:
        if not wanted and not asked.expand:
            return lambda rows: shapes.encode(table, asked.select, rows)
        wants, store = wishes(wanted), self._store
        within: tuple[Branch, ...] = branches(store, table, asked.expand)

        def slowly(rows: list[Row]) -> bytes:
            return msgspec.json.encode(
                [rendered(store, table, asked, row, within, wants, base) for row in rows]
            )

        return slowly


def _candidates(rows: Rows, chosen: Filter, after: str | None) -> Iterator[Row]:
    """Yield the rows that a filter need look at, in order, from after a key on."""
    if chosen.within is None:
        return rows.index.after(after)
    by_key = rows.by_key
    keys = sorted(key for key in chosen.within if after is None or key > after)
    return (by_key[key] for key in keys if key in by_key)


def _entity(table: Table, asked: Query) -> str:
    names = [table.columns[at].read for at in asked.select or ()]
    names += [f"{each.nav}({each.options.get('$select', '')})" for each in asked.expand]
    return f"{table.set_name}({','.join(names)})" if names else table.set_name


def _next_link(address: str, asked: Query, last: Row) -> bytes:
    page = asked.cookie.page + 1 if asked.cookie else 2
    values = [last[each.at] for each in asked.order]
    token = write_cookie(Cookie(page, str(last[0]), values))
    link = f"{address}?{asked.rest}{'&' if asked.rest else ''}$skiptoken={token}"
    return msgspec.json.encode(link)
