"""Pages of rows: following links to the end, and refusing what is no page."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import httpx
import msgspec

from syncd.connectors.dataverse.answers import Page, Row, TurnedDown, read, refused
from syncd.connectors.dataverse.faults import read_error, worded
from syncd.connectors.http import Channel
from syncd.core.errors import TargetIncomplete, TokenExpired

__all__ = ["Trail", "Untracked", "changes", "check", "in_one", "pages", "tracked"]

IDLE_PAGES = 100
"""Pages that may follow each other without bringing a row that was not there before."""

UNTRACKED = frozenset({400, 403, 404, 405, 501})
"""How a table answers that does not track changes, or not for this caller."""


@dataclass(slots=True)
class Trail:
    """
    Where a read leads. `more` tells whether another page follows the last one given.

    `link` is where later changes can be read, once the last page is here; None where
    nowhere.
    """

    link: str | None = None
    more: bool = False


class Untracked(Exception):  # it is a branch, not an error
    """The environment does not keep track of changes for this read."""


def check(channel: Channel, rows: Iterable[tuple[str | None, ...]]) -> None:
    """Refuse ids that are no GUIDs: all of a page at once, because there may be many."""
    ids = list(filter(None, chain.from_iterable(rows)))
    digits = "".join(ids).encode().translate(None, b"-")
    if len(digits) != 32 * len(ids) or digits.translate(None, b"0123456789abcdefABCDEF"):
        raise TargetIncomplete(f"{channel.host} gave a row whose id is no GUID; nothing was used")


def pages(
    channel: Channel,
    query: str,
    size: int,
    decode: Callable[[bytes], Page[Row]],
    trail: Trail | None = None,
) -> Generator[list[Row], None, None]:
    """
    Give the rows of each page; the next one is on its way while the caller has this one.

    *query* follows the root. Follows the links as they are written (dataverse-web-api.md
    section 1.3). Raises TargetError unless the last page is reached, TargetIncomplete also
    where links lead on and on but bring nothing.
    """
    headers = {"Prefer": f"odata.maxpagesize={size}"}
    yield from _chain(channel, query, headers, decode, trail or Trail(), refused)


def tracked(
    channel: Channel,
    query: str,
    size: int,
    decode: Callable[[bytes], Page[Row]],
    trail: Trail,
) -> Iterator[list[Row]]:
    """
    Give the pages likewise, and have the environment keep track of changes (section 1.5).

    Raises Untracked, before the first page, if it does not.
    """
    headers = {"Prefer": f"odata.track-changes,odata.maxpagesize={size}"}
    yield from _chain(channel, query, headers, decode, trail, _untracked)


def in_one(
    channel: Channel,
    query: str,
    size: int,
    decode: Callable[[bytes], Page[Row]],
    trail: Trail,
) -> Iterator[list[Row]]:
    """Give the pages likewise, tracked if they can be."""
    try:
        yield from tracked(channel, query, size, decode, trail)
    except Untracked:
        yield from pages(channel, query, size, decode)


def changes(
    channel: Channel, link: str, size: int, decode: Callable[[bytes], Page[Row]], trail: Trail
) -> Iterator[list[Row]]:
    """
    Give the pages of what changed since *link* was given; *trail* then leads on.

    Raises TokenExpired if the environment does not know the link any more, and TargetError.
    """
    headers = {"Prefer": f"odata.maxpagesize={size}"}
    yield from _chain(channel, link, headers, decode, trail, _expired)
    if trail.link is None:
        raise TokenExpired(f"{channel.host} does not say where the next changes are; read anew")


def _untracked(channel: Channel, response: httpx.Response, what: str) -> Exception:
    plain = response.status_code in UNTRACKED
    return Untracked() if plain else refused(channel, response, what)


def _expired(channel: Channel, response: httpx.Response, what: str) -> Exception:
    if response.status_code in (401, 403):
        return refused(channel, response, what)
    said = worded(response.status_code, read_error(response.content))
    return TokenExpired(f"{channel.host} does not know up to where {what} were read: {said}")


def _chain(
    channel: Channel,
    query: str,
    headers: dict[str, str],
    decode: Callable[[bytes], Page[Row]],
    trail: Trail,
    turned_down: TurnedDown,
) -> Iterator[list[Row]]:
    link: str | None = query if "://" in query else channel.root + query
    what = (link or "").removeprefix(channel.root).partition("?")[0]
    seen: set[str] = set()
    begun: set[object] = set()
    idle = 0
    pool = ThreadPoolExecutor(1, thread_name_prefix="page")
    try:
        coming = pool.submit(read, channel, link or "", headers, what, decode, turned_down)
        while link is not None:
            page = coming.result()
            trail.link, link = page.delta, page.next
            trail.more = link is not None
            idle = 0 if _brings(page.value, begun) else idle + 1
            if link is not None:
                _check_link(channel, what, link, seen, idle)
                later = refused if turned_down is _untracked else turned_down
                coming = pool.submit(read, channel, link, headers, what, decode, later)
            yield page.value
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _brings(page: Sequence[object], begun: set[object]) -> bool:
    """
    Tell whether a page begins with a row that has not begun one before, and note that it does.

    One look for each page, whatever its size. Of finitely many rows only finitely many
    pages can pass, so that a chain without an end is found out.
    """
    if not page:
        return False
    first = page[0]
    # A row is known by its id whatever its version; those of teams are read without one.
    mark = getattr(first, "id", None) or bytes(msgspec.json.encode(first))
    new = mark not in begun
    begun.add(mark)
    return new


def _check_link(channel: Channel, what: str, link: str, seen: set[str], idle: int) -> None:
    """Refuse links that do not lead to an end."""
    if link in seen:
        raise TargetIncomplete(
            f"{channel.host} gave the same next link twice while {what} were read"
        )
    if idle >= IDLE_PAGES:
        raise TargetIncomplete(
            f"{channel.host} gave {idle} pages of {what} one after the other that brought no new "
            "row, and a link to yet another; nothing was used. See whether a proxy rewrites its "
            "answers, then run again"
        )
    seen.add(link)
