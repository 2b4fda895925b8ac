"""How many requests a plan takes, and how long."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import ceil

from syncd.core.ledger import Message
from syncd.core.model import Action

__all__ = ["Estimate", "Speed", "estimate"]

PURSE = 1200.0
"""Seconds of execution that a server gives at once (dataverse-web-api.md section 8.1)."""
LASTING = 4
"""Seconds of execution that it gives each second for ever."""
PUBLISHED = {Message.CREATE_MULTIPLE: 0.01, Message.BATCH: 0.04}
"""Seconds a row takes by samples of Microsoft (section 8.1); a single request takes `ALONE`."""
ALONE = 0.1
FEWEST = 10
"""Creates from which on a bulk call is made."""


@dataclass(frozen=True, slots=True)
class Speed:
    """
    What an environment does: lanes, changes in a request, and rows a second if measured.

    The rate was measured with `measured_lanes` lanes.
    """

    lanes: int = 5
    size: int = 100
    rate: float | None = None
    measured_lanes: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    Requests on the wire, what the daily entitlement counts, and seconds.

    `measured` says that the time follows from what this environment did before, not from
    published figures.
    """

    requests: int
    operations: int
    seconds: float
    measured: bool


def estimate(
    changes: Mapping[Action, int], speed: Speed, refused: Collection[Message] = ()
) -> Estimate:
    """Estimate what it takes to send so many changes of each action."""
    creates = changes.get(Action.CREATE, 0)
    total = sum(changes.values())
    bulk = creates if creates >= FEWEST and Message.CREATE_MULTIPLE not in refused else 0
    single = Message.BATCH in refused
    size = max(1, speed.size)
    rest = total - bulk
    requests = ceil(bulk / size) + (rest if single else ceil(rest / size))
    if speed.rate:
        work = total * max(1, speed.measured_lanes) / speed.rate
    else:
        each = ALONE if single else PUBLISHED[Message.BATCH]
        work = bulk * PUBLISHED[Message.CREATE_MULTIPLE] + rest * each
    return Estimate(requests, total, _duration(work, speed.lanes, requests), bool(speed.rate))


def _duration(work: float, lanes: int, requests: int) -> float:
    """Spread seconds of execution over the lanes; what the purse does not hold takes longer."""
    side_by_side = max(1, min(lanes, requests))
    at_once = min(work, PURSE)
    return at_once / side_by_side + (work - at_once) / min(LASTING, side_by_side)
