"""Several batches share a commit: on record before they leave, and off it if they do not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from syncd.engine.parts import RunReport
from syncd.state.database import Database, Tx
from syncd.state.outcomes import stretches
from tests.company import profile
from tests.engine.crew import FIELD, OFFICE, person, user
from tests.world import Door, World, opened

MANY = 40


@dataclass(slots=True)
class Counting:
    """A state database that counts the commits which reach the disk."""

    database: Database
    commits: int = 0

    @contextmanager
    def durable(self) -> Iterator[Tx]:
        """Open such a transaction."""
        with self.database.durable() as tx:
            yield tx
        self.commits += 1

    def __getattr__(self, name: str) -> object:
        return getattr(self.database, name)


@dataclass(slots=True)
class Forbidding(httpx.BaseTransport):
    """A way to the target on which all batches are refused but the first few."""

    door: httpx.BaseTransport
    passes: int
    look: Any
    seen: list[int] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "POST":
            return self.door.handle_request(request)
        self.seen.append(self.look())
        if len(self.seen) <= self.passes:
            return self.door.handle_request(request)
        said = {"error": {"code": "0x80040220", "message": "prvWriteusermobileofflineprofile"}}
        return httpx.Response(403, json=said, headers={"OData-Version": "4.0"})


@pytest.fixture
def crowd(tmp_path: Path, database_url: str) -> Iterator[World]:
    """Give so many people who all lack a row."""
    database = opened(database_url)
    found = {
        "systemusers": [user(which) for which in range(1, MANY + 1)],
        "mobileofflineprofiles": [profile(FIELD, "Field"), profile(OFFICE, "Office")],
    }
    world = World(tmp_path, database, rows=found)
    world.says(person(which) for which in range(1, MANY + 1))
    yield world
    database.close()


def count(world: World, sql: str) -> int:
    """Return the number that a statement finds."""
    with world.database.read() as tx:
        return int(tx.execute(text(sql)).scalar() or 0)


def apply(world: World, lanes: int) -> tuple[RunReport, int]:
    """Run with one change in a batch; return also how many commits reached the disk."""
    counting = Counting(world.database)
    with world.target(batch_size=1, lanes=lanes) as target:
        mine = replace(world.reconciler(target), database=cast("Database", counting))
        return mine.reconcile(), counting.commits


def test_with_several_lanes_batches_share_a_commit(crowd: World) -> None:
    """Nobody waits for the disk after each batch; all of it is told in the end."""
    report, commits = apply(crowd, 4)

    assert report.planned == len(crowd.members()) == MANY
    assert commits < MANY / 3
    assert count(crowd, "SELECT count(*) FROM journal WHERE result = 'applied'") == MANY
    assert count(crowd, "SELECT count(*) FROM audit WHERE result = 'applied'") == MANY
    assert count(crowd, "SELECT count(*) FROM links WHERE ended IS NULL") == MANY


def test_in_a_single_lane_each_batch_is_settled_before_the_next_leaves(crowd: World) -> None:
    """There is a commit for each."""
    report, commits = apply(crowd, 1)

    assert report.planned == len(crowd.members()) == MANY
    assert commits > MANY


def test_what_has_not_left_when_the_target_refuses_is_off_the_record(crowd: World) -> None:
    """All that left was on record; what stays there left."""
    on_record = "SELECT count(*) FROM journal"
    door = Forbidding(Door(crowd.sandbox), 5, lambda: count(crowd, on_record))
    with crowd.target(batch_size=1, lanes=2, transport=door) as target:
        report = crowd.reconcile(target)
    left = len(door.seen)

    assert report.problem is not None
    assert left < 16 <= min(door.seen)
    assert count(crowd, on_record) == left
    assert count(crowd, "SELECT count(*) FROM journal WHERE settled IS NULL") == 0
    assert count(crowd, "SELECT count(*) FROM changes WHERE result = 'failed'") == MANY - 5
    assert crowd.reconcile().planned == MANY - 5


@given(st.sets(st.integers(1, 60)))
def test_stretches_have_the_numbers_and_no_others(numbers: set[int]) -> None:
    """They are in order, and as few as can be."""
    found = stretches(numbers)
    inside = [n for first, last in found for n in range(first, last + 1)]

    assert inside == sorted(numbers)
    assert len(found) == sum(n - 1 not in numbers for n in numbers)
