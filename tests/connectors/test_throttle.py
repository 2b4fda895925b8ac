"""One gate for all lanes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from syncd.connectors.throttle import Throttle
from syncd.core.errors import Stopped, TargetThrottled
from tests.connectors.dataverse.world import Clock


def gate(clock: Clock, once: float = 300.0, total: float = 900.0) -> Throttle:
    """Build a gate on that clock."""
    return Throttle(once=once, total=total, clock=clock, sleep=clock.sleep, jitter=lambda: 1.0)


def test_an_open_gate_holds_nobody() -> None:
    """No pause was asked for, so none is made."""
    clock = Clock()

    gate(clock).wait()

    assert clock.naps == []


def test_the_longest_pause_counts() -> None:
    """Two lanes are told different times; all wait for the later one."""
    clock = Clock()
    throttle = gate(clock)
    throttle.told(30)
    throttle.told(10)

    throttle.wait()

    assert clock.now == 1030.0


def test_lanes_that_are_refused_together_count_once() -> None:
    """Eight answers 429 to eight requests in flight do not make a pause of a minute."""
    clock = Clock()
    throttle = gate(clock)
    for _ in range(8):
        throttle.told(None)

    throttle.wait()

    assert clock.naps == [0.5]


def test_one_pause_may_be_too_long() -> None:
    """More than the patience for one pause: said at once, without waiting for it."""
    clock = Clock()
    throttle = gate(clock, once=300)
    throttle.told(301)

    with pytest.raises(TargetThrottled, match="301 s"):
        throttle.wait()

    assert clock.naps == []


def test_all_pauses_together_may_be_too_long() -> None:
    """Short ones add up as long as nothing gets through."""
    clock = Clock()
    throttle = gate(clock, total=100)
    for _ in range(10):
        throttle.told(10)
        throttle.wait()
    throttle.told(10)

    with pytest.raises(TargetThrottled):
        throttle.wait()

    assert clock.now == 1100.0


def test_getting_through_restores_patience() -> None:
    """A big job that is throttled now and then goes on for as long as it takes."""
    clock = Clock()
    throttle = gate(clock, total=100)

    for _ in range(50):
        throttle.told(10)
        throttle.wait()
        throttle.passed()

    assert clock.now == 1500.0


def test_a_gate_that_was_given_up_opens_again() -> None:
    """The next run of a daemon is not the victim of this one."""
    clock = Clock()
    throttle = gate(clock)
    throttle.told(3600)
    with pytest.raises(TargetThrottled):
        throttle.wait()

    clock.now += 3600
    throttle.wait()

    assert clock.naps == []


def test_stopping_wakes_every_lane() -> None:
    """Real threads, really asleep: the event ends their pause at once."""
    stop = Event()
    throttle = Throttle(stop=stop)
    throttle.told(200)
    ready = Barrier(4)

    def lane() -> None:
        ready.wait(30)
        throttle.wait()

    with ThreadPoolExecutor(3) as pool:
        lanes = [pool.submit(lane) for _ in range(3)]
        ready.wait(30)
        stop.set()
        ended = [type(one.exception(30)) for one in lanes]

    assert ended == [Stopped] * 3
