"""Everything that is known about one person or user: for whoever asks why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from syncd.core.certificate import Certificate
from syncd.core.identity import guid, login, text
from syncd.core.model import Rung
from syncd.state import hints
from syncd.state.cases import lay_attention
from syncd.state.database import bulk, rows
from syncd.state.said import Teller, facts, said_of
from syncd.state.views import Document

__all__ = ["Match", "attend", "certificates", "matches", "person_facts", "user_facts"]

COLUMNS = {
    Rung.OBJECT_ID: ("object_id", "object_id"),
    Rung.EMPLOYEE_ID: ("employee_id", "employee_id"),
    Rung.USER_NAME: ("user_name", "login"),
    Rung.MAIL: ("mail", "mail"),
}
"""Where a rung's value stands: at the person, at the user."""


@dataclass(frozen=True, slots=True)
class Match:
    """Somebody who was asked for: people who share a user, people without one, or only a user."""

    persons: tuple[str, ...]
    user: str | None


def certificates(tx: Connection, names: Sequence[str]) -> list[Certificate]:
    """How the last read of each source was judged."""
    sql = "SELECT name, certified_rows, failed_by FROM sources"
    known = {row.name: row for row in rows(tx, sql)}
    return [
        Certificate(
            name,
            known[name].failed_by is None,
            known[name].certified_rows or 0,
            tuple(json.loads(known[name].failed_by or "[]")),
        )
        for name in names
        if name in known
    ]


def matches(tx: Connection, env: int, asked: str) -> list[Match]:
    """Whoever is called so: by key, id, object id, employee id, user name or address."""
    values = {"ident": guid(asked), "login": login(asked), "text": text(asked), "env": env}
    persons = _persons(tx, values)
    users = {
        row.id
        for row in rows(
            tx,
            "SELECT id FROM users WHERE env = :env AND (id = :ident OR object_id = :ident "
            "OR login = :login OR mail = :login OR employee_id = :text)",
            **values,
        )
    }
    found: dict[str | None, set[str]] = {user: set() for user in users}
    alone: list[str] = []
    for person in persons:
        user, finds = _user_of(tx, env, person)
        if user is not None:
            found.setdefault(user, set()).add(person)
        else:
            alone.append(person)
            # A user that such a person finds is part of the person's story, unless it was named.
            for other in finds & users - {values["ident"]}:
                found.pop(other, None)
    for user in found:
        found[user] |= _standing_on(tx, env, user)
    together = [Match(tuple(sorted(people)), user) for user, people in found.items()]
    return sorted(
        [*together, *(Match((person,), None) for person in alone)],
        key=lambda match: (match.persons, match.user or ""),
    )


def _persons(tx: Connection, values: dict[str, Any]) -> list[str]:
    """The keys of people who are called so; whoever left the picture is known by key."""
    exact = rows(
        tx,
        "SELECT key FROM people WHERE key = :text UNION "
        "SELECT person FROM links WHERE env = :env AND person = :text",
        text=values["text"],
        env=values["env"],
    )
    found = exact or rows(
        tx,
        "SELECT key FROM people WHERE object_id = :ident OR user_name = :login OR mail = :login "
        "OR employee_id = :text ORDER BY key",
        ident=values["ident"],
        login=values["login"],
        text=values["text"],
    )
    return [row.key for row in found]


def _user_of(tx: Connection, env: int, person: str) -> tuple[str | None, set[str]]:
    sql = "SELECT user_id FROM {} WHERE env = :env AND person = :person"
    standing = rows(tx, sql.format("standing"), env=env, person=person)
    finds = {row.user_id for row in rows(tx, sql.format("finds"), env=env, person=person)}
    return (standing[0].user_id if standing else None), finds


def _standing_on(tx: Connection, env: int, user: str | None) -> set[str]:
    sql = "SELECT person FROM standing WHERE env = :env AND user_id = :user"
    return {row.person for row in rows(tx, sql, env=env, user=user)}


