"""One gate for everything that is sent to an environment."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from syncd.core.errors import Stopped, TargetThrottled
from syncd.core.ports import Halt

__all__ = ["Throttle"]

FIRST_PAUSE = 0.5
"""Seconds: the first pause where the server names none. Each further one is twice as long."""
LONGEST_PAUSE = 60.0
"""Seconds: where doubling ends."""


class Throttle:
    """
    Hold back every lane while the server wants to be left alone.

    Requests that are sent during a pause prolong it, so one lane that is told to
    wait stops them all (dataverse-web-api.md section 5.1). `once` and `total` are
    the patience, in seconds: for one pause, and for all pauses in which not one
    request got through. `throttled` is told each time for how many seconds more the
    gate was closed. Safe to share between threads.
    """

    def __init__(
        self,
        *,
        once: float = 300.0,
        total: float = 900.0,
        stop: Halt | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = random.random,
        throttled: Callable[[float], None] | None = None,
    ) -> None:
        self._once = once
        self._total = total
        self._stop = stop or threading.Event()
        self._clock = clock
        self._sleep = sleep or self._stop.wait
        self._jitter = jitter
        self._throttled = throttled
        self._lock = threading.Lock()
        self._until = 0.0
        self._waited = 0.0
        self._refusals = 0

    def check(self) -> None:
        """Raise Stopped if somebody asked the process to stop."""
        if self._stop.is_set():
            raise Stopped("asked to stop while talking to the environment; run again to carry on")

    def wait(self) -> None:
        """
        Return as soon as a request may be sent.

        Raises TargetThrottled when that takes more patience than there is, and
        Stopped when the process is asked to stop while it would have to wait.
        """
        while True:
            with self._lock:
                left = self._until - self._clock()
                waited = self._waited
            if left <= 0:
                return
            if left > self._once or waited > self._total:
                raise TargetThrottled(
                    f"the environment asks to be left alone for {left:.0f} s more (patience: "
                    f"{self._once:.0f} s at once, {self._total:.0f} s together); run again later"
                )
            self.pause(left)

    @property
    def open(self) -> bool:
        """Whether nobody has to wait at this moment."""
        with self._lock:
            return self._until <= self._clock()

    def told(self, seconds: float | None) -> bool:
        """
        Close the gate for that long; None or 0 means that the server did not say.

        Lanes that were under way together are refused together: that is one refusal.
        Returns whether this was the first of its kind.
        """
        with self._lock:
            now = self._clock()
            first = now >= self._until
            if first:
                length = seconds or self._length(self._refusals)
                self._refusals += 1
            else:
                length = seconds or 0.0
            opens = max(self._until, now + length)
            more = opens - max(self._until, now)
            self._waited += more
            self._until = opens
        if self._throttled is not None:
            self._throttled(more)
        return first

    def passed(self) -> None:
        """Note that a request got through: patience is whole again."""
        with self._lock:
            self._waited = 0.0
            self._refusals = 0

    def back_off(self, attempt: int) -> None:
        """Pause this lane alone before try number *attempt* + 1, with jitter."""
        self.pause(self._length(attempt))

    def pause(self, seconds: float) -> None:
        """Sleep, but not a moment longer than the process may run; raises Stopped."""
        self.check()
        self._sleep(seconds)
        self.check()

    def _length(self, attempt: int) -> float:
        whole = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt, 10))
        return whole * (0.5 + 0.5 * self._jitter())
