"""Which source said what about somebody, whose word counts, and how sources stand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection

from syncd.core.certificate import Certificate
from syncd.core.merging import Origin, origins
from syncd.state.database import rows
from syncd.state.people import combined
from syncd.state.pictures import TOMBSTONE
from syncd.state.views import Document

__all__ = ["Teller", "facts", "said_of", "tellers"]

DAYS = ("starts_on", "leaves_on")


@dataclass(frozen=True, slots=True)
class Teller:
    """
    A source as it stands.

    It is stale when its last read was not believed, by these findings; then its picture is
    that of `certified_at`, with what was read since laid over. None: no such run is kept.
    """

    name: str
    rank: int
    stale: bool
    certified_at: str | None
    findings: Sequence[str] = ()


def tellers(
    tx: Connection,
    ranks: Mapping[str, int],
    certificates: Sequence[Certificate],
    read: str | None = None,
) -> list[Teller]:
    """
    How each source stands, the one whose word counts most first.

    *ranks* are in the order of the configuration, *certificates* those of the last read:
    at *read*, if it belongs to no run.
    """
    sql = (
        "SELECT c.source, max(r.started) AS at FROM certificates c JOIN runs r ON r.id = c.run "
        "WHERE c.certified = 1 GROUP BY c.source"
    )
    last = {row.source: row.at for row in rows(tx, sql)}
    judged = {each.source: each for each in certificates}
    found = []
    for name in sorted(ranks, key=lambda name: ranks[name]):
        one = judged.get(name)
        stale = one is not None and not one.certified
        at = last.get(name) if stale or one is None else read or last.get(name)
        found.append(Teller(name, ranks[name], stale, at, one.findings if one else ()))
    return found


def said_of(tx: Connection, person: str, order: Sequence[Teller]) -> Document:
    """What each source says of somebody, and for each field whose word counts, and why."""
    sql = (
        "SELECT s.name, r.*, c.attributes FROM records r JOIN sources s ON s.id = r.source "
        "JOIN combos c ON c.id = r.combo WHERE r.key = :key"
    )
    records = {row.name: row for row in rows(tx, sql, key=person)}
    told = [(teller, records[teller.name]) for teller in order if teller.name in records]
    return {
        "sources": [
            _standing(teller) | facts(row) | {"deleted": _is_tombstone(row)} for teller, row in told
        ],
        "counts": [_counts(each, told) for each in origins([combined(row) for _, row in told])],
    }


def _is_tombstone(row: Any) -> bool:
    return row.mark is not None and bytes(row.mark) == TOMBSTONE


def _standing(teller: Teller) -> Document:
    return {
        "source": teller.name,
        "rank": teller.rank,
        "stale": teller.stale,
        "certified_at": teller.certified_at,
        "findings": list(teller.findings),
    }


def _counts(origin: Origin, told: Sequence[tuple[Teller, Any]]) -> Document:
    """Tell of a field whose word counts, and what the others say who say something."""
    winner = told[origin.place][0]
    said = [(teller, _value(origin.field, row)) for teller, row in told]
    return {
        "field": origin.field,
        "value": said[origin.place][1],
        "source": winner.name,
        "rank": winner.rank,
        "by": str(origin.by),
        "others": [
            {"source": teller.name, "rank": teller.rank, "value": value}
            for teller, value in said
            if teller is not winner and value not in (None, [])
        ],
    }


def _value(field: str, row: Any) -> object:
    shown = facts(row)
    return shown[field] if field in shown else shown["attributes"].get(field)


def facts(row: Any) -> Document:
    """Put a record into words; `doubled` and `problem` are why somebody would be held."""
    return {
        "object_id": row.object_id,
        "employee_id": row.employee_id,
        "user_name": row.user_name,
        "mail": row.mail,
        "enabled": None if row.enabled is None else bool(row.enabled),
        **{name: _day(getattr(row, name)) for name in DAYS},
        "attributes": json.loads(row.attributes),
        "problem": row.problem,
        "doubled": bool(row.doubled),
    }


def _day(ordinal: int | None) -> str | None:
    return None if ordinal is None else date.fromordinal(ordinal).isoformat()
