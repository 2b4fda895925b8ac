"""From page to page of an export: by link, by cursor, by number or by offset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import assert_never

import httpx

from syncd.config.web import AskForNext, Cursor, NextLink, Offset, OnePage, PageNumber
from syncd.connectors.records import Unread
from syncd.connectors.web import Answer, Way
from syncd.core.paths import MISSING, Path, compile_path

__all__ = ["Page", "Walk"]

EMPTY = 50
"""Pages with nothing in them after which a server is taken to go on for ever."""
MOST = 100_000
"""Pages of one read; no company has as many."""
LISTS = 3
"""How many names of lists are offered where none was named."""
NOTHING: tuple[object, ...] = (None, "", False)
"""What stands where the next page would be when there is none."""
Page = list[object]


@dataclass(slots=True)
class Walk:
    """
    Walks over all pages of one read. Raises Unread, `began` is the server's time then.

    `shaky` says that pages come by number or offset: rows slip or come twice there while
    somebody changes something.
    """

    way: Way
    query: Mapping[str, str]
    paging: AskForNext
    rows: str | None
    total: str | None
    began: datetime | None = field(default=None, init=False)
    totals: list[int] = field(default_factory=list, init=False)
    got: int = field(default=0, init=False)
    asked: int = field(default=0, init=False)

    @property
    def shaky(self) -> bool:
        """Whether pages are counted and not kept for us by the server."""
        return isinstance(self.paging, PageNumber | Offset)

    def pages(self) -> Iterator[Page]:
        """Give the rows page by page, once."""
        self.totals, self.got = [], 0
        match self.paging:
            case OnePage():
                yield self._page(self.way.base.copy_merge_params(self.query))[1]
            case NextLink(path=path):
                yield from self._by_link(None if path is None else compile_path(path))
            case Cursor():
                yield from self._by_cursor(self.paging)
            case PageNumber() | Offset():
                yield from self._by_count(self.paging)
            case _:
                assert_never(self.paging)
        if self.totals and self.got < self.totals[-1]:
            raise Unread(
                f"{self.way.whom} says that there are {self.totals[-1]} rows and gave {self.got}; "
                "run again, and if it stays so check paging"
            )

    def _by_link(self, path: Path | None) -> Iterator[Page]:
        url = self.way.base.copy_merge_params(self.query)
        turns = _Turns(self.way.whom, "next links", "paging.path")
        while True:
            answer, rows = self._page(url)
            turns.note(str(url), rows)
            yield rows
            found = answer.following if path is None else path.value(answer.document)
            if found is MISSING or found in NOTHING:
                return
            url = self.way.link(found, url)

    def _by_cursor(self, paging: Cursor) -> Iterator[Page]:
        path = compile_path(paging.path)
        turns = _Turns(self.way.whom, "cursors", "paging.parameter")
        cursor = ""
        while True:
            more = {paging.parameter: cursor} if cursor else {}
            answer, rows = self._page(self._url(paging.size_parameter, paging.size, more))
            turns.note(cursor, rows)
            yield rows
            found = path.value(answer.document)
            if found is MISSING or found in NOTHING:
                return
            if not isinstance(found, str | int):
                raise Unread(f'{self.way.whom} has no text at "{paging.path}"; check paging.path')
            cursor = str(found)

    def _by_count(self, paging: PageNumber | Offset) -> Iterator[Page]:
        """Ask for numbered pages until one is empty, or all that there are came."""
        before: Page = []
        number = paging.first
        while True:
            whole = bool(self.totals) and self.got >= self.totals[-1]
            url = self._url(paging.size_parameter, paging.size, {paging.parameter: str(number)})
            # Some have no page behind the last one; without a total that may be anything.
            answer, rows = self._page(url, frozenset({404}) if whole else frozenset())
            if not rows or answer.status == 404 or (whole and rows == before):
                return
            if rows == before:
                raise Unread(
                    f"{self.way.whom} gives the same page again and again; check "
                    "paging.parameter, and whether it pages at all"
                )
            self.got += len(rows)
            before = rows
            yield rows
            number += 1 if isinstance(paging, PageNumber) else len(rows)
            # A page that is full may not be the last one, whatever the server says.
            if self.totals and self.got >= self.totals[-1] and len(rows) < paging.size:
                return

    def _url(self, size_parameter: str | None, size: int, more: Mapping[str, str]) -> httpx.URL:
        sized = {} if size_parameter is None else {size_parameter: str(size)}
        return self.way.base.copy_merge_params({**self.query, **sized, **more})

    def _page(
        self, url: httpx.URL, bear: frozenset[int] = frozenset()
    ) -> tuple[Answer, list[object]]:
        self.asked += 1
        if self.asked > MOST:
            raise Unread(f"{self.way.whom} has more than {MOST} pages; ask for larger ones")
        answer = self.way.get(url, bear)
        self.began = self.began or answer.moment
        if answer.status != 200:
            return answer, []
        rows = self._rows(answer.document)
        if self.total is not None:
            self.totals.append(self._total(self.total, answer.document))
        if not self.shaky:
            self.got += len(rows)
        return answer, rows

    def _rows(self, document: object) -> list[object]:
        found = document if self.rows is None else compile_path(self.rows).value(document)
        if isinstance(found, list):
            return found
        if found is None:
            return []
        if self.rows is not None:
            raise Unread(f'{self.way.whom} has no list at "{self.rows}"; check rows')
        named = document.items() if isinstance(document, dict) else ()
        lists = [f'"{name}"' for name, each in named if isinstance(each, list)]
        hint = f"; there is one at {' and '.join(lists[:LISTS])}" if lists else ""
        raise Unread(
            f"{self.way.whom} gave no list; write in rows where it stands in the page{hint}"
        )

    def _total(self, path: str, document: object) -> int:
        found = compile_path(path).value(document)
        if isinstance(found, str) and found.isascii() and found.isdigit():
            found = int(found[:18])
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise Unread(f'{self.way.whom} has no number at "{path}"; check total')
        return found


@dataclass(slots=True)
class _Turns:
    """Notices that a server leads round in a circle, or on for ever."""

    whom: str
    by: str
    setting: str
    met: set[bytes] = field(default_factory=set)
    before: bytes = b""
    empty: int = 0

    def note(self, at: str, rows: Page) -> None:
        """Take a page in. Raises Unread if it was there before, or nothing comes any more."""
        mark = blake2b(at.encode(), digest_size=8).digest()
        content = blake2b(repr(rows).encode(), digest_size=16).digest() if rows else b""
        again = mark in self.met or (content and content == self.before)
        self.empty = 0 if rows else self.empty + 1
        if again or self.empty > EMPTY:
            raise Unread(
                f"{self.whom} leads on and on with its {self.by}, and nothing new comes; "
                f"check {self.setting}"
            )
        self.met.add(mark)
        self.before = content
