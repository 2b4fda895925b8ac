"""Several sources describe one person: which value wins (behaviour.md section 2)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["IDENTITY", "Combined", "combine"]

IDENTITY = ("object_id", "employee_id", "user_name", "mail")


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
            if name not in merged or (merged[name] in (None, []) and value not in (None, [])):
                merged[name] = value
    for name in IDENTITY:
        if name in merged and name in identity:
            merged[name] = identity[name]
    return json.dumps(merged, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
