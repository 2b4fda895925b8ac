"""Reading only what changed comes to the same as reading everything."""

from __future__ import annotations

from hypothesis import given

from syncd.engine.parts import Silent
from syncd.engine.reading import read_target
from syncd.state import archive, observed
from syncd.state.database import Tx, rows
from tests.properties.stage import Stage, searching
from tests.strategies import Scene, scenes
from tests.world import URL, World

PICTURE = (
    "SELECT id, version, user_name, object_id, candidate, disabled, pointer FROM users ORDER BY id",
    "SELECT id, user_id, version, profile, active, flagged FROM memberships ORDER BY id",
    "SELECT id, user_id, version, profile, active, flagged FROM husks ORDER BY id",
)


def seen(tx: Tx) -> list[list[tuple[object, ...]]]:
    """Return the picture of the target."""
    return [[tuple(row) for row in rows(tx, sql)] for sql in PICTURE]


def told(world: World) -> object:
    """Plan, and say what it hashes to, and what the target looked like."""
    with world.database.rehearse() as tx:
        planned, _ = world.judge(tx)
        head = archive.head(tx, "plan")
        return head and head.digest, planned.situations, seen(tx)


@searching(0.3)
@given(scenes(gates=True))
def test_a_life_of_deltas_sees_and_plans_what_a_full_read_does(stage: Stage, scene: Scene) -> None:
    """After any days: users and profiles deleted, rows emptied, moved, and written by syncd."""
    with stage(scene) as world:
        world.delta = True
        scene.live(world)
        by_delta = told(world)
        world.delta = False

        assert told(world) == by_delta
        with world.database.rehearse() as tx, world.target() as target:
            env = observed.environment(tx, "contoso", URL)
            assert read_target(tx, world.environment, env, target, Silent()) == []
