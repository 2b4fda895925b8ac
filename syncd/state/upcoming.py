"""Whose days are to come: set-wise statements find them, and say whose turn it is on a day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from syncd.core.model import Situation
from syncd.core.settings import Policy
from syncd.state import reach
from syncd.state.cases import lay_attention
from syncd.state.database import bulk, one, rows, run, scratch

__all__ = [
    "SEEN_TWICE",
    "Span",
    "Turn",
    "attend",
    "begin",
    "connect",
    "disconnect",
    "gather",
    "known_since",
    "later",
    "meet",
    "unjudge",
    "widen",
]

SEEN_TWICE = (Situation.VANISHED, Situation.UNASSIGNED)
"""Situations that a second day may have to confirm."""
EXPLAINING = ("finds", "standing")
NOBODY = " AND ".join(
    f"NOT EXISTS (SELECT 1 FROM {found} s WHERE s.env = :env AND s.user_id = c.user_id)"
    for found in EXPLAINING
)
"""Nobody explains the user of `c`."""
Turn = tuple[str | None, str | None, date]
"""A person, or a user whom nobody explains, and the day on which to look at them."""


@dataclass(frozen=True, slots=True)
class Span:
    """Days after `today` up to `last`; dates behind `since`, when both sides were read, count."""

    since: date
    today: date
    last: date


def known_since(tx: Connection, env: int) -> date | None:
    """Return the day on which both sides were last read and judged; None if never."""
    sql = (
        "SELECT max(started) FROM runs WHERE env = :env AND plan IS NOT NULL "
        "AND EXISTS (SELECT 1 FROM meta WHERE name = :judged)"
    )
    found = one(tx, sql, env=env, judged=f"standing:{env}")
    return None if found is None else date.fromisoformat(found[:10])


# --- whose days they are --------------------------------------------------------------------


def gather(tx: Connection, env: int, policy: Policy, span: Span, *, anyone: bool) -> None:
    """
    List in `coming` who has a day in *span*: first and last days, graces, second sightings, holds.

    People whom no rule gives anything and who have nothing are left out, unless *anyone*
    may be given something by a rule that looks at the day.
    """
    scratch(tx, "coming", "person TEXT, user_id TEXT, day INTEGER")
    _dated(tx, env, policy, span, anyone=anyone)
    bulk(tx, "coming", ("person", "user_id", "day"), _waiting(tx, env, span))
    bulk(tx, "coming", ("person", "user_id", "day"), _held(tx, env, span))


def _dated(tx: Connection, env: int, policy: Policy, span: Span, *, anyone: bool) -> None:
    """People who start or have left on some day of the span; the people are read once."""
    values = {"since": span.since.toordinal(), "last": span.last.toordinal()}
    first, after = f"p.starts_on - {int(policy.lead_days)}", "p.leaves_on + 1"
    within = "({} > :since AND {} <= :last)"
    scratch(tx, "dated", "person TEXT, combo INTEGER, first_day INTEGER, day_after INTEGER")
    run(
        tx,
        f"INSERT INTO dated SELECT p.key, p.combo, {first}, {after} FROM people p "
        f"WHERE {within.format(first, first)} OR {within.format(after, after)}",
        **values,
    )
    concerned = (
        "EXISTS (SELECT 1 FROM answers a WHERE a.env = :env AND a.combo = d.combo "
        "AND (a.reference IS NOT NULL OR a.error IS NOT NULL)) OR EXISTS (SELECT 1 FROM links l "
        "WHERE l.env = :env AND l.person = d.person AND l.ended IS NULL)"
    )
    for day in ("d.first_day", "d.day_after"):
        among = "true" if anyone else concerned
        known = values if anyone else {**values, "env": env}
        run(
            tx,
            f"INSERT INTO coming SELECT d.person, NULL, {day} FROM dated d "
            f"WHERE {within.format(day, day)} AND ({among})",
            **known,
        )


def _waiting(tx: Connection, env: int, span: Span) -> list[tuple[str | None, str | None, int]]:
    """Subjects whose removal falls due in the span, or waits to be seen a second time."""
    twice = ", ".join(f"'{situation}'" for situation in SEEN_TWICE)
    found = rows(
        tx,
        "SELECT subject, due FROM sightings WHERE env = :env AND "
        f"(due > :today AND due <= :last OR due IS NULL AND situation IN ({twice}))",
        env=env,
        today=span.today.isoformat(),
        last=span.last.isoformat(),
    )
    return [(*_who(row.subject), _ordinal(row.due, span)) for row in found]


def _who(subject: str) -> tuple[str | None, str | None]:
    kind, _, ident = subject.partition(":")
    return (ident, None) if kind == "p" else (None, ident)


def _ordinal(due: str | None, span: Span) -> int:
    day = span.today if due is None else date.fromisoformat(due)
    return day.toordinal()


def _held(tx: Connection, env: int, span: Span) -> list[tuple[None, str, int]]:
    """Users whom an operator's hold lets go in the span."""
    found = rows(
        tx,
        "SELECT subject, until FROM decisions WHERE env = :env AND kind = 'hold' "
        "AND ended IS NULL AND until >= :today AND until < :last",
        env=env,
        today=span.today.isoformat(),
        last=span.last.isoformat(),
    )
    return [(None, row.subject, date.fromisoformat(row.until).toordinal() + 1) for row in found]


