"""What a plan takes: a function of how much there is to do and how fast the environment is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.estimates import Estimate, Speed, estimate
from syncd.core.ledger import Message
from syncd.core.model import Action

MUCH = {Action.CREATE: 250, Action.MOVE: 120, Action.REMOVE: 30}


def test_bulk_calls_and_batches_are_counted_apart() -> None:
    """250 creates in bulk calls of a hundred, 150 others in batches; by published figures."""
    found = estimate(MUCH, Speed(lanes=5))

    assert found == Estimate(3 + 2, 400, (250 * 0.01 + 150 * 0.04) / 5, measured=False)


def test_where_bulk_calls_are_refused_all_is_in_batches() -> None:
    """Four batches; each row at the price of a batch."""
    found = estimate(MUCH, Speed(lanes=2), {Message.CREATE_MULTIPLE})

    assert found.requests == 4
    assert found.seconds == pytest.approx(400 * 0.04 / 2)


def test_where_batches_are_refused_too_each_change_is_a_request() -> None:
    """Four hundred."""
    found = estimate(MUCH, Speed(lanes=4), {Message.CREATE_MULTIPLE, Message.BATCH})

    assert found.requests == 400
    assert found.seconds == pytest.approx(400 * 0.1 / 4)


def test_what_was_measured_counts_more_than_what_is_published() -> None:
    """A hundred rows a second over four lanes: four hundred take four seconds over four."""
    speed = Speed(lanes=4, rate=100.0, measured_lanes=4)
    found = estimate(MUCH, speed)

    assert found.seconds == pytest.approx(4)
    assert found.measured


def test_what_the_purse_does_not_hold_takes_longer() -> None:
    """1,200 seconds of execution at eight lanes, the rest as fast as the purse fills up."""
    found = estimate({Action.REMOVE: 60_000}, Speed(lanes=8))

    assert found.seconds == pytest.approx(1200 / 8 + 1200 / 4)


def test_nothing_takes_nothing() -> None:
    """An empty plan is no request."""
    assert estimate({}, Speed()) == Estimate(0, 0, 0.0, measured=False)


@given(
    st.dictionaries(st.sampled_from(Action), st.integers(0, 100_000)),
    st.integers(1, 48),
    st.integers(1, 1000),
    st.sets(st.sampled_from(Message)),
)
def test_an_estimate_is_never_less_than_it_can_be(
    changes: dict[Action, int], lanes: int, size: int, refused: set[Message]
) -> None:
    """At least the full requests that it takes, and time where there is anything to do."""
    found = estimate(changes, Speed(lanes, size), refused)

    total = sum(changes.values())
    assert found.operations == total
    assert -(-total // size) <= found.requests <= max(total, 2)
    assert (found.seconds > 0) == (total > 0)
