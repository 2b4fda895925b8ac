"""Small facts about one person, for decisions that need no database and no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st

from syncd.core.case import Case, Choice, Context, Decision, Hold, Memory, Sighting
from syncd.core.classify import classify
from syncd.core.model import (
    Action,
    Finding,
    Link,
    Membership,
    Origin,
    Presence,
    Profile,
    Rung,
    Situation,
    User,
    Wanted,
)
from syncd.core.settings import Grace, Ownership, Policy, Removal, Resolve
from tests.strategies import Pick, often, several

__all__ = [
    "ADA",
    "DRAFT",
    "FIELD",
    "NOW",
    "OFFICE",
    "OTHER",
    "TODAY",
    "Deed",
    "ago",
    "cases",
    "contexts",
    "day",
    "deeds",
    "given",
    "link",
    "rights",
    "row",
    "unwanted",
    "wanted",
]

S = TypeVar("S")
T = TypeVar("T")

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
TODAY = NOW.date()
ADA = User("u-ada", "ada@x.org", "Ada")
FIELD, OFFICE, OTHER, DRAFT = "p-field", "p-office", "p-other", "p-draft"
"""Rules name the first two; nobody names Other; Draft has no published answer."""
PROFILES = {
    FIELD: Profile(FIELD, "Field", published=True),
    OFFICE: Profile(OFFICE, "Office", published=True),
    OTHER: Profile(OTHER, "Other", published=True),
    DRAFT: Profile(DRAFT, "Draft", published=False),
}
Deed = tuple[str, str | None, str | None]
"""Action, row, and the profile that the row gives afterwards."""


def day(offset: int) -> date:
    """Return the day that is *offset* days after the day of the run."""
    return TODAY + timedelta(days=offset)


def ago(**units: float) -> datetime:
    """Return the moment this long before the run."""
    return NOW - timedelta(**units)


def row(
    ident: str = "r1",
    profile: str | None = FIELD,
    *,
    user: str | None = ADA.id,
    active: bool = True,
    flagged: bool = False,
    created: str = "2026-01-01T00:00:00Z",
) -> Membership:
    """Describe a membership row; Ada's active row to Field unless told otherwise."""
    return Membership(ident, user, profile, active, flagged, f'W/"{ident}"', created)


def link(ident: str, user: str = ADA.id) -> Link:
    """Remember that a row is ours."""
    return Link(ident, user, Rung.OBJECT_ID, Origin.CREATED, FIELD)


def wanted(*rows: Membership, ours: Iterable[str] = (), **more: Any) -> Case:
    """Describe Ada, for whom a rule wants Field, with these rows of which some are ours."""
    usual: dict[str, Any] = {
        "person": "E1",
        "user": ADA,
        "finding": Finding.DECIDED,
        "wanted": Wanted("Field", FIELD, "crew"),
        "rows": rows,
        "links": tuple(link(ident) for ident in ours),
    }
    return Case(**{**usual, **more})


def unwanted(
    presence: Presence, *rows: Membership, ours: Iterable[str] = ("r1",), **more: Any
) -> Case:
    """Describe Ada when nothing wants her; her first row is ours unless told otherwise."""
    finding = Finding.LINKED if presence is Presence.GONE else Finding.DECIDED
    usual: dict[str, Any] = {"presence": presence, "wanted": None, "finding": finding}
    return wanted(*rows, ours=ours, **{**usual, **more})


def given(*, certified: bool = True, now: datetime = NOW, **policy: Any) -> Context:
    """Say what holds for a run; the arguments beside time and certificate are its policy."""
    return Context(
        policy=Policy(**policy),
        now=now,
        certified=certified,
        managed=frozenset({FIELD, OFFICE}),
        unresolved=frozenset({DRAFT}),
        profiles=PROFILES,
    )


def deeds(decision: Decision) -> list[Deed]:
    """Say what a decision does, step by step."""
    return [
        (
            step.action,
            step.row.id if step.row else None,
            None if step.action.removes else step.after,
        )
        for step in decision.steps
    ]


