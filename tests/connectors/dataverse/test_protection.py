"""Service protection as a run meets it: pauses are kept, and what was planned is done."""

from __future__ import annotations

import httpx
import pytest

from syncd.core.model import Action
from syncd.core.plan import Fault, Result
from syncd.sandbox.faults import Fault as Misbehaviour
from syncd.sandbox.faults import FaultKind
from tests.connectors.dataverse.world import P1, World, change, numbered, row_id

BATCH = "POST $batch"


def test_a_storm_of_ten_minutes_passes(world: World) -> None:
    """Twenty refusals of half a minute each: one knock after each, and everything is done."""
    user = world.user(1)
    world.misbehave(Misbehaviour(kind=FaultKind.THROTTLE, retry_after=30, count=20))

    (outcome,) = world.open().apply([change(Action.CREATE, row_id(1), user=user, after=P1)], 1)

    assert outcome.result is Result.APPLIED
    assert world.clock.naps == [30.0] * 20
    assert world.sent == [BATCH] * 21


def test_a_storm_without_end_is_one_sentence(world: World) -> None:
    """After a quarter of an hour without getting through: throttled out, nothing lost."""
    user = world.user(1)
    world.misbehave(Misbehaviour(kind=FaultKind.THROTTLE, retry_after=60, count=None))

    (outcome,) = world.open().apply([change(Action.CREATE, row_id(1), user=user, after=P1)], 1)

    assert (outcome.result, outcome.fault) == (Result.FAILED, Fault.THROTTLED)
    assert "run again later" in outcome.detail
    assert sum(world.clock.naps) == 900
    assert world.sent == [BATCH] * 16


def test_the_gate_is_closed_before_anybody_hears_of_a_429(world: World) -> None:
    """No other lane takes the place of the one that was refused."""
    target = world.open()
    channel = target._channel  # noqa: SLF001  # the moment between two calls cannot be seen from outside
    world.misbehave(Misbehaviour(kind=FaultKind.THROTTLE, retry_after=30))

    response = channel.send("GET", channel.root)

    assert response.status_code == 429
    assert not channel.throttle.open


def test_a_read_waits_as_long_as_it_is_told(world: World) -> None:
    """Reads and writes share one gate."""
    world.misbehave(Misbehaviour(kind=FaultKind.THROTTLE, retry_after=12, count=2))

    found = world.open().profiles()

    assert len(found) == 2
    assert world.clock.naps == [12.0, 12.0]


def test_a_date_is_as_good_as_seconds(world: World) -> None:
    """By the clock of the server that named it."""
    user = world.user(1)
    told = {
        "Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT",
        "Date": "Fri, 31 Dec 1999 23:59:09 GMT",
    }
    first = [httpx.Response(429, headers=told)]

    class Dated(httpx.BaseTransport):
        """Refuse once, by a date."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return first.pop() if first else world.handle_request(request)

    target = world.open(transport=Dated())
    (outcome,) = target.apply([change(Action.CREATE, row_id(1), user=user, after=P1)], 1)

    assert outcome.result is Result.APPLIED
    assert world.clock.naps == [50.0]


def test_after_a_refusal_batches_are_fewer_at_once(world: World) -> None:
    """The engine asks anew how many may be in flight."""
    hint = httpx.Response(200, json={"value": []}, headers={"x-ms-dop-hint": "20"})

    class Hinting(httpx.BaseTransport):
        """Hint at twenty lanes."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return hint if request.method == "GET" else world.handle_request(request)

    target = world.open(transport=Hinting())
    target.profiles()
    before = target.lanes
    user = world.user(1)
    world.misbehave(Misbehaviour(kind=FaultKind.THROTTLE, retry_after=5))
    target.apply([change(Action.CREATE, row_id(1), user=user, after=P1)], 1)

    assert (before, target.lanes) == (20, 10)


@pytest.mark.parametrize("status", [413, 504])
def test_a_batch_that_is_too_much_is_halved_and_the_next_ones_are_smaller(
    world: World, status: int
) -> None:
    """Twenty at once are too many for what stands between: ten are not."""
    ids = [world.row(number, world.user(number)) for number in range(1, 41)]

    class Narrow(httpx.BaseTransport):
        """Let no more than twelve operations through."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.read().count(b"Content-ID") > 12:
                world.sent.append("refused")
                return httpx.Response(status)
            return world.handle_request(request)

    target = world.open(transport=Narrow(), batch_size=20)
    found = target.fetch(ids)
    world.sent.clear()

    outcomes = target.apply(numbered([change(Action.REMOVE, row) for row in found.values()]), 1)

    assert {one.result for one in outcomes} == {Result.APPLIED}
    assert world.sent.count("refused") == 1
    assert world.sent.count(BATCH) == 4
    assert target.batch_size == 10
    assert world.rows() == {}


def test_what_is_sent_counts_against_the_daily_entitlement(world: World) -> None:
    """One read, one bulk call of twelve, one batch of three: three requests, sixteen counted."""
    users = [world.user(number) for number in range(1, 16)]
    rows = [change(Action.CREATE, row_id(n), user=user, after=P1) for n, user in enumerate(users)]
    target = world.open()
    target.profiles()

    target.apply(numbered(rows[:12]), 1)
    target.apply(numbered(rows[12:]), 1)

    assert (target.ledger.requests, target.ledger.operations) == (3, 16)
