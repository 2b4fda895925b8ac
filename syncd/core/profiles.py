"""Which profile a rule means: the one with this id, or the only published one of this name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncd.core.identity import guid, text
from syncd.core.model import Profile

__all__ = ["meant", "why_not"]


def meant(reference: str, known: Mapping[str, Profile]) -> list[Profile]:
    """Return the profiles a reference can mean: the one with this id, else those with this name."""
    by_id = known.get(guid(reference))
    if by_id:
        return [by_id]
    name = text(reference)
    return [profile for profile in known.values() if text(profile.name) == name]


def why_not(reference: str, found: Sequence[Profile]) -> str:
    """Say why a reference has no single answer, and what to do; empty if it has one."""
    published = sum(profile.published for profile in found)
    if published == 1:
        return ""
    if published > 1:
        return f"profile {reference} has {published} published profiles of that name; use its id"
    if found:
        return f"profile {reference} is not published; publish it"
    return f"profile {reference} does not exist here; create and publish it, or mend the rule"
