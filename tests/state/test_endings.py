"""How a conflict ended and by whom, as its history tells (behaviour.md section 5)."""

from __future__ import annotations

import pytest

from syncd.core.model import iso
from syncd.core.settings import Ownership, Policy
from syncd.state import decisions, observed
from syncd.state.database import Database
from syncd.state.decisions import Verb
from tests.state.desk import FIELD, OFFICE, ONE, person, select
from tests.strategies import FAR
from tests.world import ROWS, URL, World, number

ADOPT = Policy(removals=FAR)
EXCLUSIVE = Policy(removals=FAR, ownership=Ownership.EXCLUSIVE)


@pytest.fixture
def doubled(world: World) -> World:
    """Give a world in which somebody has two rows made by hand, which a run has flagged."""
    for which, profile in ((1, FIELD), (2, OFFICE)):
        made = {
            "usermobileofflineprofilemembershipid": number(3, which),
            "name": "by hand",
            "SystemUserId@odata.bind": f"/systemusers({ONE})",
            "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({profile})",
        }
        assert world.call("POST", ROWS, made) is not None
    world.policy = ADOPT
    world.says([person("e1")])
    follow(world)
    return world


def follow(world: World, runs: int = 1) -> None:
    """Let some runs follow, an hour apart."""
    for _ in range(runs):
        world.reconcile()
        world.clock.wait(hours=1)


def endings(database: Database) -> dict[str, str | None]:
    """Say of each conflict by whom it ended."""
    return dict(select(database, "SELECT code, how FROM conflicts"))


def choose(world: World, profile: str) -> None:
    """Let an operator choose who wins."""
    with world.database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        decisions.add(
            tx, Verb.PROFILE, ONE, env=env, reason="so", who="olga", now=iso(world.clock()),
            value=profile, against=FIELD,
        )  # fmt: skip
    world.clock.wait(hours=1)


def test_what_somebody_else_settles_is_not_credited_to_syncd(
    doubled: World, database: Database
) -> None:
    """That syncd flagged the rows, and clears the flag when they are no longer at odds, is less."""
    flagged = {row: flag for row, (*_, flag) in doubled.members().items()}
    doubled.call("DELETE", f"{ROWS}({number(3, 2)})")
    follow(doubled, 2)

    assert flagged == {number(3, 1): True, number(3, 2): True}
    assert endings(database)["MULTI_PROFILE_DIRECT"] == "somebody else"


def test_what_syncd_settles_is_its_own(doubled: World, database: Database) -> None:
    """Exclusive mode removes the loser."""
    doubled.policy = EXCLUSIVE
    follow(doubled, 2)

    assert list(doubled.members()) == [number(3, 1)]
    assert endings(database)["MULTI_PROFILE_DIRECT"] == "syncd"


def test_what_an_operator_settles_is_theirs(doubled: World, database: Database) -> None:
    """Whoever chose the winner while there was the conflict ended it; syncd only carried it out."""
    choose(doubled, OFFICE)
    doubled.policy = EXCLUSIVE
    follow(doubled, 2)

    assert list(doubled.members()) == [number(3, 2)]
    assert endings(database)["MULTI_PROFILE_DIRECT"] == "olga"


def test_a_choice_that_came_to_nothing_ended_nothing(doubled: World, database: Database) -> None:
    """In adopt mode the loser stays until somebody else takes it away."""
    choose(doubled, FIELD)
    follow(doubled)
    doubled.call("DELETE", f"{ROWS}({number(3, 2)})")
    follow(doubled, 2)

    assert endings(database)["MULTI_PROFILE_DIRECT"] == "somebody else"


def test_a_flag_alone_ends_when_syncd_clears_it(world: World, database: Database) -> None:
    """Clearing is all there is to do about SERVER_FLAG_ONLY."""
    world.policy = ADOPT
    world.says([person("e1")])
    follow(world)
    [row] = world.members()
    world.call("PATCH", f"{ROWS}({row})", {"hasmobileofflineprofileidconflict": True})
    follow(world, 2)

    assert endings(database) == {"SERVER_FLAG_ONLY": "syncd"}
