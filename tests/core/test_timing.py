"""When a removal may follow, what withholds it, and what calls it off (behaviour.md section 4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from syncd.core.case import Case, Choice, Hold, Memory, Pending, Sighting
from syncd.core.decide import decide
from syncd.core.model import Finding, Presence, Situation, Wanted
from syncd.core.settings import Grace, Ownership, Resolve
from tests.core.builders import (
    ADA,
    DRAFT,
    FIELD,
    NOW,
    OFFICE,
    OTHER,
    TODAY,
    Deed,
    ago,
    day,
    deeds,
    given,
    link,
    row,
    unwanted,
    wanted,
)

PRESENT, NOT_YET, LEFT, GONE = Presence
OFF = replace(ADA, disabled=True)
GRACE = Grace(left=2, out_of_scope=3, vanished=4, user_disabled=5)
REMOVED: list[Deed] = [("remove", "r1", None)]
EXCLUSIVE = Ownership.EXCLUSIVE


def seen(
    situation: str, first: int, *, due: int | None = None, second: int | None = None
) -> Memory:
    """Remember a sighting; its days are counted from the day of the run."""
    name = Situation(situation)
    later = None if second is None else day(second)
    return Memory(sighting=Sighting(name, day(first), later, None if due is None else day(due)))


@pytest.mark.parametrize(
    ("case", "days", "more"),
    [
        (unwanted(LEFT, row()), 2, {}),
        (unwanted(PRESENT, row()), 3, {}),
        (unwanted(NOT_YET, row()), 3, {}),
        (wanted(row(), ours=["r1"], user=OFF), 5, {}),
        (unwanted(LEFT, row(), ours=[]), 2, {"ownership": EXCLUSIVE}),
        (unwanted(PRESENT, row(), ours=[]), 3, {"ownership": EXCLUSIVE}),
    ],
    ids=["left", "out of scope", "not yet", "user disabled", "unassigned, left", "unassigned"],
)
def test_a_removal_waits_for_the_grace_that_fits(
    case: Case, days: int, more: dict[str, Any]
) -> None:
    """Section 4: due is the day of the first certified run that judged so, plus the grace."""
    decision = decide(case, given(grace=GRACE, **more))

    assert deeds(decision) == []
    assert [(each.reason, each.due) for each in decision.pending] == [("grace", day(days))]
    assert decision.sighting == Sighting(decision.situation, TODAY, due=day(days))


@pytest.mark.parametrize(
    ("due", "expected"), [(-3, REMOVED), (-1, REMOVED), (0, REMOVED), (1, []), (2, [])]
)
def test_the_removal_goes_into_the_first_plan_on_or_after_its_day(
    due: int, expected: list[Deed]
) -> None:
    """Section 4: and until then it is listed with the same day, run after run."""
    case = unwanted(LEFT, row(), memory=seen("LEFT", -5, due=due))

    decision = decide(case, given(grace=GRACE))

    assert deeds(decision) == expected
    assert [each.due for each in decision.pending] == [day(due)] * (not expected)
    assert decision.sighting == case.memory.sighting


def test_without_grace_the_removal_follows_at_once() -> None:
    """Section 1: the days are zero by default."""
    assert deeds(decide(unwanted(LEFT, row()), given())) == REMOVED


def test_another_situation_in_between_starts_anew() -> None:
    """Section 4: a due date belongs to one situation, and being wanted forgets it."""
    overdue = seen("OUT_OF_SCOPE", -9, due=-6)

    left = decide(unwanted(LEFT, row(), memory=overdue), given(grace=GRACE))
    back = decide(wanted(row(), ours=["r1"], memory=overdue), given(grace=GRACE))

    assert (deeds(left), left.pending[0].due) == ([], day(2))
    assert back.sighting is None


# --- sightings -----------------------------------------------------------------------------------


def vanished(memory: Memory) -> Case:
    """Describe Ada when the sources do not know her."""
    return unwanted(GONE, row(), memory=memory)


def nobodys(memory: Memory) -> Case:
    """Describe a user with a row whom nobody explains."""
    return Case(user=ADA, rows=(row(),), presence=GONE, memory=memory)


@pytest.mark.parametrize(("build", "name"), [(vanished, "VANISHED"), (nobodys, "UNASSIGNED")])
@pytest.mark.parametrize("first", [None, 0])
def test_a_first_sighting_is_only_reported(build: Any, name: str, first: int | None) -> None:
    """Section 4: also when it is seen again on the same day."""
    memory = Memory() if first is None else seen(name, first)

    decision = decide(build(memory), given(ownership=EXCLUSIVE))

    assert (decision.steps, decision.pending) == ((), ())
    assert [report.situation for report in decision.reports] == [name]
    assert decision.sighting == Sighting(Situation(name), TODAY)


@pytest.mark.parametrize(("build", "name"), [(vanished, "VANISHED"), (nobodys, "UNASSIGNED")])
def test_a_second_sighting_is_one_on_a_later_day(build: Any, name: str) -> None:
    """Section 4: the grace of VANISHED counts from the second sighting."""
    case = build(seen(name, -1))

    at_once = decide(case, given(ownership=EXCLUSIVE))
    graceful = decide(case, given(ownership=EXCLUSIVE, grace=GRACE))

    assert deeds(at_once) == REMOVED
    assert graceful.pending == (Pending("r1", graceful.pending[0].reason, day(4)),)
    assert graceful.sighting == Sighting(Situation(name), day(-1), TODAY, day(4))


def test_a_known_leaver_needs_no_second_sighting_even_for_a_row_of_somebody_else() -> None:
    """Section 4, UNASSIGNED: two sightings only where nobody explains the user."""
    case = unwanted(LEFT, row(), ours=[])

    assert deeds(decide(case, given(ownership=EXCLUSIVE))) == REMOVED


# --- certificates --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [
        unwanted(LEFT, row()),
        unwanted(PRESENT, row()),
        unwanted(GONE, row(), memory=seen("VANISHED", -1)),
        wanted(row(), ours=["r1"], user=OFF),
        unwanted(LEFT, row(), memory=seen("LEFT", -3, due=-1)),
        wanted(row("r0"), row("r1"), ours=["r0"]),
        wanted(row("r0"), row("r1", OFFICE), ours=["r0", "r1"]),
        Case(husk=row(profile=None), husk_ours=True),
    ],
    ids=["left", "out of scope", "vanished", "disabled", "overdue", "duplicate", "surplus", "husk"],
)
def test_an_unbelieved_read_removes_nothing(case: Case) -> None:
    """Section 6: no removal is planned for anybody; it is pending with due null."""
    decision = decide(case, given(certified=False, flag=False))

    assert deeds(decision) == []
    assert decision.pending == (Pending("r1", decision.pending[0].reason),)
    assert decision.pending[0].reason == "certificate"


def test_an_unbelieved_read_stops_nothing_else() -> None:
    """Section 6: creates, moves, reactivations, adoptions and flags still go ahead."""
    unbelieved = given(certified=False)

    assert deeds(decide(wanted(), unbelieved)) == [("create", None, FIELD)]
    assert deeds(decide(wanted(row(profile=OFFICE), ours=["r1"]), unbelieved)) == [
        ("move", "r1", FIELD)
    ]
    assert deeds(decide(wanted(row(active=False)), unbelieved)) == [("reactivate", "r1", FIELD)]
    assert decide(wanted(row()), unbelieved).adopted == (row(),)
    assert deeds(decide(wanted(row(profile=OFFICE)), unbelieved)) == [("flag", "r1", OFFICE)]
    assert deeds(decide(wanted(row(flagged=True), ours=["r1"]), unbelieved)) == [
        ("unflag", "r1", FIELD)
    ]


@pytest.mark.parametrize("memory", [Memory(), seen("VANISHED", -1), seen("VANISHED", -3, due=2)])
def test_no_sighting_and_no_grace_begins_in_an_unbelieved_run(memory: Memory) -> None:
    """Section 4: they count in certified runs; what has begun stays as it is."""
    decision = decide(vanished(memory), given(certified=False, grace=GRACE))

    assert (deeds(decision), decision.sighting) == ([], memory.sighting)


def test_a_grace_that_runs_is_told_before_the_certificate() -> None:
    """Section 4: reason grace with its due date, else certificate."""
    case = unwanted(LEFT, row(), memory=seen("LEFT", -1, due=1))

    decision = decide(case, given(certified=False, grace=GRACE))

    assert [(each.reason, each.due) for each in decision.pending] == [("grace", day(1))]


# --- profiles without an answer ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "pending"),
    [
        (unwanted(LEFT, row(profile=DRAFT)), ["r1"]),
        (wanted(row(profile=DRAFT), ours=["r1"]), ["r1"]),
        (wanted(row("r1"), row("r2", DRAFT), ours=["r1", "r2"]), ["r2"]),
        (wanted(chosen=Choice(DRAFT, against=FIELD)), [None]),
        (wanted(row(profile=DRAFT, active=False), chosen=Choice(DRAFT, against=FIELD)), ["r1"]),
    ],
    ids=["remove", "move from", "loser", "create", "reactivate"],
)
def test_what_touches_an_unresolved_profile_is_pending(
    case: Case, pending: list[str | None]
) -> None:
    """Section 4: nothing is created with it, moved to or from it, or removed from it."""
    decision = decide(case, given(flag=False))

    assert deeds(decision) == []
    assert [(each.membership, each.reason, each.due) for each in decision.pending] == [
        (ident, "profile", None) for ident in pending
    ]


def test_nobody_loses_the_old_row_before_the_new_one_is_there() -> None:
    """Section 4: where its profile withholds the move, the removals wait with it."""
    case = wanted(
        row("r1", OFFICE), row("r2", OTHER), ours=["r1", "r2"], chosen=Choice(DRAFT, against=FIELD)
    )

    decision = decide(case, given(flag=False))

    assert deeds(decision) == []
    assert [(each.membership, each.reason) for each in decision.pending] == [
        ("r1", "profile"),
        ("r2", "profile"),
    ]


# --- flap damping --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("losses", "held"),
    [
        ([], False),
        ([1], False),
        ([1, 2], True),
        ([1, 6.99], True),
        ([1, 7], False),
        ([1, 2, 3], True),
        ([8, 9], False),
    ],
)
def test_the_third_loss_within_seven_days_is_held(losses: list[float], *, held: bool) -> None:
    """Section 4, HELD: flap damping; nothing is done, and the report names the expiry."""
    memory = Memory(losses=tuple(ago(days=days) for days in losses))

    decision = decide(unwanted(LEFT, row(), memory=memory), given())

    assert decision.situation == ("HELD" if held else "LEFT")
    assert deeds(decision) == ([] if held else REMOVED)
    assert len(decision.reports) == held


def test_damping_ends_when_the_older_of_the_last_two_losses_is_a_week_old() -> None:
    """Section 4, HELD: from that day the next loss is again only the second within seven days."""
    memory = Memory(losses=(ago(days=2), ago(days=1)))
    case = unwanted(LEFT, row(), memory=memory)

    [report] = decide(case, given()).reports

    assert report.detail == (
        f"lost the row 2 times within seven days and would lose it again (until {day(5)})"
    )
    assert decide(case, given(now=NOW + timedelta(days=5))).situation == "LEFT"


def test_a_grace_that_is_over_is_not_waited_for_again_after_damping() -> None:
    """Section 4: what was due stays due; damping is over when the calm is, not a grace later."""
    due = Sighting(Situation.LEFT, day(-3), due=day(0))
    memory = Memory(sighting=due, losses=(ago(days=6), ago(days=4)))
    case = unwanted(LEFT, row(), memory=memory)

    damped = decide(case, given(grace=GRACE))
    calm = replace(case, memory=replace(memory, sighting=damped.sighting))

    assert (damped.situation, damped.sighting) == ("HELD", due)
    assert deeds(decide(calm, given(grace=GRACE, now=NOW + timedelta(days=1)))) == REMOVED


def test_only_a_loss_is_damped() -> None:
    """Section 4: a move, a loser of a conflict, or a removal that waits loses nothing."""
    memory = Memory(losses=(ago(days=2), ago(days=1)))

    moved = decide(wanted(row(profile=OFFICE), ours=["r1"], memory=memory), given())
    settled = decide(wanted(row("r1"), row("r2"), ours=["r1"], memory=memory), given())
    waiting = decide(unwanted(LEFT, row(), memory=memory), given(grace=GRACE))

    assert [each.situation for each in (moved, settled, waiting)] == [
        "MISPLACED",
        "DUPLICATE",
        "LEFT",
    ]


# --- saved ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", list(Situation))
def test_who_was_pending_and_is_wanted_again_is_saved(situation: Situation) -> None:
    """Section 4: pending as LEFT, OUT_OF_SCOPE, VANISHED or USER_DISABLED in the last run."""
    case = wanted(row(), ours=["r1"], memory=Memory(pending=situation))

    decision = decide(case, given())

    counts = situation in {"LEFT", "OUT_OF_SCOPE", "VANISHED", "USER_DISABLED"}
    assert decision.saved == (situation if counts else None)
    assert (decision.steps, decision.pending) == ((), ())


@pytest.mark.parametrize(
    "case",
    [
        unwanted(LEFT, row(), memory=Memory(pending=Situation.LEFT)),
        wanted(row(), ours=["r1"], user=OFF, memory=Memory(pending=Situation.LEFT)),
        wanted(user=None, finding=Finding.NONE, memory=Memory(pending=Situation.LEFT)),
    ],
    ids=["not wanted", "user disabled", "no user"],
)
def test_nobody_is_saved_who_is_not_wanted_with_an_enabled_user(case: Case) -> None:
    """Section 4: wanted again, with an enabled user."""
    assert decide(case, given()).saved is None


# --- links that end ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "ended"),
    [
        (unwanted(LEFT, ours=["gone"]), ["gone"]),
        (unwanted(LEFT, row(active=False)), ["r1"]),
        (unwanted(LEFT, row(), ours=["r1", "gone"]), ["gone"]),
        (wanted(ours=["gone"]), []),
        (wanted(row(active=False), ours=["r1"]), []),
        (wanted(row(), ours=["r1", "gone"]), ["gone"]),
        (wanted(row(), ours=["gone"]), ["gone"]),
        (wanted(row(profile=OTHER), ours=["gone"]), []),
        (unwanted(LEFT, row(), ours=["gone"], hold=Hold("x")), []),
    ],
    ids=[
        "gone, not wanted",
        "inactive, not wanted",
        "only the gone one",
        "gone, still wanted",
        "inactive, still wanted",
        "another row stands in its place",
        "an adopted row takes its place",
        "a row of somebody else does not",
        "nothing ends for the held",
    ],
)
def test_links_end_when_their_row_is_gone_and_replaced_or_not_wanted(
    case: Case, ended: list[str]
) -> None:
    """Section 4: a link ends when another row takes its place, or for people not wanted."""
    assert [each.membership for each in decide(case, given(flag=False)).ended] == ended


def test_a_link_to_a_row_that_was_given_away_is_replaced_by_the_next() -> None:
    """Section 4, MISSING: the row is another user's now."""
    case = wanted(row(), links=(link("r1"), link("r9", "u-bob")))

    assert decide(case, given()).situation == "CONFIRMED"
    assert [each.membership for each in decide(case, given()).ended] == ["r9"]


