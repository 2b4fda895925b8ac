"""What each situation does to the rows (behaviour.md sections 4, 5 and 8)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.core.case import Case, Choice
from syncd.core.decide import decide
from syncd.core.model import Membership, Presence, Wanted
from syncd.core.settings import Ownership, Removal, Resolve
from tests.core.builders import (
    ADA,
    DRAFT,
    FIELD,
    OFFICE,
    OTHER,
    Deed,
    deeds,
    given,
    row,
    unwanted,
    wanted,
)

ADOPT, EXCLUSIVE = given(), given(ownership=Ownership.EXCLUSIVE)
OLD, OLDER = "2025-06-01T00:00:00Z", "2025-01-01T00:00:00Z"
PRESENT, NOT_YET, LEFT, GONE = Presence


def done(case: Case, **policy: Any) -> list[Deed]:
    """Say what is done but for flags, which have their own tests."""
    return deeds(decide(case, given(flag=False, clear_stale_flags=False, **policy)))


@pytest.mark.parametrize("ours", [[], ["gone"]])
def test_the_absent_get_a_row(ours: list[str]) -> None:
    """Section 4, ABSENT and MISSING: create, also where a linked row is gone."""
    decision = decide(wanted(ours=ours), ADOPT)

    assert deeds(decision) == [("create", None, FIELD)]
    assert decision.steps[0].reason == "rule crew"


def test_what_was_found_is_adopted_without_a_request() -> None:
    """Section 4, FOUND: the link is written, nothing is sent."""
    decision = decide(wanted(row()), ADOPT)

    assert (deeds(decision), decision.adopted) == ([], (row(),))


@pytest.mark.parametrize("flagged", [False, True])
def test_the_confirmed_are_left_alone(*, flagged: bool) -> None:
    """Section 4, CONFIRMED and FLAGGED: the row itself is right."""
    assert done(wanted(row(flagged=flagged), ours=["r1"])) == []


@pytest.mark.parametrize(
    ("ours", "taken"), [([], "r2"), (["r3"], "r3"), (["r1", "r3"], "r3"), (["gone"], "r2")]
)
def test_an_inactive_row_is_taken_up_again(ours: list[str], taken: str) -> None:
    """Section 4, INACTIVE: the linked one, else the oldest, and only one with the profile."""
    rows = [
        row("r1", OFFICE, active=False, created=OLDER),
        row("r2", active=False, created=OLD),
        row("r3", active=False),
    ]

    assert done(wanted(*rows, ours=ours)) == [("reactivate", taken, FIELD)]


def test_our_misplaced_row_is_moved_in_place() -> None:
    """Section 4, MISPLACED: its profile is updated; nothing is removed and made anew."""
    assert done(wanted(row(profile=OFFICE), ours=["r1"])) == [("move", "r1", FIELD)]


def test_our_row_is_moved_even_from_a_profile_that_no_rule_names() -> None:
    """Section 4: rows of other profiles are never changed, unless they are ours."""
    assert done(wanted(row(profile=OTHER), ours=["r1"])) == [("move", "r1", FIELD)]


@pytest.mark.parametrize(
    ("ownership", "profile", "expected"),
    [
        (Ownership.ADOPT, OFFICE, []),
        (Ownership.ADOPT, OTHER, []),
        (Ownership.EXCLUSIVE, OFFICE, [("move", "r1", FIELD)]),
        (Ownership.EXCLUSIVE, OTHER, []),
    ],
)
def test_a_misplaced_row_of_somebody_else_is_moved_only_where_we_own_the_profile(
    ownership: Ownership, profile: str, expected: list[Deed]
) -> None:
    """Section 4, FOREIGN_MISPLACED: exclusive mode and a managed profile, both."""
    assert done(wanted(row(profile=profile)), ownership=ownership) == expected


# --- two rows with one profile -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "ours", "kept"),
    [
        ([row("r1", created=OLDER), row("r2"), row("r3")], ["r3"], "r3"),
        ([row("r1"), row("r2", created=OLDER), row("r3", created=OLD)], [], "r2"),
        ([row("r3"), row("r2"), row("r1")], [], "r1"),
        ([row("r1"), row("r2", created=OLD), row("r3")], ["r1", "r2", "r3"], "r2"),
    ],
)
@pytest.mark.parametrize("ownership", list(Ownership))
def test_of_a_duplicate_one_row_is_kept(
    rows: list[Membership], ours: list[str], kept: str, ownership: Ownership
) -> None:
    """Section 4, kept row: the linked one, else the oldest, else the lowest id; whoever made it."""
    decision = decide(wanted(*rows, ours=ours), given(ownership=ownership))

    removed = {each.id for each in rows} - {kept}
    assert {(action, ident) for action, ident, _ in deeds(decision)} == {
        ("remove", ident) for ident in removed
    }
    assert [each.id for each in decision.adopted] == [kept] * (kept not in ours)


@pytest.mark.parametrize(
    ("ours", "ownership", "first"),
    [
        (["r2"], Ownership.ADOPT, [("move", "r2", FIELD)]),
        ([], Ownership.EXCLUSIVE, [("move", "r1", FIELD)]),
        ([], Ownership.ADOPT, []),
    ],
)
def test_the_kept_row_of_a_duplicate_is_put_right_in_the_same_run(
    ours: list[str], ownership: Ownership, first: list[Deed]
) -> None:
    """Section 4, DUPLICATE: if it has another profile it is treated as (FOREIGN_)MISPLACED."""
    case = wanted(row("r1", OFFICE), row("r2", OFFICE), ours=ours)
    other = "r1" if ours else "r2"

    assert done(case, ownership=ownership) == [*first, ("remove", other, None)]


@pytest.mark.parametrize("ownership", list(Ownership))
def test_twins_of_an_unmanaged_profile_stay_unless_they_are_ours(ownership: Ownership) -> None:
    """Section 4: rows of other profiles are never changed, in either mode, unless they are ours."""
    rows = [row("r1", OTHER), row("r2", OTHER)]

    assert done(wanted(*rows), ownership=ownership) == []
    assert done(wanted(*rows, ours=["r1"]), ownership=ownership) == [("move", "r1", FIELD)]


# --- rows with several profiles ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "ours", "adopt", "exclusive"),
    [
        pytest.param(
            [row("r1"), row("r2", OFFICE)],
            ["r1", "r2"],
            [("remove", "r2", None)],
            [("remove", "r2", None)],
            id="a loser of ours goes",
        ),
        pytest.param(
            [row("r1"), row("r2", OFFICE)],
            ["r1"],
            [],
            [("remove", "r2", None)],
            id="a loser of somebody else goes in exclusive mode",
        ),
        pytest.param(
            [row("r1"), row("r2", OTHER)], ["r1"], [], [], id="an unmanaged loser always stays"
        ),
        pytest.param(
            [row("r1"), row("r2", OTHER)],
            ["r1", "r2"],
            [("remove", "r2", None)],
            [("remove", "r2", None)],
            id="an unmanaged loser of ours goes",
        ),
        pytest.param(
            [row("r1"), row("r2"), row("r3", OFFICE)],
            ["r2", "r3"],
            [("remove", "r3", None), ("remove", "r1", None)],
            [("remove", "r1", None), ("remove", "r3", None)],
            id="a second row with the winning profile is a loser, too",
        ),
        pytest.param(
            [row("r1", OFFICE), row("r2"), row("r3")],
            ["r1"],
            [("remove", "r1", None), ("remove", "r3", None)],
            [("remove", "r1", None), ("remove", "r3", None)],
            id="what is left of one profile is left once, whoever made it",
        ),
        pytest.param(
            [row("r1", OFFICE), row("r2"), row("r3"), row("r4", OTHER)],
            ["r1"],
            [("remove", "r1", None)],
            [("remove", "r1", None), ("remove", "r3", None)],
            id="but not beside another profile that stays",
        ),
        pytest.param(
            [row("r1", DRAFT), row("r2"), row("r3")],
            ["r1"],
            [],
            [("remove", "r3", None)],
            id="nor beside one that cannot be removed yet",
        ),
        pytest.param(
            [row("r1", OFFICE), row("r2", OTHER)],
            ["r2"],
            [("move", "r2", FIELD)],
            [("move", "r2", FIELD), ("remove", "r1", None)],
            id="without the winning profile the linked row is moved",
        ),
        pytest.param(
            [row("r1", OTHER), row("r2", OFFICE)],
            [],
            [],
            [("move", "r2", FIELD)],
            id="in exclusive mode else the oldest of a managed profile",
        ),
    ],
)
def test_surplus_is_settled_in_favour_of_the_wanted_profile(
    rows: list[Membership], ours: list[str], adopt: list[Deed], exclusive: list[Deed]
) -> None:
    """Section 5, resolving MULTI_PROFILE_DIRECT with auto, in both modes."""
    case = wanted(*rows, ours=ours)

    assert done(case) == adopt
    assert done(case, ownership=Ownership.EXCLUSIVE) == exclusive


def test_the_winning_row_is_adopted_when_it_is_not_ours() -> None:
    """Section 5: the linked one first, else the oldest; ours with another profile then goes."""
    case = wanted(row("r1"), row("r2", created=OLD), row("r3", OFFICE), ours=["r3"])

    decision = decide(case, given(flag=False))

    assert [each.id for each in decision.adopted] == ["r2"]
    assert deeds(decision) == [("remove", "r3", None), ("remove", "r1", None)]


@pytest.mark.parametrize("ownership", list(Ownership))
@pytest.mark.parametrize(
    "rows",
    [
        [row("r1"), row("r2")],
        [row("r1"), row("r2", OFFICE)],
        [row("r1", OFFICE)],
    ],
    ids=["duplicate", "surplus", "foreign misplaced"],
)
def test_manual_changes_nothing_until_an_operator_decides(
    rows: list[Membership], ownership: Ownership
) -> None:
    """Section 5: nothing is removed, moved or adopted, and the conflict stays open."""
    context = given(resolve=Resolve.MANUAL, flag=False, ownership=ownership)

    decision = decide(wanted(*rows), context)

    assert (decision.steps, decision.adopted) == ((), ())
    assert [conflict.open for conflict in decision.conflicts] == [True]


@pytest.mark.parametrize("resolve", list(Resolve))
def test_an_operators_choice_settles_in_either_mode(resolve: Resolve) -> None:
    """Section 5: the winning profile is the one that an operator chose for this user."""
    case = wanted(
        row("r1"), row("r2", OFFICE), ours=["r1", "r2"], chosen=Choice(OFFICE, against=FIELD)
    )

    decision = decide(case, given(resolve=resolve))

    assert deeds(decision) == [("remove", "r1", None)]
    assert decision.steps[0].reason == "Office is wanted"


def test_a_choice_ends_when_the_rules_want_another_profile() -> None:
    """Section 5: it counted only while the rules wanted what they wanted then."""
    rules = Wanted("Office", OFFICE, "crew")
    case = wanted(row("r1", OFFICE), ours=["r1"], wanted=rules, chosen=Choice(FIELD, against=FIELD))

    assert done(case) == []
    assert done(replace(case, chosen=Choice(FIELD, against=OFFICE))) == [("move", "r1", FIELD)]


# --- removals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("presence", [LEFT, NOT_YET, PRESENT])
@pytest.mark.parametrize(
    ("ownership", "gone"),
    [(Ownership.ADOPT, ["r1", "r4"]), (Ownership.EXCLUSIVE, ["r1", "r2", "r4"])],
)
def test_who_is_not_wanted_loses_what_is_ours(
    presence: Presence, ownership: Ownership, gone: list[str]
) -> None:
    """Section 4: exclusive mode removes the user's other rows of managed profiles with it."""
    rows = [row("r1"), row("r2", OFFICE), row("r3", OTHER), row("r4", OTHER)]
    case = unwanted(presence, *rows, ours=["r1", "r4"])

    assert done(case, ownership=ownership) == [("remove", ident, None) for ident in gone]


