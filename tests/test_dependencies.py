"""What pyproject.toml asks for is what the package imports."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PART_OF = {"pydantic-core": "pydantic"}
"""A distribution that another one pins to the exact version and documents as its own."""

WITHOUT = """
import importlib, pkgutil, sys
sys.modules["ldap"] = None
import syncd
for module in pkgutil.walk_packages(syncd.__path__, "syncd.", onerror=lambda name: None):
    if module.name.endswith("__main__") or ".migrations." in module.name:
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        assert error.name == "ldap", error
        print(module.name)
"""
"""Imports all of the package where python-ldap is not installed, and prints what cannot be."""


def _declared(*, extra: str | None = None) -> set[str]:
    """Read which distributions the project needs, or one of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    return {canonicalize_name(Requirement(text).name) for text in asked}


@cache
def _imported() -> set[str]:
    """Find which distributions the package imports, wherever in a module it does."""
    names: set[str] = set()
    for module in (ROOT / "syncd").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                names.add(node.module.partition(".")[0])
    shipped_by = {"ldap": ["python-ldap"], **packages_distributions()}  # may not be installed
    foreign = names - sys.stdlib_module_names - {"syncd"}
    found = {canonicalize_name(shipped_by.get(name, [name])[0]) for name in foreign}
    return {PART_OF.get(name, name) for name in found}


def test_whatever_is_imported_is_asked_for() -> None:
    """A package that comes along with another may be gone with the other's next release."""
    extras = _declared(extra="postgresql") | _declared(extra="ldap")
    undeclared = _imported() - _declared() - extras

    assert undeclared == set()


def test_whatever_is_asked_for_is_imported() -> None:
    """A dependency that nothing imports is installed, updated and trusted in vain."""
    idle = _declared() - _imported()

    assert idle == set()


def test_nothing_but_the_source_itself_needs_its_extra() -> None:
    """Whoever has no directory need not compile a client for one."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    left_out = done.stdout.split()

    assert left_out
    assert all(name.startswith("syncd.connectors.sources.ldap") for name in left_out)
