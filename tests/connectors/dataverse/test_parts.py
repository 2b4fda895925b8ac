"""A long table without change tracking is read in parts, and nothing slips between them."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from syncd.connectors.dataverse import DataverseTarget
from syncd.core.errors import TargetIncomplete
from syncd.sandbox.faults import Fault, FaultKind
from tests.connectors.dataverse.world import P1, P2, ROWS, World, profile, row_id

TABLE = "usermobileofflineprofilemembership"
P3 = P1[:-1] + "3"


@pytest.fixture
def long(world: World) -> World:
    """Give an environment that does not track changes, with rows of two profiles."""
    world.sandbox.switches.set_features(TABLE, None, False)
    for n in range(1, 9):
        world.row(n, world.user(n), P1 if n % 2 else P2)
    return world


def read(target: DataverseTarget) -> dict[str, str | None]:
    """Read all rows as a run does, the profiles first: of a row shown twice the last counts."""
    target.profiles()
    return {row[0]: row[3] for page in target.memberships(set()) for row in page}


def shown(world: World) -> dict[str, str | None]:
    """Return the rows as they are."""
    return {key: which for key, (_, which, _, _) in world.rows().items()}


def test_all_parts_together_are_the_table(long: World) -> None:
    """Also rows without a profile; each part is asked for by itself."""
    long.call("DELETE", f"{ROWS}({row_id(8)})/MobileOfflineProfileId/$ref")
    with long.open(page_size=2) as target:
        rows = read(target)

    assert rows == shown(long)
    assert rows[row_id(8)] is None


def test_what_fits_on_a_page_is_read_at_once(long: World) -> None:
    """Three requests: whether it is tracked, the newest row, the page."""
    with long.open() as target:
        target.profiles()
        long.sent.clear()
        rows = {row[0] for page in target.memberships(set()) for row in page}

    assert len(rows) == 8
    assert len(long.sent) == 3


@pytest.mark.parametrize("to", [P1, P2, P3])
@pytest.mark.parametrize("at", range(1, 17))
def test_a_row_that_moves_while_parts_are_read_is_seen(long: World, to: str, at: int) -> None:
    """Whichever part it left or came to, even one of a profile that did not exist before."""
    moved = row_id(7 if to == P2 else 8)

    def meddle(request: int) -> None:
        if request == at:
            if to == P3:
                long.post("mobileofflineprofiles", profile(P3, "New"))
            bound = {"MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({to})"}
            long.call("PATCH", f"{ROWS}({moved})", bound)

    with long.open(page_size=1, lanes=1, transport=Meddled(long, meddle)) as target:
        rows = read(target)

    assert rows.keys() == shown(long).keys()


class Meddled(httpx.BaseTransport):
    """The way into a world where something happens before a request, by its number."""

    def __init__(self, world: World, happens: Callable[[int], None]) -> None:
        self.world = world
        self.happens = happens
        self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        self.happens(self.requests)
        return self.world.handle_request(request)


@pytest.mark.parametrize("skip", range(4, 13))
def test_a_part_that_breaks_off_fails_the_whole(long: World, skip: int) -> None:
    """Only a complete read is believed, wherever it broke."""
    with long.open(page_size=2) as target:
        target.profiles()
        fault = Fault(kind=FaultKind.ERROR, status=400, path=ROWS, skip=skip, count=1)
        long.misbehave(fault)

        with pytest.raises(TargetIncomplete):
            list(target.memberships(set()))


def test_whoever_stops_taking_pages_leaves_nothing_behind(long: World) -> None:
    """The parts that are under way end by themselves."""
    with long.open(page_size=1) as target:
        target.profiles()
        pages = iter(target.memberships(set()))
        for _ in range(3):
            next(pages)
        pages.close()  # type: ignore[attr-defined]  # a generator

        assert read(target) == shown(long)
