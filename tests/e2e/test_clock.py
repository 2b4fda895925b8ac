"""Somebody sets the clock of a machine on which a daemon works, by a day in either direction."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.campaign import LONG
from tests.e2e.service import Process, Site, site, until

pytestmark = LONG

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
"""Shows a process another time; only the wall clock, as when a machine's clock is set."""
CREW = {"E1": "Field", "E2": "Depot", "E3": "Field"}
MOVED = {"E1": "Depot", "E2": "Depot", "E3": "Field", "E4": "Depot"}
BACK = {"E1": "Field", "E2": "Depot", "E3": "Depot", "E4": "Depot"}


@dataclass(frozen=True, slots=True)
class WallClock:
    """The clock that a daemon sees."""

    file: Path

    def set(self, seconds: int) -> None:
        """Put it ahead of the real time, or behind."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n", encoding="ascii")
        new.rename(self.file)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WallClock:
    """Give the clock of every daemon that is started from here on."""
    if LIBRARY is None:
        assert os.environ.get("CI") != "true", "faketime is not installed"
        pytest.skip("faketime is not installed: apt-get install faketime")
    clock = WallClock(tmp_path / "clock")
    clock.set(0)
    monkeypatch.setenv("LD_PRELOAD", str(LIBRARY))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(clock.file))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    return clock


def works(place: Site) -> Process:
    """Start a daemon and let it bring everybody in step."""
    place.people(CREW)
    daemon = place.daemon()
    place.arrived(CREW)
    daemon.said("task ends", task="full")
    return daemon


def fulls(daemon: Process) -> int:
    """Count the full runs that have ended."""
    return sum(line["event"] == "task ends" and line["task"] == "full" for line in daemon.lines)


@pytest.mark.parametrize("jump", [86_400, -86_400])
def test_a_clock_that_is_set_stops_nothing(jump: int, tmp_path: Path, clock: WallClock) -> None:
    """Changes go on arriving, and what a leap ahead passed over is made good once."""
    with site(tmp_path, f"sqlite:///{tmp_path / 'syncd.db'}") as place:
        daemon = works(place)
        clock.set(jump)
        place.people(MOVED)
        place.arrived(MOVED)
        if jump > 0:
            until(lambda: fulls(daemon) > 1, "the full run whose time was leapt over")
        clock.set(0)
        place.people(BACK)
        place.arrived(BACK)
        assert daemon.said("the clock was set; all tasks are planned anew")
        assert daemon.end() == 0
