"""What an environment looks like: who has which profile, rightly or not."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from syncd.sandbox import run_dump

__all__ = ["Picture", "World", "look_at", "pictures"]

Pair = tuple[str, str]
"""A user and a profile, by their ids."""


@dataclass(frozen=True, slots=True)
class World:
    """
    What a sandbox holds.

    `rows` counts the active ones by user and profile, `by_object` finds users by object id.
    """

    rows: Mapping[Pair, int]
    names: Mapping[str, str]
    by_object: Mapping[str, str]
    profiles: Mapping[str, str]
    disabled: frozenset[str]
    users: int
    memberships: int


@dataclass(frozen=True, slots=True)
class Picture:
    """How many users should have a profile, have it, lack it, or have a row too many."""

    profile: str
    should: int
    have: int
    lack: int
    wrong: int


def look_at(url: str) -> World:
    """Read everything that a sandbox holds."""
    held: dict[str, list[dict[str, Any]]] = json.loads(run_dump(url))
    users, found = held["systemusers"], held["usermobileofflineprofilememberships"]
    active = [
        (row["_systemuserid_value"], row["_mobileofflineprofileid_value"])
        for row in found
        if not row["statecode"]
    ]
    return World(
        rows=Counter((user, profile) for user, profile in active if user and profile),
        names={row["systemuserid"]: row["fullname"] for row in users},
        by_object={row["azureactivedirectoryobjectid"]: row["systemuserid"] for row in users},
        profiles={
            row["mobileofflineprofileid"]: row["name"] for row in held["mobileofflineprofiles"]
        },
        disabled=frozenset(row["systemuserid"] for row in users if row["isdisabled"]),
        users=len(users),
        memberships=len(found),
    )


def pictures(world: World, wanted: set[Pair]) -> list[Picture]:
    """Compare what there is with what is wanted, by profile; disabled users are left aside."""
    should: dict[str, set[str]] = defaultdict(set)
    for user, profile in wanted:
        should[profile].add(user)
    return [
        _picture(world, world.profiles[profile], profile, users)
        for profile, users in sorted(should.items(), key=lambda each: world.profiles[each[0]])
    ]


def _picture(world: World, name: str, profile: str, wanted: set[str]) -> Picture:
    rows = {
        user: number
        for (user, of), number in world.rows.items()
        if of == profile and user not in world.disabled
    }
    have = len(wanted & rows.keys())
    return Picture(
        profile=name,
        should=len(wanted),
        have=have,
        lack=len(wanted) - have,
        wrong=sum(number if user not in wanted else number - 1 for user, number in rows.items()),
    )
