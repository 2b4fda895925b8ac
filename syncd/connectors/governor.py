"""How many requests are under way, and how large they are: what an environment bears."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from syncd.connectors.throttle import Throttle
from syncd.core.ledger import Ledger

__all__ = ["CONCURRENCY", "MOST", "Governor"]

UNHINTED = 5
"""Lanes where the server gives no hint (dataverse-web-api.md section 5.2)."""
MOST = 48
"""Lanes: a server refuses the 52nd request at once (dataverse-web-api.md section 5.1)."""
BEYOND = 2
"""How many times the hinted lanes are tried at most, and only while more of them pay."""
LASTING = 4
"""Lanes that a server bears for ever (dataverse-web-api.md section 8.2)."""
GAIN = 1.05
"""How much faster more lanes must be to be kept."""
LEAST = 10
"""Changes in a request: the request limit is harmless from here on (section 8.2)."""
LONG = 30.0
"""Seconds: a request that takes longer is too large (a gateway's end is near)."""
SLICE = 0.2
"""Seconds between looks at whether somebody asked to stop."""
CONCURRENCY = "80072326"
"""The code that means too many requests at once (dataverse-web-api.md section 5.1)."""
REQUESTS_LEFT = "x-ms-ratelimit-burst-remaining-xrm-requests"
SECONDS_LEFT = "x-ms-ratelimit-time-remaining-xrm-requests"


class Governor:
    """
    Let as many requests through as pays, none during a pause; one for an environment.

    Begins with the number of lanes that the server hints. Two more are tried as long as
    rows a second grow with them; a refusal, or purses that are nearly empty, halve them
    (dataverse-web-api.md section 5.3). With `lanes` given there are never more than
    these. A request gets smaller by half when the server does not bear its size, and
    grows back by a tenth. Safe to share between threads; nothing in it is left to chance.
    """

    def __init__(
        self,
        throttle: Throttle,
        *,
        lanes: int = 0,
        size: int = 100,
        clock: Callable[[], float] = time.monotonic,
        ledger: Ledger | None = None,
    ) -> None:
        self.throttle = throttle
        self.ledger = ledger or Ledger()
        self._clock = clock
        self._free = threading.Condition()
        self._hinted = lanes > 0
        self._ceiling = lanes or MOST
        self._lanes = lanes or UNHINTED
        self._largest = size
        self._size = float(size)
        self._flying = 0
        self._busiest = 0
        self._slow = 0.0
        self._best = 0.0
        self._raised = False
        self._resuming = False
        self._begin_window()

    @property
    def lanes(self) -> int:
        """How many requests may be under way."""
        return self._lanes

    @property
    def size(self) -> int:
        """How many changes a request may hold."""
        return int(self._size)

    # --- a request ---------------------------------------------------------------------

    def enter(self, operations: int = 1) -> float:
        """
        Return, with the time, as soon as a request of that many operations may be sent.

        Raises TargetThrottled and Stopped as `Throttle.wait` does. Each call is answered
        by one of `leave`.
        """
        while True:
            self.throttle.wait()
            with self._free:
                # Nobody slips through a gate that closed since.
                if self._flying < self._lanes and self.throttle.open:
                    if self._resuming:  # what was waited is no work
                        self._resuming = False
                        self._begin_window()
                    self._flying += 1
                    self._busiest = max(self._busiest, self._flying)
                    self.ledger.requests += 1
                    self.ledger.operations += operations
                    return self._clock()
                crowded = self._flying >= self._lanes
                if crowded:
                    self._free.wait(SLICE)
            self.throttle.check()

    def leave(self, since: float, headers: Mapping[str, str] | None = None, rows: int = 0) -> None:
        """Note that a request is over; *rows* were written by it, *headers* were answered."""
        with self._free:
            self._flying -= 1
            self._free.notify()
            if headers is None:
                return
            self._take_hint(headers.get("x-ms-dop-hint", ""))
            took = self._clock() - since
            if rows:
                self._slow = max(took, self._slow / 2)
                self._rows += rows
                self._over += 1
                if took > LONG:
                    self._halve()
            if self._scarce(headers):
                self._lower(LASTING)
            elif rows:
                self._weigh()

    def _take_hint(self, text: str) -> None:
        if self._hinted or not (text.isascii() and text.isdigit() and len(text) < 5):
            return
        self._hinted = True
        hint = max(1, min(int(text), MOST))
        self._lanes, self._ceiling = hint, min(MOST, BEYOND * hint)
        self._begin_window()
        self._free.notify_all()

    def _scarce(self, headers: Mapping[str, str]) -> bool:
        """Tell whether what is under way, twice over, empties a purse of the server."""
        requests, seconds = _number(headers.get(REQUESTS_LEFT)), _number(headers.get(SECONDS_LEFT))
        few = requests is not None and requests < 2 * self._lanes
        short = seconds is not None and seconds < 2 * self._lanes * self._slow
        return few or short

    # --- what pays ---------------------------------------------------------------------

    def _begin_window(self) -> None:
        self._since, self._rows, self._over, self._busiest = self._clock(), 0, 0, self._flying

    def _weigh(self) -> None:
        """Compare rows a second with what they were, after every other round of all lanes."""
        if self._over < 2 * self._lanes:
            return
        elapsed = self._clock() - self._since
        rate = self._rows / elapsed if elapsed > 0 else 0.0
        busy = self._busiest >= self._lanes
        self._begin_window()
        if rate <= 0:
            return
        self.ledger.rate, self.ledger.lanes, self.ledger.size = rate, self._lanes, self.size
        self._size = min(float(self._largest), self._size * 1.1 + 1)
        if not busy:
            return
        if self._raised and rate < self._best * GAIN:
            self._ceiling = max(1, self._lanes - 2)
            self._lanes, self._raised = self._ceiling, False
            return
        self._best, self._raised = rate, self._lanes < self._ceiling
        self._lanes = min(self._ceiling, self._lanes + 2)
        self._free.notify_all()

    def _lower(self, floor: int) -> None:
        """Go on with half the lanes, but not with fewer than *floor* if there are as many."""
        self._lanes = max(min(floor, self._lanes), self._lanes // 2)
        self._best, self._raised = 0.0, False
        self._begin_window()

    # --- what the server does not bear --------------------------------------------------

    def told(self, seconds: float | None, code: str = "") -> None:
        """Close the gate as `Throttle.told` does, and go on more quietly afterwards."""
        if not self.throttle.told(seconds):
            return
        with self._free:
            self._resuming = True
            if code == CONCURRENCY:
                self._ceiling = max(1, self._lanes - 1)
                self._lower(1)
            else:
                self._lower(LASTING)

    def shrink(self) -> None:
        """Make requests half as large: one was too large or took too long."""
        with self._free:
            self._halve()

    def _halve(self) -> None:
        self._size = max(min(float(LEAST), self._size), self._size / 2)


def _number(text: str | None) -> float | None:
    """Read what is left of a purse: `1,200.00` or `1200`; nonsense says nothing."""
    try:
        return None if text is None else float(text.replace(",", ""))
    except ValueError:
        return None
