"""Rows that refuse what is sent: once they take it and their waits are over, all is in step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.settings import Failures
from syncd.sandbox.faults import Fault, FaultKind
from syncd.state import escrow
from tests.properties.stage import Stage, searching
from tests.properties.test_convergence import WAITING
from tests.strategies import Scene, scenes
from tests.world import World

EAGER = Failures(quarantine_percent=0, quarantine_floor=1)
"""A single failure is too much: every run after it is one in quarantine."""


def refusal(method: str | None, skip: int, count: int | None) -> Fault:
    """Describe an environment that refuses some changes."""
    return Fault(
        kind=FaultKind.OPERATION,
        status=400,
        code="0x80040265",
        method=method,
        skip=skip,
        count=count,
    )


FAULTS = st.lists(
    st.builds(
        refusal,
        st.sampled_from((None, "POST", "PATCH", "DELETE")),
        st.integers(0, 3),
        st.sampled_from((None, 1, 3)),
    ),
    min_size=1,
    max_size=2,
)
WAITS = st.lists(st.sampled_from((0.1, 0.3, 1, 6, 25)), min_size=1, max_size=4)


def suffer(world: World, faults: Sequence[Fault], waits: Sequence[float]) -> None:
    """Run several times while rows refuse what is sent; then all is well, and waits are over."""
    world.sandbox.misbehave(faults)
    for hours in waits:
        world.reconcile()
        world.clock.wait(hours=hours)
    world.sandbox.misbehave(())
    world.clock.wait(hours=25)


@searching(0.3)
@given(scenes(), FAULTS, WAITS, st.sampled_from((Failures(), EAGER)))
def test_all_is_in_step_once_rows_take_what_is_sent(
    stage: Stage, scene: Scene, faults: list[Fault], waits: list[float], failures: Failures
) -> None:
    """Whatever failed for how long: the run after the last wait leaves nothing behind."""
    with stage(scene) as world:
        world.policy = replace(world.policy, failures=failures)
        scene.live(world)
        suffer(world, faults, waits)
        world.reconcile()
        world.clock.wait(minutes=1)
        report = world.reconcile()
        assert report.plan is not None
        document = world.document(report.plan)
        with world.database.read() as tx:
            kept = escrow.entries(tx, 1)

    late = {each["person"] for each in document["reports"] if each["situation"] in WAITING}
    assert [each for each in document["changes"] if each["person"] not in late] == []
    assert {each["reason"] for each in document["pending"]} <= {"grace", "certificate", "profile"}
    assert kept == []
