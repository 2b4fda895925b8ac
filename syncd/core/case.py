"""A case: all that is known about one person, one unexplained user or one husk; the decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from syncd.core.ledger import Message
from syncd.core.model import (
    Action,
    Finding,
    Link,
    Membership,
    Presence,
    Profile,
    Situation,
    User,
    Wanted,
)
from syncd.core.settings import Policy

__all__ = [
    "WINDOW",
    "Case",
    "Choice",
    "Code",
    "Conflict",
    "Context",
    "Decision",
    "Hold",
    "Memory",
    "Pending",
    "Report",
    "Sighting",
    "Step",
    "Why",
]

WINDOW = timedelta(days=7)
"""How far back syncd looks before it clears a flag or takes a row once more."""


class Code(StrEnum):
    """The conflicts of behaviour.md section 5."""

    DUPLICATE_PAIR = "DUPLICATE_PAIR"
    MULTI_PROFILE_DIRECT = "MULTI_PROFILE_DIRECT"
    MULTI_PROFILE_WANTED = "MULTI_PROFILE_WANTED"
    DIRECT_VS_TEAM = "DIRECT_VS_TEAM"
    MULTI_PROFILE_TEAM = "MULTI_PROFILE_TEAM"
    LEGACY_POINTER = "LEGACY_POINTER"
    SERVER_FLAG_ONLY = "SERVER_FLAG_ONLY"

    @property
    def direct(self) -> bool:
        """Whether the user's own rows are at odds; only then is the flag written."""
        return self in (Code.DUPLICATE_PAIR, Code.MULTI_PROFILE_DIRECT, Code.MULTI_PROFILE_WANTED)


class Why(StrEnum):
    """Why a change is withheld, in the order in which it is said."""

    GRACE = "grace"
    CERTIFICATE = "certificate"
    PROFILE = "profile"
    GATE = "gate"
    BLACKOUT = "blackout"
    ESCROW = "escrow"
    QUARANTINE = "quarantine"
    CAPABILITY = "capability"


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody is left alone, and until when if that is known."""

    reason: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """Since when a person is judged as they are, and when a removal may follow."""

    situation: Situation
    first: date
    second: date | None = None
    due: date | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """An operator chose this profile while the rules wanted `against`."""

    profile: str
    against: str | None


@dataclass(frozen=True, slots=True)
class Memory:
    """
    What syncd remembers about a case from earlier runs.

    `pending` is the situation under which a removal was pending in the last run;
    `marked` the rows whose flag syncd set; `cleared` when it cleared a row's flag;
    `losses` when the person lost a row.
    """

    sighting: Sighting | None = None
    pending: Situation | None = None
    marked: frozenset[str] = frozenset()
    cleared: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    losses: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """
    Everything about one person, one unexplained user (`person` None), or one husk (`husk` set).

    `rows` are the user's rows that have both lookups; `links` are the person's live
    links, also those whose row is gone; `elsewhere` are linked rows of other users, whom
    the person was found to be before, `others` those users, and `spared` the ids of the
    rows among them that stay: their user is protected or held, or has to do with somebody
    else by now; `inherited` are the ids of the user's rows that a link of somebody else made
    ours: they count as ours for whoever is wanted there now, and go or stay with whom their
    link names where nobody is; `teams` are the profiles that teams bring.
    `detail` says in words what correlation found.
    """

    person: str | None = None
    user: User | None = None
    presence: Presence = Presence.PRESENT
    finding: Finding = Finding.NONE
    protected: bool = False
    hold: Hold | None = None
    wanted: Wanted | None = None
    rows: tuple[Membership, ...] = ()
    links: tuple[Link, ...] = ()
    elsewhere: tuple[Membership, ...] = ()
    others: tuple[User, ...] = ()
    spared: frozenset[str] = frozenset()
    inherited: frozenset[str] = frozenset()
    teams: tuple[str, ...] = ()
    chosen: Choice | None = None
    memory: Memory = field(default_factory=Memory)
    husk: Membership | None = None
    husk_ours: bool = False
    detail: str = ""

    active: tuple[Membership, ...] = field(init=False, repr=False, compare=False)
    """Rows that count, the oldest first."""
    ours: frozenset[str] = field(init=False, repr=False, compare=False)
    """Ids of the user's rows that a link makes ours."""
    own: frozenset[str] = field(init=False, repr=False, compare=False)
    """Those of them that a link of this very person makes ours."""
    target: str | None = field(init=False, repr=False, compare=False)
    """The profile the user should have: the operator's choice, else what the rules want."""

    def __post_init__(self) -> None:
        """Find out once what is asked of a case again and again."""
        remember = object.__setattr__
        remember(self, "active", _active(self.rows))
        remember(self, "own", _own(self.user, self.rows, self.links))
        inherited = self.inherited if self.wanted is not None else frozenset()
        remember(self, "ours", self.own | inherited)
        remember(self, "target", self.wanted.profile if self.wanted else None)
        if self.chosen is not None and self.decided:
            remember(self, "target", self.chosen.profile)

    @property
    def lost_links(self) -> tuple[Link, ...]:
        """Links whose row is deleted, emptied, or given to another user."""
        if not self.links:
            return ()
        kept = self.own | {row.id for row in self.elsewhere}
        return tuple(link for link in self.links if link.membership not in kept)

    @property
    def held_rows(self) -> tuple[Membership, ...]:
        """Active rows of ours, also those of users whom the person was found to be before."""
        if not self.links and not self.elsewhere:
            return ()
        here = tuple(row for row in self.active if row.id in self.own)
        return here + tuple(row for row in self.elsewhere if row.active)

    @property
    def decided(self) -> bool:
        """Whether an operator's choice holds: the rules still want what they wanted then."""
        return (
            self.chosen is not None
            and self.wanted is not None
            and self.chosen.against == self.wanted.profile
        )


