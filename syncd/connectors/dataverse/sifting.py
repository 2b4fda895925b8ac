"""What of a page is news: one that is known is decoded no further than its ids and versions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from syncd.connectors.dataverse.answers import Page

__all__ = ["Sifted", "Versioned", "sifter"]


class Versioned(Protocol):
    """A row with its id and version."""

    id: str
    etag: str


Seen = TypeVar("Seen", bound=Versioned)


@dataclass(frozen=True, slots=True)
class Sifted(Generic[Seen]):
    """
    A page without what was known of it: its first row's id, the marks of all rows, the new rows.

    A mark is an id in lower case and the version.
    """

    id: str
    marks: list[str]
    news: list[Seen]


def sifter(
    kind: type[Seen], decode: Callable[[bytes], Page[Seen]], known: set[str]
) -> Callable[[bytes], Page[Sifted[Seen]]]:
    """
    Return what decodes a page to the one `Sifted` that it is, or to nothing where it has no row.

    Nothing is taken out of *known*: whether a page counts is not known when it is decoded.
    The first page with rows is decoded whole all the same: a column that holds something else
    than it did is noticed though no row is new.
    """
    if not known:
        return lambda content: _whole(decode(content), known)
    brief = _brief(kind)
    looked = False

    def sift(content: bytes) -> Page[Sifted[Seen]]:
        nonlocal looked
        if not looked:
            whole = decode(content)
            looked = bool(whole.value)
            return _whole(whole, known)
        page = brief(content)
        marks = [row.id + row.etag for row in page.value]
        if not marks or set(marks).difference(known):
            return _whole(decode(content), known)
        return Page([Sifted(page.value[0].id, marks, [])], page.next, page.delta)

    return sift


def _whole(page: Page[Seen], known: set[str]) -> Page[Sifted[Seen]]:
    rows = page.value
    if not rows:
        return Page([], page.next, page.delta)
    if not known:
        return Page([Sifted(rows[0].id, [], rows)], page.next, page.delta)
    marks = [row.id.lower() + row.etag for row in rows]
    new = set(marks).difference(known)
    news = [row for row, mark in zip(rows, marks, strict=True) if mark in new] if new else []
    return Page([Sifted(rows[0].id, marks, news)], page.next, page.delta)


def _brief(kind: type[Seen]) -> Callable[[bytes], Page[Any]]:  # rows with an id and a version
    """Return what decodes only the id and the version of rows, whose columns *kind* knows."""
    told: Any = kind
    fields = [
        (each.name, each.type, msgspec.field(name=each.encode_name))
        for each in msgspec.structs.fields(told)
        if each.name in ("id", "etag")
    ]
    row: Any = msgspec.defstruct("Brief", fields, gc=False)
    return msgspec.json.Decoder(Page[row]).decode
