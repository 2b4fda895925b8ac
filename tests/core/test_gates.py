"""How much of a plan may be risky (behaviour.md section 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from syncd.core.case import Memory, Sighting
from syncd.core.decide import decide
from syncd.core.gates import Gate, Verdict, allowed, check
from syncd.core.model import Action, Presence, Situation
from syncd.core.settings import Limits, Policy
from tests.core.builders import FIELD, OFFICE, day, given, row, unwanted

CREATE, MOVE, REACTIVATE, REMOVE, DEACTIVATE, FLAG, UNFLAG = Action
TIGHT = Limits(percent=10, absolute=200, floor=2)
BASE = {FIELD: 40, OFFICE: 10}
Count = tuple[Action, str | None, str | None, int]


def judge(
    *counts: Count,
    base: Mapping[str, int] = BASE,
    removals: Limits = TIGHT,
    creates: Limits | None = None,
    passes: Mapping[str, tuple[str, int]] | None = None,
) -> Verdict:
    """Judge a plan of so many changes of each kind."""
    return check(counts, base, Policy(removals=removals, creates=creates), passes or {})


def shown(verdict: Verdict) -> list[tuple[str, str, int, int, bool]]:
    """Show the gates as the plan's document does."""
    return [(g.gate, g.scope, g.count, g.allowed, g.tripped) for g in verdict.gates]


@pytest.mark.parametrize(
    ("limits", "base", "expected"),
    [
        (Limits(10, 200, 5), 0, 5),
        (Limits(10, 200, 5), 50, 5),
        (Limits(10, 200, 5), 59, 5),
        (Limits(10, 200, 5), 60, 6),
        (Limits(10, 200, 5), 69, 6),
        (Limits(10, 200, 5), 2000, 200),
        (Limits(10, 200, 5), 5000, 200),
        (Limits(10, 2, 5), 5000, 5),
        (Limits(0, 200, 0), 5000, 0),
        (Limits(100, 200, 0), 7, 7),
        (Limits(12.5, 200, 0), 8, 1),
        (Limits(12.5, 200, 0), 7, 0),
        (Limits(0.29, 10_000, 0), 10_000, 29),
        (Limits(1.1, 10_000, 0), 1000, 11),
    ],
)
def test_allowed_is_a_share_between_a_floor_and_a_limit(
    limits: Limits, base: int, expected: int
) -> None:
    """Section 7: max(floor, min(absolute, percent of the base, rounded down)), exactly."""
    assert allowed(limits, base) == expected


