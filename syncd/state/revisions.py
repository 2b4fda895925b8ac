"""
What has changed since something was last computed, and whom it concerns.

Each input of a set-wise computation has a number that grows when the input changes.
A result that was computed from the same numbers is still right. Where a change says whom it
concerns, a result from earlier numbers is still right for everybody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from syncd.state.database import bulk, one, rows, run, scratch

__all__ = ["gather", "known", "numbers", "recall", "remember", "touch", "touch_from"]

EVERYBODY = "*"
"""The subject of a change that may concern anybody."""
MEMORY = 1000
"""Of how many last changes of an input it is known whom they concerned."""
MOST = 50_000
"""A change that concerns more is said to concern everybody."""


def touch(tx: Connection, what: str, subjects: Iterable[str] | None = None) -> None:
    """
    Note that an input changed.

    *subjects* are whom that concerns: a person `p:KEY`, a user `u:ID`, or whomever the
    changes of a plan name, `plan:ID`. Without them it may concern anybody.
    """
    number = _advance(tx, what)
    named = None if subjects is None else set(subjects)
    if named is None or len(named) > MOST:
        _concern_everybody(tx, what, number)
        return
    bulk(tx, "news", ("what", "revision", "subject"), ((what, number, s) for s in sorted(named)))


def touch_from(tx: Connection, what: str, subjects: str, number: int) -> None:
    """Note likewise that an input changed; *subjects* is SQL that gives *number* different ones."""
    revision = _advance(tx, what)
    if number > MOST:
        _concern_everybody(tx, what, revision)
        return
    sql = (
        f"INSERT INTO news (what, revision, subject) SELECT :what, :number, q.* FROM ({subjects}) q"
    )
    run(tx, sql, what=what, number=revision)


def _advance(tx: Connection, what: str) -> int:
    number = int(
        one(
            tx,
            "INSERT INTO meta (name, value) VALUES (:name, '1') ON CONFLICT (name) "
            "DO UPDATE SET value = CAST(CAST(meta.value AS INTEGER) + 1 AS TEXT) RETURNING value",
            name=f"revision:{what}",
        )
    )
    forgotten = "DELETE FROM news WHERE what = :what AND revision <= :number"
    run(tx, forgotten, what=what, number=number - MEMORY)
    return number


def _concern_everybody(tx: Connection, what: str, number: int) -> None:
    """Who was concerned before is among them."""
    run(tx, "DELETE FROM news WHERE what = :what", what=what)
    bulk(tx, "news", ("what", "revision", "subject"), [(what, number, EVERYBODY)])


def numbers(tx: Connection, *what: str) -> str:
    """Return the numbers of some inputs as one text."""
    return ",".join(f"{name}={recall(tx, f'revision:{name}') or 0}" for name in what)


def known(text: str) -> dict[str, int]:
    """Read back what `numbers` returned."""
    pairs = (each.rpartition("=") for each in text.split(","))
    return {what: int(number) for what, _, number in pairs}


def gather(tx: Connection, since: Mapping[str, int]) -> bool:
    """
    List in the temporary table `concerned` whom changes concerned that were made *since*.

    Returns False if that may be anybody.
    """
    scratch(tx, "concerned", "subject TEXT PRIMARY KEY")
    for what, number in since.items():
        now = int(recall(tx, f"revision:{what}") or "0")
        if now == number:
            continue
        if not now - MEMORY < number < now:
            return False
        sql = "SELECT 1 FROM news WHERE what = :what AND revision > :number AND subject = :subject"
        if one(tx, sql, what=what, number=number, subject=EVERYBODY):
            return False
        run(
            tx,
            "INSERT INTO concerned SELECT DISTINCT subject FROM news "
            "WHERE what = :what AND revision > :number ON CONFLICT DO NOTHING",
            what=what,
            number=number,
        )
    return _follow_plans(tx)


def _follow_plans(tx: Connection) -> bool:
    """Put in place of plans whom their changes name; False if one is not there any more."""
    found = rows(tx, "SELECT subject FROM concerned WHERE subject LIKE 'plan:%'")
    for plan in (row.subject.removeprefix("plan:") for row in found):
        if not one(tx, "SELECT 1 FROM plans WHERE id = :plan", plan=plan):
            return False
        run(
            tx,
            "INSERT INTO concerned SELECT DISTINCT 'p:' || person FROM changes "
            "WHERE plan = :plan AND person IS NOT NULL UNION "
            "SELECT DISTINCT 'u:' || user_id FROM changes "
            "WHERE plan = :plan AND user_id IS NOT NULL ON CONFLICT DO NOTHING",
            plan=plan,
        )
    return True


def recall(tx: Connection, name: str) -> str | None:
    """Return what was remembered under a name."""
    found = one(tx, "SELECT value FROM meta WHERE name = :name", name=name)
    return None if found is None else str(found)


def remember(tx: Connection, name: str, value: str) -> None:
    """Remember a value under a name."""
    run(
        tx,
        "INSERT INTO meta (name, value) VALUES (:name, :value) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name=name, value=value,
    )  # fmt: skip
