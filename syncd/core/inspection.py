"""What an environment shows around one user or one row. Only looked at, never decided on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Entry", "Neighbour", "RowSeen", "Seen", "Stamp", "TeamSeen", "UserSeen"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """When something was done, by whom, and for whom if that was somebody else; names or ids."""

    at: str | None
    by: str | None
    on_behalf_of: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a neighbouring table, in a line."""

    id: str
    at: str | None
    said: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """
    What of one table refers to a row; `trouble` says why that could not be read.

    `more` tells that there are further entries than those that are listed.
    """

    table: str
    title: str
    entries: tuple[Entry, ...] = ()
    trouble: str | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class RowSeen:
    """A membership row with its surroundings. One that is `gone` left only what refers to it."""

    id: str
    name: str | None = None
    user: str | None = None
    user_name: str | None = None
    profile: str | None = None
    profile_name: str | None = None
    active: bool = False
    flagged: bool = False
    version: str = ""
    created: Stamp | None = None
    modified: Stamp | None = None
    neighbours: tuple[Neighbour, ...] = ()
    gone: bool = False


@dataclass(frozen=True, slots=True)
class TeamSeen:
    """A team of a user, and the names of the profiles that it brings."""

    id: str
    name: str
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserSeen:
    """A user. `pointer` is the legacy lookup on the user row: a profile's name, or its id."""

    id: str
    user_name: str | None
    full_name: str | None
    candidate: bool
    disabled: bool
    pointer: str | None = None
    pointer_dangles: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """
    Everything about one user or row.

    `default_profile` is the organization's (its effect is not documented). `troubles`
    name what could not be read beside the neighbours of rows, one sentence each.
    """

    user: UserSeen | None
    rows: tuple[RowSeen, ...]
    teams: tuple[TeamSeen, ...] = ()
    default_profile: str | None = None
    troubles: tuple[str, ...] = ()
