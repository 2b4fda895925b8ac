"""Exactly one situation for everybody, and the first that fits (behaviour.md section 4)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given

from syncd.core.case import Case, Choice, Hold
from syncd.core.classify import classify
from syncd.core.model import Finding, Membership, Presence, Situation, Wanted
from tests.core.builders import ADA, FIELD, OFFICE, cases, link, row, unwanted, wanted

BOB = "u-bob"
OFF = replace(ADA, disabled=True)
DRAFTED = Wanted("Draft", None, "crew")
PRESENT, NOT_YET, LEFT, GONE = Presence


@pytest.mark.parametrize(
    ("name", "rows", "ours"),
    [
        ("CONFIRMED", [row()], ["r1"]),
        ("CONFIRMED", [row(), row("r2", OFFICE, active=False)], ["r1"]),
        ("FOUND", [row()], []),
        ("FOUND", [row(flagged=True)], []),
        ("ABSENT", [], []),
        ("ABSENT", [row(profile=OFFICE, active=False)], ["r1"]),
        ("MISSING", [], ["gone"]),
        ("MISSING", [row(profile=OFFICE, active=False)], ["gone"]),
        ("INACTIVE", [row(active=False)], []),
        ("INACTIVE", [row(active=False)], ["gone"]),
        ("MISPLACED", [row(profile=OFFICE)], ["r1"]),
        ("MISPLACED", [row(profile=OFFICE), row("r2", active=False)], ["r1"]),
        ("FOREIGN_MISPLACED", [row(profile=OFFICE)], []),
        ("DUPLICATE", [row(), row("r2")], ["r1"]),
        ("DUPLICATE", [row(profile=OFFICE), row("r2", OFFICE)], []),
        ("SURPLUS", [row(), row("r2", OFFICE)], ["r1"]),
        ("SURPLUS", [row(), row("r2"), row("r3", OFFICE)], []),
        ("FLAGGED", [row(flagged=True)], ["r1"]),
    ],
)
def test_a_wanted_person_is_judged_by_the_rows(
    name: str, rows: list[Membership], ours: list[str]
) -> None:
    """Section 4, CONFIRMED to FLAGGED: how many active rows, with which profile, and whose."""
    assert classify(wanted(*rows, ours=ours)) == name


@pytest.mark.parametrize(
    ("presence", "ours", "name"),
    [
        (LEFT, ["r1"], "LEFT"),
        (PRESENT, ["r1"], "OUT_OF_SCOPE"),
        (NOT_YET, ["r1"], "OUT_OF_SCOPE"),
        (GONE, ["r1"], "VANISHED"),
        (LEFT, [], "UNASSIGNED"),
        (PRESENT, [], "UNASSIGNED"),
        (NOT_YET, [], "UNASSIGNED"),
    ],
)
def test_who_is_not_wanted_is_judged_by_why(presence: Presence, ours: list[str], name: str) -> None:
    """Section 4: an active row of ours is LEFT, OUT_OF_SCOPE or VANISHED, another UNASSIGNED."""
    assert classify(unwanted(presence, row(), ours=ours)) == name


@pytest.mark.parametrize("presence", list(Presence))
def test_who_has_nothing_and_gets_nothing_is_idle(presence: Presence) -> None:
    """Section 4, IDLE: known, not wanted, no active row; an inactive one does not count."""
    assert classify(unwanted(presence)) == "IDLE"
    assert classify(unwanted(presence, row(active=False))) == "IDLE"


@pytest.mark.parametrize(
    ("case", "name"),
    [
        (wanted(row(), user=OFF, ours=["r1"]), "USER_DISABLED"),
        (wanted(row(), user=OFF), "USER_DISABLED"),
        (unwanted(LEFT, row(), user=OFF), "USER_DISABLED"),
        (unwanted(LEFT, row(), user=OFF, ours=[]), "USER_DISABLED"),
        (wanted(user=OFF), "UNLICENSED_USER"),
        (wanted(row(active=False), user=OFF), "UNLICENSED_USER"),
        (unwanted(LEFT, user=OFF), "IDLE"),
    ],
)
def test_a_disabled_user_comes_before_the_rows(case: Case, name: str) -> None:
    """Section 4: with active rows USER_DISABLED, wanted or not; without, only the wanted wait."""
    assert classify(case) == name


def test_a_row_of_another_user_is_not_ours_here() -> None:
    """Section 4, MISSING: the linked row was given to another user, so it is gone."""
    assert classify(wanted(links=(link("r9", BOB),))) == "MISSING"


def test_a_row_under_the_user_of_before_still_leaves_with_the_person() -> None:
    """Section 4: a person may have several linked rows, also under a user found earlier."""
    case = unwanted(LEFT, ours=["r9"], elsewhere=(row("r9", user=BOB),))

    assert classify(case) == "LEFT"


def test_an_operators_choice_counts_as_wanted() -> None:
    """Section 5: the chosen profile is the wanted one until the rules want another than then."""
    case = wanted(row(profile=OFFICE), ours=["r1"], chosen=Choice(OFFICE, FIELD))

    assert classify(case) == "CONFIRMED"
    assert classify(replace(case, chosen=Choice(OFFICE, "p-then"))) == "MISPLACED"


@pytest.mark.parametrize(("more", "name"), [({}, "UNASSIGNED"), ({"protected": True}, "PROTECTED")])
def test_a_user_whom_nobody_explains_is_protected_or_unassigned(
    more: dict[str, Any], name: str
) -> None:
    """Section 4: even a disabled one; nothing else can be said of them."""
    nobodys = Case(user=OFF, rows=(row(),), presence=GONE, **more)

    assert classify(nobodys) == name


def test_a_husk_is_a_husk_whoever_else_is_named() -> None:
    """Section 4: rows without a user or a profile are HUSK and count for nothing else."""
    assert classify(Case(husk=row(profile=None), user=ADA, protected=True)) == "HUSK"


# Each entry alone makes its situation; all that stand above it make theirs instead.
ORDER: list[tuple[str, dict[str, Any]]] = [
    ("PROTECTED", {"protected": True}),
    ("HELD", {"hold": Hold("because")}),
    ("AMBIGUOUS", {"finding": Finding.AMBIGUOUS}),
    ("UNRESOLVED_PROFILE", {"wanted": DRAFTED}),
    ("UNRESOLVED_USER", {"user": None, "rows": ()}),
]


@pytest.mark.parametrize(
    ("above", "below"), list(pairwise(ORDER)), ids=[name for name, _ in ORDER[1:]]
)
def test_the_earlier_in_the_order_of_judgement_wins(
    above: tuple[str, dict[str, Any]], below: tuple[str, dict[str, Any]]
) -> None:
    """Section 4: order of judgement, first fit."""
    plain = wanted(row(), ours=["r1"])

    assert classify(plain) == "CONFIRMED"
    assert classify(replace(plain, **below[1])) == below[0]
    assert classify(replace(plain, **{**below[1], **above[1]})) == above[0]


@pytest.mark.parametrize("name", [name for name, _ in ORDER])
def test_each_of_them_comes_before_a_disabled_user(name: str) -> None:
    """Section 4: USER_DISABLED and UNLICENSED_USER follow all of these."""
    disabled = wanted(row(), user=OFF, ours=["r1"])

    assert classify(replace(disabled, **dict(ORDER)[name])) == name


def test_already_linked_stands_beside_ambiguous() -> None:
    """Section 4: after HELD, before the profile."""
    case = wanted(row(), finding=Finding.ALREADY_LINKED, wanted=DRAFTED)

    assert classify(case) == "ALREADY_LINKED"
    assert classify(replace(case, hold=Hold("because"))) == "HELD"


@pytest.mark.parametrize("presence", list(Presence)[1:])
def test_only_the_wanted_miss_a_user_or_a_profile(presence: Presence) -> None:
    """Section 4: UNRESOLVED_USER and UNRESOLVED_PROFILE are for wanted people only."""
    assert classify(unwanted(presence, user=None, finding=Finding.NONE)) == "IDLE"


@given(cases())
def test_everybody_has_exactly_one_situation(case: Case) -> None:
    """Section 4: and it does not depend on the order in which rows and links were read."""
    turned = replace(case, rows=case.rows[::-1], links=case.links[::-1])

    assert classify(case) in Situation
    assert classify(turned) is classify(case)