def _active(rows: tuple[Membership, ...]) -> tuple[Membership, ...]:
    counting = [row for row in rows if row.active]
    if len(counting) > 1:
        counting.sort(key=lambda row: row.age)
    return tuple(counting)


def _own(
    user: User | None, rows: tuple[Membership, ...], links: tuple[Link, ...]
) -> frozenset[str]:
    if user is None or not rows or not links:
        return frozenset()
    mine = {link.membership for link in links if link.user == user.id}
    return frozenset(row.id for row in rows if row.id in mine)


@dataclass(frozen=True, slots=True)
class Context:
    """
    What holds for every case of one run.

    `managed` are the ids of profiles that some rule of the environment names,
    `unresolved` those that a rule names without a single published answer; `refused` is
    what the environment does not do at present.
    """

    policy: Policy
    now: datetime
    certified: bool = True
    managed: frozenset[str] = frozenset()
    unresolved: frozenset[str] = frozenset()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    refused: frozenset[Message] = frozenset()

    @property
    def today(self) -> date:
        """The UTC day of the run."""
        return self.now.date()

    def profile_name(self, profile: str | None) -> str:
        """Show a profile by its name, or by its id where it is gone."""
        found = self.profiles.get(profile or "")
        return found.name if found else profile or ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do to one row, None for a create; `after` is what the row gives then."""

    action: Action
    row: Membership | None
    after: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A change that is withheld, and why."""

    membership: str | None
    reason: Why
    due: date | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A conflict of one user. `open` tells whether the plan leaves it so."""

    code: Code
    user: str
    profiles: tuple[str, ...]
    rows: tuple[str, ...]
    open: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Something a person should know; nothing is done about it."""

    situation: Situation
    detail: str


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What follows for one case.

    `steps` stand in the order in which they must be applied. `adopted` are rows that
    become ours by a link alone, `ended` links that end without a request, `sighting`
    what to remember (None forgets), `saved` the situation a removal was pending under
    that is now called off.
    """

    situation: Situation
    steps: tuple[Step, ...] = ()
    adopted: tuple[Membership, ...] = ()
    pending: tuple[Pending, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    reports: tuple[Report, ...] = ()
    ended: tuple[Link, ...] = ()
    sighting: Sighting | None = None
    saved: Situation | None = None
