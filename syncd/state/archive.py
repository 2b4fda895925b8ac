"""Saved plans: found again, compared, given out batch by batch, and what became of them."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

import msgspec
from sqlalchemy import Connection

from syncd.core.model import Action, Situation
from syncd.core.plan import Change
from syncd.state.database import bulk, column, one, rows, run, stream

__all__ = [
    "COLUMNS",
    "Head",
    "adoptions",
    "amend",
    "change",
    "digest",
    "export",
    "give_up",
    "head",
    "items",
    "reconsider",
    "restore",
    "restrict",
    "save",
    "tally",
    "waiting",
]

PAGE = 1000
COLUMNS = (
    "c.action, c.membership, c.user_id, c.before, c.after, c.version, c.situation, c.reason, "
    "c.person, c.user_name, c.title, c.number"
)
"""The columns of `changes c`, in the order of a Change's members."""
ACTIONS = {str(action): action for action in Action}
SITUATIONS = {str(situation): situation for situation in Situation}
"""Looked up, because making a member of a text takes longer than the rest of its change."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a plan says of itself. `config` is the digest of the configuration it was made with."""

    id: str
    env: int
    run: int | None
    created: str
    expires: str
    config: str
    digest: str
    document: str


SAME = (
    "o.action = c.action AND o.membership = c.membership "
    "AND o.user_id IS NOT DISTINCT FROM c.user_id AND o.before IS NOT DISTINCT FROM c.before "
    "AND o.after IS NOT DISTINCT FROM c.after AND o.version IS NOT DISTINCT FROM c.version"
)
"""Two changes do the same to the same row in the same state."""


def restrict(tx: Connection, plan: str, shown: str) -> None:
    """Drop from a fresh plan what the plan that was shown did not have."""
    run(
        tx,
        "DELETE FROM changes WHERE plan = :plan AND number NOT IN (SELECT c.number FROM changes c "
        f"JOIN changes o ON {SAME} WHERE c.plan = :plan AND o.plan = :shown)",
        plan=plan,
        shown=shown,
    )


def reconsider(tx: Connection, shown: str, fresh: str) -> list[Change]:
    """
    Carry over from a fresh plan what may still be done of the plan that was shown.

    Returns the changes that are no longer planned; drops the fresh plan.
    """
    run(
        tx,
        "UPDATE changes SET result = NULL, detail = NULL, held = NULL WHERE plan = :plan",
        plan=shown,
    )
    run(
        tx,
        "UPDATE changes AS c SET held = o.held FROM changes o WHERE c.plan = :shown "
        f"AND o.plan = :fresh AND o.held IS NOT NULL AND {SAME}",
        shown=shown,
        fresh=fresh,
    )
    lost = rows(
        tx,
        f"SELECT {COLUMNS} FROM changes c WHERE c.plan = :shown AND NOT EXISTS "
        f"(SELECT 1 FROM changes o WHERE o.plan = :fresh AND {SAME}) ORDER BY c.number",
        shown=shown,
        fresh=fresh,
    )
    _renew(tx, shown, fresh)
    for table in ("changes", "items"):
        run(tx, f"DELETE FROM {table} WHERE plan = :plan", plan=fresh)
    run(tx, "DELETE FROM plans WHERE id = :plan", plan=fresh)
    return [change(row) for row in lost]


def _renew(tx: Connection, shown: str, fresh: str) -> None:
    """Let the plan that was shown say what is true of today's run: gates, certificates, pending."""
    sql = "SELECT document FROM plans WHERE id = :plan"
    old, new = (json.loads(one(tx, sql, plan=plan)) for plan in (shown, fresh))
    old.update({name: new[name] for name in ("gates", "certificates")})
    document = json.dumps(old, ensure_ascii=False)
    run(tx, "UPDATE plans SET document = :new WHERE id = :plan", new=document, plan=shown)
    kinds = "kind IN ('pending', 'saved')"
    run(tx, f"DELETE FROM items WHERE plan = :plan AND {kinds}", plan=shown)
    sql = f"UPDATE items SET plan = :shown WHERE plan = :fresh AND {kinds}"
    run(tx, sql, shown=shown, fresh=fresh)


def tally(tx: Connection, plan: str) -> dict[str, int]:
    """Count the changes of a plan by what became of them; those that never left are held."""
    found = rows(
        tx,
        "SELECT CASE WHEN held IS NOT NULL THEN 'held' ELSE COALESCE(result, 'failed') END "
        "AS result, count(*) AS number FROM changes WHERE plan = :plan GROUP BY 1",
        plan=plan,
    )
    return {row.result: row.number for row in found}


def results(tx: Connection, plan: str) -> dict[tuple[str, str], int]:
    """Count the changes of a plan by action and by what became of them."""
    found = rows(
        tx,
        "SELECT action, CASE WHEN held IS NOT NULL THEN 'held' ELSE COALESCE(result, 'failed') END "
        "AS result, count(*) AS number FROM changes WHERE plan = :plan GROUP BY 1, 2",
        plan=plan,
    )
    return {(row.action, row.result): row.number for row in found}


