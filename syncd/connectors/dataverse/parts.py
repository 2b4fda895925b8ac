"""A table read in parts, several at a time, where one chain of pages would take long."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import msgspec

from syncd.connectors.dataverse.answers import Page, Row
from syncd.connectors.dataverse.pages import Trail, Untracked, pages, tracked
from syncd.connectors.http import Channel

__all__ = ["in_parts"]

AHEAD = 2
"""Pages that may wait for whoever stores them, for each part that is being read."""
BY = "_mobileofflineprofileid_value"


class _Moment(msgspec.Struct, gc=False):
    at: str | None = msgspec.field(name="modifiedon", default=None)


_moments = msgspec.json.Decoder(Page[_Moment]).decode


def in_parts(
    channel: Channel,
    query: str,
    size: int,
    decode: Callable[[bytes], Page[Row]],
    profiles: Sequence[str],
    trail: Trail,
) -> Iterator[list[Row]]:
    """
    Give the pages of *query*: tracked where the table is, else by profile where it is long.

    A row may be given twice, and in any order. The parts are one for each profile, one
    for rows without any, and one for profiles made meanwhile. A row that moved from a part
    not read yet to one that was comes in the last: what was modified since the beginning,
    by the server's own clock (dataverse-web-api.md section 8.3). Raises TargetError unless
    every part is complete.
    """
    try:
        yield from tracked(channel, query, size, decode, trail)
    except Untracked:
        yield from _untracked(channel, query, size, decode, profiles)


def _untracked(
    channel: Channel,
    query: str,
    size: int,
    decode: Callable[[bytes], Page[Row]],
    profiles: Sequence[str],
) -> Iterator[list[Row]]:
    newest = _newest(channel, query)
    trail = Trail()
    chain = pages(channel, query, size, decode, trail)
    first = next(chain, None)
    if first is None or newest is None or not trail.more or len(profiles) < 2:
        yield from ([] if first is None else [first])
        yield from chain
        return
    chain.close()
    conditions = [f"{BY} eq {profile}" for profile in profiles]
    conditions += [f"{BY} eq null", " and ".join(f"{BY} ne {profile}" for profile in profiles)]
    yield from _together(channel, [_where(query, one) for one in conditions], size, decode)
    yield from pages(channel, _where(query, f"modifiedon ge {newest}"), size, decode)


def _newest(channel: Channel, query: str) -> str | None:
    """Return when a row was last modified, as the server writes it; None without a row."""
    table = query.partition("?")[0]
    latest = f"{table}?$select=modifiedon&$orderby=modifiedon%20desc&$top=1"
    found = next(pages(channel, latest, 1, _moments), [])
    return found[0].at if found else None


def _where(query: str, condition: str) -> str:
    return f"{query}&$filter={quote(condition, safe='')}"


def _together(
    channel: Channel,
    queries: Sequence[str],
    size: int,
    decode: Callable[[bytes], Page[Row]],
) -> Iterator[list[Row]]:
    """Give the pages of several queries as they come."""
    lanes = min(channel.governor.lanes, len(queries))
    arrived: queue.Queue[list[Row] | BaseException | None] = queue.Queue(lanes * AHEAD)
    left = threading.Event()

    def work(one: str) -> None:
        end: BaseException | None = None
        try:
            for page in pages(channel, one, size, decode):
                if not _put(arrived, page, left):
                    return
        except BaseException as exc:  # noqa: BLE001  # it is raised where the pages are taken
            end = exc
        _put(arrived, end, left)

    with ThreadPoolExecutor(lanes, thread_name_prefix="part") as pool:
        for one in queries:
            pool.submit(work, one)
        try:
            yield from _until_all_ended(arrived, len(queries))
        finally:
            left.set()
            pool.shutdown(wait=False, cancel_futures=True)


def _until_all_ended(
    arrived: queue.Queue[list[Row] | BaseException | None], parts: int
) -> Iterator[list[Row]]:
    while parts:
        page = arrived.get()
        if isinstance(page, BaseException):
            raise page
        if page is None:
            parts -= 1
        else:
            yield page


def _put(
    arrived: queue.Queue[list[Row] | BaseException | None],
    what: list[Row] | BaseException | None,
    left: threading.Event,
) -> bool:
    """Hand something over; False once nobody takes anything any more."""
    while not left.is_set():
        try:
            arrived.put(what, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False
