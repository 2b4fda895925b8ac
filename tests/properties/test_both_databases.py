"""What syncd decides does not depend on the database it remembers in."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.campaign import LONG
from tests.properties.stage import Stage, searching
from tests.properties.test_crash import end, killed
from tests.strategies import Scene, begin, scenes
from tests.world import World, picture


def lived(world: World, scene: Scene) -> tuple[list[Any], object]:
    """Live through a scene, and return every plan and all that is left."""
    told = []
    for day in (None, *scene.days):
        if day is not None:
            begin(world, day)
        report = world.reconcile()
        assert report.plan is not None
        document = world.document(report.plan)
        told.append({**document, "plan": None, "outcomes": report.outcomes})
    with world.database.read() as tx:
        return told, (world.members(), picture(tx))


@LONG
@searching(0.15)
@given(scenes(gates=True))
def test_both_databases_lead_the_same_life(
    sqlite_stage: Stage, postgresql_stage: Stage, scene: Scene
) -> None:
    """Every plan, every row and everything remembered is the same on both."""
    with sqlite_stage(scene) as world:
        expected = lived(world, scene)

    with postgresql_stage(scene) as world:
        assert lived(world, scene) == expected


@searching(0.1)
@given(scenes(most=1), st.integers(0, 2**16))
@LONG
def test_a_run_that_dies_is_made_good_on_postgresql(
    sqlite_stage: Stage, postgresql_stage: Stage, scene: Scene, moment: int
) -> None:
    """Rows and links are as an undisturbed life leaves them, where the database is a server."""
    with sqlite_stage(scene) as world:
        scene.live(world)
        whole = killed(world, None, 2)
        expected = end(world)

    with postgresql_stage(scene) as world:
        scene.live(world)
        killed(world, whole.choose(moment), 2)
        assert end(world) == expected
