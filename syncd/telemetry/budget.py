"""How much of what the server grants in five minutes is used up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

__all__ = ["Budget"]

WINDOW = 300.0
"""Seconds over which the server counts requests (dataverse-web-api.md section 5)."""
GRANTED = 6000
"""Requests that it grants a user within the window."""
GRAIN = 5.0
"""Seconds of requests that are counted together."""


@dataclass(slots=True)
class Budget:
    """
    Counts the requests of the last five minutes, in at most 61 portions.

    Moments are seconds that only grow.
    """

    portions: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, now: float) -> None:
        """Count one request."""
        start, number = now // GRAIN * GRAIN, 0
        if self.portions and self.portions[-1][0] == start:
            _, number = self.portions.pop()
        self.portions.append((start, number + 1))
        self._forget(now)

    def used(self, now: float) -> float:
        """Return the share of the budget that is used up; 1 is all of it."""
        self._forget(now)
        return sum(number for _, number in self.portions) / GRANTED

    def _forget(self, now: float) -> None:
        while self.portions and self.portions[0][0] + GRAIN <= now - WINDOW:
            self.portions.popleft()
