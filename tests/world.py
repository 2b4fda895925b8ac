"""A whole small world: people in files, an environment in the sandbox, and syncd between them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import httpx
from sqlalchemy import text

from syncd.connectors.auth import NoAuth
from syncd.connectors.dataverse import DataverseTarget, open_target
from syncd.connectors.sources.files import CsvSource
from syncd.core.blackouts import Calendar
from syncd.core.cells import Field, Type
from syncd.core.certificate import Certificate
from syncd.core.mapping import PersonMapping
from syncd.core.model import Value, iso
from syncd.core.ports import Target
from syncd.core.rules import Rule, RuleError
from syncd.core.settings import Policy, SourceLimits
from syncd.engine.parts import Environment, Ranked, RunReport, Silent
from syncd.engine.planning import Order, Planned, make_plan
from syncd.engine.reading import read_sources, read_target
from syncd.engine.reconciler import Reconciler
from syncd.sandbox import Sandbox, Store, world
from syncd.state import documents, journal, observed
from syncd.state.database import Database, Tx, rows
from syncd.state.upgrade import ensure

__all__ = ["NOW", "ROWS", "RULES", "Clock", "Door", "Picture", "World", "number", "picture"]

URL = "http://127.0.0.1:5000"
ROWS = "usermobileofflineprofilememberships"
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
HEADER = (
    "key", "oid", "eid", "upn", "mail", "status", "first", "last", "department", "grade", "want",
)  # fmt: skip
MAPPING = PersonMapping(
    Field("key"),
    object_id=Field("oid"),
    employee_id=Field("eid"),
    user_name=Field("upn"),
    mail=Field("mail"),
    enabled=Field("status", type=Type.BOOL, true_values=("Active",)),
    starts_on=Field("first", type=Type.DATE),
    leaves_on=Field("last", type=Type.DATE),
    attributes={
        "department": Field("department"),
        "grade": Field("grade", type=Type.INT),
        "want": Field("want"),
    },
)


def number(kind: int, which: int) -> str:
    """Name a user (1), profile (2), row (3), team (5) or an object in the directory (4)."""
    return f"{kind}0000000-0000-4000-8000-{which:012x}"


def _senior(person: Mapping[str, Value], _: object) -> bool:
    grade = person.get("grade")
    if not isinstance(grade, int):
        raise RuleError("grade is null")
    return grade > 2


RULES = (
    Rule("crew", lambda p, _: p.get("department") == "field", profile="Field"),
    Rule(
        "seniors", lambda p, _: p.get("department") == "office" and _senior(p, _), profile="Office"
    ),
    Rule("named", lambda _, __: True, profile_from="want"),
)
"""Somebody of the field gets Field, a senior of the office Office, others what HR names."""


@dataclass(slots=True)
class Clock:
    """Tells the time it was given."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **units: float) -> None:
        """Let time pass."""
        self.now += timedelta(**units)


@dataclass(slots=True)
class Door(httpx.BaseTransport):
    """The way into a sandbox without a network. `watch` is told before and after each request."""

    sandbox: Sandbox
    sent: list[str] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        address = request.extensions["target"].decode()
        path, _, query = address.partition("?")
        self.sent.append(f"{request.method} {path.rpartition('/')[2]}")
        answer = self.sandbox.answer(
            request.method, unquote(path), query, dict(request.headers), request.read()
        )
        if answer.cut:
            raise httpx.ReadError("connection reset", request=request)
        return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.content)


