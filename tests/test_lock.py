"""The container's dependencies: all there, pinned, with hashes, and from no address."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "deploy" / "requirements.lock"
PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[\w.+!]+)", re.MULTILINE)


def _pins() -> dict[str, str]:
    """Read the lock: the version of each package."""
    return {
        canonicalize_name(pin["name"]): pin["version"] for pin in PIN.finditer(LOCK.read_text())
    }


def _asked() -> list[Requirement]:
    """Read from pyproject.toml what the container needs: the program, and PostgreSQL's driver."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    driver = project["optional-dependencies"]["postgresql"]
    return [Requirement(text) for text in (*project["dependencies"], *driver)]


@pytest.mark.parametrize("requirement", _asked(), ids=lambda requirement: requirement.name)
def test_what_the_project_asks_for_is_locked(requirement: Requirement) -> None:
    """A version is pinned that the project accepts. Otherwise: renew, see deploy/README.md."""
    pinned = _pins().get(canonicalize_name(requirement.name))

    assert pinned is not None
    assert requirement.specifier.contains(pinned)


@pytest.mark.parametrize("name", sorted(_pins()))
def test_what_a_locked_package_needs_is_locked(name: str) -> None:
    """Nothing is left for the installer to choose."""
    try:
        here = distribution(name)
    except PackageNotFoundError:
        here = None
    # Another version may need other packages; the installation of the lock in .ci/run sees those.
    needs = here.requires or [] if here is not None and here.version == _pins()[name] else []
    missing = [
        need
        for need in map(Requirement, needs)
        if need.marker is None or need.marker.evaluate({"extra": ""})
        if canonicalize_name(need.name) not in _pins()
    ]

    assert missing == []


def test_every_pin_has_hashes() -> None:
    """An installer that checks hashes takes nothing else."""
    blocks = re.split(r"\n(?=\w)", LOCK.read_text().strip())
    bare = [block for block in blocks if not re.search(r"--hash=sha256:[0-9a-f]{64}", block)]

    assert len(blocks) == len(_pins())
    assert bare == []


def test_the_lock_names_no_address() -> None:
    """Where packages come from is the business of whoever installs."""
    text = LOCK.read_text()

    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash)", text, re.MULTILINE)
    assert " @ " not in text
