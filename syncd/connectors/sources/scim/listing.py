"""One list of a SCIM server: asked for page by page, and counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from syncd.connectors.records import Unread, beginning
from syncd.connectors.web import Answer, Way

__all__ = ["Listing", "Resource"]

Resource = Mapping[str, object]
PASSES = 2
"""How often a list that changes under way is read."""
LOST = frozenset({"invalidCursor", "expiredCursor"})
"""What a server says of a cursor that it does not know any more (RFC 9865 section 2.2)."""
EMPTY = 50
"""Pages with nothing in them after which a server is taken to go on for ever."""


@dataclass(slots=True)
class Listing:
    """
    The resources of one kind, each once. Iterate to the end; raises Unread.

    Servers keep no state between two pages by index, so rows slip or come twice while
    somebody changes something (identity-and-sources.md section 4.1). A list whose total
    changes under way is read once more, for what slipped.
    """

    way: Way
    kind: str
    query: Mapping[str, str]
    size: int
    cursor: bool
    bear: frozenset[int] = frozenset()
    refused: bool = field(default=False, init=False)
    began: datetime | None = field(default=None, init=False)
    seen: set[bytes] = field(default_factory=set, init=False)
    totals: list[int] = field(default_factory=list, init=False)
    odd: int = field(default=0, init=False)

    def pages(self) -> Iterator[list[tuple[str, Resource]]]:
        """Give the resources by their id, page by page."""
        for _ in range(PASSES):
            self.totals = []
            self.odd = 0
            walk = self._by_cursor() if self.cursor else self._by_index()
            for page in walk:
                if page:
                    yield page
            if self.refused or len(set(self.totals)) <= 1:
                break
        else:
            raise Unread(
                f"{self.way.whom} changed the number of {self.kind} each time while they were "
                "read, so some may be missing; run again at a quieter time"
            )
        self._judge()

    def _judge(self) -> None:
        total, got = (self.totals[-1] if self.totals else 0), len(self.seen)
        if total > got + self.odd:
            raise Unread(
                f"{self.way.whom} says that there are {total} {self.kind} and gave {got}; "
                "run again, and if it stays so try another paging or page_size"
            )
        if self.odd:
            raise Unread(
                f"{self.way.whom} gave {self.odd} {self.kind} without an id; they were not read"
            )

    def _by_index(self) -> Iterator[list[tuple[str, Resource]]]:
        """Ask for what begins behind the rows received, whatever was asked for."""
        start = 1
        before: list[object] = []
        while True:
            answer = self._asked({"startIndex": str(start), "count": str(self.size)})
            if answer is None:
                return
            found = self._resources(answer)
            following = _text(answer, "nextCursor")
            if found and found == before:
                self._stuck()
                return
            before = found
            yield self._new(found)
            if following:
                yield from self._by_cursor(following)
                return
            start += len(found)
            done = bool(self.totals) and start > self.totals[-1]
            # A page that is full may not be the last one, whatever the server says.
            if not found or (done and len(found) < self.size):
                return

    def _stuck(self) -> None:
        """Raise Unread if the same page came again before everything was there."""
        if not self.totals or len(self.seen) + self.odd < self.totals[-1]:
            raise Unread(
                f"{self.way.whom} gives the same page of {self.kind} again and again; set "
                'paging = "cursor" if it can do that, or a page_size that takes them all'
            )

    def _by_cursor(self, following: str = "") -> Iterator[list[tuple[str, Resource]]]:
        """Ask with the cursor of the page before, until a page has none."""
        met: set[bytes] = set()
        restarted = False
        empty = 0
        while True:
            answer = self._asked({"cursor": following, "count": str(self.size)}, following)
            if answer is None:
                if self.refused:
                    return
                if restarted:
                    raise Unread(
                        f"{self.way.whom} forgot its cursor for {self.kind} twice; run again, "
                        "with smaller pages if it stays so"
                    )
                following, restarted, met = "", True, set()
                continue
            found = self._resources(answer)
            yield self._new(found)
            empty = 0 if found else empty + 1
            following = _text(answer, "nextCursor")
            if not following:
                return
            if beginning(following) in met or empty > EMPTY:
                raise Unread(
                    f"{self.way.whom} goes round in a circle with its cursors for {self.kind}; "
                    'set paging = "index" if it can do that'
                )
            met.add(beginning(following))

    def _asked(self, paging: Mapping[str, str], cursor: str = "") -> Answer | None:
        """Return a page; None where the server turned the query down, or lost the cursor."""
        url = self.way.base.copy_with(path=f"{self.way.base.path.rstrip('/')}/{self.kind.title()}")
        url = url.copy_merge_params({**self.query, **paging})
        first = self.began is None
        bear = self.bear if first else frozenset()
        answer = self.way.get(url, bear | {400} if cursor else bear)
        if answer.status != 200:
            if cursor and _text(answer, "scimType") not in LOST:
                raise Unread(
                    f"{self.way.whom} turned down its own cursor for {self.kind} (status "
                    f'{answer.status}); set paging = "index" if it can do that'
                )
            self.refused = not cursor
            return None
        self.began = self.began or answer.moment
        return answer

    def _resources(self, answer: Answer) -> list[object]:
        document = answer.document
        if not isinstance(document, dict) or not ({"Resources", "totalResults"} & set(document)):
            raise Unread(
                f"{self.way.whom} gave something else than a list of {self.kind}; "
                "check url: it ends before /Users"
            )
        found = document.get("Resources")
        total = document.get("totalResults")
        if isinstance(total, int) and not isinstance(total, bool) and total >= 0:
            self.totals.append(total)
        return found if isinstance(found, list) else []

    def _new(self, found: list[object]) -> list[tuple[str, Resource]]:
        """Return those that did not come before."""
        page: list[tuple[str, Resource]] = []
        for each in found:
            own = each.get("id") if isinstance(each, dict) else None
            if not isinstance(own, str) or not own or not isinstance(each, dict):
                self.odd += 1
                continue
            mark = beginning(own)
            if mark not in self.seen:
                self.seen.add(mark)
                page.append((own, each))
        return page


def _text(answer: Answer, name: str) -> str:
    found = answer.document.get(name) if isinstance(answer.document, dict) else None
    return found if isinstance(found, str) else ""
