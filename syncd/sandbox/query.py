"""The query string of a read: options, page and cookie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_plus

import msgspec

from syncd.sandbox import errors
from syncd.sandbox.columns import Table
from syncd.sandbox.expansion import Expansion, read_expansions
from syncd.sandbox.literals import position

__all__ = [
    "PAGE",
    "Cookie",
    "Order",
    "Query",
    "nested_options",
    "page_size",
    "read_cookie",
    "read_options",
    "read_preferences",
    "write_cookie",
]

PAGE = 5000
"""The greatest page of a standard table, and the one served unless a smaller one is preferred."""
KNOWN = frozenset({"$select", "$filter", "$orderby", "$top", "$count", "$expand", "$skiptoken"})
REFUSED = frozenset({"$skip", "$search", "$format", "$apply", "$deltatoken", "$compute"})
COOKIE = re.compile(r'<cookie pagenumber="(\d+)" pagingcookie="([^"]*)" istracking="False" />')


@dataclass(frozen=True, slots=True)
class Order:
    """One column of `$orderby`."""

    at: int
    descending: bool


class Cookie(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: its number, the last key, and the last row's values of `$orderby`."""

    page: int
    key: str
    values: list[object]


@dataclass(frozen=True, slots=True)
class Query:
    """What a read asks for. `select` is None for all columns; a next link repeats `rest`."""

    select: tuple[int, ...] | None
    filter_text: str | None
    order: tuple[Order, ...]
    top: int | None
    count: bool
    expand: tuple[Expansion, ...]
    cookie: Cookie | None
    aliases: Mapping[str, str]
    rest: str


def read_options(table: Table, query: str) -> Query:
    """Read a query string. Raises Refused for options, columns and values that do not exist."""
    options: dict[str, str] = {}
    kept = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        name = unquote_plus(name)
        _admit(name, options)
        options[name] = unquote_plus(value)
        if name != "$skiptoken":
            kept.append(part)
    return _query(table, options, "&".join(kept))


def nested_options(table: Table, options: Mapping[str, str]) -> Query:
    """Read the options of an expanded property. Raises Refused as `read_options`."""
    return _query(table, options, "&".join(f"{name}={value}" for name, value in options.items()))


def _query(table: Table, options: Mapping[str, str], rest: str) -> Query:
    aliases = {name: value for name, value in options.items() if name.startswith("@")}
    order = options.get("$orderby")
    return Query(
        _select(table, options.get("$select")),
        options.get("$filter"),
        _order(table, aliases.get(order or "", order)),
        _whole(options.get("$top")),
        _truth(options.get("$count")),
        read_expansions(options.get("$expand")),
        read_cookie(options.get("$skiptoken")),
        aliases,
        rest,
    )


def _admit(name: str, options: Mapping[str, str]) -> None:
    if name in options:
        raise errors.query(f"Query option '{name}' was specified more than once.")
    if name in REFUSED:
        raise errors.query(f"The query option '{name}' is not supported.")
    if name not in KNOWN and not name.startswith("@") and name != "tag":
        raise errors.query(f"The query parameter {name} is not supported.")


def _select(table: Table, text: str | None) -> tuple[int, ...] | None:
    if text is None or text.strip() == "*":
        return None
    wanted = [position(table, name.strip()) for name in text.split(",")]
    return tuple(dict.fromkeys(wanted if 0 in wanted else [*wanted, 0]))


def _order(table: Table, text: str | None) -> tuple[Order, ...]:
    if text is None:
        return ()
    found = []
    for part in text.split(","):
        name, *direction = part.split()
        if direction not in ([], ["asc"], ["desc"]):
            raise errors.query(f"Syntax error in $orderby near '{part.strip()}'.")
        found.append(Order(position(table, name), direction == ["desc"]))
    return tuple(found)


def _whole(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdigit():
        raise errors.query(f"Invalid value '{text}' for $top: a whole number is expected.")
    return int(text)


def _truth(text: str | None) -> bool:
    if text not in {None, "true", "false"}:
        raise errors.query(f"Invalid value '{text}' for $count: true or false is expected.")
    return text == "true"


def write_cookie(cookie: Cookie) -> str:
    """Return a `$skiptoken` as the platform makes it: encoded XML, and a cookie inside."""
    inner = quote(quote(msgspec.json.encode(cookie).decode(), safe=""), safe="")
    xml = f'<cookie pagenumber="{cookie.page}" pagingcookie="{inner}" istracking="False" />'
    return quote(xml, safe="")


def read_cookie(text: str | None) -> Cookie | None:
    """Read a `$skiptoken`. Raises Refused for one that was not made here."""
    if text is None:
        return None
    match = COOKIE.fullmatch(text)
    try:
        if match:
            return msgspec.json.decode(unquote(unquote(match[2])), type=Cookie)
    except msgspec.MsgspecError:
        pass
    raise errors.query("The $skiptoken is malformed: follow @odata.nextLink byte for byte.")


def read_preferences(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the values of `Prefer`, by name; a name without a value has an empty one."""
    found = {}
    for part in re.findall(r'(?:[^,"]|"[^"]*")+', headers.get("prefer", "")):
        name, _, value = part.partition("=")
        found[name.strip().lower()] = value.strip().strip('"')
    return found


def page_size(preferences: Mapping[str, str]) -> int | None:
    """Return the preferred page size, never above the platform's; None where none is preferred."""
    text = preferences.get("odata.maxpagesize")
    if text is None:
        return None
    if not text.isdigit() or int(text) < 1:
        raise errors.query(f"Invalid value '{text}' for odata.maxpagesize.")
    return min(int(text), PAGE)
