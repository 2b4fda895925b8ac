"""Whoever is held because the row was lost too often explains whom else they find."""

from __future__ import annotations

import pytest

from syncd.core.settings import Grace, Ownership, Policy
from syncd.engine.explaining import Judge
from syncd.engine.planning import Order
from syncd.engine.upcoming import foresee
from syncd.state import observed
from syncd.state.circle import apart
from syncd.state.views import Document
from tests.engine.crew import FIELD, person
from tests.world import ROWS, URL, World, number

OWN, OTHER = number(1, 1), number(1, 3)


def somebody(department: str) -> tuple[str, ...]:
    """Say of somebody what HR does; their mail address is that of another user."""
    return (*person(1)[:4], "u3@contoso.com", *person(1, department=department)[5:])


@pytest.fixture
def flapping(world: World) -> World:
    """Give an environment in which somebody lost the row twice, and the other user has one."""
    world.policy = Policy(ownership=Ownership.EXCLUSIVE)
    for department in ("field", "hall", "field", "hall", "field"):
        world.says([somebody(department)])
        world.reconcile()
        world.clock.wait(days=1)
    give(world)
    world.says([somebody("hall")])
    return world


def give(world: World) -> None:
    """Give the other user a row, as an administrator would."""
    world.call("POST", ROWS, {
        "usermobileofflineprofilemembershipid": number(3, 1), "name": "by hand",
        "SystemUserId@odata.bind": f"/systemusers({OTHER})",
        "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({FIELD})",
    })  # fmt: skip


def situations(world: World) -> Document:
    """Run once and return how everybody was judged."""
    report = world.reconcile()
    assert report.plan is not None
    return dict(world.document(report.plan)["situations"])


def judged(world: World, asked: str) -> Document:
    """Explain somebody."""
    with world.database.rehearse() as tx:
        env = observed.environment(tx, "contoso", URL)
        judge = Judge(tx, world.environment, env, world.clock(), (), {"hr": 1})
        (match,) = judge.matches(asked)
        return judge.explain(match)


@pytest.mark.parametrize("delta", [False, True])
def test_rows_of_whom_they_find_wait_until_damping_ends(flapping: World, *, delta: bool) -> None:
    """Only then nobody explains the other user any more; the second day takes the row."""
    flapping.delta = delta
    days = []
    for _ in range(5):
        days.append(situations(flapping))
        flapping.clock.wait(days=1)

    held, last = {"HELD": 1}, {"IDLE": 1, "UNASSIGNED": 1}
    assert days == [held, held, held, {"OUT_OF_SCOPE": 1, "UNASSIGNED": 1}, last]
    assert flapping.members() == {}


def test_whoever_is_calm_explains_nobody_else(flapping: World) -> None:
    """Two losses hold nobody who would not lose the row again."""
    flapping.says([somebody("field")])

    assert situations(flapping) == {"CONFIRMED": 1, "UNASSIGNED": 1}


def test_explain_names_who_explains_the_other_user(flapping: World) -> None:
    """It tells what a run would do."""
    flapping.reconcile()

    told = judged(flapping, OTHER)

    assert told["user"]["explained_by"] == ["E1"]
    assert [each["situation"] for each in told["judged"]] == ["HELD"]


def test_damping_of_days_to_come_puts_off_what_it_would_in_a_run(flapping: World) -> None:
    """Who leaves in two days is held then; the other user's grace begins when that is over."""
    flapping.policy = Policy(ownership=Ownership.EXCLUSIVE, grace=Grace(vanished=5))
    leaving = somebody("field")
    flapping.says([(*leaving[:7], "2026-03-08", *leaving[8:])])
    flapping.reconcile()

    with apart(flapping.database) as tx:
        env = observed.environment(tx, "contoso", URL)
        coming = foresee(tx, Order(flapping.environment, env, flapping.clock(), 0, "", ()), 20)

    lost = [(e["day"][-2:], e["user"]) for e in coming.entries if e["action"] == "remove"]
    assert lost == [("11", OWN), ("17", OTHER)]