def meet(tx: Connection, most: int | None) -> int:
    """Count who is coming, and keep only the *most* whose days are the first."""
    who = "COALESCE('p:' || person, 'u:' || user_id)"
    number = int(one(tx, f"SELECT count(DISTINCT {who}) FROM coming"))
    if most is not None and number > most:
        run(
            tx,
            f"DELETE FROM coming WHERE {who} NOT IN (SELECT {who} FROM coming "
            "GROUP BY 1 ORDER BY min(day), 1 LIMIT :most)",
            most=most,
        )
    return number


# --- from day to day ------------------------------------------------------------------------


def begin(tx: Connection) -> None:
    """Let the small world begin with those who are coming."""
    reach.begin(tx)
    for table, name in (("circle", "person"), ("around", "user_id")):
        coming = f"SELECT DISTINCT {name}, 0 FROM coming WHERE {name} IS NOT NULL"
        run(tx, f"INSERT INTO {table} {coming}")


def unjudge(tx: Connection, env: int) -> None:
    """Let it be open who is whose user in the small world."""
    run(tx, "DELETE FROM meta WHERE name = :name", name=f"standing:{env}")


def later(tx: Connection, after: date | None) -> date | None:
    """Return the first day after *after* on which anybody's turn comes."""
    found = one(
        tx,
        "SELECT min(day) FROM coming WHERE day > :after",
        after=after.toordinal() if after else 0,
    )
    return None if found is None else date.fromordinal(found)


def widen(tx: Connection, turns: Iterable[Turn]) -> None:
    """Let people (or users whom nobody explains) have a turn on further days."""
    bulk(
        tx,
        "coming",
        ("person", "user_id", "day"),
        ((person, user, day.toordinal()) for person, user, day in turns),
    )


def connect(tx: Connection, env: int, day: date) -> None:
    """Let the users whom people of a day explain have their turn, too: that may be over then."""
    scratch(tx, "explained", "user_id TEXT")
    for found in EXPLAINING:
        run(
            tx,
            f"INSERT INTO coming SELECT DISTINCT NULL, f.user_id, c.day FROM coming c "
            f"JOIN {found} f ON f.env = :env AND f.person = c.person WHERE c.day = :day",
            env=env,
            day=day.toordinal(),
        )
        run(tx, f"INSERT INTO explained SELECT user_id FROM {found} WHERE env = :env", env=env)


def disconnect(tx: Connection, env: int, day: date) -> None:
    """Let users have their turn, too, whom nobody explains any more for what became of others."""
    run(
        tx,
        f"INSERT INTO coming SELECT DISTINCT NULL, c.user_id, :day FROM explained c WHERE {NOBODY}",
        env=env,
        day=day.toordinal(),
    )


def attend(tx: Connection, env: int, day: date | None) -> int:
    """Number whose turn it is on *day*, everybody's if it is None, and return how many."""
    turn = "c.day = :day" if day else "true"
    lay_attention(tx)
    run(
        tx,
        "INSERT INTO attention SELECT row_number() OVER (ORDER BY q.kind, q.person, q.user_id), "
        "q.kind, q.person, q.user_id, NULL FROM ("
        "SELECT 'person' AS kind, c.person AS person, s.user_id AS user_id FROM coming c "
        "LEFT JOIN standing s ON s.env = :env AND s.person = c.person "
        f"WHERE c.person IS NOT NULL AND {turn} UNION "
        "SELECT 'person', s.person, s.user_id FROM coming c "
        f"JOIN standing s ON s.env = :env AND s.user_id = c.user_id WHERE {turn} UNION "
        f"SELECT 'user', NULL, c.user_id FROM coming c WHERE c.person IS NULL AND {turn} "
        f"AND {NOBODY}) q",
        env=env,
        **({"day": day.toordinal()} if day else {}),
    )
    return int(one(tx, "SELECT count(*) FROM attention"))
