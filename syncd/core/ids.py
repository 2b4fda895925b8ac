"""Ids that follow from keys (behaviour.md section 8)."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

__all__ = ["environment_space", "membership_id"]


def environment_space(url: str) -> UUID:
    """Return the namespace of an environment's rows, from its url."""
    return uuid5(NAMESPACE_URL, url.rstrip("/").lower())


def membership_id(space: UUID, user: str, attempt: int = 1) -> str:
    """
    Return the id that a new row for this user gets.

    The id follows from the user, so a create that is sent twice meets its own
    row. Rows that people made have other ids: never compute one to find a row.
    """
    return str(uuid5(space, user if attempt == 1 else f"{user}/{attempt}"))
