"""The journal and the audit log: on record before it leaves, settled once, never rewritten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, cast

import httpx
import pytest

from syncd.core.plan import Result
from syncd.core.settings import Policy
from syncd.sandbox.faults import Fault, FaultKind
from syncd.state import decisions, observed
from syncd.state.database import Database
from syncd.state.decisions import Verb
from tests.fakes import Killed, MortalDatabase, Reaper
from tests.state.desk import ONE, audit, journal, person, select
from tests.strategies import FAR
from tests.world import URL, Door, World

DONE_ANYWAY = "applied: found done after an interruption"
NOT_DONE = "failed: interrupted before it was done"


@dataclass(slots=True)
class Watched(httpx.BaseTransport):
    """A way to the target on which somebody looks before a batch passes."""

    door: httpx.BaseTransport
    look: Callable[[], Any]
    seen: list[Any] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.seen.append(self.look())
        return self.door.handle_request(request)


@dataclass(slots=True)
class Deadly(httpx.BaseTransport):
    """A way to the target on which the process dies, before or after the count-th batch is done."""

    door: httpx.BaseTransport
    reaper: Reaper
    when: str
    count: int

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.count -= request.method == "POST"
        if self.count or request.method != "POST":
            return self.door.handle_request(request)
        if self.when == "after":
            self.door.handle_request(request)
        self.reaper.dead = True
        raise Killed


@pytest.fixture
def staffed(world: World) -> World:
    """Give a world where three people get a row."""
    world.policy = Policy(removals=FAR)
    world.says([person("e1"), person("e2"), person("e3", "office", grade="5")])
    return world


def die(world: World, when: str, count: int) -> None:
    """Run with one change in a batch, and be gone at a batch."""
    reaper = Reaper()
    door = Deadly(Door(world.sandbox), reaper, when, count)
    with suppress(Killed), world.target(transport=door, batch_size=1) as target:
        mortal = cast("Database", MortalDatabase(world.database, reaper))
        replace(world.reconciler(target), database=mortal).reconcile()
    assert reaper.dead


def results(database: Database) -> list[tuple[str, str]]:
    """Return what the audit log says of changes: which person, with which result."""
    sql = "SELECT person, result FROM audit WHERE run IS NOT NULL ORDER BY id"
    return [(who, result) for who, result in select(database, sql)]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_every_change_is_on_record_before_it_leaves(
    size: int, staffed: World, ready_url: str
) -> None:
    """Another connection sees it, open, while the batch is on its way; what landed is settled."""
    other = Database(ready_url)
    sql = "SELECT count(*), count(settled) FROM journal"
    door = Watched(Door(staffed.sandbox), lambda: select(other, sql)[0])
    with staffed.target(transport=door, batch_size=size) as target:
        staffed.reconciler(target).reconcile()
    other.close()

    expected = [(min(3, sent + size), sent) for sent in range(0, 3, size)]
    assert door.seen == expected


def test_what_the_journal_commits_has_reached_the_disk(database: Database) -> None:
    """SQLite waits for the disk there and not elsewhere; a server does as it is told to."""
    asked = "PRAGMA synchronous" if database.sqlite else "SHOW synchronous_commit"
    with database.durable() as tx:
        durable = tx.exec_driver_sql(asked).scalar()
    with database.begin() as tx:
        quick = tx.exec_driver_sql(asked).scalar()

    # The server of the tests is told not to wait, which is a matter of its own settings.
    assert (durable, quick) == ((2, 1) if database.sqlite else ("off", "off"))


def test_every_attempt_has_one_entry_and_one_line(staffed: World, database: Database) -> None:
    """The same result stands in the journal, in the audit log, and beside the change."""
    report = staffed.reconcile()
    settled = [(run, plan, result) for run, _, plan, at, result in journal(database) if at]
    beside = select(database, "SELECT person, result FROM changes ORDER BY number")
    lines = audit(database)

    assert settled == [(report.run, report.plan, "applied")] * 3
    assert results(database) == beside == [(f"e{n}", "applied") for n in (1, 2, 3)]
    assert {line[4] for line in lines} == {"syncd"}
    assert [line[5] for line in lines] == ["create"] * 3
    assert lines[0][11] == "ABSENT: rule crew"


def test_the_audit_log_only_grows(staffed: World, database: Database) -> None:
    """Over days with changes, refusals, an interruption and operators, no line becomes another."""
    seen = [audit(database)]
    staffed.reconcile()
    seen.append(audit(database))
    staffed.clock.wait(days=1)
    staffed.says([person("e1", "office", grade="5"), person("e2", status="Gone")])
    staffed.sandbox.misbehave([Fault(kind=FaultKind.OPERATION, status=400, code="0x80040203")])
    staffed.reconcile()
    seen.append(audit(database))
    with database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        told: dict[str, Any] = {"env": env, "reason": "because", "who": "op"}
        decisions.add(tx, Verb.HOLD, ONE, now="2026-03-03T09:00:00Z", **told)
        decisions.withdraw(tx, Verb.HOLD, ONE, now="2026-03-03T10:00:00Z", **told)
    seen.append(audit(database))
    staffed.clock.wait(days=1)
    die(staffed, "after", 1)
    seen.append(audit(database))
    staffed.reconcile()
    seen.append(audit(database))

    assert [len(lines) for lines in seen] == sorted(len(lines) for lines in seen)
    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(seen))
    assert [line[5] for line in seen[-1]] == [
        "create", "create", "create", "move", "hold set", "hold withdrawn", "move"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("when", "count", "said"),
    [
        ("before", 1, [("e1", NOT_DONE)]),
        ("after", 1, [("e1", DONE_ANYWAY)]),
        ("before", 3, [("e1", "applied"), ("e2", "applied"), ("e3", NOT_DONE)]),
        ("after", 3, [("e1", "applied"), ("e2", "applied"), ("e3", DONE_ANYWAY)]),
    ],
)
def test_an_attempt_whose_answer_never_came_is_settled_by_the_next_run(
    when: str, count: int, said: list[tuple[str, str]], staffed: World, database: Database
) -> None:
    """It stays open until then; then the target's rows tell what became of it."""
    die(staffed, when, count)
    waiting = [entry for entry in journal(database) if entry[3] is None]
    report = staffed.reconcile()
    lines = results(database)

    assert len(waiting) == 1
    assert report.recovered == 1
    assert lines[: len(said)] == said
    assert Counter(who for who, result in lines if result.startswith("applied")) == {
        "e1": 1, "e2": 1, "e3": 1
    }  # fmt: skip
    assert len(staffed.members()) == len(staffed.links()) == 3
    assert [entry for entry in journal(database) if entry[3] is None] == []


