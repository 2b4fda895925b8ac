"""What much takes under service protection, in simulated time: little more than it must."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import pytest

from syncd.connectors.governor import Governor
from syncd.connectors.throttle import Throttle
from syncd.sandbox.answers import Answer, Call
from syncd.sandbox.protection import Limits, Protection
from tests.connectors.dataverse.world import Clock


@dataclass
class Job:
    """
    So many rows in full batches, over the lanes of a governor, to a server with limits.

    All in one thread: what is under way ends in the order of time.
    """

    limits: Limits
    rows: int
    clock: Clock = field(default_factory=Clock)
    flying: list[tuple[float, int, float, Answer, int]] = field(default_factory=list)
    sent: int = 0

    def run(self) -> float:
        """Send everything; return the seconds that it took."""
        self.protection = Protection(self.clock)
        self.protection.set(self.limits)
        throttle = Throttle(clock=self.clock, sleep=self._wait, jitter=lambda: 1.0)
        self.governor = Governor(throttle, size=100, clock=self.clock)
        since = self.governor.enter()
        self.governor.leave(since, {"x-ms-dop-hint": str(self.limits.hint)})
        start, left = self.clock.now, self.rows
        while left or self.flying:
            while left > 0 and len(self.flying) < self.governor.lanes:
                left -= self._send(min(left, self.governor.size))
            if self.flying:
                left += self._land()
        return self.clock.now - start

    def _send(self, rows: int) -> int:
        since = self.governor.enter(rows)
        if len(self.flying) >= self.governor.lanes:  # some landed refused while this one waited
            self.governor.leave(since)
            return 0
        call = Call("POST", "$batch", "", {}, b"", "", "")
        answer = self.protection.around(call, "syncd", lambda _: Answer(200), {"Update": rows})
        self.sent += 1
        entry = (self.clock.now + answer.delay, self.sent, since, answer, rows)
        heapq.heappush(self.flying, entry)
        return rows

    def _land(self) -> int:
        """Let the next answer arrive; return the rows that must be sent again."""
        ends, _, since, answer, rows = heapq.heappop(self.flying)
        self.clock.now = max(self.clock.now, ends)
        refused = answer.status == 429
        if refused:
            self.governor.told(float(answer.headers["Retry-After"]))
        self.governor.leave(since, answer.headers, 0 if refused else rows)
        return rows if refused else 0

    def _wait(self, seconds: float) -> None:
        """Wait, and let arrive what is under way."""
        until = self.clock.now + seconds
        while self.flying and self.flying[0][0] <= until:
            ends, _, since, answer, rows = heapq.heappop(self.flying)
            self.clock.now = max(self.clock.now, ends)
            self.governor.leave(since, answer.headers, rows)
        self.clock.now = max(self.clock.now, until)


@pytest.mark.parametrize("hint", [4, 8])
@pytest.mark.parametrize("each", [0.01, 0.03, 0.04])
def test_what_fits_the_purse_never_waits(each: float, hint: int) -> None:
    """Twenty thousand rows: no slower than the hinted lanes allow, and nobody is refused."""
    job = Job(Limits(hint=hint, row_seconds=each), 20_000)

    took = job.run()

    assert took <= 1.05 * 20_000 * each / hint
    assert job.protection.seen.refused == 0


@pytest.mark.parametrize("servers", [1, 3])
def test_more_than_the_purse_holds_takes_little_longer_than_it_must(servers: int) -> None:
    """Two purses of one server: one at once, the other as fast as the first flows back."""
    job = Job(Limits(hint=8, row_seconds=0.04, servers=servers), 60_000 * servers)

    took = job.run()

    best = 300 + 1200 / (2 * 8)
    assert took <= 1.3 * best * servers
    assert job.protection.seen.knocked == 0


def test_too_many_at_once_are_found_out() -> None:
    """A server that bears six although it hints at ten: soon there are no refusals any more."""
    job = Job(Limits(hint=10, concurrency=6, row_seconds=0.04), 20_000)

    took = job.run()

    assert took <= 1.3 * 20_000 * 0.04 / 6
    assert job.protection.seen.knocked == 0
