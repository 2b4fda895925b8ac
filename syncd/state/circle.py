"""
A small world in which days to come can be lived through.

Temporary tables stand before those of the state database and hold a few people only, with
all who have to do with their users: what judges a run judges them, and what it would do is
done to the copies.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import date

from sqlalchemy import Connection

from syncd.core.case import Decision, Step
from syncd.core.decide import GRACEFUL
from syncd.core.model import Action, Origin, Rung
from syncd.state.cases import Subject
from syncd.state.database import Database, Tx, bulk, many, one, run

__all__ = ["MADE", "apart", "live", "narrow", "take_home"]


@contextlib.contextmanager
def apart(database: Database) -> Iterator[Tx]:
    """Open a transaction that leaves nothing behind and, on SQLite, waits for nobody."""
    opened = database.read() if database.sqlite else database.rehearse()
    with opened as tx:
        for name in ("meta", "news", "answers"):
            _shadow(tx, name)
        yield tx


WORLD = {
    "people": "key IN (SELECT person FROM circle)",
    "users": "env = :env AND id IN (SELECT user_id FROM around)",
    "links": "env = :env AND user_id IN (SELECT user_id FROM around)",
    "memberships": "env = :env AND user_id IN (SELECT user_id FROM around)",
    "team_profiles": "env = :env AND user_id IN (SELECT user_id FROM around)",
    "sightings": (
        "env = :env AND (subject IN (SELECT 'p:' || person FROM circle) "
        "OR subject IN (SELECT 'u:' || user_id FROM around))"
    ),
    "losses": "env = :env AND person IN (SELECT person FROM circle)",
    "doubles": "key IN (SELECT person FROM circle)",
    "standing": "false",
    "stranded": "false",
    "finds": "false",
    "yields": "false",
    "attended": "false",
}
KEYS = {
    "meta": ("meta_name", "name"),
    "news": ("news_subject", "what, revision, subject"),
    "answers": ("answers_combo", "env, combo"),
    "sightings": ("sightings_subject", "env, subject"),
    "links": ("links_membership", "env, user_id, membership"),
    "memberships": ("memberships_id", "env, user_id, id"),
}
"""Keys by which rows of the small world are written again."""


@contextlib.contextmanager
def narrow(tx: Connection, env: int, *written: str) -> Iterator[None]:
    """
    Let only those be there who are in `circle` and `around`.

    What is *written* to these further tables is forgotten at the end, too.
    """
    shadowed = [name for name in written if not _shadowed(tx, name)]
    for name in (*shadowed, *WORLD):
        _shadow(tx, name, WORLD.get(name, "true"), env)
    for name in ("standing", "links"):
        run(tx, f"CREATE INDEX {name}_person ON {name} (env, person)")
    _forget_plans(tx)
    yield  # after an error the transaction ends, and takes the small world with it
    for name in (*shadowed, *WORLD):
        run(tx, f"DROP TABLE {_temporary(tx)}.{name}")
    _forget_plans(tx)


def take_home(tx: Connection, env: int) -> None:
    """Let what became of everybody in the small world be so in the large one."""
    home = "main" if tx.dialect.name == "sqlite" else str(one(tx, "SELECT current_schema()"))
    around = "env = :env AND user_id IN (SELECT user_id FROM around)"
    circle = "env = :env AND person IN (SELECT person FROM circle)"
    for name in ("standing", "finds", "yields", "links", "stranded"):
        among = circle if name == "stranded" else around
        run(tx, f"DELETE FROM {home}.{name} WHERE {among}", env=env)
        run(tx, f"INSERT INTO {home}.{name} SELECT * FROM {name}")
    names = "env, kind, person, user_id, husk"
    listed = f"kind = 'husk' OR {circle} OR kind <> 'person' AND {around}"
    run(tx, f"DELETE FROM {home}.attended WHERE env = :env AND ({listed})", env=env)
    run(tx, f"INSERT INTO {home}.attended ({names}) SELECT {names} FROM attended")


def _temporary(tx: Connection) -> str:
    return "temp" if tx.dialect.name == "sqlite" else "pg_temp"


def _shadowed(tx: Connection, name: str) -> bool:
    if tx.dialect.name == "sqlite":
        sql = "SELECT 1 FROM temp.sqlite_schema WHERE name = :name"
    else:
        sql = "SELECT 1 FROM pg_class WHERE relname = :name AND relnamespace = pg_my_temp_schema()"
    return one(tx, sql, name=name) is not None


def _shadow(tx: Connection, name: str, where: str = "true", env: int | None = None) -> None:
    """Put a temporary table before one of ours: a name alone means the temporary one first."""
    origin = f"main.{name}" if tx.dialect.name == "sqlite" else name
    sql = f"CREATE TEMP TABLE {name} AS SELECT * FROM {origin} WHERE {where}"
    run(tx, sql, **({"env": env} if ":env" in sql else {}))
    if name in KEYS:
        index, columns = KEYS[name]
        run(tx, f"CREATE UNIQUE INDEX {index} ON {name} ({columns})")


def _forget_plans(tx: Connection) -> None:
    """Let statements that were prepared before mean the tables that are there now."""
    if tx.dialect.name == "sqlite":
        if not _shadowed(tx, "no_rows"):
            # What is expected of an index that is made anew must not be written to the database.
            tx.exec_driver_sql("CREATE TEMP TABLE no_rows (value)")
            tx.exec_driver_sql("ANALYZE temp.no_rows")
    else:
        tx.exec_driver_sql("DISCARD PLANS")


# --- what is done there ---------------------------------------------------------------------

MADE = "made on "
"""Begins the place of an id in rows that are only made in the small world."""
ORIGINS = {
    Action.CREATE: Origin.CREATED,
    Action.MOVE: Origin.MOVED,
    Action.REACTIVATE: Origin.REACTIVATED,
}
LINK = ("env", "user_id", "membership", "person", "rung", "origin", "profile", "run", "since")


def live(tx: Connection, env: int, decided: Sequence[tuple[Subject, Decision]], day: date) -> None:
    """Do what was decided about some cases, and remember what a run would of that day."""
    steps = [(subject, step) for subject, decision in decided for step in decision.steps]
    _do(tx, env, steps, day)
    _link(tx, env, decided, day)
    _sight(tx, env, decided)
    lost = {
        subject.case.person
        for subject, decision in decided
        if decision.situation in GRACEFUL and any(step.action.removes for step in decision.steps)
    }
    at = f"{day.isoformat()}T00:00:00Z"
    bulk(tx, "losses", ("env", "person", "at"), ((env, who, at) for who in lost if who is not None))


def _user(subject: Subject, step: Step) -> str | None:
    if step.row is not None:
        return step.row.user
    return subject.case.user.id if subject.case.user else None


def _row(subject: Subject, step: Step, day: date) -> str:
    """Name the row of a step; one that is to be made has no id yet."""
    return step.row.id if step.row is not None else f"{MADE}{day} {subject.key}"


def _do(tx: Connection, env: int, steps: Sequence[tuple[Subject, Step]], day: date) -> None:
    where = "WHERE env = ? AND user_id = ? AND id = ?"
    made = [(env, _user(s, t), _row(s, t, day), "", t.after, 1, 0, "9999") for s, t in steps
            if t.action is Action.CREATE]  # fmt: skip
    whole = ("env", "user_id", "id", "version", "profile", "active", "flagged", "created_on")
    bulk(tx, "memberships", whole, made)
    given = [(t.after, env, _user(s, t), _row(s, t, day)) for s, t in steps
             if t.action in (Action.MOVE, Action.REACTIVATE)]  # fmt: skip
    many(tx, f"UPDATE memberships SET profile = ?, active = 1 {where}", given)
    for action, change in CHANGES.items():
        named = [(env, _user(s, t), _row(s, t, day)) for s, t in steps if t.action is action]
        many(tx, f"{change} {where}", named)


CHANGES = {
    Action.REMOVE: "DELETE FROM memberships",
    Action.DEACTIVATE: "UPDATE memberships SET active = 0",
    Action.FLAG: "UPDATE memberships SET flagged = 1",
    Action.UNFLAG: "UPDATE memberships SET flagged = 0",
}


def _link(tx: Connection, env: int, decided: Sequence[tuple[Subject, Decision]], day: date) -> None:
    """Link what became ours, and end the links of what did not stay."""
    gained = [link for subject, decision in decided for link in _gains(subject, decision, day)]
    gone = [(link[0], link[1]) for link in gained]
    gone += [(link.user, link.membership) for _, d in decided for link in d.ended]
    gone += [
        (_user(subject, step), _row(subject, step, day))
        for subject, decision in decided
        for step in decision.steps
        if step.action.removes
    ]
    where = "WHERE env = ? AND user_id = ? AND membership = ?"
    many(tx, f"DELETE FROM links {where}", [(env, *link) for link in gone])
    bulk(tx, "links", LINK, [(env, *link, 0, day.isoformat()) for link in gained])


def _gains(
    subject: Subject, decision: Decision, day: date
) -> Iterator[tuple[str | None, str, str | None, str, str, str | None]]:
    """Give the links that a decision makes: user, row, person, rung, origin, profile."""
    rung, person = str(subject.rung or Rung.HAND), subject.case.person
    for row in decision.adopted:
        yield row.user, row.id, person, rung, str(Origin.ADOPTED), row.profile
    for step in decision.steps:
        if step.action in ORIGINS:
            user, made = _user(subject, step), _row(subject, step, day)
            yield user, made, person, rung, str(ORIGINS[step.action]), step.after


def _sight(tx: Connection, env: int, decided: Sequence[tuple[Subject, Decision]]) -> None:
    """Put each sighting in place of the one before; whom nothing is noted of is forgotten."""
    seen = [(env, subject.key) for subject, _ in decided]
    many(tx, "DELETE FROM sightings WHERE env = ? AND subject = ?", seen)
    bulk(
        tx,
        "sightings",
        ("env", "subject", "situation", "first", "second", "due"),
        [
            (env, subject.key, str(s.situation), *map(_text, (s.first, s.second, s.due)))
            for subject, decision in decided
            if (s := decision.sighting) is not None
        ],
    )


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
