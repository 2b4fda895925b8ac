"""`syncd usermappings`: off unless switched on, never without being asked, always on record."""

from __future__ import annotations

import os
import pty
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import warm
from tests.cli.office import DAY, Office, environ, opened

ROW = "80000000-0000-4000-8000-000000000001"
ON = "[usermapping]\nmanage = true\n"
SMTP = '[[usermappings]]\nclaim_type = "smtp"\nattribute = "personalemailaddress"\n'
THEIRS = {
    "usermappingid": ROW,
    "partnerapplicationtype": 0,
    "claimtype": "upn",
    "systemuserattributename": "domainname",
}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give an office whose environment has one row that somebody made."""
    with opened(tmp_path) as office:
        rows(office, THEIRS)
        yield office


def rows(office: Office, new: dict[str, object] | None = None) -> dict[str, tuple[str, str]]:
    """Return the table, claim and column by id; first a row may be added."""
    address = f"{office.url}/api/data/v9.2/usermappings"
    with httpx.Client(trust_env=False) as client:
        if new is not None:
            assert client.post(address, json=new).status_code == 204
        found = client.get(address).json()["value"]
    return {
        each["usermappingid"]: (each["claimtype"], each["systemuserattributename"])
        for each in found
    }


def declare(office: Office, text: str) -> None:
    """Say more in the configuration, instead of what was said so before."""
    path = office.folder / "syncd.toml"
    mark = "# mappings\n"
    path.write_text(path.read_text(encoding="utf-8").partition(mark)[0] + mark + text, "utf-8")


def audited(office: Office) -> list[tuple[Any, ...]]:
    """Return what the audit log has of it."""
    with sqlite3.connect(office.folder / "syncd.db") as database:
        sql = "SELECT who, what, why, result FROM audit ORDER BY id"
        return database.execute(sql).fetchall()


@pytest.mark.parametrize("words", [("list",), ("plan",), ("apply", "--yes")])
def test_nothing_works_unless_it_is_switched_on(office: Office, words: tuple[str, ...]) -> None:
    """One sentence says what it would do and where the switch is."""
    declare(office, SMTP)
    done = office("usermappings", *words)

    assert (done.code, done.out) == (64, "")
    assert "SharePoint authentication for the whole organization" in done.err
    assert "manage = true under [usermapping]" in done.err
    assert set(rows(office)) == {ROW}


def test_plan_says_what_apply_does(office: Office) -> None:
    """Create, update and delete; what nobody declares is left alone, and all is on record."""
    declare(office, ON + SMTP)
    planned = office("usermappings", "plan", "--json").json
    before = rows(office)
    applied = office("usermappings", "apply", "--yes", "--json", "--reason", "ticket 7")
    (made,) = set(rows(office)) - {ROW}

    assert before == {ROW: ("upn", "domainname")}
    assert [(each["action"], each["id"]) for each in planned["changes"]] == [("create", made)]
    assert [each["id"] for each in planned["undeclared"]] == [ROW]
    assert applied.code == 0
    assert [each["result"] for each in applied.json["outcomes"]] == ["applied"]
    assert "WHOLE ORGANIZATION" in applied.err
    assert rows(office)[made] == ("smtp", "personalemailaddress")
    assert audited(office) == [
        ("olga", "usermappings create", "ticket 7", "intended"),
        ("olga", "usermappings create", "ticket 7", "applied"),
    ]

    declare(office, ON + SMTP.replace("personalemailaddress", "windowsliveid"))
    assert office("usermappings", "apply", "--yes").code == 0
    assert rows(office)[made] == ("smtp", "windowsliveid")

    declare(office, ON)
    assert "no longer declared" in office("usermappings", "plan").out
    assert office("usermappings", "apply", "--yes").code == 0
    assert rows(office) == {ROW: ("upn", "domainname")}
    assert "in step" in office("usermappings", "apply", "--yes").out


def test_the_list_says_what_is_declared_and_what_a_rung_compares(office: Office) -> None:
    """For a person and for a program."""
    declare(office, ON)
    shown, document = office("usermappings", "list"), office("usermappings", "list", "--json").json

    (only,) = document["usermappings"]
    assert shown.code == 0
    assert "upn" in shown.out
    assert (only["id"], only["declared"], only["compared_with"]) == (ROW, False, "user_name")


def test_columns_that_users_do_not_have_are_refused_all_at_once(office: Office) -> None:
    """Before anything is sent."""
    second = '[[usermappings]]\nclaim_type = "upn"\nattribute = "fullnam"\n'
    declare(office, ON + SMTP.replace("personalemailaddress", "personalmail") + second)
    done = office("usermappings", "apply", "--yes")

    assert done.code == 64
    assert "personalmail (claim smtp)" in done.err
    assert "fullnam (claim upn)" in done.err
    assert set(rows(office)) == {ROW}


def test_without_a_terminal_it_needs_a_yes(office: Office) -> None:
    """A script must have said so."""
    declare(office, ON + SMTP)
    done = office("usermappings", "apply")

    assert done.code == 64
    assert "--yes" in done.err
    assert set(rows(office)) == {ROW}


@pytest.mark.parametrize(("answer", "number"), [("n", 1), ("", 1), ("y", 2)])
def test_at_a_terminal_it_asks_and_says_what_it_changes(
    office: Office, answer: str, number: int
) -> None:
    """Whoever says anything but yes has changed nothing."""
    declare(office, ON + SMTP)
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(
        [*warm.command(), "-c", "syncd.toml", "usermappings", "apply"],
        check=False, cwd=office.folder, stdin=theirs, capture_output=True, text=True,
        env={**environ(), "SYNCD_NOW": DAY},
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)

    assert done.returncode == 0, done.stderr
    assert "SharePoint authentication for the WHOLE ORGANIZATION" in done.stderr
    assert ("nothing was changed" in done.stdout) == (number == 1)
    assert len(rows(office)) == number
