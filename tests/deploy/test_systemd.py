"""The units for systemd: systemd itself reads them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.service.admin.server import ENDING
from syncd.service.daemon import LEAVING
from tests.deploy.paperwork import ROOT

FOLDER = ROOT / "deploy" / "systemd"
DAEMON = FOLDER / "syncd.service"
ONCE = FOLDER / "syncd-reconcile.service"
TIMER = FOLDER / "syncd-reconcile.timer"
EXPOSED = 20
"""Tenths that systemd may find exposed; a unit without any care has 96."""
SLACK = 10.0
"""Seconds for everything else that a daemon does when it ends."""


def _analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        reason = "systemd-analyze is not installed: apt-get install -y systemd"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def units(tmp_path: Path) -> dict[str, Path]:
    """Return the units, with a program that is there."""
    here = Path(sys.executable).with_name("syncd")
    copies = {}
    for unit in (DAEMON, ONCE, TIMER):
        text = unit.read_text(encoding="utf-8").replace("/opt/syncd/bin/syncd", str(here))
        copies[unit.name] = tmp_path / unit.name
        copies[unit.name].write_text(text, encoding="utf-8")
    return copies


def _verified(units: dict[str, Path]) -> tuple[int, list[str]]:
    """Return the tool's exit code, and what it says about our units."""
    said = _analyze("verify", "--man=no", *units.values())
    return said.returncode, [line for line in said.stderr.splitlines() if "syncd" in line]


def _lines(unit: Path) -> list[str]:
    return unit.read_text(encoding="utf-8").splitlines()


def test_systemd_understands_every_line(units: dict[str, Path]) -> None:
    """An unknown key, a wrong value or a program that is not there would be named."""
    assert _verified(units) == (0, [])


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        (DAEMON.name, "Restart=on-failure", "Restart=perhaps"),
        (ONCE.name, "Type=oneshot", "Type=twice"),
        (TIMER.name, "OnCalendar=*:0/15", "OnCalendar=sometimes"),
    ],
)
def test_a_wrong_line_would_be_named(
    units: dict[str, Path], name: str, right: str, wrong: str
) -> None:
    """So that the silence of the test above means something."""
    units[name].write_text(units[name].read_text().replace(right, wrong))

    assert wrong.partition("=")[2] in " ".join(_verified(units)[1])


@pytest.mark.parametrize("name", [DAEMON.name, ONCE.name])
def test_systemd_finds_little_exposed(units: dict[str, Path], name: str) -> None:
    """The service sees its own files, the network, and nothing else."""
    said = _analyze(
        "security", "--offline=yes", f"--threshold={EXPOSED}", "--no-pager", units[name]
    )

    assert said.returncode == 0, said.stdout[-300:]


def test_signals_and_exit_codes_are_the_programs() -> None:
    """SIGHUP reads the settings anew; a configuration that cannot be used is not tried again."""
    assert {
        "Type=exec",
        "ExecStart=/opt/syncd/bin/syncd daemon",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=on-failure",
        "RestartPreventExitStatus=64",
    } <= set(_lines(DAEMON))


@pytest.mark.parametrize("unit", [DAEMON, ONCE], ids=lambda unit: unit.stem)
def test_systemd_gives_the_time_it_takes_to_leave(unit: Path) -> None:
    """Whoever kills it earlier leaves the next run to settle what was in flight."""
    found = re.findall(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.MULTILINE)

    assert [int(each) >= LEAVING + ENDING + SLACK for each in found] == [True]


def test_a_single_run_may_no_more_than_the_daemon() -> None:
    """The same user, folders and limits, line by line; only what is run differs."""
    daemon, once = _lines(DAEMON), _lines(ONCE)
    confined = daemon[daemon.index("KillMode=mixed") : daemon.index("[Install]") - 1]

    assert once[once.index("KillMode=mixed") :] == confined
    assert "ExecStart=/opt/syncd/bin/syncd reconcile" in once
    assert [line for line in once if line.startswith(("User=", "Group=", "Environment="))] == [
        line for line in daemon if line.startswith(("User=", "Group=", "Environment="))
    ]


def test_the_timer_begins_runs_for_ever() -> None:
    """A run that fails is no reason to stop, and a machine that was off catches up once."""
    assert {"OnCalendar=*:0/15", "Persistent=true", "WantedBy=timers.target"} <= set(_lines(TIMER))
    assert TIMER.stem == ONCE.stem
    assert not [line for line in _lines(ONCE) if line.startswith("Restart")]