def test_an_interruption_is_settled_once(staffed: World, database: Database) -> None:
    """The run after the next finds nothing open, and writes nothing about it."""
    die(staffed, "after", 2)
    staffed.reconcile()
    before = audit(database)
    report = staffed.reconcile()

    assert report.recovered == 0
    assert audit(database) == before


def test_a_plan_that_is_only_shown_settles_nothing(staffed: World, database: Database) -> None:
    """It knows what became of the attempt, and leaves it to the next run to say so."""
    die(staffed, "after", 1)
    before = journal(database), audit(database)
    report = staffed.plan()
    plan = staffed.document(str(report.plan))

    assert (journal(database), audit(database)) == before
    assert [change["person"] for change in plan["changes"]] == ["e2", "e3"]


def test_a_run_that_died_twice_is_settled_attempt_by_attempt(
    staffed: World, database: Database
) -> None:
    """Each attempt belongs to its own run."""
    die(staffed, "before", 1)
    die(staffed, "after", 1)
    report = staffed.reconcile()
    entries = [(run, result) for run, _, _, _, result in journal(database)]

    assert report.recovered == 1
    assert entries[:2] == [(1, "failed"), (2, "applied")]
    assert len(staffed.members()) == 3
    assert report.outcomes is not None
    assert report.outcomes[Result.APPLIED] == 2


@pytest.mark.parametrize(("said", "when"), [("Gone", "after"), ("", "before"), ("", "after")])
def test_moves_and_removals_are_settled_likewise(
    said: str, when: str, staffed: World, database: Database
) -> None:
    """A row that is gone was removed; one that is elsewhere was moved."""
    staffed.reconcile()
    staffed.clock.wait(days=1)
    news = person("e1", "office", grade="5", status=said or "Active")
    staffed.says([news, *staffed.said["hr"][1:]])
    die(staffed, when, 1)
    staffed.reconcile()
    action = "remove" if said else "move"
    sql = "SELECT result FROM audit WHERE what = :what ORDER BY id"
    found = [result for (result,) in select(database, sql, what=action)]

    assert found == ([DONE_ANYWAY] if when == "after" else [NOT_DONE, "applied"])
    assert len(staffed.members()) == len(staffed.links()) == (2 if said else 3)
