"""What a source says that it deleted: over reads of changes, until one of everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from syncd.connectors.records import Batch, Course, RowReading
from syncd.core.cells import Field, Type
from syncd.core.mapping import PersonMapping
from syncd.core.ports import Known, Source
from syncd.core.settings import CertificateLimits, Grace, Policy
from syncd.engine.parts import Ranked, RunReport
from syncd.engine.reconciler import Reconciler
from tests.company import profile
from tests.world import World, number, opened

FIELD = number(2, 1)
MAPPING = PersonMapping(
    Field("key"),
    employee_id=Field("key"),
    enabled=Field("status", type=Type.BOOL, true_values=("Active",)),
    attributes={"department": Field("department")},
)
LENIENT = CertificateLimits(max_shrink_percent=100)


@dataclass(slots=True)
class System:
    """A system that can tell what changed, deletions with it; a source of it is itself."""

    name: str
    people: dict[str, Mapping[str, object]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    shape: str = "one"

    def put(self, key: str, status: str = "Active") -> None:
        """Add somebody, or change what is on record."""
        self.people[key] = {"key": key, "status": status, "department": "field"}
        self.log.append(key)

    def delete(self, key: str) -> None:
        """Take somebody out."""
        del self.people[key]
        self.log.append(key)

    def read(self, known: Known) -> RowReading:
        return RowReading(self.name, known, MAPPING, self._read)

    def _read(self, token: str | None, course: Course) -> Iterator[Batch]:
        course.partial = token is not None
        course.columns = ("key", "status", "department")
        keys = self.people if token is None else dict.fromkeys(self.log[int(token) :])
        rows = [(key, self.people[key]) for key in keys if key in self.people]
        yield Batch(rows, [key for key in keys if key not in self.people])
        course.token = str(len(self.log))


@dataclass(slots=True)
class Days:
    """A world that is run by its systems, by what changed or by everything."""

    world: World
    systems: list[System]

    def run(self, *, delta: bool = True, wait: int = 0) -> RunReport:
        """Run once, so many days later."""
        self.world.clock.wait(days=wait)
        sources: list[Source] = [*self.systems]
        with self.world.target() as target:
            return Reconciler(
                database=self.world.database,
                environment=self.world.environment,
                sources=[Ranked(each, rank) for rank, each in enumerate(sources, 1)],
                target=target,
                clock=self.world.clock,
            ).reconcile(delta=delta)

    def policy(self, **grace: int) -> None:
        """Let removals wait for so many days, by situation."""
        self.world.policy = replace(self.world.policy, grace=Grace(**grace))

    def plan(self, report: RunReport) -> Any:
        """Return what a run planned."""
        return self.world.document(str(report.plan))

    def holders(self) -> list[str]:
        """Return the numbers of the users who have a row."""
        return sorted(str(user)[-1] for user, *_ in self.world.members().values())


def user(which: int) -> dict[str, object]:
    """Describe a user."""
    name = f"u{which}@contoso.com"
    return {"systemuserid": number(1, which), "domainname": name, "fullname": f"User {which}",
            "employeeid": f"E{which}", "internalemailaddress": name}  # fmt: skip


@pytest.fixture
def days(tmp_path: Path, database_url: str) -> Iterator[Days]:
    """Give three people whom one system knows, on the day after all of them got their rows."""
    database = opened(database_url)
    found = {
        "systemusers": [user(which) for which in range(1, 4)],
        "mobileofflineprofiles": [profile(FIELD, "Field"), profile(number(2, 2), "Office")],
    }
    world = World(tmp_path, database, Policy(certificate=LENIENT), rows=found)
    hr = System("hr")
    for which in range(1, 4):
        hr.put(f"E{which}")
    days = Days(world, [hr])
    days.run(delta=False)
    world.clock.wait(days=1)
    yield days
    database.close()


def pending(plan: Any) -> list[tuple[str, str, str, str | None]]:
    """Return who waits for what."""
    return [
        (each["person"], each["situation"], each["reason"], each["due"]) for each in plan["pending"]
    ]


def removed(plan: Any) -> list[tuple[str, str, str]]:
    """Return who loses what they have, and why."""
    return [(each["person"], each["action"], each["situation"]) for each in plan["changes"]]


def test_a_tombstone_is_evidence_that_somebody_left(days: Days) -> None:
    """No second sighting is waited for, and nobody else is touched."""
    days.systems[0].delete("E2")
    report = days.run()

    assert removed(days.plan(report)) == [("E2", "remove", "LEFT")]
    assert report.exit_code == 0
    assert days.holders() == ["1", "3"]


def test_a_tombstone_holds_over_later_reads_of_changes(days: Days) -> None:
    """Nothing new is said of the person: it is the same day from which grace counts."""
    days.policy(left=3)
    days.systems[0].delete("E2")
    first = pending(days.plan(days.run()))
    days.systems[0].put("E3")
    second = pending(days.plan(days.run(wait=1)))
    third = days.plan(days.run(wait=2))

    assert first == second == [("E2", "LEFT", "grace", "2026-03-06")]
    assert removed(third) == [("E2", "remove", "LEFT")]


def test_after_a_read_of_everything_whoever_was_deleted_is_not_seen(days: Days) -> None:
    """What is then no more than absence has to be seen on two days, like any other."""
    days.policy(left=9)
    days.systems[0].delete("E2")
    left = days.plan(days.run())
    days.run(wait=1)
    full = days.plan(days.run(delta=False))
    same = days.plan(days.run())
    again = days.plan(days.run(wait=1))

    assert left["situations"]["LEFT"] == 1
    assert [(each["person"], each["situation"]) for each in full["reports"]] == [("E2", "VANISHED")]
    assert full["changes"] == same["changes"] == []
    assert removed(again) == [("E2", "remove", "VANISHED")]


def test_whoever_is_on_record_again_is_saved(days: Days) -> None:
    """Also under another id: the tombstone is gone with the next word about the person."""
    days.policy(left=3)
    days.systems[0].delete("E2")
    days.run()
    days.systems[0].put("E2")
    report = days.run(wait=1)

    assert days.plan(report)["saved"] == [{"person": "E2", "situation": "LEFT"}]
    assert removed(days.plan(report)) == []
    assert days.plan(days.run(delta=False))["situations"] == {"CONFIRMED": 3}


@pytest.mark.parametrize("order", [("hr", "directory"), ("directory", "hr")])
def test_whoever_another_source_has_stays(days: Days, order: tuple[str, str]) -> None:
    """So a read of everything would say; a read of changes takes nobody away that it returns."""
    both = {"hr": days.systems[0], "directory": System("directory")}
    for key in ("E2", "E3"):
        both["directory"].put(key)
    days.systems = [both[name] for name in order]
    days.run()
    both["directory"].delete("E2")
    changes = days.plan(days.run())
    full = days.plan(days.run(delta=False))
    both["hr"].delete("E2")
    last = days.plan(days.run())

    assert changes["changes"] == full["changes"] == []
    assert changes["situations"] == full["situations"] == {"CONFIRMED": 3}
    assert removed(last) == [("E2", "remove", "LEFT")]


def test_whoever_another_source_takes_on_is_back(days: Days) -> None:
    """A tombstone in one source disables nobody whom another has by then."""
    days.policy(left=3)
    days.systems.append(System("directory"))
    days.systems[1].put("E1")
    days.run()
    days.systems[0].delete("E2")
    days.run()
    days.systems[1].put("E2")
    report = days.run(wait=1)

    assert days.plan(report)["saved"] == [{"person": "E2", "situation": "LEFT"}]
    assert days.plan(days.run(delta=False))["situations"] == {"CONFIRMED": 3}


def test_a_canary_that_is_deleted_is_missed_at_once(days: Days) -> None:
    """Who must always be there is not removed on a tombstone, nor is anybody else."""
    limits = replace(LENIENT, canaries=("E1",))
    days.world.policy = replace(days.world.policy, certificate=limits)
    for key in ("E1", "E2"):
        days.systems[0].delete(key)
    report = days.run()
    later = days.run(wait=1)

    for each in (report, later):
        assert each.exit_code == 4
        assert days.plan(each)["changes"] == []
    assert days.holders() == ["1", "2", "3"]
