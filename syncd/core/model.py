"""The things syncd speaks of: people, users, profiles, rows, links, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

__all__ = [
    "Action",
    "Finding",
    "Link",
    "Loser",
    "Membership",
    "Origin",
    "Person",
    "Presence",
    "Profile",
    "Rung",
    "Situation",
    "User",
    "Value",
    "Wanted",
    "iso",
]

Value = str | int | float | bool | date | tuple[str, ...] | None
"""What an attribute of a person can be; a list is a tuple of texts."""


class Situation(StrEnum):
    """The one name for what was found about a person, an unexplained user, or a husk."""

    CONFIRMED = "CONFIRMED"
    FOUND = "FOUND"
    ABSENT = "ABSENT"
    MISSING = "MISSING"
    INACTIVE = "INACTIVE"
    MISPLACED = "MISPLACED"
    FOREIGN_MISPLACED = "FOREIGN_MISPLACED"
    DUPLICATE = "DUPLICATE"
    SURPLUS = "SURPLUS"
    FLAGGED = "FLAGGED"
    LEFT = "LEFT"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"
    VANISHED = "VANISHED"
    USER_DISABLED = "USER_DISABLED"
    UNLICENSED_USER = "UNLICENSED_USER"
    UNRESOLVED_USER = "UNRESOLVED_USER"
    UNRESOLVED_PROFILE = "UNRESOLVED_PROFILE"
    AMBIGUOUS = "AMBIGUOUS"
    ALREADY_LINKED = "ALREADY_LINKED"
    UNASSIGNED = "UNASSIGNED"
    HUSK = "HUSK"
    PROTECTED = "PROTECTED"
    HELD = "HELD"
    IDLE = "IDLE"


class Action(StrEnum):
    """What a change does to one row."""

    CREATE = "create"
    MOVE = "move"
    REACTIVATE = "reactivate"
    REMOVE = "remove"
    DEACTIVATE = "deactivate"
    FLAG = "flag"
    UNFLAG = "unflag"

    @property
    def risky(self) -> bool:
        """Whether it takes a profile away from somebody; gates count these."""
        return self in RISKY

    @property
    def removes(self) -> bool:
        """Whether the row gives nothing to its user afterwards."""
        return self in REMOVING


REMOVING = (Action.REMOVE, Action.DEACTIVATE)
RISKY = (*REMOVING, Action.MOVE)


class Origin(StrEnum):
    """How a row became ours."""

    CREATED = "created"
    MOVED = "moved"
    REACTIVATED = "reactivated"
    ADOPTED = "adopted"


class Rung(StrEnum):
    """A way to find the user of a person; HAND is an operator's word, USERMAPPING a hint."""

    HAND = "hand"
    OBJECT_ID = "object_id"
    EMPLOYEE_ID = "employee_id"
    USER_NAME = "user_name"
    USERMAPPING = "usermapping"
    MAIL = "mail"


class Presence(StrEnum):
    """What the sources say about a person on a day."""

    PRESENT = "present"
    NOT_YET = "not yet"
    LEFT = "left"
    GONE = "gone"


class Finding(StrEnum):
    """How a person's user was found, or why there is none."""

    LINKED = "linked"
    DECIDED = "decided"
    NONE = "none"
    AMBIGUOUS = "ambiguous"
    ALREADY_LINKED = "already linked"


@dataclass(frozen=True, slots=True)
class Profile:
    """A mobile offline profile as the target has it."""

    id: str
    name: str
    published: bool


@dataclass(frozen=True, slots=True)
class User:
    """A Dataverse user. `pointer` is the legacy lookup on the user row, a profile's id."""

    id: str
    user_name: str | None
    full_name: str | None
    disabled: bool = False
    pointer: str | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """A row as it was read. A row that lacks user or profile is a husk."""

    id: str
    user: str | None
    profile: str | None
    active: bool
    flagged: bool
    version: str
    created_on: str

    @property
    def age(self) -> tuple[str, str]:
        """Sorts the oldest first, then the lowest id."""
        return self.created_on, self.id


@dataclass(frozen=True, slots=True)
class Link:
    """Our memory that a row is ours, for this user."""

    membership: str
    user: str
    rung: Rung
    origin: Origin
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Loser:
    """A later rule that also matched, or failed after the match."""

    rule: str
    profile: str | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the rules want for a person. `profile` is None while its name has no single answer."""

    reference: str
    profile: str | None
    rule: str
    losers: tuple[Loser, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """One record of one source, as mapped; `problem` names a cell that could not be read."""

    key: str
    object_id: str | None = None
    employee_id: str | None = None
    user_name: str | None = None
    mail: str | None = None
    enabled: bool | None = None
    starts_on: date | None = None
    leaves_on: date | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict)
    problem: str | None = None


def iso(moment: datetime) -> str:
    """Write a moment in UTC as the contract's documents do, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
