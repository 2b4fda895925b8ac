"""Answer what operators ask of the state database: who, which, since when, how much."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from pathlib import Path

from sqlalchemy import Connection, inspect

from syncd.core.identity import guid, login
from syncd.core.ports import UserRow
from syncd.state.database import one, rows
from syncd.state.decisions import Ruling, Verb

__all__ = [
    "Clash",
    "Found",
    "Kept",
    "Read",
    "Run",
    "among",
    "choices",
    "clash_shown",
    "clashes",
    "environment_number",
    "is_known",
    "kept_links",
    "last_reads",
    "last_runs",
    "rulings",
    "size",
    "sizes",
    "users",
    "wanted_profile",
    "wants",
    "was_read",
]

RULING = "id, env, kind, subject, value, against, until, reason, who, at"


@dataclass(frozen=True, slots=True)
class Found:
    """A user, as last read."""

    id: str
    user_name: str | None
    full_name: str | None
    candidate: bool

    @property
    def name(self) -> str:
        """What to call the user: the user name, else the id."""
        return self.user_name or self.id


@dataclass(frozen=True, slots=True)
class Clash:
    """
    A conflict that runs have seen. `profiles` and `rows` are ids, moments ISO texts.

    `how` names who ended it: syncd, the operator whose choice syncd carried out, or somebody else.
    `open` says that the plan of the last run leaves it as it is; one that is neither open
    nor ended is settled by that plan, and the next run will confirm it.
    """

    user: str
    user_name: str | None
    code: str
    profiles: tuple[str, ...]
    rows: tuple[str, ...]
    first: str
    last: str
    open: bool
    ended: str | None
    how: str | None


def clash_shown(clash: Clash, names: Mapping[str, str], chosen: str | None) -> dict[str, object]:
    """Write a conflict as documents show it: profiles by *names*, and the operator's choice."""
    return {
        "code": clash.code,
        "user": clash.user,
        "user_name": clash.user_name,
        "profiles": sorted(names.get(profile, profile) for profile in clash.profiles),
        "rows": list(clash.rows),
        "chosen": None if chosen is None else names.get(chosen, chosen),
        "open": clash.open,
        "first_seen": clash.first,
        "last_seen": clash.last,
        "ended": clash.ended,
        "ended_by": clash.how,
    }


@dataclass(frozen=True, slots=True)
class Kept:
    """A row that is remembered as ours. `profile` is an id."""

    person: str
    user: str
    membership: str
    rung: str
    origin: str
    profile: str | None
    since: str


@dataclass(frozen=True, slots=True)
class Read:
    """The last read of a source. `rows` are those of the last read that was believed."""

    name: str
    at: str | None
    rows: int | None
    believed: bool | None
    findings: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """The last run of an environment."""

    environment: str
    number: int
    command: str
    started: str
    finished: str | None
    exit_code: int | None


def environment_number(tx: Connection, name: str, url: str) -> int | None:
    """Return the number of an environment, None if no run has met it yet."""
    found = one(tx, "SELECT id FROM environments WHERE name = :name AND url = :url",
                name=name, url=url)  # fmt: skip
    return None if found is None else int(found)


def users(tx: Connection, env: int, reference: str) -> Sequence[Found]:
    """Users whose id, object id, user name or mail this is; an id leaves the others aside."""
    found = rows(
        tx,
        "SELECT id, user_name, full_name, candidate FROM users WHERE env = :env AND "
        "(id = :ident OR object_id = :ident OR login = :login OR mail = :login) ORDER BY id",
        env=env, ident=guid(reference), login=login(reference),
    )  # fmt: skip
    exact = [row for row in found if row.id == guid(reference)] or found
    return [Found(row.id, row.user_name, row.full_name, bool(row.candidate)) for row in exact]


def among(found: Iterable[UserRow], reference: str) -> list[Found]:
    """Return those of some users, just read from the target, whom `users` would find."""
    ident, name = guid(reference), login(reference)
    meant = [
        row
        for row in found
        if ident in {row[0], guid(row[4] or "")} - {""}
        or name in {login(row[2] or ""), login(row[6] or "")} - {""}
    ]
    exact = [row for row in meant if row[0] == ident] or meant
    return [Found(row[0], row[2], row[3], row[7]) for row in sorted(exact, key=itemgetter(0))]


def was_read(tx: Connection, env: int | None) -> bool:
    """Whether a run has read the users of an environment; it has at least the one that asks."""
    sql = "SELECT 1 FROM users WHERE env = :env LIMIT 1"
    return env is not None and one(tx, sql, env=env) is not None


def is_known(tx: Connection, person: str) -> bool:
    """Whether a person is in the picture of the sources."""
    return one(tx, "SELECT 1 FROM people WHERE key = :key", key=person) is not None


def wanted_profile(tx: Connection, env: int, user: str, today: date) -> str | None:
    """The id of the profile that the rules want for the person whose user this is."""
    found = one(
        tx,
        "SELECT a.profile FROM standing s JOIN answers a ON a.env = s.env AND a.combo = s.combo "
        "WHERE s.env = :env AND s.user_id = :user AND s.finding IN ('linked', 'decided') "
        "AND :today BETWEEN s.first_day AND s.last_day AND a.profile IS NOT NULL "
        "ORDER BY s.person LIMIT 1",
        env=env, user=user, today=today.toordinal(),
    )  # fmt: skip
    return None if found is None else str(found)


