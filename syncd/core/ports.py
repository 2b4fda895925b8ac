"""What the engine asks of the outside: a source of people and a target to keep in step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from syncd.core.hints import Hint, Hints
from syncd.core.ledger import Ledger
from syncd.core.model import Membership
from syncd.core.plan import Change, Outcome

__all__ = [
    "Halt",
    "Known",
    "MembershipRow",
    "Pages",
    "ProfileRow",
    "ReadFacts",
    "Reading",
    "Record",
    "Remembered",
    "Source",
    "Target",
    "TeamProfileRow",
    "UserRow",
]


class Halt(Protocol):
    """Says when to stop; what waits looks at it first. A `threading.Event` is one."""

    def is_set(self) -> bool:
        """Tell whether nothing more may be sent."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, but not beyond the moment at which to stop."""
        ...


Record = tuple[
    str,  # key
    bytes
    | None,  # mark: a digest by which the source knows this row again; None if it must be read anew
    str | None,  # object id, employee id, user name, mail: normal forms
    str | None,
    str | None,
    str | None,
    int | None,  # enabled: 1, 0, None where nothing is said
    int | None,  # starts on, leaves on: proleptic ordinals of the day
    int | None,
    str,  # attributes: canonical JSON, see core.mapping
    str | None,  # problem: an unreadable cell, in words
]
"""One person of one source, mapped. A plain tuple, because a run may see a million."""

UserRow = tuple[
    str,  # id
    str,  # etag
    str | None,  # domainname
    str | None,  # fullname
    str | None,  # azureactivedirectoryobjectid
    str | None,  # employeeid
    str | None,  # internalemailaddress
    bool,  # candidate: an account of a person (behaviour.md section 3)
    bool,  # disabled or soft deleted
    str | None,  # legacy pointer
    tuple[tuple[str, str], ...],  # hints: field of a person, and what the user has for it
]
ProfileRow = tuple[str, str, bool]
"""Id, name, published."""
MembershipRow = tuple[str, str, str | None, str | None, bool, bool, str]
"""Id, etag, user, profile, active, flagged, created on (ISO text as the target wrote it)."""
TeamProfileRow = tuple[str, str, str]
"""User, profile, team: what a team brings its member."""


Row = TypeVar("Row")


@dataclass(slots=True)
class Pages(Generic[Row]):
    """
    A read of the target in progress. Iterate to the end, then ask for the rest.

    `token` is where a read of later changes can go on, None where the target keeps no
    track. `gone` are the ids of rows that were deleted, which only a read of changes
    knows.
    """

    pages: Iterator[Sequence[Row]]
    token: str | None = None
    gone: set[str] = field(default_factory=set)

    def __iter__(self) -> Iterator[Sequence[Row]]:
        return self.pages


@dataclass(frozen=True, slots=True)
class Remembered:
    """
    What is remembered of a table of the target: its pages as they came last, by digests.

    A digest stands for the marks of a page's rows, each an id and an etag, which `marks`
    gives; `known` gives the marks of all rows that are stored, which may be a million. `whole`
    says that these are the rows of the `pages` and no others: if all of them come again and
    nothing else does, nothing has changed. `came` is filled while the target is read, and
    `keep` is told of each page that was not remembered.
    """

    pages: frozenset[bytes]
    whole: bool
    marks: Callable[[bytes], list[str]]
    known: Callable[[], Iterable[str]]
    keep: Callable[[bytes, Sequence[str]], None]
    came: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Known:
    """
    What syncd remembers of a source. `marks` is loaded only when it is needed.

    With a `token` only what changed since the read that gave it is wanted; a source that
    cannot tell reads everything.
    """

    content: bytes | None
    marks: Callable[[], set[bytes]]
    token: str | None = None


