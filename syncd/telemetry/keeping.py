"""What a replica shows of an environment only while it keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.core.gauges import Gauges

__all__ = ["TIMES", "Keeping", "Moments"]

TIMES = (
    (
        "last_attempt_timestamp_seconds",
        "When the task last began (seconds since 1970).",
        ("task",),
    ),
    (
        "last_success_timestamp_seconds",
        "When the task last ended with everything done (seconds since 1970).",
        ("task",),
    ),
    (
        "last_full_success_timestamp_seconds",
        "When a run last looked at everybody and ended with everything done (seconds since 1970).",
        (),
    ),
)
"""Names, help texts and labels of what `Keeping.moments` gives, in the same order."""

Moments = dict[tuple[str, ...], float]
"""Seconds since 1970, by task where there is one."""


@dataclass(slots=True)
class Keeping:
    """One environment: what its state database said last, and what happened here since."""

    gauges: Gauges | None = None
    attempts: dict[str, float] = field(default_factory=dict)
    successes: dict[str, float] = field(default_factory=dict)
    full_success: float | None = None
    queue: int = 0

    def moments(self) -> tuple[Moments, Moments, Moments]:
        """Say when things last happened: here, or by what the state database remembers."""
        gauges = self.gauges or Gauges()
        full = [at for at in (gauges.full_success, self.full_success) if at is not None]
        return (
            _latest(gauges.attempts, self.attempts),
            _latest(gauges.successes, self.successes),
            {(): max(full)} if full else {},
        )


def _latest(*moments: Mapping[str, float]) -> Moments:
    tasks = {task for each in moments for task in each}
    return {(task,): max(each[task] for each in moments if task in each) for task in tasks}
