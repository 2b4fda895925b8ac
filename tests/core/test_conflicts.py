"""Where one row does not settle a user's profile, and the flag (behaviour.md section 5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.core.case import Case, Choice, Code, Memory
from syncd.core.decide import decide
from syncd.core.model import Membership, Presence
from syncd.core.settings import Grace, Ownership, Resolve
from tests.core.builders import (
    ADA,
    FIELD,
    OFFICE,
    OTHER,
    Deed,
    ago,
    deeds,
    given,
    row,
    unwanted,
    wanted,
)

PRESENT, NOT_YET, LEFT, GONE = Presence
MANUAL = Resolve.MANUAL


def found(case: Case, **policy: Any) -> list[tuple[Code, tuple[str, ...], bool]]:
    """Say which conflicts there are: code, profiles, and whether the plan leaves them open."""
    decision = decide(case, given(**policy))
    return [(each.code, each.profiles, each.open) for each in decision.conflicts]


def pointing(profile: str) -> Any:
    """Give Ada a legacy pointer."""
    return replace(ADA, pointer=profile)


@pytest.mark.parametrize(
    ("case", "codes"),
    [
        (wanted(row("r1"), row("r2")), {"DUPLICATE_PAIR"}),
        (wanted(row("r1"), row("r2", active=False)), set()),
        (wanted(row("r1"), row("r2", OFFICE)), {"MULTI_PROFILE_DIRECT"}),
        (
            wanted(row("r1"), row("r2", OFFICE), row("r3")),
            {"MULTI_PROFILE_DIRECT", "DUPLICATE_PAIR"},
        ),
        (unwanted(LEFT, row("r1"), row("r2", OFFICE)), {"MULTI_PROFILE_DIRECT"}),
        (wanted(row(profile=OFFICE)), {"MULTI_PROFILE_WANTED"}),
        (wanted(row(profile=OFFICE), ours=["r1"]), set()),
        (wanted(row(profile=OFFICE), user=replace(ADA, disabled=True)), set()),
        (unwanted(LEFT, row(profile=OFFICE), ours=[]), set()),
        (wanted(row(), teams=(OFFICE,)), {"DIRECT_VS_TEAM"}),
        (wanted(row(), teams=(FIELD,)), set()),
        (wanted(row(), teams=(FIELD, OFFICE)), {"DIRECT_VS_TEAM", "MULTI_PROFILE_TEAM"}),
        (unwanted(LEFT, teams=(FIELD, OFFICE)), {"MULTI_PROFILE_TEAM"}),
        (wanted(row(), user=pointing(OFFICE)), {"LEGACY_POINTER"}),
        (wanted(row(), user=pointing(FIELD)), set()),
        (unwanted(LEFT, user=pointing(OFFICE)), set()),
        (
            wanted(row("r1"), row("r2", OFFICE), user=pointing(OTHER)),
            {"MULTI_PROFILE_DIRECT"},
        ),
        (wanted(row(flagged=True)), {"SERVER_FLAG_ONLY"}),
        (wanted(row(flagged=True), teams=(OFFICE,)), {"DIRECT_VS_TEAM"}),
        (Case(user=ADA, rows=(row("r1"), row("r2")), presence=GONE), {"DUPLICATE_PAIR"}),
        (Case(husk=row(profile=None, flagged=True)), set()),
    ],
)
def test_a_conflict_has_the_code_that_fits(case: Case, codes: set[str]) -> None:
    """Section 5, the table of codes: each where its condition holds, and nowhere else."""
    assert {code for code, _, _ in found(case)} == codes


def test_the_wanted_profile_is_the_one_that_an_operator_chose() -> None:
    """Section 5: a choice counts as the wanted profile, so nothing is at odds."""
    case = wanted(row(profile=OFFICE), chosen=Choice(OFFICE, against=FIELD))

    assert found(case) == []


@pytest.mark.parametrize(
    ("case", "policy", "expected"),
    [
        (wanted(row("r1"), row("r2")), {}, [("DUPLICATE_PAIR", (FIELD,), False)]),
        (
            wanted(row("r1"), row("r2")),
            {"resolve": MANUAL},
            [("DUPLICATE_PAIR", (FIELD,), True)],
        ),
        (
            wanted(row("r1"), row("r2", OFFICE), ours=["r2"]),
            {},
            [("MULTI_PROFILE_DIRECT", (FIELD, OFFICE), False)],
        ),
        (
            wanted(row("r1"), row("r2", OFFICE), ours=["r1"]),
            {},
            [("MULTI_PROFILE_DIRECT", (FIELD, OFFICE), True)],
        ),
        (
            wanted(row(profile=OFFICE)),
            {"ownership": Ownership.EXCLUSIVE},
            [("MULTI_PROFILE_WANTED", (FIELD, OFFICE), False)],
        ),
        (wanted(row(profile=OFFICE)), {}, [("MULTI_PROFILE_WANTED", (FIELD, OFFICE), True)]),
        (
            wanted(row(profile=OFFICE), ours=["r1"], teams=(FIELD,)),
            {},
            [("DIRECT_VS_TEAM", (FIELD, OFFICE), False)],
        ),
        (
            wanted(teams=(OFFICE,)),
            {},
            [("DIRECT_VS_TEAM", (FIELD, OFFICE), True)],
        ),
        (
            unwanted(LEFT, row("r1"), row("r2"), ours=["r1", "r2"]),
            {"grace": Grace(left=1)},
            [("DUPLICATE_PAIR", (FIELD,), True)],
        ),
    ],
)
def test_open_is_what_the_plan_leaves(
    case: Case, policy: dict[str, Any], expected: list[tuple[str, tuple[str, ...], bool]]
) -> None:
    """Section 5: looked for in the rows as read and as the plan would leave them."""
    assert found(case, **policy) == expected


# --- the flag ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "ours", "marked"),
    [
        ([row(profile=OFFICE)], [], ["r1"]),
        ([row(profile=OTHER)], [], []),
        ([row("r1"), row("r2")], [], ["r1", "r2"]),
        ([row("r1"), row("r2", flagged=True)], [], ["r1"]),
        ([row("r1"), row("r2", OFFICE)], ["r1"], ["r1", "r2"]),
        ([row("r1"), row("r2", OTHER)], ["r1"], ["r1"]),
        ([row("r1"), row("r2", OTHER)], ["r1", "r2"], ["r1", "r2"]),
        ([row("r1"), row("r2", OFFICE), row("r3", active=False)], [], ["r1", "r2"]),
    ],
)
def test_every_active_row_of_an_open_direct_conflict_is_flagged(
    rows: list[Membership], ours: list[str], marked: list[str]
) -> None:
    """Section 5: if it is not set yet, and not on unmanaged rows that are not ours."""
    case = wanted(*rows, ours=ours)

    assert [(a, r) for a, r, _ in deeds(decide(case, given(resolve=MANUAL)))] == [
        ("flag", ident) for ident in marked
    ]
    assert deeds(decide(case, given(resolve=MANUAL, flag=False))) == []


@pytest.mark.parametrize(
    "case",
    [
        unwanted(LEFT, row("r1"), row("r2", OFFICE)),
        wanted(row("r1"), row("r2", OFFICE), user=replace(ADA, disabled=True)),
        Case(user=ADA, rows=(row("r1"), row("r2")), presence=GONE),
    ],
    ids=["LEFT", "USER_DISABLED", "UNASSIGNED"],
)
def test_only_rows_of_the_disputed_are_flagged(case: Case) -> None:
    """Section 5: of a DUPLICATE, SURPLUS or FOREIGN_MISPLACED user, and of nobody else."""
    days = Grace(1, 1, 1, 1)

    decision = decide(case, given(grace=days))

    assert any(conflict.open for conflict in decision.conflicts)
    assert deeds(decision) == []


@pytest.mark.parametrize(
    ("teams", "user"), [((OFFICE,), ADA), ((FIELD, OFFICE), ADA), ((), pointing(OFFICE))]
)
def test_team_and_legacy_conflicts_are_never_written(teams: tuple[str, ...], user: Any) -> None:
    """Section 5: they are reported; neither is a flag set for them nor one cleared."""
    assert deeds(decide(wanted(row(), ours=["r1"], teams=teams, user=user), given())) == []
    flagged = wanted(row(flagged=True), ours=["r1"], teams=teams, user=user)
    assert deeds(decide(flagged, given())) == []


CLEARED: list[Deed] = [("unflag", "r1", FIELD)]
MARKED = Memory(marked=frozenset({"r1"}))


@pytest.mark.parametrize(
    ("case", "clear_stale_flags", "expected"),
    [
        (wanted(row(flagged=True), ours=["r1"]), True, CLEARED),
        (wanted(row(flagged=True), ours=["r1"]), False, []),
        (wanted(row(flagged=True), ours=["r1"], memory=MARKED), False, CLEARED),
        (wanted(row(flagged=True)), True, CLEARED),
        (wanted(row(flagged=True)), False, []),
        (unwanted(PRESENT, row(flagged=True), ours=[]), True, []),
        (unwanted(PRESENT, row(flagged=True), ours=[], memory=MARKED), True, CLEARED),
        (unwanted(PRESENT, row(profile=OTHER, flagged=True), ours=[], memory=MARKED), True, []),
        (unwanted(LEFT, row(flagged=True)), True, CLEARED),
        (Case(user=ADA, rows=(row(flagged=True),), presence=GONE, memory=MARKED), True, CLEARED),
        (wanted(row(), ours=["r1"]), True, []),
    ],
    ids=[
        "ours",
        "ours, but stale flags are not cleared",
        "set by syncd",
        "adopted in this run",
        "adopted, but stale flags are not cleared",
        "of somebody else",
        "of somebody else, set by syncd",
        "of an unmanaged profile",
        "of a leaver in grace",
        "of a user whom nobody explains",
        "not set",
    ],
)
def test_a_flag_that_nothing_explains_is_cleared(
    case: Case, expected: list[Deed], *, clear_stale_flags: bool
) -> None:
    """Section 5: when syncd set it, or when the row is ours; in every situation."""
    context = given(clear_stale_flags=clear_stale_flags, grace=Grace(1, 1, 1, 1))

    assert deeds(decide(case, context)) == expected


def test_a_flag_is_cleared_with_the_change_that_settles_its_conflict() -> None:
    """Sections 5 and 8: first the move, then the removal, then the flag of the only row left."""
    case = wanted(
        row("r1", OFFICE, flagged=True), row("r2", OTHER, flagged=True), ours=["r1", "r2"]
    )

    assert deeds(decide(case, given())) == [
        ("move", "r1", FIELD),
        ("remove", "r2", None),
        ("unflag", "r1", FIELD),
    ]


@pytest.mark.parametrize("rows", [(row("r1", flagged=True), row("r2", OFFICE, flagged=True))])
def test_no_flag_is_cleared_while_a_conflict_is_open(rows: tuple[Membership, ...]) -> None:
    """Section 5: only a row that is the only active one left, with no conflict open."""
    assert deeds(decide(wanted(*rows, ours=["r1"]), given())) == []


@pytest.mark.parametrize(
    ("cleared", "expected"),
    [
        ([], CLEARED),
        ([1], CLEARED),
        ([1, 2], []),
        ([1, 6.99], []),
        ([1, 7], CLEARED),
        ([8, 9], CLEARED),
    ],
)
def test_a_flag_that_keeps_coming_back_is_left_alone(
    cleared: list[float], expected: list[Deed]
) -> None:
    """Section 5: cleared twice within the last seven days is enough; then it is reported."""
    memory = Memory(cleared={"r1": tuple(ago(days=days) for days in cleared)})

    decision = decide(wanted(row(flagged=True), ours=["r1"], memory=memory), given())

    assert deeds(decision) == expected
    assert len(decision.reports) == (not expected)