def test_a_row_under_the_user_of_before_is_removed_with_the_rest() -> None:
    """Section 4: a person may have several linked rows."""
    case = unwanted(LEFT, row(), ours=["r1", "r9"], elsewhere=(row("r9", user="u-bob"),))

    assert done(case) == [("remove", "r1", None), ("remove", "r9", None)]


@pytest.mark.parametrize("ownership", list(Ownership))
def test_a_disabled_user_loses_only_what_is_ours(ownership: Ownership) -> None:
    """Section 4, USER_DISABLED: only ours, in either mode, wanted or not."""
    case = wanted(row("r1"), row("r2", OFFICE), ours=["r1"], user=replace(ADA, disabled=True))

    assert done(case, ownership=ownership) == [("remove", "r1", None)]


@pytest.mark.parametrize(
    ("ownership", "expected"),
    [(Ownership.ADOPT, []), (Ownership.EXCLUSIVE, [("remove", "r1", None)])],
)
def test_rows_that_nobody_should_have_go_only_in_exclusive_mode(
    ownership: Ownership, expected: list[Deed]
) -> None:
    """Section 4, UNASSIGNED: and only those of managed profiles."""
    case = unwanted(LEFT, row("r1"), row("r2", OTHER), ours=[])

    assert done(case, ownership=ownership) == expected