def attend(tx: Connection, env: int, match: Match) -> None:
    """Make somebody the only one who needs attention, in place of whoever did."""
    kind = "person" if match.persons else "user"
    sql = "SELECT 1 FROM finds WHERE env = :env AND user_id = :user LIMIT 1"
    if not match.persons and rows(tx, sql, env=env, user=match.user):
        kind = "note"
    lay_attention(tx)
    people = match.persons or (None,)
    bulk(
        tx,
        "attention",
        ("seq", "kind", "person", "user_id"),
        [(seq, kind, person, match.user) for seq, person in enumerate(people, 1)],
    )


# --- a person -----------------------------------------------------------------------------------


def person_facts(
    tx: Connection, env: int, person: str, ladder: Sequence[Rung], order: Sequence[Teller]
) -> Document:
    """What the sources say of somebody, what the rules answer, and whom each rung finds."""
    merged = _first(
        tx,
        "SELECT p.*, c.attributes FROM people p JOIN combos c ON c.id = p.combo WHERE p.key = :key",
        key=person,
    )
    place = _first(
        tx,
        "SELECT finding, rung, detail FROM standing WHERE env = :env AND person = :person "
        "UNION ALL SELECT finding, NULL, detail FROM stranded "
        "WHERE env = :env AND person = :person",
        env=env,
        person=person,
    )
    return {
        "key": person,
        **said_of(tx, person, order),
        "merged": facts(merged) if merged else None,
        "rules": _answer(tx, env, merged.combo) if merged else None,
        "rungs": _rungs(tx, env, merged, ladder) if merged else [],
        "finding": place.finding if place else "none",
        "found_by": place.rung if place else None,
        "finding_detail": place.detail if place else None,
        "links": _links(tx, env, person),
        "sighting": _sighting(tx, env, f"p:{person}"),
    }


def _first(tx: Connection, sql: str, **values: object) -> Any:
    found = rows(tx, sql, **values)
    return found[0] if found else None


def _answer(tx: Connection, env: int, combo: int) -> Document | None:
    row = _first(
        tx, "SELECT * FROM answers WHERE env = :env AND combo = :combo", env=env, combo=combo
    )
    if row is None:
        return None
    return {
        "rule": row.rule,
        "profile": row.reference,
        "profile_id": row.profile,
        "error": row.error,
        "losers": [
            {"rule": rule, "profile": profile, "note": note}
            for rule, profile, note in json.loads(row.losers or "[]")
        ],
    }


def _rungs(tx: Connection, env: int, person: Any, ladder: Sequence[Rung]) -> list[Document]:
    compared = hints.fields(tx, env, ladder)
    return [
        _rung(rung, getattr(person, COLUMNS[rung][0]), _on(tx, env, person, rung))
        if rung in COLUMNS
        else _hinted(tx, env, person, rung, compared)
        for rung in ladder
        if rung is not Rung.HAND
    ]


def _on(tx: Connection, env: int, person: Any, rung: Rung) -> Sequence[Any]:
    """Users whom one rung finds, also those who are no candidates."""
    mine, theirs = COLUMNS[rung]
    value = getattr(person, mine)
    if value is None:
        return ()
    return rows(
        tx,
        f"SELECT id, user_name, candidate FROM users WHERE env = :env AND {theirs} = :value "
        "ORDER BY id",
        env=env,
        value=value,
    )


def _hinted(tx: Connection, env: int, person: Any, rung: Rung, compared: Sequence[str]) -> Document:
    """Whom the columns find that `usermapping` names."""
    sql = (
        "SELECT id, user_name, candidate FROM users WHERE env = :env AND id IN "
        "(SELECT user_id FROM hints WHERE env = :env AND field = :field AND value = :value) "
        "ORDER BY id"
    )
    said = {name: getattr(person, name) for name in compared if getattr(person, name) is not None}
    found = {
        row.id: row
        for name, value in said.items()
        for row in rows(tx, sql, env=env, field=name, value=value)
    }
    return _rung(rung, ", ".join(dict.fromkeys(said.values())) or None, list(found.values()))


