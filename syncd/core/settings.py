"""What an operator decides once for an environment, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from syncd.core.model import Rung

__all__ = [
    "CertificateLimits",
    "Failures",
    "Grace",
    "Limits",
    "Ownership",
    "Policy",
    "Removal",
    "Resolve",
    "SourceLimits",
]


class Ownership(StrEnum):
    """Whose rows syncd may change."""

    ADOPT = "adopt"
    EXCLUSIVE = "exclusive"


class Removal(StrEnum):
    """What a removal does to the row."""

    DELETE = "delete"
    DEACTIVATE = "deactivate"


class Resolve(StrEnum):
    """Who settles a conflict."""

    AUTO = "auto"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Grace:
    """Days between deciding and removing, by reason."""

    left: int = 0
    out_of_scope: int = 0
    vanished: int = 0
    user_disabled: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a gate lets through: max(floor, min(absolute, percent of the base))."""

    percent: float = 10
    absolute: int = 200
    floor: int = 5


@dataclass(frozen=True, slots=True)
class CertificateLimits:
    """When a read of a source may be believed."""

    max_shrink_percent: float = 20
    min_rows: int = 1
    canaries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """
    What a read of one source is compared with beside its size.

    `bands` names attributes (or `enabled`) whose groups are compared with the recent median
    of `learn` certified reads or more; a group that has fewer than `smallest_group` people
    usually is not judged. `max_group_growth_percent` is None where groups may grow as they
    like. Fewer new keys than `new_floor` never are a finding.
    """

    bands: tuple[str, ...] = ()
    max_group_shrink_percent: float = 40
    max_group_growth_percent: float | None = None
    smallest_group: int = 20
    learn: int = 5
    max_new_percent: float = 50
    new_floor: int = 100


@dataclass(frozen=True, slots=True)
class Failures:
    """How long a change that failed waits, and how much may fail before nearly all of them do."""

    retry: tuple[timedelta, ...] = (
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(hours=6),
        timedelta(hours=24),
    )
    dead_letter: timedelta = timedelta(days=7)
    quarantine_percent: float = 20
    quarantine_floor: int = 25


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of one environment. `protected` holds user names and object ids in normal form."""

    ownership: Ownership = Ownership.ADOPT
    remove: Removal = Removal.DELETE
    protected: frozenset[str] = frozenset()
    match: tuple[Rung, ...] = (Rung.OBJECT_ID, Rung.EMPLOYEE_ID, Rung.USER_NAME, Rung.MAIL)
    lead_days: int = 0
    grace: Grace = field(default_factory=Grace)
    flag: bool = True
    resolve: Resolve = Resolve.AUTO
    clear_stale_flags: bool = True
    removals: Limits = field(default_factory=Limits)
    creates: Limits | None = None
    certificate: CertificateLimits = field(default_factory=CertificateLimits)
    failures: Failures = field(default_factory=Failures)

    @property
    def exclusive(self) -> bool:
        """Whether syncd owns every row of the managed profiles."""
        return self.ownership is Ownership.EXCLUSIVE