def give_up(tx: Connection, plan: str, detail: str) -> None:
    """Note of every change that was not sent that it was not."""
    run(
        tx,
        "UPDATE changes SET result = 'failed', detail = :detail "
        "WHERE plan = :plan AND held IS NULL AND result IS NULL",
        plan=plan,
        detail=detail,
    )


def save(tx: Connection, plan: Head) -> None:
    """Save the head of a plan; its changes and remarks are there already."""
    run(
        tx,
        "INSERT INTO plans (id, env, run, created, expires, config, digest, document) "
        "VALUES (:id, :env, :run, :created, :expires, :config, :digest, :document)",
        id=plan.id, env=plan.env, run=plan.run, created=plan.created, expires=plan.expires,
        config=plan.config, digest=plan.digest, document=plan.document,
    )  # fmt: skip


def amend(tx: Connection, plan: str, facts: dict[str, Any]) -> None:
    """Let a plan say something more of itself, which is not part of what it would do."""
    document = json.loads(one(tx, "SELECT document FROM plans WHERE id = :plan", plan=plan))
    whole = json.dumps({**document, **facts}, ensure_ascii=False)
    run(tx, "UPDATE plans SET document = :whole WHERE id = :plan", whole=whole, plan=plan)


def head(tx: Connection, plan: str) -> Head | None:
    """Find a plan by its id, or by an unambiguous beginning of it."""
    found = rows(
        tx,
        "SELECT id, env, run, created, expires, config, digest, document FROM plans "
        "WHERE id = :plan OR substr(id, 1, :length) = :plan",
        plan=plan, length=len(plan),
    )  # fmt: skip
    exact = [row for row in found if row.id == plan] or found
    return Head(*exact[0]) if len(exact) == 1 else None


def digest(tx: Connection, plan: str, env: int, run_number: int) -> str:
    """Hash what a plan would do: the same for the same inputs in any order."""
    total, encode = hashlib.sha256(), msgspec.json.Encoder().encode
    for change in stream(
        tx,
        "SELECT action, person, user_id, membership, before, after, version, situation, reason "
        "FROM changes WHERE plan = :plan ORDER BY number",
        plan=plan,
    ):
        total.update(encode(tuple(change)))
    adopted = column(
        tx,
        "SELECT user_id || membership || person AS body FROM links "
        "WHERE env = :env AND run = :run AND origin = 'adopted' ORDER BY user_id, membership",
        env=env,
        run=run_number,
    )
    while page := list(islice(adopted, PAGE)):
        total.update("\n".join(page).encode())
    for kind in ("pending", "conflicts", "reports", "saved"):
        for body in items(tx, plan, kind):
            total.update(body.encode())
    return total.hexdigest()


def adoptions(tx: Connection, env: int, run_number: int) -> Iterator[dict[str, Any]]:
    """Give the rows that a run adopted."""
    for row in stream(
        tx,
        "SELECT person, user_id, membership, profile FROM links "
        "WHERE env = :env AND run = :run AND origin = 'adopted' ORDER BY person, membership",
        env=env, run=run_number,
    ):  # fmt: skip
        yield {
            "person": row.person,
            "user": row.user_id,
            "membership": row.membership,
            "profile": row.profile,
        }


def items(tx: Connection, plan: str, kind: str) -> Iterator[str]:
    """Give the remarks of one kind, as JSON."""
    sql = "SELECT body FROM items WHERE plan = :plan AND kind = :kind ORDER BY number"
    for row in stream(tx, sql, plan=plan, kind=kind):
        yield row.body


def waiting(tx: Connection, plan: str, after: int, limit: int) -> list[Change]:
    """Return changes that may be sent, numbered above *after*: not held, and without a result."""
    found = rows(
        tx,
        f"SELECT {COLUMNS} FROM changes c WHERE plan = :plan AND number > :after "
        "AND held IS NULL AND result IS NULL ORDER BY number LIMIT :limit",
        plan=plan,
        after=after,
        limit=limit,
    )
    return [change(row) for row in found]


def change(row: Sequence[Any]) -> Change:
    """Read back a change from a row that begins with `COLUMNS`."""
    return Change._make((ACTIONS[row[0]], *row[1:6], SITUATIONS[row[6]], *row[7:12]))


def export(tx: Connection, plan: str, file: IO[bytes]) -> None:
    """Write the changes and remarks of a plan to a private temporary file."""
    for table in ("changes", "items"):
        found = stream(tx, f"SELECT * FROM {table} WHERE plan = :plan", plan=plan)
        columns: tuple[str, ...] = ()
        page: list[tuple[object, ...]] = []
        for row in found:
            columns = row._fields
            page.append(tuple(row))
            if len(page) == PAGE:
                pickle.dump((table, columns, page), file)
                page = []
        if page:
            pickle.dump((table, columns, page), file)


def restore(tx: Connection, file: IO[bytes]) -> None:
    """Read back what `export` wrote; only this process has had the file."""
    file.seek(0)
    while True:
        try:
            table, columns, page = pickle.load(file)  # noqa: S301  # written by this process a moment ago
        except EOFError:
            return
        bulk(tx, table, columns, page)
