"""Objects as the pages of a delta query bring them: in any order, and some more than once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from syncd.connectors.records import Unread
from syncd.connectors.sources.graph.way import Document, Way

__all__ = ["HELD", "Arrivals", "Round", "objects"]

HELD = 5000
"""Objects that wait for a later word on them before they are given on."""


@dataclass(slots=True)
class Round:
    """
    One round of a delta query: iterate over its pages, then ask for the link.

    Raises Unread, and Expired where the token is too old (identity-and-sources.md 2.1).
    """

    way: Way
    url: str
    link: str | None = None

    def __iter__(self) -> Iterator[list[Document]]:
        """Give the objects of each page, of which some are empty."""
        url: str | None = self.url
        seen: set[int] = set()
        while url is not None:
            if hash(url) in seen:
                raise Unread(
                    f"{self.way.host} leads in a circle from page to page; "
                    "look at the proxies between, then run again"
                )
            seen.add(hash(url))
            page = self.way.get(url)
            yield objects(page, self.way)
            url = _link(page, "@odata.nextLink")
            self.link = _link(page, "@odata.deltaLink")
        if self.link is None:
            raise Unread(
                f"{self.way.host} gave a page that leads nowhere, so the read is not complete; "
                "run again"
            )


def objects(page: Document, way: Way) -> list[Document]:
    """Return the objects of a page, each with its id. Raises Unread where it is none."""
    value = page.get("value")
    found: list[Any] = value if isinstance(value, list) else [None]
    if all(isinstance(each, dict) and isinstance(each.get("id"), str) for each in found):
        return found
    raise Unread(
        f"{way.host} gave a page that is not a list of objects with ids; check url, and look at "
        "the proxies between"
    )


def _link(page: Document, name: str) -> str | None:
    link = page.get(name)
    return link if isinstance(link, str) and link else None


@dataclass(slots=True)
class Arrivals:
    """
    Keeps what pages bring until enough waits; the last word on an object counts.

    A word that comes after its object was given on makes the object `late`: whoever reads
    on must ask for it by its id.
    """

    held: int = HELD
    waiting: dict[str, Document] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    _given: set[int] = field(default_factory=set)

    def take(self, objects: Iterable[Document]) -> None:
        """Take the objects of a page."""
        for each in objects:
            ident = str(each["id"])
            if hash(ident) in self._given:
                self.late.add(ident)
            else:
                self.waiting[ident] = each

    @property
    def many(self) -> bool:
        """Whether as many wait as should."""
        return len(self.waiting) >= self.held

    def given(self) -> list[Document]:
        """Return what waits; it does no longer."""
        found = list(self.waiting.values())
        self._given.update(map(hash, self.waiting))
        self.waiting.clear()
        return found
