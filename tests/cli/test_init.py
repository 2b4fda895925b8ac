"""init: a configuration to begin with, and a plan with it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.sandbox import Running
from tests.cli.office import DAY, WORLD, Done, environ, syncd
from tests.sandbox.door import sandbox_of

REAL = ("--url", "https://contoso.crm4.dynamics.com", "--tenant", "t", "--client", "c")
PEOPLE = "EmployeeID;UPN;Department\nE1;;Field\nE2;;Depot\n"


def init(folder: Path, *words: str) -> Done:
    """Run init where nobody can be asked."""
    return syncd("init", *words, folder=folder)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_plan_can_be_made_with_what_was_written(kind: str, tmp_path: Path) -> None:
    """A file and an environment are enough: its columns are found, and a rule fits them."""
    people = PEOPLE
    if kind == "jsonl":
        head, *rows = (line.split(";") for line in PEOPLE.splitlines())
        people = "".join(json.dumps(dict(zip(head, row, strict=True))) + "\n" for row in rows)
    (tmp_path / f"people.{kind}").write_text(people, encoding="utf-8")
    with Running(sandbox_of(WORLD)) as sandbox:
        done = init(
            tmp_path, "--source", f"{kind}=people.{kind}", "--url", sandbox.url,
            "--when", 'person.department == "Depot"', "--profile", "Depot",
        )  # fmt: skip
        plan = syncd("-c", "syncd.toml", "plan", "--json", folder=tmp_path, SYNCD_NOW=DAY)

    assert done.code == 0, done.err
    assert plan.code == 0, plan.err
    assert [(c["person"], c["profile_after"]) for c in plan.json["changes"]] == [("E2", "Depot")]


def test_the_next_steps_are_named_in_their_order(tmp_path: Path) -> None:
    """Secrets first, then looking, then a plan; check-config takes the file."""
    done = init(tmp_path, "--source", "scim=https://idp.contoso.com/scim/v2", *REAL)

    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "syncd.toml is written. Next:"
    steps = ["SYNCD_CLIENT_SECRET", "SYNCD_SCIM_TOKEN", "check-config", "doctor", "sources", "plan"]
    assert all(step in line for step, line in zip(steps, lines[1:], strict=True))
    secrets = {"SYNCD_CLIENT_SECRET": "x", "SYNCD_SCIM_TOKEN": "x"}
    checked = syncd("-c", "syncd.toml", "check-config", folder=tmp_path, **secrets)
    assert checked.code == 0, checked.err


def test_a_file_that_is_there_stays_unless_it_is_said(tmp_path: Path) -> None:
    """Nobody loses a configuration by typing init once more."""
    file = tmp_path / "syncd.toml"
    file.write_text("mine", encoding="utf-8")

    refused = init(tmp_path, "--source", "csv", *REAL)
    assert refused.code == 64
    assert "syncd.toml is there already and was left as it is" in refused.err
    assert file.read_text(encoding="utf-8") == "mine"

    assert init(tmp_path, "--source", "csv", *REAL, "--force").code == 0
    assert "[environments.contoso]" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--source TYPE (one of csv, jsonl, sql, ldap, graph, scim, http-json), --url"),
        (("--source", "csv", "--url", REAL[1]), "needs to know --tenant, --client; there is no"),
        (("--source", "csv", "--url", REAL[1], "--yes"), "needs to know --tenant, --client. Noth"),
        (("--source", "ldap", *REAL), "--source ldap=ADDRESS, --base, --user"),
        (("--source", "excel", *REAL), "--source excel: write one of csv, jsonl"),
        (("--source", "csv", *REAL, "--auth", "password"), "--auth password: write one of"),
        (("--source", "sql=postgresql://a:hunter2@h/d", *REAL), "since that may hold a password"),
        (("--source", "csv", *REAL, "--when", "person.("), "rules.0.when"),
        (("--source", "csv", "--url", "contoso", "--auth", "none"), "environments.sandbox.url"),
        (("--source", "csv", *REAL, "-o", "no/such/syncd.toml"), "there is no folder no/such"),
        (("--source", "csv", *REAL, "-o", "."), ". is a folder; name a file"),
        (("--source", "csv", *REAL, "-o", "/proc/syncd.toml"), "/proc/syncd.toml cannot be writ"),
    ],
)
def test_what_is_missing_or_wrong_is_one_sentence(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    """It ends with 64, nothing is written, and nothing secret is repeated."""
    done = init(tmp_path, *words)

    assert done.code == 64
    assert said in done.err
    assert "hunter2" not in done.err
    assert done.out == ""
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_printed_instead(tmp_path: Path) -> None:
    """Then standard output has the file and nothing else."""
    done = init(tmp_path, "--source", "graph", *REAL, "-o", "-")

    assert done.code == 0, done.err
    assert done.out.startswith("# What syncd keeps in step")
    assert done.out.rstrip().endswith("# CHANGE this")
    assert list(tmp_path.iterdir()) == []


def test_on_a_terminal_it_asks_for_what_is_not_said(tmp_path: Path) -> None:
    """An empty line takes what is usual; what options say is not asked for."""
    ours, theirs = pty.openpty()
    answers = ["", "people.csv", "https://fabrikam.crm.dynamics.com", "", "", "ours-7", "app-7"]
    ended = "\x04"  # whoever asks for more than that is told that nobody answers
    os.write(ours, ("".join(f"{answer}\n" for answer in answers) + ended).encode())
    (tmp_path / "people.csv").write_text(PEOPLE, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "syncd", "init", "--profile", "Depot"],
        check=False, cwd=tmp_path, env=environ(), stdin=theirs, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)

    assert done.returncode == 0, done.stderr
    assert "Where people come from" in done.stderr
    assert "A profile that people shall have" not in done.stderr
    written = (tmp_path / "syncd.toml").read_text(encoding="utf-8")
    assert "[environments.fabrikam]" in written
    assert 'tenant_id = "ours-7"' in written
    assert 'key = "EmployeeID"' in written
    assert 'profile = "Depot"' in written
