"""What a read was answered, decoded; or the sentence that says why nothing of it is used."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import httpx
import msgspec

from syncd.connectors.dataverse.faults import Error, read_error, worded
from syncd.connectors.dataverse.refusals import reason
from syncd.connectors.http import Channel
from syncd.core.errors import TargetError, TargetIncomplete, TargetRefused

__all__ = ["Page", "Row", "TurnedDown", "decoded", "read", "readable", "refused"]

Row = TypeVar("Row")
Encoded = TypeVar("Encoded", bytes, msgspec.Raw)
Decoded = TypeVar("Decoded")
TurnedDown = Callable[[Channel, httpx.Response, str], Exception]
"""What is raised for an answer other than 200 to a read of something."""


class Page(msgspec.Struct, Generic[Row], gc=False):
    """One page: its rows, and where the next one is. Without rows it is no page."""

    value: list[Row]
    next: str | None = msgspec.field(name="@odata.nextLink", default=None)
    delta: str | None = msgspec.field(name="@odata.deltaLink", default=None)


BOM = b"\xef\xbb\xbf"
_unknown = re.compile(r"property named '([\w.@]+)'").search
_place = re.compile(r"^(.*?) - at `\$\.value\[[^\]]*\]\.([\w.@]+)`$").match
_expected = re.compile(r"^Expected `([^`]+)`, got `([^`]+)`$").match
WORDS: Mapping[str, str] = {
    "array": "a list",
    "bool": "yes or no",
    "float": "a number with a fraction",
    "int": "a whole number",
    "null": "nothing",
    "object": "an object",
    "str": "text",
}
"""What JSON types are called in a sentence."""


def read(
    channel: Channel,
    link: str,
    headers: dict[str, str],
    what: str,
    decode: Callable[[bytes], Decoded],
    turned_down: TurnedDown | None = None,
) -> Decoded:
    """
    Read what is at *link* whole, or not at all.

    Raises what `Channel.get` raises, TargetRefused for a right that is missing or an
    environment that is closed, and TargetIncomplete for everything else that is not the
    answer, also for a column that is not there or that holds something else than it did.
    """
    return decoded(channel, channel.get(link, headers), what, decode, turned_down)


def decoded(
    channel: Channel,
    response: httpx.Response,
    what: str,
    decode: Callable[[bytes], Decoded],
    turned_down: TurnedDown | None = None,
) -> Decoded:
    """Return what an answer holds; raises as `read` does."""
    if response.status_code != 200:
        raise (turned_down or refused)(channel, response, what)
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise TargetIncomplete(
            f"{channel.host} answered with {kind or 'nothing'} instead of JSON when {what} were "
            "read; check the url, and whether a proxy or a sign-in page stands between"
        )
    return readable(channel, what, decode, response.content.removeprefix(BOM))


def readable(
    channel: Channel, what: str, decode: Callable[[Encoded], Decoded], content: Encoded
) -> Decoded:
    """Decode what was answered. Raises TargetIncomplete if it is not what it claims to be."""
    try:
        return decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise TargetIncomplete(_unreadable(channel, what, exc)) from exc


def _unreadable(channel: Channel, what: str, exc: Exception) -> str:
    """Say where a page is wrong, without quoting from it."""
    if isinstance(exc, RecursionError):
        return f"{channel.host} gave a page of {what} that is nested too deeply to be one"
    if not isinstance(exc, msgspec.ValidationError):
        return f"{channel.host} gave a page of {what} that is not complete: it is not valid JSON"
    placed = _place(str(exc))
    types = _expected(placed[1]) if placed else None
    if placed is None or types is None:
        return f"{channel.host} gave a page of {what} that is not complete: {exc}"
    wanted = " or ".join(WORDS.get(each, each) for each in types[1].split(" | "))
    return (
        f"column {placed[2]} of {what} in {channel.host} holds {WORDS.get(types[2], types[2])} "
        f"where syncd needs {wanted}, so nothing was used: the column was changed, or a proxy "
        "rewrites answers; syncd doctor compares all columns"
    )


def refused(channel: Channel, response: httpx.Response, what: str) -> TargetError:
    """Say why a read was turned down."""
    status, error = response.status_code, read_error(response.content)
    said = worded(status, error)
    why = reason(response, channel.host)
    if why is not None:
        kind = TargetIncomplete if response.is_redirect else TargetRefused
        return kind(f"{why} (when {what} were read)")
    if status == 401:
        return TargetRefused(
            f"{channel.host} does not accept our token: {said}; "
            "see that the environment has an application user for this client id"
        )
    if status == 403:
        return TargetRefused(
            f"{channel.host} does not let us read {what}: {said}; "
            "give the application user a role with that right"
        )
    missing = _missing(error)
    if missing:
        return TargetIncomplete(
            f"column {missing} of {what} is not there in {channel.host}, and syncd needs it: "
            f"{said}; bring it back, or use the syncd that knows this version of the table "
            "(syncd doctor compares all columns)"
        )
    return TargetIncomplete(
        f"{channel.host} turned down the read of {what}: {said}; check the environment's url"
    )


def _missing(error: Error) -> str:
    """Name the column that a query asked for in vain; empty where it was something else."""
    found = _unknown(error.message)
    return found[1] if found else ""
