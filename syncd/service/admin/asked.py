"""What a request asks for, read with care."""

from __future__ import annotations

from starlette.requests import Request

from syncd.core.identity import text
from syncd.service.admin.refusal import Refusal

__all__ = ["environment", "limit", "optional", "words"]

LONGEST = 400
MOST = 500
USUAL = 50


def optional(request: Request, name: str) -> str | None:
    """Return one word or name of the query, None where nothing is said. Raises Refusal."""
    found = text(request.query_params.get(name, ""))
    if not found:
        return None
    if len(found) > LONGEST or not found.isprintable():
        raise Refusal(400, f"{name} must be a name, an address or an id")
    return found


def words(request: Request, name: str) -> str:
    """Return one word or name of the query. Raises Refusal where nothing is said."""
    found = optional(request, name)
    if found is None:
        raise Refusal(400, f"say who is meant: ?{name}=…")
    return found


def environment(request: Request) -> str | None:
    """Return the environment that is asked about, None for all."""
    return optional(request, "environment")


def limit(request: Request) -> int:
    """Return how many lines are wanted."""
    asked = optional(request, "limit")
    if asked is None:
        return USUAL
    if not (asked.isascii() and asked.isdecimal()) or not 1 <= int(asked[:9]) <= MOST:
        raise Refusal(400, f"limit must be a number from 1 to {MOST}")
    return int(asked[:9])
