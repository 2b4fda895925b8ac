"""What follows from a failure (reconciliation-practice.md section 10)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.failures import cause, excessive, expired, kept, next_due
from syncd.core.model import Action, Situation
from syncd.core.plan import Change, Fault, Outcome, Result
from syncd.core.settings import Failures
from tests.core.builders import NOW

USUAL = Failures()
HOURS = (0.25, 1, 6, 24, 24, 24)


def change(number: int, action: Action, row: str, user: str | None = "u") -> Change:
    """Describe a change."""
    return Change(action, row, user, None, None, None, Situation.SURPLUS, "", number=number)


def failed(number: int, fault: Fault = Fault.ROW) -> Outcome:
    """Describe a failure."""
    return Outcome(number, Result.FAILED, "refused", fault)


def test_waits_grow_and_are_daily_in_the_end() -> None:
    """15 minutes, an hour, six hours, a day, and then every day."""
    waits = [next_due(NOW, tries, USUAL) - NOW for tries in range(1, 7)]

    assert waits == [timedelta(hours=each) for each in HOURS]


def test_without_waits_a_change_is_tried_daily() -> None:
    """An empty list is a list that is over."""
    assert next_due(NOW, 1, Failures(retry=())) == NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("days", "tries", "dead"), [(6.9, 9, False), (7, 9, True), (7, 2, True), (30, 1, False)]
)
def test_a_change_is_given_up_when_its_time_is_over(days: float, tries: int, *, dead: bool) -> None:
    """Unless it failed only once: where runs are rare it has a second try."""
    assert expired(NOW, NOW - timedelta(days=days), tries, USUAL) is dead


@pytest.mark.parametrize(
    ("failures", "sent", "too_many"),
    [(24, 24, False), (25, 25, True), (25, 125, False), (25, 124, True), (0, 0, False)],
)
def test_a_quarantine_needs_a_share_and_a_number(
    failures: int, sent: int, *, too_many: bool
) -> None:
    """More than the share of what was sent, and not fewer than the floor."""
    assert excessive(failures, sent, USUAL) is too_many


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0, 100), st.integers(0, 100))
def test_more_failures_never_lift_a_quarantine(
    sent: int, failures: int, percent: float, floor: int
) -> None:
    """What is too much stays too much; a run without failures never is."""
    settings = Failures(quarantine_percent=percent, quarantine_floor=floor)

    assert not excessive(0, sent, settings)
    assert excessive(failures + 1, sent, settings) >= excessive(failures, sent, settings)


@pytest.mark.parametrize(
    ("detail", "named"),
    [
        ("The row is bad (0x80040265, status 400)", "0x80040265"),
        ("the server gave no reason (status 404)", "status 404"),
        ("not sent: the name is too long", "row"),
        ("Ada Kuhn 0x8004 is no code", "row"),
    ],
)
def test_causes_are_few_and_name_nobody(detail: str, named: str) -> None:
    """They label metrics."""
    assert cause(detail) == named


def test_only_what_a_row_refused_is_kept() -> None:
    """After every other failure the run stops, or the next one tries again."""
    pairs = [
        (change(number, Action.CREATE, f"r{number}", f"u{number}"), failed(number, fault))
        for number, fault in enumerate(Fault, 1)
    ]

    assert [outcome.fault for _, outcome in kept(pairs)] == [Fault.ROW]


def test_what_was_not_sent_waits_for_what_failed_before_it() -> None:
    """A removal relies on the gain of the same user, an unflag on everything."""
    sent = [
        change(1, Action.MOVE, "a"),
        change(2, Action.REMOVE, "b"),
        change(3, Action.UNFLAG, "c"),
        change(4, Action.REMOVE, "d", "other"),
        change(5, Action.REMOVE, "e", "other"),
    ]

    found = kept([(each, failed(each.number)) for each in sent])

    assert [each.number for each, _ in found] == [1, 4, 5]
