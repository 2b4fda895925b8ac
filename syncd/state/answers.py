"""What an environment's rules answer, once for each distinct set of attributes."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from syncd.core.model import Loser, Profile
from syncd.core.profiles import meant, why_not
from syncd.core.rules import Answer
from syncd.state.database import bulk, rows, scratch, stream, upsert
from syncd.state.revisions import gather, known, numbers, recall, remember, touch

__all__ = ["References", "ask", "losers", "resolve"]

CONCERNED = "key IN (SELECT substr(subject, 3) FROM concerned WHERE subject LIKE 'p:%')"
COLUMNS = ("env", "combo", "rules", "reference", "rule", "losers", "error")


@dataclass(frozen=True, slots=True)
class References:
    """
    What the names in rules stand for.

    `resolved` maps a reference to the id of its one published profile; `managed` are
    the ids of every profile a reference can mean; `unresolved` maps a reference without
    a single published answer to the ids it could mean, and `why` says what is wrong.
    """

    resolved: dict[str, str]
    managed: frozenset[str]
    unresolved: dict[str, frozenset[str]]
    why: dict[str, str]


def ask(
    tx: Connection, env: int, rules: str, judge: Callable[[str], Answer]
) -> frozenset[int] | None:
    """
    Let *judge* answer for every set of attributes that has no answer of these *rules* yet.

    *rules* is a digest of the rules, and of the day if they look at it. Of the same rules only
    those are asked for who changed since the last time. Returns the sets that have an
    answer now; nobody else has them. None if anybody may have another answer than before.
    """
    basis = f"{rules};{numbers(tx, 'people')}"
    kept = _kept(tx, env, "asked") or ""
    if kept == basis:
        return frozenset()
    before, _, people = kept.rpartition(";")
    few = before == rules and gather(tx, known(people))
    missing = (
        "SELECT c.id, c.attributes FROM combos c LEFT JOIN answers a "
        "ON a.env = :env AND a.combo = c.id AND a.rules = :rules "
        "WHERE a.combo IS NULL AND c.id IN (SELECT combo FROM people WHERE doubled = 0"
        f"{f' AND {CONCERNED}' if few else ''})"
    )
    new = [
        (env, row.id, rules, *_columns(judge(row.attributes)))
        for row in stream(tx, missing, env=env, rules=rules)
    ]
    if new:
        upsert(tx, "answers", COLUMNS, ("env", "combo"), new)
        touch(tx, f"answers:{env}", () if few else None)
    remember(tx, f"asked:{env}", basis)
    return frozenset(row[1] for row in new) if few else None


def _columns(answer: Answer) -> tuple[str | None, ...]:
    lost = [[loser.rule, loser.profile, loser.note] for loser in answer.losers]
    said = msgspec.json.encode(lost).decode() if lost else None
    return answer.reference, answer.rule, said, answer.error


def losers(said: str | None) -> tuple[Loser, ...]:
    """Read back the losers of an answer."""
    return tuple(Loser(*lost) for lost in json.loads(said)) if said else ()


def named(tx: Connection, env: int, always: Collection[str] = ()) -> set[str]:
    """
    Return every reference that answers for people in the picture name, losers too.

    Of those that are named *always* it does not matter whether they are among them.
    """
    basis = numbers(tx, "people", f"answers:{env}")
    kept = json.loads(_kept(tx, env, "named") or '["", []]')
    if kept[0] == basis:
        return set(kept[1])
    found = _named_still(tx, env, kept[0], set(kept[1]), always)
    if found is None:
        found = _named(tx, env, "SELECT combo FROM people WHERE doubled = 0")
    remember(tx, f"named:{env}", json.dumps([basis, sorted(found)], ensure_ascii=False))
    return found


def _named_still(
    tx: Connection, env: int, basis: str, before: set[str], always: Collection[str]
) -> set[str] | None:
    """Widen what was named *before* by what is new; None if something may be named no longer."""
    if not basis or not gather(tx, known(basis)):
        return None
    new = _named(tx, env, f"SELECT combo FROM people WHERE doubled = 0 AND {CONCERNED}")
    # Until they are judged anew, people stand with the answers that they had.
    old = " UNION ".join(
        f"SELECT combo FROM {table} WHERE env = :env AND {CONCERNED.replace('key', 'person')}"
        for table in ("standing", "stranded")
    )
    return None if _named(tx, env, old) - new - set(always) else before | new


def _kept(tx: Connection, env: int, what: str) -> str | None:
    """Return what was kept the last time; None unless that run also settled who is who."""
    return recall(tx, f"{what}:{env}") if recall(tx, f"standing:{env}") else None


def _named(tx: Connection, env: int, combos: str) -> set[str]:
    sql = (
        "SELECT DISTINCT a.reference, a.losers FROM answers a "
        f"WHERE a.env = :env AND a.combo IN ({combos})"
    )
    found: set[str] = set()
    for row in rows(tx, sql, env=env):
        found.update(loser.profile for loser in losers(row.losers) if loser.profile)
        if row.reference:
            found.add(row.reference)
    return found


def resolve(
    tx: Connection,
    env: int,
    references: Sequence[str],
    profiles: dict[str, Profile],
    new: frozenset[int] | None = None,
) -> References:
    """
    Find out what each reference means, and write the ids beside the answers.

    *new* answers had none before; any other that has another id now may concern anybody.
    """
    resolved: dict[str, str] = {}
    unresolved: dict[str, frozenset[str]] = {}
    why: dict[str, str] = {}
    managed: set[str] = set()
    for reference in sorted(set(references) | named(tx, env, references)):
        found = meant(reference, profiles)
        published = [profile for profile in found if profile.published]
        if len(published) == 1:
            resolved[reference] = published[0].id
            managed.add(published[0].id)
            continue
        managed.update(profile.id for profile in found)
        unresolved[reference] = frozenset(profile.id for profile in found)
        why[reference] = why_not(reference, found)
    blocked = frozenset().union(*unresolved.values()) if unresolved else frozenset()
    blocked -= set(resolved.values())
    unresolved = {name: ids & blocked for name, ids in unresolved.items()}
    scratch(tx, "meanings", "reference TEXT PRIMARY KEY, profile TEXT")
    bulk(tx, "meanings", ("reference", "profile"), resolved.items())
    changed = rows(
        tx,
        "UPDATE answers SET profile = "
        "(SELECT m.profile FROM meanings m WHERE m.reference = answers.reference) "
        "WHERE env = :env AND profile IS DISTINCT FROM "
        "(SELECT m.profile FROM meanings m WHERE m.reference = answers.reference) "
        "RETURNING combo",
        env=env,
    )
    if any(new is None or row.combo not in new for row in changed):
        touch(tx, f"answers:{env}")
    return References(resolved, frozenset(managed), unresolved, why)
