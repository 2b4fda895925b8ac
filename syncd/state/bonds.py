"""The links of people whose cases are gathered, and the rows that are ours elsewhere by them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.core.model import Link, Membership, Origin, Rung, User

__all__ = [
    "CHOSEN",
    "INHERITED",
    "LINKS",
    "MADE_OURS",
    "ROW",
    "RUNGS",
    "UNLINKED",
    "Bonds",
    "as_membership",
    "bonds",
]

RUNGS = {str(rung): rung for rung in Rung}
ORIGINS = {str(origin): origin for origin in Origin}
"""Looked up, because making a member of a text takes longer."""


@dataclass(frozen=True, slots=True)
class Bonds:
    """
    The live links of a person; rows of other users among them, and those users.

    Rows that are `spared` stay whatever becomes of the person: their user is protected or
    held, or has to do with somebody else by now.
    """

    links: list[Link] = field(default_factory=list)
    elsewhere: list[Membership] = field(default_factory=list)
    others: list[User] = field(default_factory=list)
    spared: set[str] = field(default_factory=set)


UNLINKED = Bonds()
Shielded = Callable[[str, Sequence[str | None]], bool]
"""Tells of a user, by id and names, whether nothing may change for it."""


def bonds(found: Sequence[Any], shielded: Shielded) -> dict[int, Bonds]:
    """Put together what LINKS *found*, by the number of the case."""
    by_case: dict[int, Bonds] = defaultdict(Bonds)
    for row in found:
        seq, ident, user, rung, origin, profile, name, full_name, login, object_id, shared = row[
            :11
        ]
        bond = by_case[seq]
        bond.links.append(Link(ident, user, RUNGS[rung], ORIGINS[origin], profile))
        if row.id is None:
            continue
        bond.elsewhere.append(as_membership(*row[11:]))
        bond.others.append(User(user, name, full_name))
        if shared or shielded(user, (login, object_id)):
            bond.spared.add(ident)
    return by_case


def as_membership(
    ident: str,
    user: str | None,
    profile: str | None,
    active: int,
    flagged: int,
    version: str,
    created_on: str,
) -> Membership:
    """Return a row as the core knows it, from the columns in ROW."""
    return Membership(ident, user, profile, active == 1, flagged == 1, version, created_on)


CHOSEN = "t.seq >= :start AND t.seq < :end"
ROW = "m.id, m.user_id, m.profile, m.active, m.flagged, m.version, m.created_on"
MADE_OURS = (
    "EXISTS (SELECT 1 FROM links l WHERE l.env = :env AND l.membership = h.id "
    "AND COALESCE(l.why, '') NOT LIKE 'withdrawn by %')"
)
"""Whether a link made a husk ours, also one that ended by itself; not one that was taken back."""
THERE = "o.env = :env AND o.user_id = l.user_id AND o.person <> t.person"
LINKS = f"""
SELECT t.seq, l.membership, l.user_id, l.rung, l.origin, l.profile,
       u.user_name, u.full_name, u.login, u.object_id,
       CASE WHEN m.id IS NULL THEN 0
            WHEN EXISTS (SELECT 1 FROM standing o WHERE {THERE} AND o.wanted = 1) THEN 1
            WHEN EXISTS (SELECT 1 FROM finds o WHERE {THERE}) THEN 1
            ELSE 0 END, {ROW}
FROM attention t
JOIN links l ON l.env = :env AND l.person = t.person AND l.ended IS NULL
JOIN users u ON u.env = :env AND u.id = l.user_id
LEFT JOIN memberships m ON m.env = :env AND m.user_id = l.user_id AND m.id = l.membership
  AND l.user_id IS DISTINCT FROM t.user_id
WHERE {CHOSEN} ORDER BY t.seq, l.membership
"""
"""Live links of the people, and the rows of other users among them; who else is there by now."""
INHERITED = f"""
SELECT t.seq, l.membership FROM attention t
JOIN links l ON l.env = :env AND l.user_id = t.user_id AND l.person <> t.person
  AND l.ended IS NULL
WHERE {CHOSEN} ORDER BY t.seq, l.membership
"""
"""Rows that links of other people made ours for the user that the person has now."""