@dataclass(slots=True)
class World:
    """
    One environment, its sources, and a state database.

    *rows* is what the sandbox starts with, in the form of a world file. The people of
    each source are rows as in HEADER, by its name, in the order of rank. With *delta*
    only what changed is read. Reads are compared with earlier ones within *limits*.
    """

    folder: Path
    database: Database
    policy: Policy = field(default_factory=Policy)
    rules: Sequence[Rule] = RULES
    rows: Mapping[str, Iterable[Mapping[str, object]]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    clock: Clock = field(default_factory=Clock)
    settings: Mapping[str, Any] = field(default_factory=dict)
    rules_digest: str = "rules"
    calendar: Calendar = field(default_factory=Calendar)
    delta: bool = False
    limits: SourceLimits = field(default_factory=SourceLimits)
    sandbox: Sandbox = field(init=False)
    sources: dict[str, Path] = field(default_factory=dict)
    said: dict[str, list[Sequence[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        store = Store()
        world.fill(store, self.rows, "2026-01-01T00:00:00Z")
        self.sandbox = Sandbox(store, clock=self.clock)

    def says(self, people: Iterable[Sequence[str]], source: str = "hr") -> None:
        """Let a source say this of people."""
        self.said[source] = rows = list(people)
        path = self.folder / f"{source}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER, *rows])
        self.sources[source] = path

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Do what somebody else does in the environment; None if that is refused."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Host": "127.0.0.1:5000"}
        address, _, query = f"/api/data/v9.2/{path}".partition("?")
        answer = self.sandbox.answer(method, address, query, headers, content)
        return json.loads(answer.content or b"{}") if answer.status < 300 else None

    @property
    def environment(self) -> Environment:
        """The environment as the engine sees it."""
        return Environment(
            "contoso", URL, self.policy, self.rules, self.rules_digest, "config", self.calendar
        )

    @property
    def ranked(self) -> list[Ranked]:
        """The sources in the order of the configuration."""
        return [
            Ranked(CsvSource(name, path, MAPPING), rank, self.limits)
            for rank, (name, path) in enumerate(self.sources.items(), 1)
        ]

    def target(self, **settings: Any) -> DataverseTarget:
        """Open the environment; nobody ever waits."""
        given: dict[str, Any] = {
            "url": URL,
            "auth": NoAuth(URL),
            "transport": Door(self.sandbox),
            "lanes": 1,
            "clock": lambda: 0.0,
            "sleep": lambda _: None,
            "jitter": lambda: 1.0,
            "match": self.policy.match,
        }
        return open_target(**{**given, **self.settings, **settings})

    def reconciler(self, target: Target) -> Reconciler:
        """Put syncd between the two sides."""
        return Reconciler(
            database=self.database,
            environment=self.environment,
            sources=self.ranked,
            target=target,
            clock=self.clock,
        )

    def reconcile(self, target: Target | None = None) -> RunReport:
        """Run once."""
        if target is not None:
            return self.reconciler(target).reconcile(delta=self.delta)
        with self.target() as opened:
            return self.reconciler(opened).reconcile(delta=self.delta)

    def plan(self) -> RunReport:
        """Say what would be done."""
        with self.target() as opened:
            return self.reconciler(opened).plan()

    def judge(
        self, tx: Tx, *, everybody: bool = False, target: Target | None = None
    ) -> tuple[Planned, list[Certificate]]:
        """Read and decide in an open transaction, as a run does, and send nothing."""
        with closing(self.target()) as opened:
            env = observed.environment(tx, "contoso", URL)
            now = self.clock()
            certificates = read_sources(
                tx, self.environment, self.ranked, iso(now), Silent(), delta=self.delta
            )
            target = target or opened
            read_target(tx, self.environment, env, target, Silent(), delta=self.delta)
            journal.recover(tx, env, iso(now))
            order = Order(
                environment=self.environment,
                env=env,
                now=now,
                run=0,
                plan="plan",
                certificates=certificates,
                everybody=everybody,
                delta=self.delta,
            )
            return make_plan(tx, order, Silent()), certificates

    def document(self, plan: str) -> Any:
        """Return a saved plan as JSON."""
        with self.database.read() as tx:
            return json.loads("".join(documents.plan_json(tx, plan)))

    def members(self) -> dict[str, tuple[str | None, str | None, bool, bool]]:
        """Return all rows of the environment: user, profile, active, flagged."""
        shown = self.call("GET", ROWS)["value"]
        return {
            row["usermobileofflineprofilemembershipid"]: (
                row["_systemuserid_value"],
                row["_mobileofflineprofileid_value"],
                row["statecode"] == 0,
                bool(row["hasmobileofflineprofileidconflict"]),
            )
            for row in shown
        }

    def links(self) -> set[tuple[str, ...]]:
        """Return the links that hold: user, row, person, rung, origin."""
        sql = "SELECT user_id, membership, person, rung, origin FROM links WHERE ended IS NULL"
        with self.database.read() as tx:
            return {tuple(row) for row in tx.execute(text(sql))}


def opened(url: str) -> Database:
    """Open a state database with today's schema."""
    database = Database(url)
    ensure(database, allowed=True)
    return database


Picture = dict[str, list[tuple[object, ...]]]
"""The rows of some tables, sorted."""

REMEMBERED: Mapping[str, str] = {
    "links": "SELECT user_id, membership, person, rung, origin, profile, ended IS NULL FROM links",
    "sightings": "SELECT subject, situation, first, second, due FROM sightings",
    "pendings": "SELECT person, situation FROM pendings",
    "conflicts": (
        "SELECT user_id, code, subject, profiles, rows, first, ended IS NULL FROM conflicts"
    ),
    "flags": "SELECT membership, action, at FROM flags",
    "losses": "SELECT person, at FROM losses",
    "standing": (
        "SELECT user_id, person, finding, rung, detail, combo, first_day, last_day, quiet "
        "FROM standing"
    ),
    "stranded": "SELECT person, finding, detail, combo, first_day, last_day, quiet FROM stranded",
    "finds": "SELECT user_id, person FROM finds",
}
"""What runs hand on to each other, and what follows from what was read."""


def picture(tx: Tx, *tables: str) -> Picture:
    """Return what is remembered."""
    return {
        name: sorted((tuple(row) for row in rows(tx, sql)), key=repr)
        for name, sql in REMEMBERED.items()
        if not tables or name in tables
    }
