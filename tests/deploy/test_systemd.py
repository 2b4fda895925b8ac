"""The unit for systemd: systemd itself reads it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.paperwork import ROOT

UNIT = ROOT / "deploy" / "systemd" / "syncd.service"
EXPOSED = 20
"""Tenths that systemd may find exposed; a unit without any care has 96."""


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
def unit(tmp_path: Path) -> Path:
    """Return the unit with a program that is there."""
    text = UNIT.read_text(encoding="utf-8")
    here = Path(sys.executable).with_name("syncd")
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace("/opt/syncd/bin/syncd", str(here)), encoding="utf-8")
    return copy


def test_systemd_understands_every_line(unit: Path) -> None:
    """An unknown key, a wrong value or a program that is not there would be named."""
    said = _analyze("verify", "--man=no", unit)

    assert (said.returncode, [line for line in said.stderr.splitlines() if unit.name in line]) == (
        0,
        [],
    )


def test_a_wrong_line_would_be_named(unit: Path) -> None:
    """So that the silence of the test above means something."""
    unit.write_text(unit.read_text().replace("Restart=on-failure", "Restart=perhaps"))

    assert "perhaps" in _analyze("verify", "--man=no", unit).stderr


def test_systemd_finds_little_exposed(unit: Path) -> None:
    """The service sees its own files, the network, and nothing else."""
    said = _analyze("security", "--offline=yes", f"--threshold={EXPOSED}", "--no-pager", unit)

    assert said.returncode == 0, said.stdout[-300:]


def test_signals_and_exit_codes_are_the_programs() -> None:
    """SIGHUP reads the settings anew; a configuration that cannot be used is not tried again."""
    lines = UNIT.read_text(encoding="utf-8").splitlines()

    assert {
        "Type=exec",
        "ExecStart=/opt/syncd/bin/syncd daemon",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=on-failure",
        "RestartPreventExitStatus=64",
    } <= set(lines)
