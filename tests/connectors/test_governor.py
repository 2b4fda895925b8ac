"""One governor for all lanes: as much as pays, and nothing while told to wait."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier, Event

import pytest

from syncd.connectors.governor import CONCURRENCY, MOST, Governor
from syncd.connectors.throttle import Throttle
from syncd.core.errors import Stopped
from tests.connectors.dataverse.world import Clock

HINT = {"x-ms-dop-hint": "4"}


def governor(clock: Clock, lanes: int = 0, size: int = 100) -> Governor:
    """Build a governor on that clock."""
    throttle = Throttle(clock=clock, sleep=clock.sleep, jitter=lambda: 1.0)
    return Governor(throttle, lanes=lanes, size=size, clock=clock)


@dataclass
class Server:
    """
    A server in one thread: it bears so many rows a second, and answers in order of time.

    `pays` says how many rows a second it does for that many requests at once.
    """

    governor: Governor
    clock: Clock
    pays: Callable[[int], float]
    headers: dict[str, str] = field(default_factory=dict)
    flying: list[tuple[float, float, int]] = field(default_factory=list)

    def work(self, batches: int) -> float:
        """Do that many full batches, as many at once as may be; return how long it took."""
        start, left = self.clock.now, batches
        while left or self.flying:
            while left and len(self.flying) < self.governor.lanes:
                rows = self.governor.size
                since = self.governor.enter(rows)
                share = self.pays(len(self.flying) + 1) / (len(self.flying) + 1)
                heapq.heappush(self.flying, (since + rows / share, since, rows))
                left -= 1
            ends, since, rows = heapq.heappop(self.flying)
            self.clock.now = max(self.clock.now, ends)
            self.governor.leave(since, self.headers, rows)
        return self.clock.now - start


def test_it_begins_as_the_server_hints() -> None:
    """Five until the server has spoken, then what it says; only its first word counts."""
    ruler = governor(Clock())
    before = ruler.lanes
    ruler.leave(ruler.enter(), HINT)
    ruler.leave(ruler.enter(), {"x-ms-dop-hint": "30"})

    assert (before, ruler.lanes) == (5, 4)


@pytest.mark.parametrize(("hint", "lanes"), [("99", MOST), ("0", 1), ("many", 5), ("", 5)])
def test_no_hint_is_taken_blindly(hint: str, lanes: int) -> None:
    """At most what no server refuses at once, at least one; nonsense counts as silence."""
    ruler = governor(Clock())
    ruler.leave(ruler.enter(), {"x-ms-dop-hint": hint})

    assert ruler.lanes == lanes


def test_more_lanes_are_taken_while_they_pay() -> None:
    """Each lane brings a hundred rows a second: up to twice the hint."""
    clock = Clock()
    ruler = governor(clock)
    ruler.leave(ruler.enter(), HINT)

    Server(ruler, clock, lambda lanes: 100.0 * lanes).work(200)

    assert ruler.lanes == 8


def test_lanes_that_bring_nothing_are_given_back() -> None:
    """The server does four at once and no more: two more lanes only lengthen each request."""
    clock = Clock()
    ruler = governor(clock)
    ruler.leave(ruler.enter(), HINT)

    Server(ruler, clock, lambda lanes: 100.0 * min(lanes, 4)).work(200)

    assert ruler.lanes == 4


def test_a_number_that_is_set_is_never_exceeded() -> None:
    """The operator's word counts more than the hint and than what pays."""
    clock = Clock()
    ruler = governor(clock, lanes=3)
    ruler.leave(ruler.enter(), {"x-ms-dop-hint": "20"})

    Server(ruler, clock, lambda lanes: 100.0 * lanes).work(100)

    assert ruler.lanes == 3


def test_a_refusal_halves_the_lanes_once_for_all_that_were_under_way() -> None:
    """Eight answers 429 to eight requests are one refusal; four lanes are always borne."""
    ruler = governor(Clock())
    ruler.leave(ruler.enter(), {"x-ms-dop-hint": "16"})
    seen = []
    for _ in range(3):
        for _ in range(8):
            ruler.told(30)
        ruler.throttle.wait()
        seen.append(ruler.lanes)

    assert seen == [8, 4, 4]