def rights(rows: Iterable[Membership], done: Iterable[Deed]) -> dict[str, Membership]:
    """Apply deeds to rows, as the target would; a created row is called "new"."""
    after = {each.id: each for each in rows}
    for action, ident, profile in done:
        match Action(action):
            case Action.CREATE:
                after["new"] = row("new", profile, created="2026-12-31T00:00:00Z")
            case Action.MOVE:
                after[ident or ""] = replace(after[ident or ""], profile=profile)
            case Action.REACTIVATE:
                after[ident or ""] = replace(after[ident or ""], active=True)
            case Action.REMOVE:
                del after[ident or ""]
            case Action.DEACTIVATE:
                after[ident or ""] = replace(after[ident or ""], active=False)
            case Action.FLAG:
                after[ident or ""] = replace(after[ident or ""], flagged=True)
            case Action.UNFLAG:
                after[ident or ""] = replace(after[ident or ""], flagged=False)
    return after


# --- anything that a case can be -----------------------------------------------------------------

ROWS = ["r1", "r2", "r3", "r4"]
DAYS = [0, 0, 0, 1, 3]


def _context(pick: Pick) -> Context:
    return given(
        certified=pick([True, True, False]),
        ownership=pick(list(Ownership)),
        remove=pick(list(Removal)),
        resolve=pick([Resolve.AUTO, Resolve.AUTO, Resolve.MANUAL]),
        flag=pick([True, True, False]),
        clear_stale_flags=pick([True, False]),
        grace=Grace(pick(DAYS), pick(DAYS), pick(DAYS), pick(DAYS)),
    )


def _row(pick: Pick, ident: str) -> Membership:
    return row(
        ident,
        often(pick, pick([FIELD, FIELD, OFFICE]), OTHER, DRAFT),
        active=pick([True, True, True, False]),
        flagged=pick([False, False, True]),
        created=pick(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
    )


def _moments(pick: Pick) -> tuple[datetime, ...]:
    return tuple(ago(hours=hours) for hours in several(pick, range(1, 9 * 24), 3))


def _memory(pick: Pick, situation: Situation) -> Memory:
    sighting = Sighting(
        often(pick, situation, *Situation),
        day(pick([-3, 0])),
        due=pick([None, day(-1), TODAY, day(1)]),
    )
    return Memory(
        sighting=pick([None, sighting]),
        pending=pick([None, sighting.situation]),
        marked=frozenset(several(pick, ROWS, 2)),
        cleared={ident: _moments(pick) for ident in several(pick, ROWS, 2)},
        losses=often(pick, (), _moments(pick)),
    )


def _case(pick: Pick) -> Case:
    """Describe a person with a user, wanted or not, or a user whom nobody explains."""
    user = replace(ADA, disabled=often(pick, False, True), pointer=often(pick, None, FIELD, OFFICE))
    unexplained = Case(
        user=user,
        rows=tuple(_row(pick, ident) for ident in several(pick, ROWS, 4)),
        presence=Presence.GONE,
        protected=often(pick, False, False, True),
        hold=often(pick, None, None, Hold("because")),
        teams=tuple(several(pick, [FIELD, OFFICE], often(pick, 0, 2))),
    )
    linked = several(pick, [*ROWS, "gone"], 4)
    presence = pick([Presence.PRESENT, Presence.PRESENT, *Presence])
    wants = Wanted("it", often(pick, pick([FIELD, OFFICE]), None), "rule")
    known = replace(
        unexplained,
        person="E1",
        presence=presence,
        finding=often(pick, pick([Finding.LINKED, Finding.DECIDED]), *list(Finding)[3:]),
        wanted=often(pick, wants, None) if presence is Presence.PRESENT else None,
        links=tuple(link(ident) for ident in linked),
        chosen=often(pick, None, Choice(FIELD, OFFICE), Choice(OFFICE, FIELD)),
    )
    case = often(pick, known, unexplained)
    return replace(case, memory=_memory(pick, classify(case)))


@cache
def _place(number: int) -> st.SearchStrategy[int]:
    return st.integers(0, number - 1)


def _made(make: Callable[[Pick], T]) -> st.SearchStrategy[T]:
    """Make things, one half by Hypothesis's choices and one by a seed's, which is faster."""

    @st.composite
    def chosen(draw: st.DrawFn) -> T:
        def pick(options: Sequence[S], /) -> S:
            return options[draw(_place(len(options)))]

        return make(pick)

    seeds = st.integers(0, 2**32 - 1)
    return st.one_of(chosen(), seeds.map(lambda seed: make(Random(seed).choice)))


def contexts() -> st.SearchStrategy[Context]:
    """Describe what may hold for a run."""
    return _made(_context)


def cases() -> st.SearchStrategy[Case]:
    """Describe anybody: wanted, not wanted, unclear, or not explained at all."""
    return _made(_case)
