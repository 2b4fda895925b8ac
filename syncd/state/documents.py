"""Plans as JSON (behaviour.md section 8), given out piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection

from syncd.state import archive
from syncd.state.database import rows, stream

__all__ = ["adopted", "changes", "plan_json", "plan_summary", "remarks"]


def plan_summary(tx: Connection, plan: str) -> dict[str, Any]:
    """Return what a plan says of itself: situations, gates, certificates, names of profiles."""
    found = rows(tx, "SELECT document FROM plans WHERE id = :plan", plan=plan)
    summary: dict[str, Any] = json.loads(found[0].document)
    return summary


def changes(tx: Connection, plan: str, profiles: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Give the changes of a plan in canonical order, profiles by name."""
    for row in stream(tx, "SELECT * FROM changes WHERE plan = :plan ORDER BY number", plan=plan):
        yield {
            "action": row.action,
            "person": row.person,
            "user": row.user_id,
            "user_name": row.user_name,
            "membership": row.membership,
            "profile_before": profiles.get(row.before, row.before),
            "profile_after": profiles.get(row.after, row.after),
            "situation": row.situation,
            "reason": row.reason,
            "held": row.held,
            "result": row.result,
            "detail": row.detail,
        }


def adopted(tx: Connection, plan: str, profiles: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Give the rows that a plan adopts, profiles by name."""
    head = archive.head(tx, plan)
    found: Iterable[dict[str, Any]]
    if head is None or head.run is None:
        found = (json.loads(body) for body in archive.items(tx, plan, "adopted"))
    else:
        found = archive.adoptions(tx, head.env, head.run)
    for body in found:
        yield {**body, "profile": profiles.get(body["profile"], body["profile"])}


def remarks(tx: Connection, plan: str, kind: str) -> Iterator[dict[str, Any]]:
    """Give the remarks of one kind: pending, reports, saved, conflicts, upcoming."""
    for body in archive.items(tx, plan, kind):
        yield json.loads(body)


def plan_json(tx: Connection, plan: str) -> Iterator[str]:
    """Give a plan as one JSON document, in pieces that never hold all of it."""
    summary = plan_summary(tx, plan)
    profiles = summary.pop("profiles")
    head = {name: summary[name] for name in summary if name not in ("gates", "certificates")}
    yield json.dumps(head, ensure_ascii=False)[:-1]
    planned = (
        {k: v for k, v in c.items() if k not in OUTCOME} for c in changes(tx, plan, profiles)
    )
    yield from _list("changes", planned)
    yield from _list("adopted", adopted(tx, plan, profiles))
    for kind in ("pending", "reports", "saved", "conflicts"):
        yield from _list(kind, remarks(tx, plan, kind))
    if "upcoming_until" in summary:
        yield from _list("upcoming", remarks(tx, plan, "upcoming"))
    yield from _list("gates", summary["gates"])
    yield from _list("certificates", summary["certificates"])
    yield "}"


OUTCOME = ("held", "result", "detail")
"""What became of a change; a plan is the same before and after."""


def _list(name: str, bodies: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield f', "{name}": ['
    for place, body in enumerate(bodies):
        yield (", " if place else "") + json.dumps(body, ensure_ascii=False)
    yield "]"
