"""Statements place everybody whose evidence agrees, just where one look at a time would."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.model import Rung
from syncd.state import decisions, observed
from syncd.state.database import rows
from syncd.state.decisions import Verb
from tests.properties.stage import Stage, searching
from tests.strategies import HINTED, USERS, Scene, scenes
from tests.world import NOW, URL, World

LADDERS = [HINTED, HINTED, (Rung.USERMAPPING, Rung.EMPLOYEE_ID, Rung.MAIL)]


def placed(world: World, *, singly: bool) -> list[tuple[object, ...]]:
    """
    Return who is whose user, and by which rung.

    A hold that is over holds nobody, but whoever might be held is looked at *singly*.
    """
    with world.database.rehearse() as tx:
        env = observed.environment(tx, "contoso", URL)
        for user in USERS if singly else ():
            decisions.add(
                tx, Verb.HOLD, user, env=env, reason="because", who="op",
                now="2026-01-01T00:00:00Z", until=(NOW - timedelta(30)).date().isoformat(),
            )  # fmt: skip
        world.judge(tx)
        sql = (
            "SELECT person, user_id, finding, rung FROM standing UNION ALL "
            "SELECT person, NULL, finding, NULL FROM stranded"
        )
        return sorted(((*row,) for row in rows(tx, sql)), key=repr)


@searching(0.2)
@given(scenes(), st.sampled_from(LADDERS))
def test_statements_place_people_as_one_look_at_a_time_does(
    stage: Stage, scene: Scene, ladder: tuple[Rung, ...]
) -> None:
    """Links, doubled keys and hints of `usermapping` included."""
    scene = replace(scene, policy=replace(scene.policy, match=ladder))
    with stage(scene) as world:
        scene.live(world)

        assert placed(world, singly=False) == placed(world, singly=True)
