"""Take back what stands under a number or for a person: passes, and rows that are remembered."""

from __future__ import annotations

from sqlalchemy import Connection

from syncd.state.database import rows, run
from syncd.state.decisions import use
from syncd.state.journal import note
from syncd.state.revisions import touch

__all__ = ["forget_links", "revoke"]


def revoke(tx: Connection, number: int, *, reason: str, who: str, now: str) -> str | None:
    """Take an open pass back, also in the audit log; return its scope, None if there is none."""
    found = rows(
        tx,
        "SELECT env, subject FROM decisions WHERE id = :id AND kind = 'pass' AND ended IS NULL",
        id=number,
    )
    if not found:
        return None
    use(tx, number, now, f"withdrawn by {who}: {reason}")
    touch(tx, "decisions")
    note(tx, now, who, "pass withdrawn", f"{found[0].subject}: {reason}", env=found[0].env)
    return str(found[0].subject)


def forget_links(tx: Connection, env: int, person: str, *, reason: str, who: str, now: str) -> int:
    """End what is remembered of a person's rows, also in the audit log; return how many."""
    ended = run(
        tx,
        "UPDATE links SET ended = :now, why = :why "
        "WHERE env = :env AND person = :person AND ended IS NULL",
        now=now, why=f"withdrawn by {who}: {reason}", env=env, person=person,
    )  # fmt: skip
    if ended:
        touch(tx, f"links:{env}", [f"p:{person}"])
        what = "1 link withdrawn" if ended == 1 else f"{ended} links withdrawn"
        note(tx, now, who, what, reason, env=env, person=person)
    return ended
