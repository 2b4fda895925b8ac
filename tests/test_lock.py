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
LOCKS = {name: ROOT / "deploy" / f"{name}.lock" for name in ("requirements", "ldap", "build")}
PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[\w.+!]+)", re.MULTILINE)


def _pins(lock: str = "requirements") -> dict[str, str]:
    """Read a lock: the version of each package."""
    text = LOCKS[lock].read_text()
    return {canonicalize_name(pin["name"]): pin["version"] for pin in PIN.finditer(text)}


def _asked() -> list[tuple[str, Requirement]]:
    """Read from pyproject.toml what the container needs: the program, drivers, what builds it."""
    raw = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, extras = raw["project"], raw["project"]["optional-dependencies"]
    wanted = {
        "requirements": [*project["dependencies"], *extras["postgresql"]],
        "ldap": extras["ldap"],
        "build": raw["build-system"]["requires"],
    }
    return [(lock, Requirement(text)) for lock, texts in wanted.items() for text in texts]


@pytest.mark.parametrize(("lock", "requirement"), _asked(), ids=str)
def test_what_the_project_asks_for_is_locked(lock: str, requirement: Requirement) -> None:
    """A version is pinned that the project accepts. Otherwise: renew, see deploy/README.md."""
    pinned = _pins(lock).get(canonicalize_name(requirement.name))

    assert pinned is not None
    assert requirement.specifier.contains(pinned)


@pytest.mark.parametrize(
    ("lock", "name"), [(lock, name) for lock in LOCKS for name in sorted(_pins(lock))]
)
def test_what_a_locked_package_needs_is_locked(lock: str, name: str) -> None:
    """Nothing is left for the installer to choose."""
    try:
        here = distribution(name)
    except PackageNotFoundError:
        here = None
    # Another version may need other packages; the installation of the lock in .ci/run sees those.
    needs = here.requires or [] if here is not None and here.version == _pins(lock)[name] else []
    missing = [
        need
        for need in map(Requirement, needs)
        if need.marker is None or need.marker.evaluate({"extra": ""})
        if canonicalize_name(need.name) not in _pins(lock)
    ]

    assert missing == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes(lock: str) -> None:
    """An installer that checks hashes takes nothing else."""
    blocks = re.split(r"\n(?=\w)", LOCKS[lock].read_text().strip())
    bare = [block for block in blocks if not re.search(r"--hash=sha256:[0-9a-f]{64}", block)]

    assert len(blocks) == len(_pins(lock))
    assert bare == []


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_names_no_address(lock: str) -> None:
    """Where packages come from is the business of whoever installs."""
    text = LOCKS[lock].read_text()

    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash)", text, re.MULTILINE)
    assert " @ " not in text
