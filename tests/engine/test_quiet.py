"""Where nothing is new a run looks at nobody, and still counts everybody."""

from __future__ import annotations

from dataclasses import dataclass, field

from syncd.engine.parts import RunReport
from tests.engine.crew import person
from tests.world import World


@dataclass(slots=True)
class Steps:
    """Notes how many cases a run decides."""

    decided: list[int] = field(default_factory=list)

    def phase(self, name: str, total: int | None = None) -> None:
        """Note the phase of deciding."""
        if name == "deciding":
            self.decided.append(total or 0)

    def advance(self, number: int) -> None:
        """Pass over it."""


def run(world: World) -> tuple[RunReport, int]:
    """Run once; return how many cases were decided, too."""
    steps = Steps()
    with world.target() as target:
        reconciler = world.reconciler(target)
        reconciler.progress = steps
        report = reconciler.reconcile(delta=True)
    return report, sum(steps.decided)


def test_who_has_left_is_looked_at_until_nothing_is_noted_of_them(world: World) -> None:
    """The run after the removal forgets the sighting; from the next on nobody is looked at."""
    run(world)
    run(world)
    world.says([person(1), person(2), person(3, "Left"), person(4, "Left")])
    left, looked_at = run(world)
    assert (left.planned, looked_at) == (2, 2)

    settling, looked_at = run(world)
    quiet, nobody = run(world)

    assert (looked_at, nobody) == (2, 0)
    assert settling.situations == quiet.situations == {"CONFIRMED": 2, "IDLE": 2}
