"""Whenever a process dies, the next run ends where an undisturbed one would have."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from syncd.state.database import Database
from tests.fakes import Killed, MortalDatabase, MortalDoor, Reaper
from tests.properties.stage import Stage, searching
from tests.strategies import Scene, scenes
from tests.world import Door, World


def end(world: World) -> tuple[object, ...]:
    """Run until nothing is to be done, and return the rows and the links."""
    world.reconcile()
    world.clock.wait(minutes=1)
    report = world.reconcile()
    return world.members(), world.links(), report.planned


def killed(world: World, at: int | None, size: int) -> Reaper:
    """Run, and die at a moment; return what was lived through."""
    reaper = Reaper(at)
    door = MortalDoor(Door(world.sandbox), reaper)
    with suppress(Killed), world.target(transport=door, batch_size=size) as target:
        mortal = cast("Database", MortalDatabase(world.database, reaper))
        replace(world.reconciler(target), database=mortal).reconcile()
    return reaper


@searching(0.1)
@given(scenes(), st.integers(0, 2**16), st.integers(1, 4))
def test_a_run_that_dies_is_made_good(stage: Stage, scene: Scene, moment: int, size: int) -> None:
    """Before or after any request or commit: same rows, same links, nothing twice."""
    with stage(scene) as world:
        scene.live(world)
        world.reconcile()
        expected = end(world)
    with stage(scene) as world:
        scene.live(world)
        lived = killed(world, None, size)
    with stage(scene) as world:
        scene.live(world)

        killed(world, lived.choose(moment), size)

        assert end(world) == expected