def wants(tx: Connection, env: int, today: date) -> set[tuple[str, str]]:
    """Who should have what: users that are not disabled, with the profile that rules want."""
    found = rows(
        tx,
        "SELECT s.user_id, a.profile FROM standing s "
        "JOIN answers a ON a.env = s.env AND a.combo = s.combo "
        "JOIN users u ON u.env = s.env AND u.id = s.user_id "
        "WHERE s.env = :env AND s.finding IN ('linked', 'decided') AND u.disabled = 0 "
        "AND :today BETWEEN s.first_day AND s.last_day AND a.profile IS NOT NULL",
        env=env,
        today=today.toordinal(),
    )
    return {(row.user_id, row.profile) for row in found}


def rulings(tx: Connection, verb: Verb, env: int | None) -> list[Ruling]:
    """Decisions of one kind that nobody withdrew and nothing used up; expired ones, too."""
    found = rows(
        tx,
        f"SELECT {RULING} FROM decisions WHERE kind = :kind AND ended IS NULL "
        "AND env IS NOT DISTINCT FROM :env ORDER BY id",
        kind=str(verb), env=env,
    )  # fmt: skip
    return [Ruling(row.id, row.env, Verb(row.kind), *tuple(row)[3:]) for row in found]


def choices(tx: Connection, env: int) -> dict[str, str]:
    """The profile that an operator chose, by user; both are ids."""
    return {r.subject: r.value for r in rulings(tx, Verb.PROFILE, env) if r.value is not None}


def clashes(tx: Connection, env: int, *, ended: bool) -> list[Clash]:
    """Conflicts that the last run saw; with *ended* those of the past, too."""
    left = _left_open(tx, env)
    found = rows(
        tx,
        "SELECT c.*, u.user_name FROM conflicts c LEFT JOIN users u "
        "ON u.env = c.env AND u.id = c.user_id WHERE c.env = :env "
        + ("" if ended else "AND c.ended IS NULL ")
        + "ORDER BY c.ended IS NOT NULL, u.user_name, c.user_id, c.code, c.id",
        env=env,
    )
    return [
        Clash(
            user=row.user_id,
            user_name=row.user_name,
            code=row.code,
            profiles=tuple(json.loads(row.profiles)),
            rows=tuple(json.loads(row.rows)),
            first=row.first,
            last=row.last,
            open=row.ended is None and (left is None or (row.user_id, row.code) in left),
            ended=row.ended,
            how=row.how,
        )
        for row in found
    ]


def _left_open(tx: Connection, env: int) -> set[tuple[str, str]] | None:
    """Return the conflicts that the last plan leaves open, None if it is no longer kept."""
    plan = one(
        tx,
        "SELECT p.id FROM runs r JOIN plans p ON p.id = r.plan "
        "WHERE r.env = :env ORDER BY r.id DESC LIMIT 1",
        env=env,
    )
    if plan is None:
        return None
    sql = "SELECT body FROM items WHERE plan = :plan AND kind = 'conflicts'"
    bodies = [json.loads(row.body) for row in rows(tx, sql, plan=plan)]
    return {(body["user"], body["code"]) for body in bodies if body["open"]}


def kept_links(tx: Connection, env: int, person: str) -> list[Kept]:
    """Rows that are remembered as ours for a person."""
    found = rows(
        tx,
        "SELECT person, user_id, membership, rung, origin, profile, since FROM links "
        "WHERE env = :env AND person = :person AND ended IS NULL ORDER BY user_id, membership",
        env=env,
        person=person,
    )
    return [Kept(*row) for row in found]


def last_reads(tx: Connection, names: Sequence[str]) -> list[Read]:
    """The last read of each of these sources, in their order."""
    return [_last_read(tx, name) for name in names]


def _last_read(tx: Connection, name: str) -> Read:
    known = rows(tx, "SELECT certified_rows FROM sources WHERE name = :name", name=name)
    last = rows(
        tx,
        "SELECT c.certified, c.findings, c.notes, r.started FROM certificates c "
        "JOIN runs r ON r.id = c.run WHERE c.source = :name ORDER BY c.run DESC LIMIT 1",
        name=name,
    )
    count = known[0].certified_rows if known else None
    if not last:
        return Read(name, None, count, None, ())
    findings = tuple(json.loads(last[0].findings))
    notes = tuple(json.loads(last[0].notes or "[]"))
    return Read(name, last[0].started, count, bool(last[0].certified), findings, notes)


def last_runs(tx: Connection) -> list[Run]:
    """The last run of each environment."""
    found = rows(
        tx,
        "SELECT e.name, r.id, r.command, r.started, r.finished, r.exit_code FROM runs r "
        "JOIN environments e ON e.id = r.env "
        "WHERE r.id IN (SELECT max(id) FROM runs GROUP BY env) ORDER BY e.name",
    )
    return [Run(*row) for row in found]


def sizes(tx: Connection) -> dict[str, int]:
    """How many rows each table has, by name; tables that are not there are left out."""
    from syncd.state.schema_service import metadata  # noqa: PLC0415  # slow to import for a look

    known = {table.name for table in metadata.sorted_tables}
    names = sorted(known & set(inspect(tx).get_table_names()))
    return {name: int(one(tx, f"SELECT count(*) FROM {name}")) for name in names}


def size(tx: Connection, place: str) -> int:
    """How many bytes the database takes; *place* is the file of an SQLite one."""
    if tx.dialect.name == "postgresql":
        return int(one(tx, "SELECT pg_database_size(current_database())"))
    files = [Path(place), Path(f"{place}-wal")]
    return sum(file.stat().st_size for file in files if file.exists())
