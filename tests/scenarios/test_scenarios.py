"""The worked cases of the contract, each through the command line and against the sandbox."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm

HERE = Path(__file__).parent
SCENARIOS = sorted(steps.parent.name for steps in HERE.glob("*/steps.json"))
BASIC = "10"
"""Cases from this number on go deeper; a plain run leaves them to the long one."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name < BASIC else pytest.mark.campaign) for name in SCENARIOS],
)
def test_a_worked_case_comes_out_as_written(name: str) -> None:
    """What happens in `story.md` is what syncd does, step by step."""
    syncd = shlex.join(warm.command())

    done = subprocess.run(
        [sys.executable, HERE / "run", "--syncd", syncd, HERE / name],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )

    assert done.returncode == 0, done.stdout


def test_every_folder_is_a_case_with_a_story() -> None:
    """A folder whose steps are missing would never run, and nobody would notice."""
    folders = sorted(
        path.name for path in HERE.iterdir() if path.is_dir() and path.name[0].isdigit()
    )

    assert folders == SCENARIOS
    assert all((HERE / name / "story.md").exists() for name in SCENARIOS)
