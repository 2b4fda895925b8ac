"""
Judge anew only whom something new concerns.

What statements found out about everybody else still holds. It is the same statements that
run, in a small world of those whom the news can reach, and what they find is taken home.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection

from syncd.core.settings import Policy
from syncd.state import circle, diff, hints, reach, revisions, standing
from syncd.state.database import know, run
from syncd.state.revisions import recall, remember

__all__ = ["refresh"]

FEW = 1000
SHARE = 8
"""So many are always few enough for a small world; of more, one in so many."""


def refresh(
    tx: Connection,
    env: int,
    policy: Policy,
    today: date,
    *,
    certified: bool,
    run_number: int,
    now: str,
) -> int | None:
    """
    Bring up to date who is whose user and who needs attention; adopt what is as wanted.

    Returns how many rows were adopted, or None, with nothing done, where anybody may be
    concerned: whenever other things than people, users, rows and links changed.
    """
    basis = standing.basis(tx, env, policy, today, certified=certified)
    since = _since(tx, env, basis)
    if since is None or not revisions.gather(tx, since) or not _reached(tx, env, policy):
        return None
    counts = diff.kept(tx, env)
    counts.subtract(diff.left_behind(tx, env, today))
    with circle.narrow(tx, env):
        standing.place(tx, env, policy, today, certified=certified)
        adopted = diff.adopt(tx, env, run_number, now, shown=False)
        diff.look(tx, env, today, adopted_by=run_number if adopted else None)
        counts.update(diff.left_behind(tx, env, today))
        circle.take_home(tx, env)
    remember(tx, f"standing:{env}", basis)
    diff.keep(tx, env, counts)
    return adopted


def _since(tx: Connection, env: int, basis: str) -> dict[str, int] | None:
    """Return the numbers of all inputs when everybody was judged; None if that does not hold."""
    before, listed = recall(tx, f"standing:{env}"), diff.listed(tx, env)
    if not before or listed is None or listed[0] != before:
        return None
    inputs, _, terms = before.partition(";")
    if terms != basis.partition(";")[2]:
        return None
    # Links may have changed between the two: what is older counts.
    return {**revisions.known(listed[1]), **revisions.known(inputs)}


def _reached(tx: Connection, env: int, policy: Policy) -> bool:
    """List in `circle` and `around` whom the news can reach; False if they are too many."""
    reach.begin(tx)
    for table, kind in (("circle", "p:"), ("around", "u:")):
        run(
            tx,
            f"INSERT INTO {table} SELECT substr(subject, 3), 0 FROM concerned "
            f"WHERE subject LIKE '{kind}%'",
        )
    most = max(FEW, sum(diff.kept(tx, env).values()) // SHARE)
    if not reach.spread(tx, env, hints.fields(tx, env, policy.match), most):
        return False
    know(tx, "circle", "around")
    return True
