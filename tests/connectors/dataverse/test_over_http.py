"""The same over real HTTP: sockets, connections that are cut, several lanes at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from syncd.connectors.auth import NoAuth
from syncd.connectors.dataverse import DataverseTarget, open_target
from syncd.core.errors import TargetIncomplete, TargetUnreachable
from syncd.core.model import Action
from syncd.core.plan import Fault, Result
from syncd.sandbox.faults import Fault as Misbehaviour
from syncd.sandbox.faults import FaultKind
from syncd.sandbox.server import Running
from tests.connectors.dataverse.world import P1, P2, World, change, numbered, row_id

LANES = 4


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[World, str]]:
    """Serve one sandbox for all tests here; each uses users and rows of its own."""
    world = World()
    with Running(world.sandbox) as running:
        yield world, running.url


@pytest.fixture
def world(served: tuple[World, str]) -> Iterator[World]:
    """Give the served environment, empty and well behaved."""
    world, _ = served
    world.misbehave()
    for row in world.rows():
        world.call("DELETE", f"usermobileofflineprofilememberships({row})")
    for user in world.call("GET", "systemusers?$select=systemuserid")["value"]:
        world.call("DELETE", f"systemusers({user['systemuserid']})")
    yield world
    world.misbehave()


@pytest.fixture
def target(served: tuple[World, str], world: World) -> Iterator[DataverseTarget]:
    """Open the target on it, with a clock that jumps."""
    clock = world.clock
    url = served[1]
    with open_target(
        url=url, auth=NoAuth(url), clock=clock, sleep=clock.sleep, lanes=LANES, page_size=50
    ) as opened:
        yield opened


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "kind", [FaultKind.CUT, FaultKind.ERROR, FaultKind.THROTTLE, FaultKind.OPERATION]
)
def test_one_trouble_changes_nothing_about_the_end(
    world: World, target: DataverseTarget, kind: FaultKind, when: str
) -> None:
    """Whatever happens to the first batch, each row is as planned and there once."""
    users = [world.user(number) for number in range(1, 13)]
    for number in range(1, 9):
        world.row(number, users[number - 1])
    rows = target.fetch([row_id(number) for number in range(1, 9)])
    changes = numbered(
        [
            *(change(Action.MOVE, rows[row_id(number)], after=P2) for number in (1, 2, 3, 4)),
            *(change(Action.REMOVE, rows[row_id(number)]) for number in (5, 6, 7, 8)),
            *(
                change(Action.CREATE, row_id(number), user=users[number - 1], after=P1)
                for number in (9, 10, 11, 12)
            ),
        ]
    )
    honest = "before" if kind is FaultKind.THROTTLE else when
    world.misbehave(
        Misbehaviour(kind=kind, when=honest, status=500, method=None, position=5)  # type: ignore[arg-type]  # a parameter is a plain text
    )

    outcomes = target.apply(changes, 1)

    world.misbehave()
    assert {one.result for one in outcomes} == {Result.APPLIED}
    assert {row: facts[1] for row, facts in world.rows().items()} == {
        **{row_id(number): P2 for number in (1, 2, 3, 4)},
        **{row_id(number): P1 for number in (9, 10, 11, 12)},
    }


def test_lanes_work_side_by_side(world: World, target: DataverseTarget) -> None:
    """Several batches in flight, throttled in the middle: every change is made once."""
    users = [world.user(number) for number in range(1, 201)]
    batches = [
        numbered(
            [
                change(Action.CREATE, row_id(number), user=users[number - 1], after=P1)
                for number in range(start, start + 20)
            ]
        )
        for start in range(1, 201, 20)
    ]
    world.misbehave(Misbehaviour(kind=FaultKind.THROTTLE, skip=3, count=2, retry_after=7))

    with ThreadPoolExecutor(LANES) as pool:
        outcomes = [
            one for got in pool.map(lambda one: target.apply(one, 1), batches) for one in got
        ]

    assert [one.result for one in outcomes] == [Result.APPLIED] * 200
    read = [row for page in target.memberships(set()) for row in page]
    assert sorted(row[0] for row in read) == [row_id(number) for number in range(1, 201)]


def test_a_read_that_is_cut_off_goes_on(world: World, target: DataverseTarget) -> None:
    """A connection that breaks between two pages is made again; one that always breaks is not."""
    for number in range(1, 121):
        world.row(number, world.user(number))
    world.misbehave(Misbehaviour(kind=FaultKind.CUT, method="GET", skip=1, count=2))

    read = [row for page in target.memberships(set()) for row in page]
    world.misbehave(Misbehaviour(kind=FaultKind.CUT, method="GET", skip=1, count=None))

    assert len(read) == 120
    with pytest.raises(TargetIncomplete):
        list(target.memberships(set()))


def test_an_environment_that_is_not_there_is_unreachable(world: World) -> None:
    """Reading raises; changing says so in the outcome, and that nothing was sent."""
    with Running(world.sandbox) as running:
        url = running.url
    clock = world.clock
    with open_target(url=url, auth=NoAuth(url), clock=clock, sleep=clock.sleep) as gone:
        (outcome,) = gone.apply([change(Action.CREATE, row_id(1), user=row_id(2), after=P1)], 1)

        with pytest.raises(TargetUnreachable, match=r"127\.0\.0\.1"):
            gone.profiles()

    assert (outcome.result, outcome.fault) == (Result.FAILED, Fault.TRANSIENT)
    assert outcome.detail.startswith("not sent")
