"""What is remembered only to be quick changes nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from sqlalchemy import text

from syncd.state import archive
from tests.properties.stage import Stage, searching
from tests.strategies import Scene, begin, scenes
from tests.world import Picture, World, picture

LASTING = ("links", "sightings", "pendings", "conflicts", "flags", "losses", "finds")
DERIVED = (
    "news",
    "standing",
    "stranded",
    "finds",
    "answers",
    "users",
    "memberships",
    "husks",
    "profiles",
)

KEPT = ("revision", "standing", "attended", "settled", "asked", "named", "base", "ended")
AMONG = " OR ".join(f"name LIKE '{name}:%'" for name in KEPT)
NUMBERS = ("DELETE FROM news", f"DELETE FROM meta WHERE {AMONG}")  # noqa: S608  # our own
"""What is forgotten so that nothing is known to have stayed as it was."""


def told(world: World, *forgotten: str) -> tuple[object, dict[str, int], Picture]:
    """Plan after some statements made the state database forget."""
    with world.database.rehearse() as tx:
        for statement in forgotten:
            tx.execute(text(statement))
        planned, _ = world.judge(tx)
        head = archive.head(tx, "plan")
        return head and head.digest, planned.situations, picture(tx, *LASTING)


@searching(0.3)
@given(scenes(gates=True))
def test_a_long_life_judges_as_a_fresh_look_does(stage: Stage, scene: Scene) -> None:
    """After any days, a run that computes everything anew finds what one finds that does not."""
    with stage(scene) as world:
        scene.live(world)
        known = told(world)

        assert told(world, *NUMBERS) == known
        everything = [f"DELETE FROM {table}" for table in DERIVED]  # noqa: S608  # our own
        files = "UPDATE sources SET content = NULL"
        assert told(world, "DELETE FROM meta", *everything, files) == known


@searching(0.3)
@given(scenes(gates=True, most=6))
def test_judging_whom_news_concern_comes_to_judging_everybody(stage: Stage, scene: Scene) -> None:
    """Several times a day: whatever people, users, rows and operators did in between."""
    with stage(scene) as world:
        world.delta = True
        world.reconcile()
        for day in scene.days:
            begin(world, replace(day, hours=0))
            known = told(world)

            assert told(world, *NUMBERS) == known
            world.reconcile()
        assert told(world, *NUMBERS) == told(world)
