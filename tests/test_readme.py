"""What the README tells a newcomer to type is what CI types."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["demo", "tests"])
def test_the_readme_holds_the_commands_that_ci_runs(name: str) -> None:
    """A command that CI does not run could stop working unseen."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = re.search(rf"^{name}='(.*)'$", script, re.MULTILINE)

    assert command is not None
    assert command[1] in map(str.strip, readme.splitlines())
