"""Several sources describe one person: which value wins (behaviour.md section 2)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["IDENTITY", "By", "Combined", "Origin", "combine", "origins"]

IDENTITY = ("object_id", "employee_id", "user_name", "mail")
STRICTEST = (("enabled", min), ("starts_on", max), ("leaves_on", min))
"""Of these not the rank decides, but who lets the person be present least."""
NOTHING: tuple[object, ...] = (None, [])
"""What is no value while another source has one."""


class By(StrEnum):
    """Why the value of one source counts and not that of another."""

    ONLY = "only"
    """No other source says anything."""
    AGREED = "agreed"
    """All that say something say the same."""
    RANK = "rank"
    """It has the lowest rank of those that say something."""
    STRICTEST = "strictest"
    """It is the one that lets the person be present least."""


@dataclass(frozen=True, slots=True)
class Combined:
    """What one source, or all together, say about a person; days are ordinals, attributes JSON."""

    object_id: str | None
    employee_id: str | None
    user_name: str | None
    mail: str | None
    enabled: int | None
    starts_on: int | None
    leaves_on: int | None
    attributes: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class Origin:
    """Which record, by its place among those of a person, gave the value that counts."""

    field: str
    value: object
    place: int
    by: By


def combine(records: Sequence[Combined]) -> Combined:
    """
    Merge the records of one person; the lowest rank stands first.

    Field by field the first value wins. Disabled by one is disabled; the latest start
    and the earliest end count. A problem in any record is a problem of the person.
    """
    starts = [record.starts_on for record in records if record.starts_on is not None]
    leaves = [record.leaves_on for record in records if record.leaves_on is not None]
    said = [record.enabled for record in records if record.enabled is not None]
    problems = [record.problem for record in records if record.problem]
    merged = {
        name: next((v for v in (getattr(r, name) for r in records) if v is not None), None)
        for name in IDENTITY
    }
    return Combined(
        **merged,
        enabled=min(said) if said else None,
        starts_on=max(starts) if starts else None,
        leaves_on=min(leaves) if leaves else None,
        attributes=_attributes([record.attributes for record in records], merged),
        problem="; ".join(problems) or None,
    )


def _attributes(texts: Sequence[str], identity: dict[str, str | None]) -> str:
    """Merge attributes; null and an empty list are no values while another source has one."""
    merged: dict[str, object] = {}
    for text in texts:
        for name, value in json.loads(text).items():
            if name not in merged or (merged[name] in NOTHING and value not in NOTHING):
                merged[name] = value
    for name in IDENTITY:
        if name in merged and name in identity:
            merged[name] = identity[name]
    return json.dumps(merged, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def origins(records: Sequence[Combined]) -> list[Origin]:
    """
    Say of each field that has a value which record gave the one that `combine` lets count.

    The records are in the same order as there. Fields come as they are mapped, attributes
    by name; what rules read of identity is no attribute.
    """
    told = []
    for name in IDENTITY:
        told += _ranked(name, [getattr(record, name) for record in records])
    for name, strictest in STRICTEST:
        values = [getattr(record, name) for record in records]
        said = [value for value in values if value is not None]
        if said:
            counts = strictest(said)
            by = By.STRICTEST if len(set(said)) > 1 else _alike(said)
            told.append(Origin(name, counts, values.index(counts), by))
    texts = [json.loads(record.attributes) for record in records]
    for name in sorted({name for text in texts for name in text} - {*IDENTITY, "key", "source"}):
        told += _ranked(name, [text.get(name) for text in texts])
    return told


def _ranked(name: str, values: Sequence[object]) -> list[Origin]:
    """Let the first that has a value count; nothing if none has."""
    said = [value for value in values if value not in NOTHING]
    if not said:
        return []
    by = By.RANK if any(value != said[0] for value in said) else _alike(said)
    return [Origin(name, said[0], values.index(said[0]), by)]


def _alike(said: Sequence[object]) -> By:
    return By.AGREED if len(said) > 1 else By.ONLY
