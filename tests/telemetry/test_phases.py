"""How long the coarse phases of a run take."""

from __future__ import annotations

import pytest

from syncd.core.errors import Stopped
from syncd.telemetry.phases import PHASES, PhaseTimer

Told = list[tuple[str, float]]


class Watch:
    """A clock that somebody turns, and a list of what was told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: Told = []

    def timer(self, *sources: str) -> PhaseTimer:
        """Give a timer that goes by this watch."""
        return PhaseTimer(
            lambda name, seconds: self.told.append((name, seconds)), sources, lambda: self.now
        )


def test_a_run_has_five_phases() -> None:
    """Each source, and each table of the target, is a part of one of them."""
    watch = Watch()
    steps = (
        "reading hr", "reading payroll", "reading profiles", "reading users",
        "reading memberships", "reading teams", "comparing", "deciding", "applying",
    )  # fmt: skip

    with watch.timer("hr", "payroll") as timer:
        for name in steps:
            timer.phase(name, 10)
            timer.advance(10)
            watch.now += 1

    assert watch.told == list(zip(PHASES, (2, 4, 1, 1, 1), strict=True))


def test_a_source_may_be_called_users() -> None:
    """It is read before the users of the target are."""
    watch = Watch()

    with watch.timer("users") as timer:
        for seconds in (5, 7):
            timer.phase("reading users")
            watch.now += seconds

    assert watch.told == [("reading sources", 5), ("reading target", 7)]


def test_a_phase_that_is_cut_short_counts() -> None:
    """A run that stops has spent its time, too."""
    watch = Watch()

    def stopped() -> None:
        with watch.timer("hr") as timer:
            timer.phase("reading hr")
            watch.now += 3
            raise Stopped("asked to stop")

    with pytest.raises(Stopped):
        stopped()

    assert watch.told == [("reading sources", 3)]
