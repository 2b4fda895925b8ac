"""The backup that the manual describes can be taken while a daemon works, and be restored."""

from __future__ import annotations

import re
from pathlib import Path

from tests.campaign import LONG
from tests.cli.office import syncd
from tests.deploy.paperwork import ROOT
from tests.e2e.service import site

CREW = {"E1": "Field", "E2": "Depot", "E3": "Field"}
LATER = {"E1": "Depot", "E2": "Depot", "E3": "Field", "E4": "Field"}
AFTERWARDS = {"E1": "Field", "E2": "Field", "E3": "Field", "E4": "Depot"}


def _manual(what: str) -> list[str]:
    """Return the words of a command as deploy/README.md has them, for a file here."""
    manual = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    command = re.search(rf"^    syncd (state {what} .*?)(  #.*)?$", manual, re.MULTILINE)
    assert command is not None
    return command[1].replace("/backup/syncd-$(date +%F).db", "copy.db").split()


def _typed(folder: Path, words: list[str]) -> None:
    done = syncd("-c", "syncd.toml", *words, folder=folder)
    assert done.code == 0, done.err


@LONG
def test_a_state_that_was_restored_costs_nobody_a_row(tmp_path: Path) -> None:
    """What happened since the backup is seen in the environment; what comes then is done."""
    state = tmp_path / "syncd.db"
    with site(tmp_path, f"sqlite:///{state}") as place:
        place.people(CREW)
        first = place.daemon()
        place.arrived(CREW)
        _typed(tmp_path, _manual("backup"))
        place.people(LATER)
        place.arrived(LATER)
        assert first.end() == 0

        _typed(tmp_path, _manual("restore"))
        second = place.daemon()
        second.said("task ends", task="full", result="done")
        place.arrived(LATER)
        place.people(AFTERWARDS)
        place.arrived(AFTERWARDS)
        assert second.end() == 0
