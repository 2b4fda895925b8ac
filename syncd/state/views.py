"""A plan as a person reads it: in groups, with names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from syncd.state import archive
from syncd.state.database import one, rows

__all__ = ["BECAME", "Document", "Group", "PlanShown", "plan_shown", "plans_like", "user_names"]

Document = dict[str, Any]
"""What becomes a JSON object, or is put into words."""


@dataclass(frozen=True, slots=True)
class Group:
    """Things of one kind: what they have in common, how many there are, and the first of them."""

    common: tuple[str, ...]
    total: int
    first: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class PlanShown:
    """
    A plan as a person reads it: everything in groups, of each the first few.

    Changes have situation, action and what became of them in common; pending ones
    situation and reason; reports their situation; conflicts, of which only the open
    ones are here, their code.
    """

    summary: Document
    changes: tuple[Group, ...]
    adopted: Group
    pending: tuple[Group, ...]
    reports: tuple[Group, ...]
    saved: Group
    conflicts: tuple[Group, ...]
    upcoming: Group = Group((), 0, ())


# --- plans --------------------------------------------------------------------------------------


def plans_like(tx: Connection, text: str) -> list[tuple[str, str, str]]:
    """Return the saved plans whose id begins so: (id, environment, created), the newest first."""
    found = rows(
        tx,
        "SELECT id, document, created FROM plans WHERE substr(id, 1, :length) = :text "
        "ORDER BY created DESC, id",
        text=text,
        length=len(text),
    )
    plans = [(row.id, str(json.loads(row.document)["environment"]), row.created) for row in found]
    return [plan for plan in plans if plan[0] == text] or plans


def plan_shown(tx: Connection, plan: str, most: int = 20) -> PlanShown:
    """Put a plan into groups with at most *most* examples each."""
    head = archive.head(tx, plan)
    if head is None:
        raise LookupError(plan)
    summary: Document = json.loads(head.document)
    profiles = summary.pop("profiles", {})
    summary["expires"] = head.expires
    return PlanShown(
        summary=summary,
        changes=tuple(_changes(tx, plan, profiles, most)),
        adopted=_adopted(tx, head, profiles, most),
        pending=_remarks(tx, head, "pending", ("situation", "reason"), most),
        reports=_remarks(tx, head, "reports", ("situation",), most),
        saved=_all(_remarks(tx, head, "saved", (), most)),
        conflicts=_remarks(tx, head, "conflicts", ("code",), most),
        upcoming=_all(_remarks(tx, head, "upcoming", (), most)),
    )


BECAME = "CASE held WHEN 'gate' THEN 'held' ELSE COALESCE(held, result, '') END"
"""What became of a change: a result, held (by a gate), why else it waits, or nothing yet."""


def _changes(tx: Connection, plan: str, profiles: Mapping[str, str], most: int) -> Iterator[Group]:
    kinds = rows(
        tx,
        f"SELECT situation, action, {BECAME} AS became, count(*) AS number, min(number) AS lowest "
        "FROM changes WHERE plan = :plan GROUP BY 1, 2, 3 ORDER BY 1, 5",
        plan=plan,
    )
    for kind in kinds:
        found = rows(
            tx,
            "SELECT * FROM changes WHERE plan = :plan AND situation = :situation "
            f"AND action = :action AND {BECAME} = :became ORDER BY number LIMIT :most",
            plan=plan, situation=kind.situation, action=kind.action, became=kind.became, most=most,
        )  # fmt: skip
        first = tuple(_change(row, profiles) for row in found)
        yield Group((kind.situation, kind.action, kind.became), kind.number, first)


def _change(row: Any, profiles: Mapping[str, str]) -> Document:
    return {
        "person": row.person,
        "user": row.user_id,
        "user_name": row.user_name,
        "membership": row.membership,
        "profile_before": profiles.get(row.before, row.before),
        "profile_after": profiles.get(row.after, row.after),
        "reason": row.reason,
        "detail": row.detail,
    }


def _adopted(tx: Connection, head: archive.Head, profiles: Mapping[str, str], most: int) -> Group:
    if head.run is None:
        return _all(_remarks(tx, head, "adopted", (), most, profiles))
    where = "FROM links l WHERE l.env = :env AND l.run = :run AND l.origin = 'adopted'"
    total = int(one(tx, f"SELECT count(*) {where}", env=head.env, run=head.run))
    found = rows(
        tx,
        f"SELECT l.person, l.user_id, l.membership, l.profile {where} "
        "ORDER BY l.person, l.membership LIMIT :most",
        env=head.env, run=head.run, most=most,
    )  # fmt: skip
    names = user_names(tx, head.env, [row.user_id for row in found])
    first = tuple(
        {
            "person": row.person,
            "user": row.user_id,
            "user_name": names.get(row.user_id),
            "membership": row.membership,
            "profile": profiles.get(row.profile, row.profile),
        }
        for row in found
    )
    return Group((), total, first)


def _remarks(
    tx: Connection,
    head: archive.Head,
    kind: str,
    common: Sequence[str],
    most: int,
    profiles: Mapping[str, str] | None = None,
) -> tuple[Group, ...]:
    """Group the remarks of one kind by what they have in common."""
    totals: Counter[tuple[str, ...]] = Counter()
    first: dict[tuple[str, ...], list[Document]] = {}
    for body in archive.items(tx, head.id, kind):
        remark: Document = json.loads(body)
        if kind == "conflicts" and not remark["open"]:
            continue
        key = tuple(str(remark[name]) for name in common)
        totals[key] += 1
        if totals[key] <= most:
            first.setdefault(key, []).append(remark)
    users = [str(r["user"]) for group in first.values() for r in group if r.get("user")]
    names = user_names(tx, head.env, users)
    for remark in (remark for group in first.values() for remark in group):
        remark.setdefault("user_name", names.get(str(remark.get("user"))))
        if profiles is not None and "profile" in remark:
            remark["profile"] = profiles.get(remark["profile"], remark["profile"])
    return tuple(Group(key, totals[key], tuple(first[key])) for key in sorted(totals))


def _all(groups: Sequence[Group]) -> Group:
    return groups[0] if groups else Group((), 0, ())


def user_names(tx: Connection, env: int, ids: Sequence[str]) -> dict[str, str | None]:
    """Return the user names of some users."""
    sql = "SELECT user_name FROM users WHERE env = :env AND id = :id"
    return {ident: one(tx, sql, env=env, id=ident) for ident in set(ids)}
