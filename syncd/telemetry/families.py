"""
What is measured of how an environment stands: the name, the meaning and the unit of each.

Only the replica that keeps an environment shows these, so that a sum over all replicas
counts each environment once. Series of a closed set of labels are always there, if need
be at zero: an alert can tell nothing from silence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from syncd.core.case import Code
from syncd.core.gauges import FLAG_MISSING, FLAG_STALE, REASONS, Gauges
from syncd.core.model import Action, Situation
from syncd.core.plan import Fault

__all__ = ["OTHER", "STANDING", "Family"]

OTHER = "other"
"""Stands for causes that are neither a class of failures nor a code."""
MOST_CAUSES = 20
"""So many are told apart: a server may think of ever new codes."""
_cause = re.compile(rf"(?:0x)?[0-9a-fA-F]{{8}}|status \d{{3}}|{'|'.join(Fault)}").fullmatch
GATES = ("removals",)
"""The gate that always is; creates have one only where the policy says so."""

Samples = Iterable[tuple[tuple[str, ...], float]]
"""The values of the labels beside `environment`, and the value."""


@dataclass(frozen=True, slots=True)
class Family:
    """
    One gauge. `labels` come after `environment`.

    `samples` reads its values from an environment's gauges, for a moment given in
    seconds since 1970: ages grow between two runs, too.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Gauges, float], Samples]


def _by(counts: Mapping[str, float], always: Iterable[str] = ()) -> Samples:
    """Give one sample for each key, and zero for those of *always* that are not there."""
    for name in sorted({*always, *counts}):
        yield (str(name),), float(counts.get(name, 0))


def _ages(since: Mapping[str, float], now: float, always: Iterable[str] = ()) -> Samples:
    ages = {name: max(0.0, now - moment) for name, moment in since.items()}
    return _by(ages, always)


def _one(value: float) -> Samples:
    yield (), float(value)


def _causes(counts: Mapping[str, int]) -> Samples:
    """Name classes and codes only: whatever else stands there may be somebody's name."""
    safe: Counter[str] = Counter({OTHER: 0})
    for name, number in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        told = _cause(name) and len(safe) <= MOST_CAUSES
        safe[name if told else OTHER] += number
    return _by(safe)


STANDING = (
    Family(
        "people",
        "People considered, unexplained users and husks by situation, as the last run that came "
        "to judge found them (number).",
        ("situation",),
        lambda gauges, _: _by(gauges.people, Situation),
    ),
    Family(
        "planned_changes",
        "Changes in the plan of the last run that made one, whatever became of them (number).",
        ("action",),
        lambda gauges, _: _by(gauges.planned, Action),
    ),
    Family(
        "pending_removals",
        "Removals and moves that the last plan withheld, by the reason why (number).",
        ("reason",),
        lambda gauges, _: _by(gauges.pending, REASONS),
    ),
    Family(
        "held_users",
        "Users whom an operator holds now, whatever the sources say (number).",
        (),
        lambda gauges, _: _one(gauges.held_users),
    ),
    Family(
        "escrow_rows",
        "Rows whose change failed and is tried again later, by the server's code or status or the "
        "class of the failure; without dead letters (number).",
        ("cause",),
        lambda gauges, _: _causes(gauges.escrow),
    ),
    Family(
        "dead_letters",
        "Rows whose change failed for so long that it was given up, and that nobody has "
        "discarded (number).",
        (),
        lambda gauges, _: _one(gauges.dead_letters),
    ),
    Family(
        "conflicts",
        "Open conflicts by code: those that the last plan leaves behind (number).",
        ("code",),
        lambda gauges, _: _by(gauges.conflicts, Code),
    ),
    Family(
        "conflict_oldest_seconds",
        "Age of the oldest open conflict of each code; 0 where there is none (seconds).",
        ("code",),
        lambda gauges, now: _ages(gauges.conflicts_since, now, Code),
    ),
    Family(
        "conflict_flag_disagreement",
        "Active rows whose conflict flag on the server is not as syncd sees it: flag_missing "
        "(their user's rows are at odds) or flag_stale (nothing is open any more) (number).",
        ("kind",),
        lambda gauges, _: _by(gauges.disagreements, (FLAG_MISSING, FLAG_STALE)),
    ),
    Family(
        "gate_tripped",
        "Whether the gate stopped something in the last run that made a plan (1 or 0).",
        ("gate",),
        lambda gauges, _: _by({name: float(on) for name, on in gauges.gates.items()}, GATES),
    ),
    Family(
        "passes_open",
        "Passes through a gate that were granted, are not used up and have not expired (number).",
        (),
        lambda gauges, _: _one(gauges.passes_open),
    ),
    Family(
        "read_certificate_ok",
        "Whether the last read of the source was believed (1 or 0).",
        ("source",),
        lambda gauges, _: _by({name: float(ok) for name, ok in gauges.certified.items()}),
    ),
    Family(
        "source_rows",
        "Rows in the last read of the source, doubled ones included (number).",
        ("source",),
        lambda gauges, _: _by(gauges.source_rows),
    ),
    Family(
        "source_lag_seconds",
        "Age of the last read of the source that was believed; absent if none ever was (seconds).",
        ("source",),
        lambda gauges, now: _ages(gauges.certified_at, now),
    ),
    Family(
        "freshness_seconds",
        "Time since the first run that left something wanted unapplied, or since the first try "
        "of the oldest change in escrow; 0 while all that is wanted is applied (seconds).",
        (),
        lambda gauges, now: _one(
            0.0 if gauges.behind_since is None else max(0.0, now - gauges.behind_since)
        ),
    ),
    Family(
        "waiting_joiners",
        "People whom the rules give a profile and who have no active row yet, with an account "
        "or without (number).",
        (),
        lambda gauges, _: _one(gauges.waiting_joiners),
    ),
    Family(
        "profile_users",
        "Active rows by the name of their profile; profiles of one name count together (number).",
        ("profile",),
        lambda gauges, _: _by(gauges.profiles),
    ),
    Family(
        "missed_by_delta",
        "Changes that the last full run found and the delta runs before it had missed (number).",
        (),
        lambda gauges, _: _one(gauges.missed_by_delta),
    ),
    Family(
        "quarantined",
        "Whether so much failed that writes are tried at a falling rate (1 or 0).",
        (),
        lambda gauges, _: _one(gauges.quarantined),
    ),
)
"""In the order in which they are shown."""
