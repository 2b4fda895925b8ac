"""What somebody must know about an environment: what is the matter, and what differs."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from syncd.core.certificate import Certificate, acceptable
from syncd.core.gates import Gate

__all__ = [
    "Condition",
    "Entry",
    "Event",
    "Facts",
    "Item",
    "Matter",
    "Phase",
    "Quarantine",
    "Told",
    "differs",
    "digest",
    "fresh",
    "matters",
]

KINDS = 3
"""How many findings of a source are shown."""
_short = re.compile(r"[\w .-]{1,40}").fullmatch


class Event(StrEnum):
    """What receivers choose from in the setting `on`."""

    GATE = "gate"
    CERTIFICATE = "certificate"
    QUARANTINE = "quarantine"
    CONFLICTS = "conflicts"
    DEAD_LETTERS = "dead_letters"


class Phase(StrEnum):
    """What happened to a condition, as somebody is told."""

    ENTERED = "entered"
    CHANGED = "changed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Quarantine:
    """An environment in which too much fails: of *sent* changes so many *failed*."""

    cause: str
    failed: int
    sent: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One of many things of a kind. What came later has a greater mark; texts are compared."""

    kind: str
    mark: str


@dataclass(frozen=True, slots=True)
class Facts:
    """How an environment stands. What is None is not known now, so nothing follows from it."""

    gates: Sequence[Gate] | None
    certificates: Sequence[Certificate] | None
    quarantine: Quarantine | None
    conflicts: Sequence[Entry] | None
    dead_letters: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Item:
    """
    One part of what is the matter; it never says who.

    `key` tells it from others and stays while only numbers change. `subject` is a scope, a
    source, a cause or a code, `limit` what the count is measured by: changes allowed or
    sent. `certain` says of a source that an operator may accept its read as it is.
    """

    key: str
    subject: str
    count: int
    limit: int | None = None
    detail: str = ""
    certain: bool = False


@dataclass(frozen=True, slots=True)
class Matter:
    """
    What is the matter now.

    `seen` counts all entries that were ever among the counted ones, `mark` is the greatest of
    theirs: so those that are new can be told from those that were there before.
    """

    event: Event
    items: tuple[Item, ...]
    seen: int = 0
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What one receiver was told last of one condition: None of its end. `number` counts."""

    at: str
    number: int
    matter: Matter | None


@dataclass(frozen=True, slots=True)
class Condition:
    """What is, or was, the matter with an environment. Moments are ISO texts; who was told what."""

    id: int
    env: int
    matter: Matter
    since: str
    changed: str
    ended: str | None = None
    told: Mapping[str, Told] = field(default_factory=dict)


# --- from facts to conditions -------------------------------------------------------------


def matters(facts: Facts, before: Mapping[Event, Matter]) -> dict[Event, Matter | None]:
    """Say what is the matter, None where nothing is; what is not known is left out."""
    found: dict[Event, Matter | None] = {
        Event.QUARANTINE: _quarantine(facts.quarantine),
        Event.DEAD_LETTERS: _many(Event.DEAD_LETTERS, facts.dead_letters, before),
    }
    if facts.gates is not None:
        found[Event.GATE] = _gate(facts.gates)
    if facts.certificates is not None:
        found[Event.CERTIFICATE] = _certificate(facts.certificates)
    if facts.conflicts is not None:
        found[Event.CONFLICTS] = _many(Event.CONFLICTS, facts.conflicts, before)
    return found


def _matter(event: Event, items: Iterable[Item]) -> Matter | None:
    found = tuple(items)
    return Matter(event, found) if found else None


def _gate(gates: Iterable[Gate]) -> Matter | None:
    return _matter(
        Event.GATE,
        (
            Item(f"{gate.gate} {gate.scope}", gate.scope, gate.count, gate.allowed, gate.gate)
            for gate in gates
            if gate.tripped
        ),
    )


def _certificate(certificates: Iterable[Certificate]) -> Matter | None:
    return _matter(
        Event.CERTIFICATE, (_source(each) for each in certificates if not each.certified)
    )


def _source(certificate: Certificate) -> Item:
    """Describe a source that is not believed; findings may quote its rows, so few are repeated."""
    kinds = sorted({re.sub(r"\d+", "0", finding) for finding in certificate.findings})
    name = hashlib.sha256("\n".join([certificate.source, *kinds]).encode()).hexdigest()[:16]
    said = list(dict.fromkeys(_said(finding) for finding in certificate.findings))
    single = len(certificate.findings) == 1
    return Item(
        key=name,
        subject=certificate.source,
        count=certificate.rows,
        detail="; ".join(said[:KINDS]),
        certain=single and acceptable(certificate.findings[0]),
    )


def _said(finding: str) -> str:
    if acceptable(finding) or finding.startswith("no row was read"):
        return finding
    if finding.startswith(("canary ", "canaries ")):
        return "a canary is absent from all sources"
    return "the read has faults"


def _quarantine(found: Quarantine | None) -> Matter | None:
    if found is None:
        return None
    cause = _cause(found.cause)
    return _matter(Event.QUARANTINE, [Item(cause, cause, found.failed, found.sent)])


def _cause(text: str) -> str:
    """Return a cause as it is kept: a code, a status, a class; nothing longer is repeated."""
    return text if _short(text) else "several causes"


def _many(event: Event, entries: Iterable[Entry], before: Mapping[Event, Matter]) -> Matter | None:
    """Count entries by kind, and those that were not there before."""
    marks: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        marks[_cause(entry.kind)].append(entry.mark)
    if not marks:
        return None
    old = before.get(event, Matter(event, ()))
    counts = {item.key: item.count for item in old.items}
    new = sum(
        max(sum(mark > old.mark for mark in found), len(found) - counts.get(kind, 0))
        for kind, found in marks.items()
    )
    items = tuple(Item(kind, kind, len(found)) for kind, found in sorted(marks.items()))
    return Matter(event, items, old.seen + new, max(old.mark, *map(max, marks.values())))


def fresh(told: Matter, now: Matter) -> int:
    """Count the entries that came after *told*."""
    return max(0, now.seen - told.seen)


def differs(told: Matter, now: Matter) -> bool:
    """
    Tell whether somebody who knows *told* must hear of *now*.

    Numbers go up and down in every run, so only other causes count, new entries, and a gate
    that holds at least twice as much.
    """
    if now.event in (Event.CONFLICTS, Event.DEAD_LETTERS):
        return fresh(told, now) > 0
    knew = {item.key: item.count for item in told.items}
    if knew.keys() != {item.key for item in now.items}:
        return True
    grown = any(item.count >= 2 * knew[item.key] for item in now.items)
    return now.event is Event.GATE and grown


def digest(matter: Matter) -> str:
    """Return what stays the same while only numbers change."""
    said = [matter.event, str(matter.seen), *(item.key for item in matter.items)]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]
