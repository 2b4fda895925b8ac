"""Runs: when, with what result; and how long all of it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncd.core.case import WINDOW
from syncd.core.certificate import Certificate
from syncd.core.model import iso
from syncd.state.database import bulk, one, rows, run

__all__ = ["begin_run", "certify_run", "end_run", "purge"]


SENT, UNSENT = 2, 70
"""How a run that was killed is recorded to have ended (behaviour.md §9): had it sent anything?"""
LOST = "it was interrupted, and never came to its end"
"""What is put on record as the problem of a run whose process was killed."""
UNSETTLED = "(SELECT run FROM journal WHERE settled IS NULL)"
LAST = (
    "(SELECT max(id) FROM runs GROUP BY env UNION "
    "SELECT max(r.id) FROM certificates c JOIN runs r ON r.id = c.run GROUP BY r.env)"
)
"""Of each environment the last run, and the last one that judged its sources."""


def begin_run(tx: Connection, env: int, command: str, now: str) -> int:
    """
    Note that a run begins, and return its number.

    Call it under the lease of the environment: whatever run is unfinished by then was killed,
    and is closed here, since nobody else will ever do it.
    """
    run(
        tx,
        "UPDATE runs SET finished = :now, document = :document, exit_code = "
        "CASE WHEN id IN (SELECT run FROM journal WHERE env = :env) THEN :sent ELSE :unsent END "
        "WHERE env = :env AND finished IS NULL",
        env=env, now=now, document=json.dumps({"problem": LOST}), sent=SENT, unsent=UNSENT,
    )  # fmt: skip
    run(
        tx,
        "INSERT INTO runs (env, command, started) VALUES (:env, :command, :now)",
        env=env, command=command, now=now,
    )  # fmt: skip
    return int(one(tx, "SELECT max(id) FROM runs WHERE env = :env", env=env))


def end_run(
    tx: Connection, number: int, now: str, plan: str | None, code: int, document: Mapping[str, Any]
) -> None:
    """Note how a run ended."""
    run(
        tx,
        "UPDATE runs SET finished = :now, plan = :plan, exit_code = :code, document = :document "
        "WHERE id = :id",
        now=now, plan=plan, code=code, document=json.dumps(document, ensure_ascii=False), id=number,
    )  # fmt: skip


def certify_run(tx: Connection, number: int, certificates: list[Certificate]) -> None:
    """Keep the certificates of a run."""
    bulk(
        tx,
        "certificates",
        ("run", "source", "certified", "rows", "findings", "notes"),
        (
            (number, c.source, int(c.certified), c.rows, _listed(c.findings), _listed(c.notes))
            for c in certificates
        ),
    )


def _listed(sentences: Sequence[str]) -> str:
    return json.dumps(list(sentences), ensure_ascii=False)


def purge(tx: Connection, now: datetime, keep: Mapping[str, int]) -> None:
    """Delete what is older than the configuration keeps, in days; never what is unsettled."""
    plans = iso(now - timedelta(days=keep["plans"]))
    runs = iso(now - timedelta(days=keep["runs"]))
    audit = iso(now - timedelta(days=keep["audit"]))
    unsettled = "(SELECT plan FROM journal WHERE settled IS NULL)"
    old = [
        row.id
        for row in rows(
            tx,
            f"SELECT id FROM plans WHERE created < :then AND id NOT IN {unsettled}",
            then=plans,
        )
    ]
    for plan in old:
        for table in ("changes", "items"):
            run(tx, f"DELETE FROM {table} WHERE plan = :plan", plan=plan)
        run(tx, "DELETE FROM plans WHERE id = :plan", plan=plan)
    run(tx, "DELETE FROM journal WHERE settled < :then", then=runs)
    # Numbers are stamped on rows and named by links: the last one stays, so that none comes again.
    # What the last one found about its sources stays, too: it is what holds today.
    run(
        tx,
        f"DELETE FROM runs WHERE finished < :then AND id NOT IN {LAST} AND id NOT IN {UNSETTLED}",
        then=runs,
    )
    run(tx, "DELETE FROM certificates WHERE run NOT IN (SELECT id FROM runs)")
    run(tx, "DELETE FROM audit WHERE at < :then", then=audit)
    _forget(tx, iso(now - max(timedelta(days=keep["runs"]), WINDOW)))


def _forget(tx: Connection, then: str) -> None:
    """Delete flags and losses that nothing is judged by any more."""
    run(tx, "DELETE FROM losses WHERE at < :then", then=then)
    # The last entry of a row tells whose its flag is, as long as there is the row.
    run(
        tx,
        "DELETE FROM flags WHERE at < :then AND (EXISTS (SELECT 1 FROM flags n "
        "WHERE n.env = flags.env AND n.membership = flags.membership AND n.id > flags.id) OR "
        + " AND ".join(
            f"NOT EXISTS (SELECT 1 FROM {table} r "
            "WHERE r.env = flags.env AND r.id = flags.membership)"
            for table in ("memberships", "husks")
        )
        + ")",
        then=then,
    )