@dataclass(frozen=True, slots=True)
class ReadFacts:
    """
    What a read was like, once it is over.

    `rows` counts every row read, doubled ones too, also those that were known.
    `findings` are sentences, each a reason not to believe the read. `content` marks
    the whole content; the same mark next time means that nothing changed. It may say of rows
    by which marks they are known: `bare` is what to remember in its place where not every
    record was kept as it was given.
    `usable` is False when nothing of what was read may be used (a mapped column is
    absent, bytes do not decode). `unchanged` says that the content is the known one:
    no page came and the picture stands as it is. `gone` holds the marks that were
    known and did not come back. `token` is where a read of changes can go on. A `partial`
    read gave only changes: `gone` then holds the beginnings of the marks of rows that
    the source says are deleted, and nobody else leaves. `columns` are the names that its
    rows have, None where they are not all known; unless they are `declared`, only what came
    in rows is known, and what is lacking may be there next time.
    """

    rows: int
    findings: tuple[str, ...] = ()
    content: bytes | None = None
    usable: bool = True
    unchanged: bool = False
    gone: frozenset[bytes] | set[bytes] = frozenset()
    token: str | None = None
    partial: bool = False
    columns: tuple[str, ...] | None = None
    declared: bool = True
    bare: bytes | None = None


class Reading(Protocol):
    """One read in progress. Iterate to the end, then ask for the facts."""

    def __iter__(self) -> Iterator[Sequence[Record]]:
        """Give the records that are not known already, page by page. Never raises for bad data."""
        ...

    @property
    def facts(self) -> ReadFacts:
        """What the read was like; complete only after the last page."""
        ...


class Source(Protocol):
    """A system that owns data about people."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        ...

    @property
    def shape(self) -> str:
        """A digest of all that decides how a row becomes a record. If it differs, all is new."""
        ...

    def read(self, known: Known) -> Reading:
        """Read everything, or what changed; rows whose mark is known need not be given again."""
        ...


class Target(Protocol):
    """The environment that is kept in step. Reads raise TargetError unless they are complete."""

    def users(
        self, known: set[str], hints: Sequence[Hint] = (), memory: Remembered | None = None
    ) -> Pages[UserRow]:
        """
        Give the users whose id + etag is not in *known*, page by page.

        Takes the marks it has seen out of *known*: afterwards it holds those of rows
        that are gone or have changed. *hints* name further columns to read. With a
        *memory* nobody is in *known* at first, and who is known is asked for if need be.
        """
        ...

    def hints(self) -> Hints:
        """Give what the environment's `usermapping` says; asked only where the rung is in use."""
        ...

    def memberships(
        self, known: set[str], memory: Remembered | None = None
    ) -> Pages[MembershipRow]:
        """Give the membership rows that are not *known*, likewise."""
        ...

    def users_since(self, token: str, hints: Sequence[Hint] = ()) -> Pages[UserRow]:
        """Give the users that changed since a read gave *token*. Raises TokenExpired, too."""
        ...

    def memberships_since(self, token: str) -> Pages[MembershipRow]:
        """Give the membership rows that changed since then, likewise."""
        ...

    def profiles(self) -> Sequence[ProfileRow]:
        """Give every profile."""
        ...

    def team_profiles(self) -> Sequence[TeamProfileRow]:
        """Give what active team memberships bring to the members of their teams."""
        ...

    def fetch(self, ids: Sequence[str]) -> dict[str, Membership]:
        """Give these membership rows as they are now; those that do not exist are left out."""
        ...

    def apply(self, changes: Sequence[Change], run: int) -> list[Outcome]:
        """
        Send one batch; *run* is stamped on created rows.

        Every change gets one outcome, in order; a failure of one never raises and
        never stops the others. Where a reply was lost, the target is read before
        anything is said or sent again.
        """
        ...

    @property
    def batch_size(self) -> int:
        """How many changes one batch may hold; likewise."""
        ...

    @property
    def lanes(self) -> int:
        """How many batches may be in flight; it changes with what the target bears."""
        ...

    @property
    def ledger(self) -> Ledger:
        """What it refused so far, what it was asked for, and how fast it was."""
        ...
