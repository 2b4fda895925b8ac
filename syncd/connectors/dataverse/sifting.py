"""What of a page is news: one that came like this before is not decoded at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from syncd.connectors.dataverse.answers import Page, readable
from syncd.connectors.http import Channel
from syncd.core.ports import Remembered

__all__ = ["Sheet", "Sieve", "Versioned", "sheets"]

MARKS = b"id in lower case and version, 1\n"
"""What is remembered of a page. It is part of the digest: told otherwise, no page is known."""
BEGIN, END = b'"value":[', b"}]"


class Versioned(Protocol):
    """A row with its id and version."""

    id: str
    etag: str


Seen = TypeVar("Seen", bound=Versioned)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page as it came: the id that it begins with, a digest of its rows, and all of it."""

    id: str
    digest: bytes
    content: bytes


class _Links(msgspec.Struct, gc=False):
    """A page of which only the links are looked at."""

    value: msgspec.Raw
    next: str | None = msgspec.field(name="@odata.nextLink", default=None)
    delta: str | None = msgspec.field(name="@odata.deltaLink", default=None)


_links = msgspec.json.Decoder(_Links).decode
_nothing = re.compile(rb"\s*\[\s*\]\s*").fullmatch


def sheets(kind: type[Versioned], memory: object = None) -> Callable[[bytes], Page[Sheet]]:
    """
    Return what makes of an answer the one sheet that it is, or nothing where it has no row.

    Without a *memory* nobody needs a digest.
    """
    begins = re.compile(rb'"%s"\s*:\s*"([^"\\]+)"' % _names(kind)["id"].encode()).search

    def sheet(content: bytes) -> Page[Sheet]:
        rows, links = _parted(content)
        if _nothing(rows):
            return Page([], links.next, links.delta)
        first = begins(rows)
        name = first[1].decode(errors="replace") if first else ""
        mark = b"" if memory is None else _digest(rows)
        return Page([Sheet(name, mark, content)], links.next, links.delta)

    return sheet


def _digest(rows: memoryview | bytes) -> bytes:
    digest = hashlib.sha256(MARKS)
    digest.update(rows)
    return digest.digest()[:16]


def _parted(content: bytes) -> tuple[memoryview | bytes, _Links]:
    """
    Return the rows of a page as they are written, and its links.

    Where they stand as a server writes them the rows are not even looked at: a name and a
    bracket like these are in no text of JSON. If what is left without them is no page,
    something else was found, and all of it is parsed.
    """
    start, end = content.find(BEGIN), content.rfind(END)
    if 0 <= start < end and content.count(b"{", 0, start) == 1:
        begin, after = start + len(BEGIN) - 1, end + len(END)
        try:
            return memoryview(content)[begin:after], _links(
                content[:begin] + b"[]" + content[after:]
            )
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    links = _links(content)
    return bytes(links.value), links


@dataclass(slots=True)
class Sieve(Generic[Seen]):
    """
    Holds back what is *known* already: marks, each an id in lower case and the version.

    With a memory nothing is known at first. While only pages come that are remembered, and
    no other rows are stored than theirs, there is no need to know more. What came is
    taken out of *known*: what is left of it at the end is gone or has changed.
    """

    channel: Channel
    what: str
    kind: type[Seen]
    decode: Callable[[bytes], Page[Seen]]
    known: set[str]
    memory: Remembered | None = None
    _brief: Callable[[bytes], Page[Any]] | None = None  # rows with an id and a version
    _looked: bool = False
    _open: bool = field(default=False)

    def news(self, sheet: Sheet) -> Sequence[Seen]:
        """Return the rows of a page that are not known."""
        memory = self.memory
        if memory is None:
            return self._sifted(sheet)[1]
        if sheet.digest not in memory.pages:
            self._know(memory)
            marks, news = self._sifted(sheet)
            memory.keep(sheet.digest, marks)
            return news
        if memory.whole and not self._open:
            memory.came.add(sheet.digest)
            return ()
        self._know(memory)
        memory.came.add(sheet.digest)
        marks = memory.marks(sheet.digest)
        if self.known.issuperset(marks):
            self.known.difference_update(marks)
            return ()
        return self._sifted(sheet)[1]

    def end(self) -> None:
        """Take note that no page comes any more; only now *known* says who is gone."""
        memory = self.memory
        if memory is not None and not (memory.whole and memory.came == memory.pages):
            self._know(memory)

    def _know(self, memory: Remembered) -> None:
        """Know all marks from now on; those of pages that came before are taken out at once."""
        if self._open:
            return
        self._open = True
        self.known.update(memory.known())
        for digest in memory.came:
            self.known.difference_update(memory.marks(digest))

    def _sifted(self, sheet: Sheet) -> tuple[list[str], list[Seen]]:
        """
        Return the marks of a page, none where nothing is known, and its rows that are news.

        The first page is decoded whole all the same: a column that holds something else
        than it did is noticed though no row is new.
        """
        if not self.known and self.memory is None:
            return [], self._rows(sheet, self.decode)
        if self._looked:
            marks = [row.id.lower() + row.etag for row in self._rows(sheet, self._briefly())]
            if self.known.issuperset(marks):
                self.known.difference_update(marks)
                return marks, []
        rows = self._rows(sheet, self.decode)
        self._looked = True
        marks = [row.id.lower() + row.etag for row in rows]
        new = set(marks).difference(self.known)
        self.known.difference_update(marks)
        return marks, [r for r, mark in zip(rows, marks, strict=True) if mark in new] if new else []

    def _rows(self, sheet: Sheet, decode: Callable[[bytes], Page[Seen]]) -> list[Seen]:
        return readable(self.channel, self.what, decode, sheet.content).value

    def _briefly(self) -> Callable[[bytes], Page[Any]]:  # rows with an id and a version
        """Return what decodes only the id and the version of rows."""
        if self._brief is None:
            told: Any = self.kind
            fields = [
                (each.name, each.type, msgspec.field(name=each.encode_name))
                for each in msgspec.structs.fields(told)
                if each.name in ("id", "etag")
            ]
            row: Any = msgspec.defstruct("Brief", fields, gc=False)
            self._brief = msgspec.json.Decoder(Page[row]).decode
        return self._brief


def _names(kind: Any) -> dict[str, str]:  # a struct of rows
    return {each.name: each.encode_name for each in msgspec.structs.fields(kind)}
