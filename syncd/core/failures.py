"""What follows from a failure: when it is tried again, when it is given up, when all must wait."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from syncd.core.model import Action
from syncd.core.plan import Change, Fault, Outcome, Result
from syncd.core.settings import Failures

__all__ = ["TRIAL", "Effort", "cause", "excessive", "expired", "kept", "next_due", "relies"]

DAILY = timedelta(days=1)
TRIAL = 25
"""How many changes a run in quarantine tries."""

GAINS = (Action.CREATE, Action.MOVE, Action.REACTIVATE)
_code = re.compile(r"\b(0x8[0-9a-f]{7}|status \d{3})\b").search


@dataclass(frozen=True, slots=True)
class Effort:
    """
    What a run tried: how many changes it sent, how many were done, how many rows refused theirs.

    `cause` is the most frequent one of those; `clean` says that nothing else went wrong.
    """

    sent: int
    done: int
    failed: int
    cause: str = ""
    clean: bool = True

    @property
    def ends_quarantine(self) -> bool:
        """Whether it shows that writes work again."""
        return self.clean and not self.failed and self.done > 0


def next_due(now: datetime, tries: int, settings: Failures) -> datetime:
    """Return when a change that failed for the *tries*-th time is tried again; at last daily."""
    waits = settings.retry
    return now + (waits[tries - 1] if tries <= len(waits) else DAILY)


def expired(now: datetime, first: datetime, tries: int, settings: Failures) -> bool:
    """
    Tell whether a change is given up.

    It had its second try, however seldom runs are: what failed once is no dead letter.
    """
    return tries > 1 and now - first >= settings.dead_letter


def excessive(failed: int, sent: int, settings: Failures) -> bool:
    """Tell whether so much of a run failed that the environment is quarantined."""
    most = Fraction(str(settings.quarantine_percent)) * sent / 100
    return failed > most and failed >= settings.quarantine_floor


def cause(detail: str) -> str:
    """
    Name what failed changes have in common: the server's code, else its status, else `row`.

    There are few of them and they name nobody, so that they may label a metric.
    """
    found = _code(detail.lower())
    return found[0] if found else str(Fault.ROW)


def kept(settled: Sequence[tuple[Change, Outcome]]) -> list[tuple[Change, Outcome]]:
    """
    Return the changes that are kept for another try: of each row the first that it refused.

    Every other failure stops the run or is tried by the next one. What was not sent because
    a change before it failed waits for that one.
    """
    failed = [(c, o) for c, o in settled if o.result is Result.FAILED and o.fault is Fault.ROW]
    users: dict[str | None, list[Change]] = {}
    for change, _ in failed:
        users.setdefault(change.user, []).append(change)
    return [
        (change, outcome)
        for change, outcome in failed
        if not any(relies(change, other) for other in users[change.user])
    ]


def relies(change: Change, other: Change) -> bool:
    """Tell whether a change is not sent unless another one of its user was done."""
    if other.number >= change.number:
        return False
    if change.membership == other.membership or change.action is Action.UNFLAG:
        return True
    return change.action.removes and other.action in GAINS
