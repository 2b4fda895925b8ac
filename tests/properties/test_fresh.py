"""What is remembered only to be quick changes nothing."""

from __future__ import annotations

from hypothesis import given
from sqlalchemy import text

from syncd.state import archive
from tests.properties.stage import Stage, searching
from tests.strategies import Scene, scenes
from tests.world import Picture, World, picture

LASTING = ("links", "sightings", "pendings", "conflicts", "flags", "losses", "finds")
DERIVED = ("standing", "stranded", "finds", "answers", "users", "memberships", "husks", "profiles")


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

        numbers = "DELETE FROM meta WHERE name LIKE 'standing:%' OR name LIKE 'revision:%'"
        assert told(world, numbers) == known
        everything = [f"DELETE FROM {table}" for table in DERIVED]  # noqa: S608  # our own
        files = "UPDATE sources SET content = NULL"
        assert told(world, "DELETE FROM meta", *everything, files) == known
