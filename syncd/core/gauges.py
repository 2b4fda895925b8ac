"""What one environment looks like in numbers. Nothing in it says who anybody is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["FLAG_MISSING", "FLAG_STALE", "REASONS", "Gauges"]

REASONS = ("grace", "certificate", "profile", "gate", "blackout", "escrow")
"""Why something is pending (behaviour.md section 4)."""

FLAG_MISSING = "flag_missing"
"""An active row of a user whose rows are at odds, without the server's flag."""
FLAG_STALE = "flag_stale"
"""An active row with the server's flag, of a user with no open conflict beside the flag."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """
    How an environment stands; moments are seconds since 1970.

    `people`, `planned`, `pending`, `conflicts` (open ones), `gates` (whether they tripped),
    `certified` and `source_rows` are what the last run found that came to judge; the rest
    is as the state database has it now. `conflicts_since` and `certified_at` lack what never
    was. `behind_since` is None while everything wanted is applied. `attempts` and `successes`
    are by task.
    """

    people: Mapping[str, int] = field(default_factory=dict)
    planned: Mapping[str, int] = field(default_factory=dict)
    pending: Mapping[str, int] = field(default_factory=dict)
    conflicts: Mapping[str, int] = field(default_factory=dict)
    conflicts_since: Mapping[str, float] = field(default_factory=dict)
    disagreements: Mapping[str, int] = field(default_factory=dict)
    gates: Mapping[str, bool] = field(default_factory=dict)
    certified: Mapping[str, bool] = field(default_factory=dict)
    source_rows: Mapping[str, int] = field(default_factory=dict)
    certified_at: Mapping[str, float] = field(default_factory=dict)
    escrow: Mapping[str, int] = field(default_factory=dict)
    profiles: Mapping[str, int] = field(default_factory=dict)
    attempts: Mapping[str, float] = field(default_factory=dict)
    successes: Mapping[str, float] = field(default_factory=dict)
    full_success: float | None = None
    behind_since: float | None = None
    dead_letters: int = 0
    held_users: int = 0
    passes_open: int = 0
    waiting_joiners: int = 0
    missed_by_delta: int = 0
    quarantined: bool = False
