"""
The best that service protection permits: the model of dataverse-web-api.md section 8.

A window holds so many requests and so many seconds of execution; a lane spends a second of
execution in each second. Nothing here knows what the client does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Limits"]

CROWDED = 52
"""Requests at once from which on a server refuses (section 5.1)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What one user may do on one server, and what each row costs. Times are in seconds.

    `hint` is the number of parallel requests that the server recommends.
    """

    seconds_each: float
    hint: int = 8
    window: float = 300.0
    requests: int = 6000
    execution: float = 1200.0

    def order(self) -> Mapping[str, object]:
        """Return what the sandbox is told."""
        return {
            "requests": self.requests,
            "execution": self.execution,
            "window": self.window,
            "hint": self.hint,
            "row_seconds": self.seconds_each,
        }

    def best(self, rows: int, size: int, lanes: int) -> float:
        """Return how long so many rows take at least, *size* in a request, over so many lanes."""
        lanes = min(lanes, CROWDED - 1)
        work = rows * self.seconds_each
        requests = math.ceil(rows / size)
        by_lanes = work / lanes
        return max(
            _windows(work, self.execution, self.window, by_lanes),
            _windows(requests, self.requests, self.window, by_lanes),
        )


def _windows(amount: float, purse: float, window: float, together: float) -> float:
    """
    Return how long an amount takes of which every window bears a purse.

    *together* is how long all of it takes where no purse is ever empty. Whole purses are spent
    at the beginning of each window, what is left over in the last one.
    """
    full = max(math.ceil(amount / purse) - 1, 0)
    if not full or together * purse >= window * amount:
        return together
    return full * window + together * (amount - full * purse) / amount
