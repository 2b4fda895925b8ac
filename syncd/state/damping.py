"""
Whom damping holds, and whom else they explain.

That somebody would lose the row once too often is known only when they are decided about, after
it was written down who explains whom. Few lose a row twice within the window, so they are
decided about before all others.
"""

from __future__ import annotations

from sqlalchemy import Connection

from syncd.core.case import WINDOW, Context
from syncd.core.decide import decide
from syncd.core.model import Situation, iso
from syncd.state import hints
from syncd.state.cases import cases, lay_attention
from syncd.state.database import bulk, column, run, scratch
from syncd.state.seeking import seek_only

__all__ = ["damp", "spare", "spared", "write"]


def damp(tx: Connection, env: int, context: Context) -> None:
    """
    List in `spared` whom those find on any rung whom damping holds.

    Must come before the cases are numbered: `attention` is another's afterwards.
    """
    scratch(tx, "spared", "user_id TEXT, person TEXT, PRIMARY KEY (user_id, person)")
    held = _held(tx, env, context)
    if not held:
        return
    scratch(tx, "damped", "person TEXT PRIMARY KEY")
    bulk(tx, "damped", ("person",), ((person,) for person in held))
    seek_only(tx, env, "damped", hints.fields(tx, env, context.policy.match))
    run(tx, "INSERT INTO spared SELECT DISTINCT user_id, person FROM hits")


def spare(tx: Connection) -> None:
    """Let users who would need attention because nobody explains them be explained by these."""
    run(
        tx,
        "UPDATE attention SET kind = 'note' "
        "WHERE kind = 'user' AND user_id IN (SELECT user_id FROM spared)",
    )


def write(tx: Connection, env: int) -> None:
    """Write it down as other finds are, in a transaction that leaves nothing behind."""
    run(
        tx,
        "INSERT INTO finds (env, user_id, person) SELECT :env, user_id, person FROM spared "
        "WHERE true ON CONFLICT DO NOTHING",
        env=env,
    )


def spared(tx: Connection) -> list[str]:
    """Users whom somebody explains whom damping holds."""
    return [str(user) for user in column(tx, "SELECT DISTINCT user_id FROM spared ORDER BY 1")]


def _held(tx: Connection, env: int, context: Context) -> list[str]:
    """Decide about everybody who lost a row twice of late, and return whom that holds."""
    scratch(tx, "losing", "person TEXT PRIMARY KEY")
    losing = run(
        tx,
        "INSERT INTO losing SELECT person FROM losses WHERE env = :env AND at > :since "
        "GROUP BY person HAVING count(*) > 1",
        env=env,
        since=iso(context.now - WINDOW),
    )
    if not losing:
        return []
    lay_attention(tx)
    run(
        tx,
        "INSERT INTO attention SELECT row_number() OVER (ORDER BY q.person), 'person', q.person, "
        "q.user_id, NULL FROM (SELECT s.person, s.user_id FROM losing x CROSS JOIN standing s "
        "WHERE s.env = :env AND s.person = x.person UNION ALL SELECT s.person, NULL "
        "FROM losing x CROSS JOIN stranded s WHERE s.env = :env AND s.person = x.person) q",
        env=env,
    )
    return [
        subject.case.person
        for chunk in cases(tx, env, context)
        for subject in chunk
        if subject.case.person is not None
        and subject.case.hold is None
        and decide(subject.case, context).situation is Situation.HELD
    ]
