"""The backup that the manual describes can be taken while a daemon works, and be restored."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.deploy.paperwork import ROOT
from tests.e2e.service import site

CREW = {"E1": "Field", "E2": "Depot", "E3": "Field"}
LATER = {"E1": "Depot", "E2": "Depot", "E3": "Field", "E4": "Field"}
AFTERWARDS = {"E1": "Field", "E2": "Field", "E3": "Field", "E4": "Depot"}


def _back_up(folder: Path) -> None:
    """Do what deploy/README.md says, here."""
    manual = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    command = re.search(
        r"^    python3 -c '(import sqlite3; .*?)'", manual, re.MULTILINE | re.DOTALL
    )
    assert command is not None
    here = (
        command[1].replace("/var/lib/syncd/", f"{folder}/").replace("/backup/", f"{folder}/copy-")
    )
    subprocess.run([sys.executable, "-c", here], check=True, timeout=30)


def test_a_state_that_was_restored_costs_nobody_a_row(tmp_path: Path) -> None:
    """What happened since the backup is seen in the environment; what comes then is done."""
    state = tmp_path / "syncd.db"
    with site(tmp_path, f"sqlite:///{state}") as place:
        place.people(CREW)
        first = place.daemon()
        place.arrived(CREW)
        _back_up(tmp_path)
        place.people(LATER)
        place.arrived(LATER)
        assert first.end() == 0

        (tmp_path / "copy-syncd.db").replace(state)
        for name in ("syncd.db-wal", "syncd.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        second = place.daemon()
        second.said("task ends", task="delta", result="done")
        place.arrived(LATER)
        place.people(AFTERWARDS)
        place.arrived(AFTERWARDS)
        assert second.end() == 0
