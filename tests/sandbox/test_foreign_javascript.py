"""dynamics-web-api, a client from npm, walks through the sandbox."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from syncd.sandbox import Running
from tests.sandbox.door import CREW, DEPOT, NEW, ROWS, SMALL, sandbox_of

HERE = Path(__file__).parent
ABSENT = {"refused": 404, "code": "0x80040217"}


def without(reason: str) -> None:
    """Skip the test, or fail where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder in which the client is installed, beside the script that uses it."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        without("npm is not installed: apt-get install -y --no-install-recommends npm")
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "dynamics.js"):
        shutil.copy(HERE / name, folder)
    quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--fetch-retries=1")
    got = run(folder, "npm", "install", *quiet)
    if got.returncode:
        without(f"dynamics-web-api cannot be installed: {got.stderr[-500:]}")
    return folder


EXPECTED: dict[str, Any] = {
    "create": NEW,
    "create again": {"refused": 412, "code": "0x80040237"},
    "create and show": [NEW[:-1] + "e", "shown", True],
    "update": [True, "changed"],
    "update what is gone": ABSENT,
    "update an old version": False,
    "one column": "one",
    "empty a column": None,
    "upsert": "upserted",
    "upsert, create only": None,
    "upsert, update only": None,
    "associate": DEPOT,
    "disassociate": None,
    "associate from the parent": CREW,
    "disassociate from the parent": None,
    "delete": True,
    "delete again": ABSENT,
    "create many": 12,
    "update many": "renamed",
    "create many with one bad": {"refused": 400, "code": "0x80044331"},
    "pages": {"sizes": [5, 5, 4], "counted": 14},
    "all pages at once": 14,
    "filter": ["by hand"],
    "expand": "Ada Kuhn",
    "annotations": ["Active", "systemuser"],
    "count": 14,
    "count some": 12,
    "a row that is not there": ABSENT,
    "a column that is not there": {"refused": 400, "code": "0x80060888"},
    "who am I": "5a7d0c00-0000-4000-8000-000000000001",
    "batch": [1, True],
    "batch that fails": [412, 0],
    "batch that goes on": "went on",
    "first tracked read": [True, True],
    "changes": ["tracked", "deleted"],
    "tables": [ROWS],
    "columns": True,
    "relationships": True,
    "csdl": True,
    "429": {"refused": 429, "code": "0x80072322", "wait": "7"},
    "after it": True,
}
"""What each step of the script is to print."""


def test_every_step_gives_what_dataverse_would_give(client: Path) -> None:
    """Writes, bulk actions, reads, batches, change tracking, metadata, and a 429."""
    with Running(sandbox_of(SMALL)) as running:
        done = run(client, "node", "dynamics.js", running.url)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == EXPECTED
