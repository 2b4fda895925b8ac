"""After a run the world is as it should be: a second one has nothing to do."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given

from syncd.core.plan import Result
from tests.properties.stage import Stage, searching
from tests.strategies import Scene, scenes
from tests.world import World

WAITING = ("ALREADY_LINKED",)


def said(document: Any, name: str, *keys: str) -> list[tuple[object, ...]]:
    """Return a part of a plan, comparable."""
    return sorted((tuple(str(each[key]) for key in keys) for each in document[name]), key=repr)


def settle(world: World) -> tuple[Any, Any]:
    """Run twice, and return both plans."""
    first = world.reconcile()
    # An environment in which the last user was deleted is not believed.
    assume(first.problem is None or "shows no users at all" not in first.problem)
    assert first.problem is None
    assert first.outcomes is not None
    assert first.outcomes[Result.FAILED] == first.outcomes[Result.MOVED] == 0
    world.clock.wait(minutes=1)
    second = world.reconcile()
    assert first.plan is not None
    assert second.plan is not None
    return world.document(first.plan), world.document(second.plan)


def check(stage: Stage, scene: Scene) -> None:
    """Let a scene play, and look at what a second run finds to do."""
    with stage(scene) as world:
        scene.live(world)
        first, second = settle(world)

        # Who was kept out by somebody who loses the user in the first run may follow in the second.
        late = {each["person"] for each in first["reports"] if each["situation"] in WAITING}
        assert [each for each in second["changes"] if each["person"] not in late] == []
        assert [each for each in second["adopted"] if each["person"] not in late] == []
        assert second["saved"] == []
        pending = ("person", "membership", "situation", "reason", "due")
        assert said(second, "pending", *pending) == said(first, "pending", *pending)


@searching(0.3)
@given(scenes())
def test_a_second_run_plans_nothing(stage: Stage, scene: Scene) -> None:
    """Whatever the world was, what one run has done the next one does not do again."""
    check(stage, scene)