@generated(st.integers(0, 10_000), st.integers(0, 100_000), st.integers(0, 500), st.integers(0, 50))
def test_the_share_is_never_rounded_up(cents: int, base: int, absolute: int, floor: int) -> None:
    """Section 7: not even by the way in which a machine writes a percentage."""
    limits = Limits(percent=cents / 100, absolute=absolute, floor=floor)

    assert allowed(limits, base) == max(floor, min(absolute, cents * base // 10_000))


@pytest.mark.parametrize(("number", "tripped"), [(0, False), (4, False), (5, False), (6, True)])
def test_a_gate_trips_when_the_count_is_greater(number: int, *, tripped: bool) -> None:
    """Section 7: exactly as many as are allowed still pass. The base of the run is every row."""
    [run, *_] = judge((REMOVE, FIELD, None, number), removals=Limits(10, 200, 0)).gates

    assert run == Gate("removals", "run", number, 5, tripped)


@pytest.mark.parametrize(
    ("action", "counts"),
    [
        (REMOVE, True),
        (DEACTIVATE, True),
        (MOVE, True),
        (CREATE, False),
        (REACTIVATE, False),
        (FLAG, False),
        (UNFLAG, False),
    ],
)
def test_what_takes_a_profile_away_is_risky(action: Action, *, counts: bool) -> None:
    """Section 7: remove, deactivate and move; a move counts for its old profile."""
    after = None if action.removes else OFFICE

    verdict = judge((action, FIELD, after, 9))

    assert action.risky is counts
    assert shown(verdict) == (
        [("removals", "run", 9, 5, True), ("removals", f"profile:{FIELD}", 9, 4, True)]
        if counts
        else [("removals", "run", 0, 5, False)]
    )


def test_each_profile_has_a_gate_of_its_own() -> None:
    """Section 7: the run is always listed, first; a profile when it counts something."""
    verdict = judge((REMOVE, OFFICE, None, 3), (MOVE, FIELD, OFFICE, 1), (CREATE, None, FIELD, 7))

    assert shown(verdict) == [
        ("removals", "run", 4, 5, False),
        ("removals", f"profile:{FIELD}", 1, 4, False),
        ("removals", f"profile:{OFFICE}", 3, 2, True),
    ]


def test_a_husk_without_a_profile_counts_for_the_run_alone() -> None:
    """Section 7: a profile's scope is the row's profile before the change."""
    assert shown(judge((REMOVE, None, None, 6))) == [("removals", "run", 6, 5, True)]


def test_a_profile_of_which_nothing_is_ours_has_the_floor() -> None:
    """Section 7: the base is our rows; of an empty base every share is nothing."""
    [_, profile] = judge((REMOVE, "p-foreign", None, 3)).gates

    assert profile == Gate("removals", "profile:p-foreign", 3, 2, tripped=True)


@pytest.mark.parametrize("action", list(Action))
def test_one_tripped_gate_stops_every_risky_change(action: Action) -> None:
    """Section 7: whatever its scope; creates, reactivations, adoptions and flags go ahead."""
    verdict = judge((REMOVE, OFFICE, None, 3), (MOVE, FIELD, OFFICE, 1))

    assert verdict.tripped
    assert verdict.holds(action) is (action in {REMOVE, DEACTIVATE, MOVE})


def test_the_creates_gate_is_off_unless_given() -> None:
    """Section 7: section 1 shows no default for it."""
    verdict = judge((CREATE, None, FIELD, 1_000_000))

    assert not verdict.tripped
    assert [gate.gate for gate in verdict.gates] == ["removals"]


@pytest.mark.parametrize("action", list(Action))
def test_a_tripped_creates_gate_stops_creates_and_the_risky_part(action: Action) -> None:
    """Section 7: it counts creates and reactivations, by the profile after."""
    counts: list[Count] = [(CREATE, None, OFFICE, 1), (REACTIVATE, None, OFFICE, 2)]

    verdict = judge(*counts, (REMOVE, FIELD, None, 1), creates=TIGHT)

    assert shown(verdict) == [
        ("removals", "run", 1, 5, False),
        ("removals", f"profile:{FIELD}", 1, 4, False),
        ("creates", "run", 3, 5, False),
        ("creates", f"profile:{OFFICE}", 3, 2, True),
    ]
    assert verdict.holds(action) is (action not in {FLAG, UNFLAG})


# --- passes --------------------------------------------------------------------------------------

PLAN: list[Count] = [(REMOVE, OFFICE, None, 6)]
OFFICES = f"profile:{OFFICE}"


@pytest.mark.parametrize(
    ("passes", "tripped", "used"),
    [
        ({}, True, []),
        ({"run": ("7", 6)}, True, ["7"]),
        ({OFFICES: ("8", 6)}, True, ["8"]),
        ({"run": ("7", 6), OFFICES: ("8", 6)}, False, ["7", "8"]),
        ({"run": ("7", 5), OFFICES: ("8", 6)}, True, ["8"]),
        ({"run": ("7", 99), OFFICES: ("8", 99)}, False, ["7", "8"]),
    ],
)
def test_a_pass_raises_one_scope(
    passes: dict[str, tuple[str, int]], used: list[str], *, tripped: bool
) -> None:
    """Section 7: to N, and only its own scope; a pass that does not suffice is not used."""
    verdict = judge(*PLAN, passes=passes)

    assert verdict.tripped is tripped
    assert [gate.passed for gate in verdict.gates if gate.passed] == used


def test_a_pass_that_is_not_needed_is_not_used_up() -> None:
    """Section 7: it is used up by the first run that needed it, and shown as the new limit."""
    plenty = judge((REMOVE, FIELD, None, 3), passes={"run": ("7", 50)})
    needed = judge((REMOVE, FIELD, None, 4), base={FIELD: 5}, passes={"run": ("7", 50)})

    assert plenty.gates[0] == Gate("removals", "run", 3, 5, tripped=False)
    assert needed.gates[0] == Gate("removals", "run", 4, 50, tripped=False, passed="7")


def test_a_small_pass_lowers_nothing() -> None:
    """Section 7: it raises a scope."""
    [run, *_] = judge((REMOVE, FIELD, None, 9), passes={"run": ("7", 1)}).gates

    assert run.allowed == 5


def test_passes_are_for_removals_only() -> None:
    """Section 7: a pass raises one scope of the removals gate."""
    verdict = judge((CREATE, None, FIELD, 9), creates=TIGHT, passes={"run": ("7", 99)})

    assert verdict.holds(CREATE)


# --- whatever vanishes ---------------------------------------------------------------------------

PEOPLE = 24
LIMITS = st.builds(
    Limits, st.sampled_from([0, 10, 12.5, 50, 100]), st.integers(0, 12), st.integers(0, 4)
)


@generated(
    st.sets(st.integers(0, PEOPLE - 1)),
    st.lists(st.booleans(), min_size=PEOPLE, max_size=PEOPLE),
    LIMITS,
)
def test_whatever_vanishes_no_more_goes_than_is_allowed(
    gone: set[int], fields: list[bool], limits: Limits
) -> None:
    """Section 7: whichever rows they are, in the run and in each profile; nothing or all."""
    profiles = [FIELD if field else OFFICE for field in fields]
    base = Counter(profiles)
    twice = Memory(sighting=Sighting(Situation.VANISHED, day(-1)))
    plan: Counter[tuple[Action, str | None]] = Counter()
    for number in gone:
        mine = row(f"r{number}", profiles[number])
        case = unwanted(Presence.GONE, mine, ours=[mine.id], memory=twice)
        steps = decide(case, given()).steps
        plan.update((step.action, step.row.profile if step.row else None) for step in steps)

    verdict = judge(
        *((action, before, None, n) for (action, before), n in plan.items()),
        base=base,
        removals=limits,
    )

    lost = Counter({p: n for (action, p), n in plan.items() if not verdict.holds(action)})
    wanted = Counter(profiles[number] for number in gone)
    share = Fraction(str(limits.percent)) / 100
    most = {p: max(limits.floor, min(limits.absolute, int(share * n))) for p, n in base.items()}
    whole = max(limits.floor, min(limits.absolute, int(share * PEOPLE)))
    fits = wanted.total() <= whole and all(n <= most[p] for p, n in wanted.items())
    assert lost == (wanted if fits else Counter())
