"""What holds for every file: who imports whom, what is public, how long a module is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "syncd").rglob("*.py"))
PUBLISHING = [path for path in MODULES if "\n__all__ = " in path.read_text(encoding="utf-8")]
LONGEST = 400
"""Lines of a module. One that wants more has a second noun in it."""

# Written as patterns, so that this file holds neither a path nor a host.
OF_ONE_MACHINE = re.compile(
    r"""
    (?<![\w.:/$}])/(?:home|root|Users|work)/[\w.]  # somebody's folder
    | /tmp/(?:bash|v\d*)[\w./]*/\w
    | \bfiles\.python[h]osted\.org | \bpypi\.o[r]g | \bregistry\.np[m]js
    | (?:index|find)[-_](?:url|links)\s*[=\s]\s*\S+:/  # where packages come from
    | trusted[-_]host
    """,
    re.VERBOSE,
)


def test_imports_go_only_where_the_architecture_lets_them() -> None:
    """The contracts stand in pyproject.toml; import-linter names each import that breaks one."""
    program = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run(
        [program, "--no-cache"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", PUBLISHING, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_names_are_sorted_and_complete(module: Path) -> None:
    """`__all__` names in order what a module offers, and nobody imports anything else from it."""
    tree = ast.parse(_text(module))
    public = _public(tree)

    assert public == sorted(set(public), key=_rank)
    assert set(public) <= set(_bound(tree))
    assert _taken().get(_dotted(module), set()) <= set(public) | _submodules(module)


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    """Nothing in the package passes the limit."""
    lengths = {str(path.relative_to(ROOT)): len(_text(path).splitlines()) for path in MODULES}

    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    """Neither a person's folder nor the address of a package registry is in what we ship."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in _tracked()
        for number, line in enumerate(_text(path).splitlines(), 1)
        if OF_ONE_MACHINE.search(line)
    ]

    assert found == []


def test_nothing_unexpected_stands_at_the_top() -> None:
    """Whoever opens the project sees the same few names."""
    names = {path.relative_to(ROOT).parts[0] for path in _tracked()}
    agreed = {"pyproject.toml", "README.md", "Dockerfile", "syncd", "config", "deploy", "tests"}

    assert {name for name in names if not name.startswith(".")} <= agreed


def _text(path: Path) -> str:
    """Read a file; some that the tests feed in are not UTF-8."""
    return path.read_text(encoding="utf-8", errors="replace")


def _tracked() -> list[Path]:
    """List the files that git knows; the clone may belong to somebody else."""
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def _public(tree: ast.Module) -> list[str]:
    """Return the `__all__` of a module."""
    return [
        name
        for node in tree.body
        if isinstance(node, ast.Assign) and "__all__" in _targets(node)
        for name in ast.literal_eval(node.value)
    ]


def _rank(name: str) -> tuple[int, str]:
    """Sort constants first, then classes, then functions, as `ruff` does."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


@cache
def _taken() -> Mapping[str, set[str]]:
    """Say which names the package imports from each of its modules."""
    taken: dict[str, set[str]] = defaultdict(set)
    for module in MODULES:
        for node in ast.walk(ast.parse(_text(module))):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                taken[node.module] |= {alias.name for alias in node.names}
    return taken


def _dotted(module: Path) -> str:
    """Name a module as an import does."""
    parts = module.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _submodules(module: Path) -> set[str]:
    """Name what lies beside a package's first module."""
    if module.name != "__init__.py":
        return set()
    return {path.stem for path in module.parent.iterdir()}


def _bound(tree: ast.Module) -> Iterator[str]:
    """Name everything that a module binds at its top: what it defines, assigns and imports."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from _targets(node)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def _targets(node: ast.Assign) -> list[str]:
    """Name what an assignment binds."""
    return [target.id for target in node.targets if isinstance(target, ast.Name)]