def test_too_many_at_once_is_remembered() -> None:
    """What was refused for their number is not tried with as many again."""
    clock = Clock()
    ruler = governor(clock)
    ruler.leave(ruler.enter(), {"x-ms-dop-hint": "6"})
    ruler.told(1, CONCURRENCY)
    after = ruler.lanes
    ruler.throttle.wait()
    Server(ruler, clock, lambda lanes: 100.0 * lanes).work(200)

    assert after == 3
    assert ruler.lanes == 5


def test_nearly_empty_purses_slow_it_down_before_it_is_refused() -> None:
    """Ten seconds of execution time are left, and what is under way takes more."""
    clock = Clock()
    ruler = governor(clock)
    ruler.leave(ruler.enter(), {"x-ms-dop-hint": "16"})
    rich = {"x-ms-ratelimit-time-remaining-xrm-requests": "1,100.50"}
    poor = {"x-ms-ratelimit-time-remaining-xrm-requests": "10"}
    Server(ruler, clock, lambda lanes: 100.0 * lanes, rich).work(16)
    before = ruler.lanes

    Server(ruler, clock, lambda lanes: 100.0 * lanes, poor).work(16)

    assert before >= 16
    assert ruler.lanes == 4


def test_few_requests_left_slow_it_down_likewise() -> None:
    """The other purse: requests."""
    ruler = governor(Clock())
    ruler.leave(ruler.enter(), {"x-ms-dop-hint": "16"})
    ruler.leave(ruler.enter(), {"x-ms-ratelimit-burst-remaining-xrm-requests": "20"})

    assert ruler.lanes == 8


def test_requests_shrink_by_half_and_grow_back() -> None:
    """Too large or too slow: half of it, ten at least; then a tenth more each time."""
    clock = Clock()
    ruler = governor(clock, lanes=1)
    sizes = []
    for _ in range(6):
        ruler.shrink()
        sizes.append(ruler.size)
    Server(ruler, clock, lambda _: 100.0).work(100)

    assert sizes == [50, 25, 12, 10, 10, 10]
    assert ruler.size == 100


def test_a_request_that_takes_long_is_made_smaller() -> None:
    """A hundred rows at a second each come near a gateway's end."""
    clock = Clock()
    ruler = governor(clock, lanes=1)

    Server(ruler, clock, lambda _: 1.0).work(6)

    assert ruler.size <= 50


def test_the_rate_is_measured_without_the_waiting() -> None:
    """A pause that the server asked for says nothing of how fast it works."""
    clock = Clock()
    ruler = governor(clock, lanes=2)
    ruler.told(200)
    Server(ruler, clock, lambda lanes: 50.0 * lanes).work(20)

    assert ruler.ledger.rate == pytest.approx(100, rel=0.1)
    assert clock.naps == [200]


def test_it_counts_requests_and_what_they_are_entitled_to() -> None:
    """One batch of a hundred is one request and a hundred of the daily allowance."""
    ruler = governor(Clock())
    ruler.leave(ruler.enter(100))
    ruler.leave(ruler.enter())

    assert (ruler.ledger.requests, ruler.ledger.operations) == (2, 101)


def test_no_more_than_its_lanes_are_under_way() -> None:
    """Real threads: the third waits until one of two is over."""
    ruler = Governor(Throttle(), lanes=2)
    first, second = ruler.enter(), ruler.enter()
    ready = Barrier(2)
    entered = Event()

    def third() -> float:
        ready.wait(30)
        since = ruler.enter()
        entered.set()
        return since

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(third)
        ready.wait(30)
        early = entered.wait(0.05)
        ruler.leave(first)
        waiting.result(30)
    ruler.leave(second)

    assert not early


def test_stopping_ends_the_wait_for_a_lane() -> None:
    """Real threads: whoever waits for its turn is told, too."""
    stop = Event()
    ruler = Governor(Throttle(stop=stop), lanes=1)
    ruler.enter()
    stop.set()

    with pytest.raises(Stopped):
        ruler.enter()
