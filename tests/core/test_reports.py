"""What a run says about those for whom it does nothing (behaviour.md sections 4, 5 and 8)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.core.case import Case, Hold, Memory, Sighting
from syncd.core.decide import decide
from syncd.core.model import Finding, Presence, Situation
from syncd.core.settings import Grace, Ownership
from tests.core.builders import ADA, FIELD, OFFICE, OTHER, ago, day, given, row, unwanted, wanted

PRESENT, NOT_YET, LEFT, GONE = Presence
OFF = replace(ADA, disabled=True)
NO_USER = wanted(user=None, finding=Finding.NONE)


def said(case: Case, **policy: Any) -> list[str]:
    """Say what is reported of a case, in words."""
    decision = decide(case, given(**policy))
    assert {report.situation for report in decision.reports} <= {decision.situation}
    return [report.detail for report in decision.reports]


@pytest.mark.parametrize(
    ("case", "name"),
    [
        (wanted(user=OFF), "UNLICENSED_USER"),
        (NO_USER, "UNRESOLVED_USER"),
        (wanted(finding=Finding.AMBIGUOUS, detail="why"), "AMBIGUOUS"),
        (wanted(finding=Finding.ALREADY_LINKED, detail="why"), "ALREADY_LINKED"),
        (unwanted(GONE, row()), "VANISHED"),
        (unwanted(LEFT, row(), ours=[]), "UNASSIGNED"),
        (Case(user=ADA, rows=(row(),), presence=GONE), "UNASSIGNED"),
        (Case(husk=row(profile=None)), "HUSK"),
        (wanted(hold=Hold("because")), "HELD"),
        (wanted(row(profile=OFFICE)), "FOREIGN_MISPLACED"),
        (wanted(row("r1"), row("r2", OFFICE)), "SURPLUS"),
        (wanted(row("r1", OFFICE), row("r2", OFFICE)), "DUPLICATE"),
    ],
)
def test_everybody_whose_situation_says_report_or_wait_is_named(case: Case, name: str) -> None:
    """Section 8: with one sentence each."""
    [report] = decide(case, given()).reports

    assert report.situation == name
    assert report.detail


@pytest.mark.parametrize(
    "case",
    [
        wanted(row(), ours=["r1"]),
        wanted(row()),
        wanted(),
        wanted(ours=["gone"]),
        wanted(row(active=False)),
        wanted(row(profile=OFFICE), ours=["r1"]),
        wanted(row(flagged=True), ours=["r1"]),
        wanted(row("r1"), row("r2")),
        wanted(row("r1"), row("r2", OFFICE), ours=["r2"]),
        unwanted(LEFT, row()),
        unwanted(PRESENT, row()),
        unwanted(LEFT),
        wanted(row(), user=OFF, ours=["r1"]),
        wanted(protected=True),
        Case(husk=row(profile=None), husk_ours=True),
        unwanted(GONE, row(), memory=Memory(sighting=Sighting(Situation.VANISHED, day(-1)))),
    ],
)
def test_what_is_done_needs_no_report(case: Case) -> None:
    """Section 8: changes, adoptions and leavers are told elsewhere, the protected only counted."""
    assert said(case) == []


@pytest.mark.parametrize("name", ["UNRESOLVED_USER", "UNLICENSED_USER"])
@pytest.mark.parametrize(
    ("first", "age"),
    [(0, ""), (-1, " since 2026-03-01 (1 day)"), (-9, " since 2026-02-21 (9 days)")],
)
def test_who_waits_is_told_with_the_age(name: str, first: int, age: str) -> None:
    """Section 4: wait, report with age; the age counts from the first run that judged so."""
    memory = Memory(sighting=Sighting(Situation(name), day(first)))
    case = NO_USER if name == "UNRESOLVED_USER" else wanted(user=OFF)

    decision = decide(replace(case, memory=memory), given())

    assert age in decision.reports[0].detail
    assert ("since" in decision.reports[0].detail) is bool(age)
    assert decision.sighting == memory.sighting


def test_waiting_is_counted_in_any_run() -> None:
    """Section 4: an age is no evidence, so it needs no certificate."""
    decision = decide(NO_USER, given(certified=False))

    assert decision.sighting == Sighting(Situation.UNRESOLVED_USER, day(0))


def test_a_hold_is_told_with_reason_and_expiry() -> None:
    """Section 4, HELD: report with reason and expiry."""
    assert said(wanted(hold=Hold("held by op: on trial", day(3)))) == [
        "held by op: on trial (until 2026-03-05)"
    ]
    assert said(wanted(hold=Hold("two rows"))) == ["two rows"]


def test_an_open_conflict_is_told_by_the_names_of_its_profiles() -> None:
    """Section 8: profiles are shown by name."""
    assert said(wanted(row(profile=OFFICE))) == ["MULTI_PROFILE_WANTED stays open: Field, Office"]


def test_a_settled_conflict_is_not_told() -> None:
    """Section 4, FOREIGN_MISPLACED: exclusive mode moves; there is nothing left to say."""
    assert said(wanted(row(profile=OFFICE)), ownership=Ownership.EXCLUSIVE) == []


def test_a_removal_that_is_pending_is_not_reported_too() -> None:
    """Section 8: it is listed as pending, with its day."""
    seen = Memory(sighting=Sighting(Situation.VANISHED, day(-1)))

    assert said(unwanted(GONE, row(), memory=seen), grace=Grace(vanished=9)) == []


def test_a_row_that_nobody_should_have_is_told_with_its_profile() -> None:
    """Section 4, UNASSIGNED: also that a team of the user brings the same profile."""
    case = unwanted(LEFT, row(), ours=[], teams=(FIELD,))

    assert said(case) == ["not wanted, and not ours: Field; a team brings Field"]


@pytest.mark.parametrize("ownership", list(Ownership))
def test_a_row_that_waits_for_whom_its_link_names_is_told(ownership: Ownership) -> None:
    """Whoever wonders why it stays need not believe that it is none of ours."""
    case = unwanted(LEFT, row(), ours=[], inherited=frozenset(["r1"]))

    assert said(case, ownership=ownership) == [
        "not wanted, and ours by the link of somebody else: Field"
    ]


def test_a_first_sighting_names_the_profiles_at_users_of_before() -> None:
    """Those are what the person stands to lose."""
    [detail] = said(unwanted(GONE, ours=["r9"], elsewhere=(row("r9", user="u-bob"),)))

    assert detail.endswith("is needed (Field)")


def test_a_contradicted_link_set_by_hand_is_told() -> None:
    """Section 11: it stands, and is reported when an object id contradicts it."""
    case = wanted(row(), ours=["r1"], finding=Finding.LINKED, detail="object_id finds another user")

    assert decide(case, given()).situation == "CONFIRMED"
    assert said(case) == ["object_id finds another user"]


ALONE = "the flag came back after syncd cleared it twice within seven days; it is left alone"
TWICE = Memory(cleared={"r1": (ago(days=1), ago(days=2))})


@pytest.mark.parametrize(
    "case",
    [
        wanted(row(flagged=True), ours=["r1"], memory=TWICE),
        wanted(row(flagged=True), memory=TWICE),
        wanted(row("r1", flagged=True), row("r2"), ours=["r1"], memory=TWICE),
        wanted(row("r1", flagged=True), row("r2", OFFICE), ours=["r1", "r2"], memory=TWICE),
        wanted(row(flagged=True, active=False), memory=TWICE),
        wanted(row(profile=OFFICE, flagged=True), ours=["r1"], memory=TWICE),
    ],
    ids=["flagged", "found", "duplicate", "surplus", "inactive", "misplaced"],
)
def test_a_flag_left_alone_is_told_whatever_the_situation(case: Case) -> None:
    """Sections 5 and 8: what counts is the row that the plan leaves, and that its flag stays."""
    assert said(case) == [ALONE]


@pytest.mark.parametrize(
    "case",
    [
        wanted(row(flagged=True), ours=["r1"], memory=TWICE, hold=Hold("on trial")),
        wanted(row(flagged=True), ours=["r1"], memory=TWICE, protected=True),
        unwanted(LEFT, row(flagged=True), memory=TWICE),
        wanted(row("r1", flagged=True), row("r2", OTHER), ours=["r1"], memory=TWICE),
        wanted(row(profile=OTHER, flagged=True), memory=TWICE),
    ],
    ids=["held", "protected", "removed", "open conflict", "foreign"],
)
def test_a_flag_that_nobody_would_clear_is_not_left_alone(case: Case) -> None:
    """Sections 5 and 8: nothing would be written there in any case."""
    assert ALONE not in said(case)
