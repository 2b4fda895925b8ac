"""Pages that are known again show what they would show to somebody who knows nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from syncd.engine.parts import Silent
from syncd.engine.reading import read_target
from syncd.state import observed
from syncd.state.database import Tx
from tests.properties.stage import Stage, searching
from tests.properties.test_delta import seen
from tests.strategies import Scene, begin, scenes
from tests.world import URL, World

FORGOTTEN = ("users", "memberships", "husks", "hints", "pages", "meta")


def look(world: World, tx: Tx) -> list[list[tuple[object, ...]]]:
    """Read everything, and return the picture of the target."""
    env = observed.environment(tx, "contoso", URL)
    with world.target() as target:
        read_target(tx, world.environment, env, target, Silent())
    return seen(tx)


def fresh(world: World) -> list[list[tuple[object, ...]]]:
    """Look without knowing anything."""
    with world.database.rehearse() as tx:
        for table in FORGOTTEN:
            tx.execute(text(f"DELETE FROM {table}"))  # noqa: S608  # our own tables
        return look(world, tx)


lives = st.lists(st.tuples(st.booleans(), st.integers(1, 4)), min_size=5, max_size=5)


@searching(0.5)
@given(scenes(gates=True, most=5), lives)
def test_a_full_read_sees_what_a_fresh_look_sees(
    stage: Stage, scene: Scene, life: list[tuple[bool, int]]
) -> None:
    """After reads of changes, of everything, by pages of any size, and what syncd wrote."""
    with stage(scene) as world:
        for (delta, size), day in zip(life, scene.days, strict=False):
            world.delta, world.settings = delta, {"page_size": size}
            world.reconcile()
            begin(world, day)
            shown = fresh(world)
            with world.database.rehearse() as tx:
                assert [look(world, tx), look(world, tx), look(world, tx)] == [shown] * 3
