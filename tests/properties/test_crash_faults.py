"""An environment that misbehaves for one run: the next one ends where an undisturbed one would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import text

from syncd.core.ids import environment_space, membership_id
from syncd.core.plan import Result
from syncd.core.settings import Policy
from syncd.engine.parts import RunReport
from syncd.sandbox.faults import Fault, FaultKind, Request
from tests.campaign import long
from tests.properties.stage import Stage, searching
from tests.strategies import FAR, FIELD, OFFICE, USERS, Day, Scene, scenes
from tests.world import ROWS, URL, World, number

BATCH: dict[str, Any] = {"method": "POST", "path": "$batch"}


def ill(kind: FaultKind, **more: Any) -> Fault:
    """Describe a fault."""
    return Fault(kind=kind, **more)


FAULTS: dict[str, Fault] = {
    "429 with a time": ill(FaultKind.THROTTLE, retry_after=1, **BATCH),
    "429 without one": ill(FaultKind.THROTTLE, **BATCH),
    "429 that lasts": ill(FaultKind.THROTTLE, retry_after=3000, count=None, **BATCH),
    "429 while reading": ill(FaultKind.THROTTLE, retry_after=1, method="GET"),
    "503 before": ill(FaultKind.ERROR, status=503, **BATCH),
    "503 after": ill(FaultKind.ERROR, status=503, when="after", **BATCH),
    "500 before": ill(FaultKind.ERROR, status=500, **BATCH),
    "500 after": ill(FaultKind.ERROR, status=500, when="after", **BATCH),
    "502 that lasts": ill(FaultKind.ERROR, status=502, count=None, **BATCH),
    "503 after, always": ill(FaultKind.ERROR, status=503, when="after", count=None, **BATCH),
    "503 while reading": ill(FaultKind.ERROR, status=503, count=None, method="GET"),
    "cut before": ill(FaultKind.CUT, **BATCH),
    "cut after": ill(FaultKind.CUT, when="after", **BATCH),
    "cut always": ill(FaultKind.CUT, count=None, **BATCH),
    "cut after, always": ill(FaultKind.CUT, when="after", count=None, **BATCH),
    "cut while reading": ill(FaultKind.CUT, method="GET", path=ROWS, count=None),
    "late": ill(FaultKind.LATENCY, seconds=5, **BATCH),
    "one bad create": ill(FaultKind.OPERATION, status=400, code="0x80040265", method="POST"),
    "one bad update": ill(FaultKind.OPERATION, status=400, code="0x80040265", method="PATCH"),
    "one bad removal": ill(FaultKind.OPERATION, status=500, method="DELETE"),
    "one done and denied": ill(FaultKind.OPERATION, status=500, when="after"),
    "all bad": ill(FaultKind.OPERATION, status=500, count=None),
}


@dataclass(slots=True)
class Hours:
    """A time that passes by sleeping, and a little by asking for it."""

    now: float = 0.0

    def clock(self) -> float:
        """Tell the time."""
        self.now += 0.01
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def play(world: World, faults: Sequence[Fault], size: int = 2) -> RunReport:
    """Run once while the environment misbehaves."""
    hours = Hours()
    world.sandbox.misbehave(faults)
    with world.target(batch_size=size, clock=hours.clock, sleep=hours.sleep) as target:
        report = world.reconciler(target).reconcile()
    world.sandbox.misbehave(())
    return report


def end(world: World) -> tuple[object, ...]:
    """Run once more, on the same day; all is done then, and nothing is left to do."""
    world.clock.wait(minutes=20)
    world.reconcile()
    world.clock.wait(minutes=20)
    last = world.reconcile()
    return world.members(), world.links(), last.planned


def told(world: World) -> list[str]:
    """Return where changes, journal and audit log do not tell the same; nothing if all is well."""
    with world.database.read() as tx:
        changes = _rows(tx.execute(text("SELECT plan, number, result, held FROM changes")))
        journal = _rows(tx.execute(text("SELECT plan, number, run, settled, result FROM journal")))
        audit = _rows(
            tx.execute(text("SELECT run, what, membership, result FROM audit WHERE run > 0"))
        )
    results = {(plan, number): result for plan, number, result, _ in changes}
    wrong = [f"open: {entry}" for entry in journal if entry[3] is None]
    wrong += [f"another: {e}" for e in journal if results.get((e[0], e[1])) != e[4]]
    wrong += [f"without result: {c}" for c in changes if c[2] is None and c[3] is None]
    entries = Counter((entry[2], entry[4]) for entry in journal)
    lines = Counter((run, result.partition(":")[0]) for run, _, _, result in audit)
    return wrong + ([] if entries == lines else [f"{entries} in the journal, {lines} in the log"])


def _rows(found: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in found]


def one(key: str, department: str = "field", status: str = "Active") -> tuple[str, ...]:
    """Describe somebody, who has a user by the employee id."""
    return (key, "", key, "", "", status, "", "", department, "5", "")


def company() -> Scene:
    """Describe a second day on which a run moves one row, removes one, and creates two."""
    users = [
        {"systemuserid": user, "fullname": f"User {n}", "employeeid": f"e{n}",
         "domainname": f"u{n}@x.org"}
        for n, user in enumerate(USERS, 1)
    ]  # fmt: skip
    profiles = [
        {"mobileofflineprofileid": key, "name": name, "componentstate": 0,
         "publishedon": "2025-01-01T00:00:00Z"}
        for key, name in ((FIELD, "Field"), (OFFICE, "Office"))
    ]  # fmt: skip
    gone, moved = one("e2", status="Gone"), one("e1", "office")
    news = {each[0]: [each] for each in (moved, gone, one("e4"), one("e5"))}
    return Scene(
        rows={"systemusers": users, "mobileofflineprofiles": profiles},
        policy=Policy(removals=FAR),
        people={key: [one(key)] for key in ("e1", "e2", "e3")},
        others=None,
        days=[Day(hours=24, people=news, calls=[], rulings=[])],
    )


@pytest.fixture(params=["sqlite", long("postgresql")])
def either(request: pytest.FixtureRequest) -> Stage:
    """Give a stage on each database."""
    found: Stage = request.getfixturevalue(f"{request.param}_stage")
    return found


PLAIN = ("429 with a time", "503 after, always", "502 that lasts", "cut after", "one bad removal")
"""One of each kind; the campaign has all of them."""


@pytest.mark.parametrize("name", [name if name in PLAIN else long(name) for name in FAULTS])
def test_what_goes_wrong_once_is_made_good(name: str, either: Stage) -> None:
    """Same rows, same memory; each attempt is told once, with the result that it had."""
    with either(company()) as world:
        company().live(world)
        world.reconcile()
        expected = end(world)
    with either(company()) as world:
        company().live(world)
        report = play(world, [FAULTS[name]])
        reached = end(world)
        differing = told(world)

    assert report.outcomes is None or sum(report.outcomes.values()) == report.planned == 4
    assert reached == expected
    assert differing == []


def row_of(user: str) -> str:
    """Return where the row is that syncd made for a user."""
    return f"{ROWS}({membership_id(environment_space(URL), user)})"


BIND = "MobileOfflineProfileId@odata.bind"
WRITERS: dict[str, Request] = {
    "moves what we move": Request(
        "PATCH", row_of(USERS[0]), {BIND: f"/mobileofflineprofiles({OFFICE})"}
    ),
    "deletes what we move": Request("DELETE", row_of(USERS[0])),
    "deletes what we remove": Request("DELETE", row_of(USERS[1])),
    "touches what we remove": Request("PATCH", row_of(USERS[1]), {"name": "by hand"}),
    "empties what we move": Request("PATCH", row_of(USERS[0]), {"SystemUserId@odata.bind": None}),
    "closes what we keep": Request("PATCH", row_of(USERS[2]), {"statecode": 1, "statuscode": 2}),
    "creates what we create": Request(
        "POST",
        ROWS,
        {
            "usermobileofflineprofilemembershipid": number(3, 7),
            "SystemUserId@odata.bind": f"/systemusers({USERS[3]})",
            BIND: f"/mobileofflineprofiles({FIELD})",
        },
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_somebody_who_writes_at_the_same_time_is_no_obstacle(name: str, either: Stage) -> None:
    """Whatever they did to a row between reading and sending: in the end all have what HR says."""
    fault = ill(FaultKind.WRITE, request=WRITERS[name], **BATCH)
    with either(company()) as world:
        company().live(world)
        report = play(world, [fault])
        members, _, planned = end(world)
        differing = told(world)

    assert isinstance(members, dict)
    assert {row[:2] for row in members.values() if row[0] and row[2]} == {
        (USERS[0], OFFICE), (USERS[2], FIELD), (USERS[3], FIELD), (USERS[4], FIELD)
    }  # fmt: skip
    assert (planned, differing) == (0, [])
    assert report.outcomes is not None
    assert report.outcomes[Result.FAILED] == 0


@searching(0.15)
@given(scenes(), st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=3), st.data())
def test_any_life_with_any_faults_ends_the_same(
    stage: Stage, scene: Scene, names: list[str], data: st.DataObject
) -> None:
    """Several at once, each at some place of the run, with batches of some size."""
    skips = [data.draw(st.integers(0, 4)) for _ in names]
    faults = [
        structs.replace(FAULTS[name], skip=skip) for name, skip in zip(names, skips, strict=True)
    ]
    size = data.draw(st.integers(1, 4))
    with stage(scene) as world:
        scene.live(world)
        world.reconcile()
        expected = end(world)
    with stage(scene) as world:
        scene.live(world)
        play(world, faults, size)
        reached = end(world)
        differing = told(world)

    assert reached == expected
    assert differing == []