def _rung(rung: Rung, value: str | None, found: Sequence[Any]) -> Document:
    users = [{"user": r.id, "user_name": r.user_name} for r in found if r.candidate]
    return {
        "rung": str(rung),
        "value": value,
        "users": users,
        "not_candidates": [row.id for row in found if not row.candidate],
    }


def _links(tx: Connection, env: int, person: str) -> list[Document]:
    found = rows(
        tx,
        "SELECT l.*, COALESCE(p.name, l.profile) AS profile_name FROM links l "
        "LEFT JOIN profiles p ON p.env = l.env AND p.id = l.profile "
        "WHERE l.env = :env AND l.person = :person ORDER BY l.ended IS NOT NULL, l.since",
        env=env,
        person=person,
    )
    return [
        {
            "membership": row.membership,
            "user": row.user_id,
            "profile": row.profile_name,
            "found_by": row.rung,
            "origin": row.origin,
            "run": row.run,
            "since": row.since,
            "ended": row.ended,
            "why": row.why,
        }
        for row in found
    ]


def _sighting(tx: Connection, env: int, subject: str) -> Document | None:
    row = _first(
        tx,
        "SELECT * FROM sightings WHERE env = :env AND subject = :subject",
        env=env,
        subject=subject,
    )
    names = ("situation", "first", "second", "due")
    return None if row is None else {name: getattr(row, name) for name in names}


# --- a user ---------------------------------------------------------------------------------------


def user_facts(tx: Connection, env: int, user: str) -> Document:
    """What the target showed of a user, and what is remembered about it."""
    row = _first(tx, "SELECT * FROM users WHERE env = :env AND id = :user", env=env, user=user)
    return {
        "id": user,
        "user_name": row.user_name if row else None,
        "full_name": row.full_name if row else None,
        "disabled": bool(row.disabled) if row else None,
        "candidate": bool(row.candidate) if row else None,
        "deleted": row is None,
        "rows": _rows_of(tx, env, user),
        "teams": [row.name for row in rows(tx, TEAMS, env=env, user=user)],
        "conflicts": [
            {name: getattr(row, name) for name in ("code", "first", "last", "ended", "how")}
            for row in rows(tx, CONFLICTS, env=env, user=user)
        ],
        "explained_by": [row.person for row in rows(tx, EXPLAINED, env=env, user=user)],
    }


TEAMS = """
SELECT COALESCE(p.name, t.profile) AS name FROM team_profiles t
LEFT JOIN profiles p ON p.env = t.env AND p.id = t.profile
WHERE t.env = :env AND t.user_id = :user ORDER BY 1
"""
CONFLICTS = """
SELECT * FROM conflicts WHERE env = :env AND user_id = :user
ORDER BY ended IS NOT NULL, last DESC, code
"""
EXPLAINED = "SELECT person FROM finds WHERE env = :env AND user_id = :user ORDER BY person"


def _rows_of(tx: Connection, env: int, user: str) -> list[Document]:
    found = rows(
        tx,
        "SELECT m.*, COALESCE(p.name, m.profile) AS profile_name, l.origin, l.person "
        "FROM memberships m LEFT JOIN profiles p ON p.env = m.env AND p.id = m.profile "
        "LEFT JOIN links l ON l.env = m.env AND l.user_id = m.user_id AND l.membership = m.id "
        "AND l.ended IS NULL WHERE m.env = :env AND m.user_id = :user ORDER BY m.created_on, m.id",
        env=env,
        user=user,
    )
    return [
        {
            "membership": row.id,
            "profile": row.profile_name,
            "active": bool(row.active),
            "flagged": bool(row.flagged),
            "created_on": None if row.created_on == "9999" else row.created_on,
            "ours": row.origin,
            "person": row.person,
        }
        for row in found
    ]
