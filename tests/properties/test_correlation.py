"""Statements place everybody whose evidence agrees, just where one look at a time would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.model import Rung
from syncd.state import decisions, observed
from syncd.state.database import rows, run
from syncd.state.decisions import Verb
from tests.properties.stage import Stage, searching
from tests.strategies import HINTED, USERS, Scene, scenes
from tests.world import NOW, URL, Picture, World, picture

LADDERS = [HINTED, HINTED, (Rung.USERMAPPING, Rung.EMPLOYEE_ID, Rung.MAIL)]
LACKING = [("employeeid",), ("azureactivedirectoryobjectid",), ("employeeid", "domainname"), ()]


def placed(world: World, *, singly: bool) -> tuple[Picture, set[tuple[object, ...]]]:
    """
    Return who is whose user with all that is written down of it, and who explains whom.

    A hold that is over holds nobody, but whoever might be held is looked at *singly*.
    """
    with world.database.rehearse() as tx:
        env = observed.environment(tx, "contoso", URL)
        sql = "SELECT subject FROM decisions WHERE kind = 'hold' AND ended IS NULL"
        held = {row.subject for row in rows(tx, sql)}
        for user in USERS if singly else ():
            if user not in held:
                decisions.add(
                    tx, Verb.HOLD, user, env=env, reason="because", who="op",
                    now="2026-01-01T00:00:00Z", until=(NOW - timedelta(30)).date().isoformat(),
                )  # fmt: skip
        # A link that confirms what was found does not count until something else changes.
        run(tx, "DELETE FROM meta WHERE name = :name", name=f"standing:{env}")
        world.judge(tx)
        explained = {tuple(row) for row in rows(tx, "SELECT person, user_id FROM finds")}
        return picture(tx, "standing", "stranded"), explained


def finding(said: tuple[Picture, set[tuple[object, ...]]]) -> list[tuple[object, ...]]:
    """Return no more than everybody's user, finding and rung."""
    standing = [row[:4] for row in said[0]["standing"]]
    return [*standing, *(row[:2] for row in said[0]["stranded"])]


def bare(scene: Scene, columns: Sequence[str]) -> Scene:
    """Leave some columns of all users empty, and protect nobody."""
    users = [{**user, **dict.fromkeys(columns)} for user in scene.rows["systemusers"]]
    policy = replace(scene.policy, protected=frozenset())
    return replace(scene, rows={**scene.rows, "systemusers": users}, policy=policy)


@searching(0.2)
@given(scenes(), st.sampled_from(LADDERS))
def test_statements_place_people_as_one_look_at_a_time_does(
    stage: Stage, scene: Scene, ladder: tuple[Rung, ...]
) -> None:
    """Links, doubled keys and hints of `usermapping` included."""
    scene = replace(scene, policy=replace(scene.policy, match=ladder))
    with stage(scene) as world:
        scene.live(world)

        assert finding(placed(world, singly=False)) == finding(placed(world, singly=True))


@searching()
@given(scenes(), st.sampled_from(LACKING))
def test_statements_place_people_likewise_where_users_lack_a_column(
    stage: Stage, scene: Scene, lacking: Sequence[str]
) -> None:
    """Nobody's evidence answers as a whole then; whom it finds counts."""
    with stage(bare(scene, lacking)) as world:
        scene.live(world)

        assert placed(world, singly=False) == placed(world, singly=True)