@pytest.mark.parametrize(("ours", "gone"), [([], ["r2"]), (["r3"], ["r2", "r3"])])
def test_a_row_that_another_case_decides_about_is_not_taken_away_here_too(
    ours: list[str], gone: list[str]
) -> None:
    """It goes with whom the link names, at that person's time, and counts once for the gates."""
    rows = [row("r1"), row("r2", OFFICE), *(row(ident, OTHER) for ident in ours)]
    case = unwanted(LEFT, *rows, ours=ours, inherited=frozenset(["r1"]))

    assert done(case, ownership=Ownership.EXCLUSIVE) == [("remove", each, None) for each in gone]


@pytest.mark.parametrize(
    ("profile", "ours", "adopt", "exclusive"),
    [
        (None, False, False, True),
        (FIELD, False, False, True),
        (OTHER, False, False, False),
        (OTHER, True, True, True),
        (None, True, True, True),
    ],
)
def test_a_husk_goes_where_it_is_ours_or_where_we_own_everything(
    profile: str | None, *, ours: bool, adopt: bool, exclusive: bool
) -> None:
    """Section 4, HUSK: a link made it ours; else exclusive mode unless its profile is unmanaged."""
    husk = Case(husk=row(profile=profile, user=None), husk_ours=ours)

    assert done(husk) == [("remove", "r1", None)] * adopt
    assert done(husk, ownership=Ownership.EXCLUSIVE) == [("remove", "r1", None)] * exclusive


def test_a_husk_is_removed_even_when_it_is_inactive() -> None:
    """Section 4: active or not; but what is inactive already is not deactivated once more."""
    husk = Case(husk=row(profile=None, active=False), husk_ours=True)

    assert done(husk) == [("remove", "r1", None)]
    assert done(husk, remove=Removal.DEACTIVATE) == []


def test_the_policy_says_what_a_removal_is() -> None:
    """Section 1: remove is delete or deactivate, for leavers as for losers."""
    leaver = unwanted(LEFT, row())
    twins = wanted(row("r1"), row("r2"), ours=["r1"])

    assert done(leaver, remove=Removal.DEACTIVATE) == [("deactivate", "r1", None)]
    assert done(twins, remove=Removal.DEACTIVATE) == [("deactivate", "r2", None)]


def test_nothing_happens_with_a_profile_that_is_not_published() -> None:
    """Section 4, UNRESOLVED_PROFILE: not created, moved, or removed; what was there stays."""
    drafted = Wanted("Draft", None, "crew")

    assert done(wanted(wanted=drafted)) == []
    assert done(wanted(row(profile=OFFICE), ours=["r1"], wanted=drafted)) == []
    assert done(wanted(row(profile=DRAFT), ours=["r1"])) == []
