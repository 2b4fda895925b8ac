"""Everybody is counted once, and every change has one outcome."""

from __future__ import annotations

from hypothesis import given
from sqlalchemy import text

from tests.properties.stage import Stage, searching
from tests.strategies import Scene, scenes
from tests.world import World


def considered(world: World) -> int:
    """Count the people, the users with active rows whom nobody explains, and the husks."""
    keys = {row[0] for rows in world.said.values() for row in rows}
    with world.database.rehearse() as tx:
        linked = set(tx.execute(text("SELECT person FROM links WHERE ended IS NULL")).scalars())
        world.judge(tx)
        keys |= set(tx.execute(text("SELECT key FROM people")).scalars())
        sql = (
            "SELECT user_id FROM standing UNION SELECT user_id FROM finds "
            "UNION SELECT user_id FROM links WHERE ended IS NULL"
        )
        explained = set(tx.execute(text(sql)).scalars())
    rows = world.members().values()
    users = {user for user, profile, active, _ in rows if user and profile and active}
    husks = sum(1 for user, profile, *_ in rows if not user or not profile)
    return len(keys | linked) + len(users - explained) + husks


@searching(0.3)
@given(scenes(gates=True))
def test_situations_sum_to_all_who_are_considered(stage: Stage, scene: Scene) -> None:
    """Nobody is forgotten and nobody is counted twice; outcomes sum to the changes."""
    with stage(scene) as world:
        scene.live(world)
        expected = considered(world)

        report = world.reconcile()

        assert sum(report.situations.values()) == expected
        assert sum((report.outcomes or {}).values()) == report.planned