# --- who is left alone ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {"protected": True},
        {"hold": Hold("because")},
        {"finding": Finding.AMBIGUOUS},
        {"finding": Finding.ALREADY_LINKED},
        {"wanted": Wanted("Draft", None, "crew")},
    ],
    ids=["PROTECTED", "HELD", "AMBIGUOUS", "ALREADY_LINKED", "UNRESOLVED_PROFILE"],
)
@pytest.mark.parametrize(
    "rows",
    [(), (row(profile=OFFICE),), (row("r1"), row("r2")), (row(flagged=True),)],
    ids=["no row", "misplaced", "duplicate", "flagged"],
)
def test_nothing_is_done_for_who_is_left_alone(rows: Any, more: dict[str, Any]) -> None:
    """Sections 4 and 5: no change, no adoption, not even a flag, in the strongest mode."""
    decision = decide(wanted(*rows, ours=["r1"], **more), given(ownership=EXCLUSIVE))

    assert (decision.steps, decision.adopted, decision.pending) == ((), (), ())


@generated(st.lists(st.booleans(), max_size=8), st.integers(0, 3))
def test_whoever_vanishes_goes_on_the_day_that_the_rule_names(
    believed: list[bool], grace: int
) -> None:
    """Section 4: one run a day; the second believed sighting starts the grace."""
    memory, removed = Memory(), None
    for offset, certified in enumerate(believed):
        context = given(
            certified=certified, now=NOW + timedelta(days=offset), grace=Grace(vanished=grace)
        )
        decision = decide(vanished(memory), context)
        memory = Memory(sighting=decision.sighting)
        if decision.steps:
            removed = offset
            break

    good = [offset for offset, certified in enumerate(believed) if certified]
    due = [offset for offset in good if len(good) > 1 and offset >= good[1] + grace]
    assert removed == (due[0] if due else None)


def test_manual_conflicts_do_not_stop_leavers() -> None:
    """Section 5: with nothing wanted the situation is LEFT, and every row goes as that demands."""
    case = unwanted(LEFT, row("r1"), row("r2", OFFICE), ours=["r1", "r2"])

    assert deeds(decide(case, given(resolve=Resolve.MANUAL))) == [
        ("remove", "r1", None),
        ("remove", "r2", None),
    ]
