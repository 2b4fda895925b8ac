"""What statements leave behind is just what the core would have said nothing about."""

from __future__ import annotations

from hypothesis import given

from syncd.state import archive
from tests.properties.stage import Stage, searching
from tests.strategies import Scene, scenes
from tests.world import World, picture


def told(world: World, *, everybody: bool) -> tuple[object, ...]:
    """Plan, and give all that a run would show and remember."""
    with world.database.rehearse() as tx:
        planned, certificates = world.judge(tx, everybody=everybody)
        head = archive.head(tx, "plan")
        items = [
            (kind, list(archive.items(tx, "plan", kind)))
            for kind in ("pending", "reports", "saved", "conflicts")
        ]
        return (
            head and head.digest, planned.situations, planned.gates, items, picture(tx),
            certificates,
        )  # fmt: skip


@searching(0.3)
@given(scenes(gates=True))
def test_statements_leave_out_whom_the_core_confirms(stage: Stage, scene: Scene) -> None:
    """Judged one by one, everybody together gives the same plan, situations and memory."""
    with stage(scene) as world:
        scene.live(world)

        assert told(world, everybody=False) == told(world, everybody=True)
