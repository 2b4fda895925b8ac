"""`$expand`: navigation properties with options of their own, nested as deep as one likes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from syncd.sandbox import errors

__all__ = ["Expansion", "pieces", "read_expansions"]

MOST = 15
"""`$expand` options in one request (dataverse-web-api.md section 1.4)."""
ITEM = re.compile(
    r"(?P<nav>\w+)(?P<cast>/Microsoft\.Dynamics\.CRM\.\w+)?(?P<ref>/\$ref)?"
    r"(?:\((?P<options>.*)\))?",
    re.DOTALL,
)
KNOWN = frozenset({"$select", "$filter", "$orderby", "$top", "$expand", "$count"})


@dataclass(frozen=True, slots=True)
class Expansion:
    """One navigation property, and the options for what is behind it, as they were written."""

    nav: str
    options: Mapping[str, str]
    cast: str | None = None
    reference: bool = False


def pieces(text: str, separator: str) -> list[str]:
    """Split a text where a separator stands outside of parentheses and quotes."""
    found, depth, quoted, start = [], 0, False, 0
    for at, letter in enumerate(text):
        if letter == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif letter in "([":
            depth += 1
        elif letter in ")]":
            depth -= 1
        elif letter == separator and not depth:
            found.append(text[start:at])
            start = at + 1
    found.append(text[start:])
    if depth or quoted:
        raise errors.query(f"Parentheses or quotes do not match in '{text[:80]}'.")
    return found


def read_expansions(text: str | None) -> tuple[Expansion, ...]:
    """Read the value of `$expand`. Raises Refused for its syntax and for more than 15."""
    found = _read(text)
    if _count(found) > MOST:
        raise errors.query(f"The number of $expand segments exceeds the maximum of {MOST}.")
    return found


def _read(text: str | None) -> tuple[Expansion, ...]:
    if text is None:
        return ()
    return tuple(_single(piece.strip()) for piece in pieces(text, ","))


def _single(text: str) -> Expansion:
    match = ITEM.fullmatch(text)
    if match is None:
        raise errors.query(f"Syntax error in $expand near '{text[:80]}'.")
    options: dict[str, str] = {}
    for option in filter(None, pieces(match["options"] or "", ";")):
        name, _, value = option.strip().partition("=")
        if name not in KNOWN or name in options:
            raise errors.query(f"The option '{name[:40]}' is not supported within $expand.")
        options[name] = value.strip()
    cast = match["cast"][1:] if match["cast"] else None
    return Expansion(match["nav"], options, cast, match["ref"] is not None)


def _count(expansions: tuple[Expansion, ...]) -> int:
    return sum(1 + _count(_read(each.options.get("$expand"))) for each in expansions)
