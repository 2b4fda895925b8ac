"""check-config and state, through the commands that people type."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.cli.toml import written
from tests.cli.office import Office, opened, syncd


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Give an office after its first run."""
    with opened(tmp_path_factory.mktemp("office")) as office:
        office.reconcile()
        yield office


def test_a_good_configuration_is_shown_as_it_is_in_force(office: Office) -> None:
    """As TOML with every default; as JSON it says the same."""
    text, document = office("check-config"), office("check-config", "--json")

    shown = tomllib.loads(text.out)
    assert (text.code, text.err) == (0, "")
    assert shown["policy"]["gates"]["removals"] == {"percent": 10.0, "absolute": 200, "floor": 5}
    assert [rule["name"] for rule in shown["rules"]] == ["field crew", "depot"]
    assert shown == document.json


def test_secrets_are_masked(tmp_path: Path) -> None:
    """Neither a client secret nor a database's password is ever printed."""
    (tmp_path / "syncd.toml").write_text(
        """
[state]
url = { env = "STATE_URL" }
[environments.contoso]
url = "https://contoso.example"
auth = { method = "client-secret", tenant_id = "t", client_id = "c", client_secret = { env = "S" } }
[[sources]]
name = "hr"
type = "csv"
path = "hr.csv"
person.key = "EmployeeID"
[[rules]]
name = "all"
profile = "Field Crew"
when = "true"
""",
        encoding="utf-8",
    )
    secrets = {"STATE_URL": "postgresql+psycopg://u:hunter2@db.example/s", "S": "swordfish"}

    done = syncd("-c", "syncd.toml", "check-config", folder=tmp_path, **secrets)

    assert done.code == 0
    assert "hunter2" not in done.out + done.err
    assert "swordfish" not in done.out + done.err
    assert tomllib.loads(done.out)["environments"]["contoso"]["auth"]["client_id"] == "c"


def test_every_problem_is_said_at_once(tmp_path: Path) -> None:
    """One line for each, and nothing else."""
    (tmp_path / "syncd.toml").write_text('[polcy]\nlead_days = 1\n[log]\nlevel = "loud"\n', "utf-8")

    done = syncd("-c", "syncd.toml", "check-config", folder=tmp_path)

    assert (done.code, done.out) == (64, "")
    assert "polcy" in done.err
    assert "log.level" in done.err
    assert all(line.startswith("syncd: ") for line in done.err.splitlines())


def test_the_schema_needs_no_configuration(tmp_path: Path) -> None:
    """An editor asks for it before there is a file."""
    done = syncd("check-config", "--schema", folder=tmp_path)

    assert done.code == 0
    assert done.json["title"] == "syncd"
    assert "environments" in done.json["required"]


def test_toml_is_read_back_as_it_was() -> None:
    """Whatever the keys and texts hold."""
    document = {
        "a": 1, "b": 1.5, "c": True, "d": 'q"\\\n\x7f é', "e": [], "f": ["x", {"y": [1, 2]}],
        "t": {"dotted.key": {"deep": "1"}, "empty": {}},
        "l": [{"p": "1", "q": {"r": 2}}, {"p": "2"}],
    }  # fmt: skip

    assert tomllib.loads(written(document)) == document


# --- state ----------------------------------------------------------------------------------


def test_the_state_is_described(office: Office) -> None:
    """Place, schema, size, rows by table, and the last run."""
    body = office("state", "status", "--json").json
    text = office("state", "status").out

    assert body["place"] == str(office.folder / "syncd.db")
    assert body["schema"] == body["newest_schema"]
    assert body["bytes"] > 0
    assert (body["rows"]["users"], body["rows"]["people"], body["rows"]["runs"]) == (5, 3, 1)
    assert body["last_runs"][0]["environment"] == "contoso"
    assert body["last_runs"][0]["exit_code"] == 0
    assert "run     contoso: number 1, reconcile" in text


def test_looking_makes_no_database(tmp_path: Path) -> None:
    """Where nothing has run yet, status says so and leaves nothing behind."""
    with opened(tmp_path) as office:
        done = office("state", "status")

    assert done.code == 0
    assert "the first run makes it" in done.out
    assert not (tmp_path / "syncd.db").exists()


def test_the_schema_is_made_and_then_there_already(tmp_path: Path) -> None:
    """Upgrading twice changes nothing the second time."""
    with opened(tmp_path) as office:
        first, second = office("state", "upgrade"), office("state", "upgrade")

    assert (first.code, second.code) == (0, 0)
    assert " made with schema " in first.out
    assert second.out.endswith(" already\n")


def test_a_state_from_the_future_is_left_alone(tmp_path: Path) -> None:
    """An older syncd does not know what a newer one means; status may still look."""
    with opened(tmp_path) as office:
        office("state", "upgrade")
        with sqlite3.connect(tmp_path / "syncd.db") as database:
            database.execute("UPDATE alembic_version SET version_num = '9999'")
        done, looked = office("state", "upgrade"), office("state", "status", "--json")

    assert done.code == 64
    assert "newer than" in done.err
    assert json.loads(looked.out)["schema"] == "9999"
