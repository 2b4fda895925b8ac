"""syncd doctor, as people type it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.office import Office, opened


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give an office."""
    with opened(tmp_path) as office:
        yield office


def order(office: Office, what: str, body: object) -> None:
    """Give an order to the sandbox."""
    assert httpx.post(f"{office.url}/_sandbox/{what}", json=body).status_code == 204


def wrong(document: Any) -> list[Any]:
    """Return the findings that are not well."""
    return [each for each in document["findings"] if each["verdict"] != "ok"]


def test_a_good_environment_ends_with_0(office: Office) -> None:
    """Each line is ok, and no run has happened: no state database is made."""
    text, document = office("doctor"), office("doctor", "--json").json

    assert (text.code, text.err) == (0, "")
    assert text.out.startswith(f"contoso  {office.url}\n")
    assert "0 warnings · 0 failures" in text.out
    assert max(map(len, text.out.splitlines())) <= 80
    assert (document["schema"], document["verdict"]) == ("syncd.doctor/1", "ok")
    assert (document["environment"], document["exit_code"]) == ("contoso", 0)
    assert wrong(document) == []
    assert not (office.folder / "syncd.db").exists()


def test_a_missing_right_ends_with_5_and_says_where_to_give_it(office: Office) -> None:
    """The privilege, its table and its depth as the role editor has them."""
    order(office, "lacking", {"privileges": ["prvCreateUserMobileOfflineProfileMembership"]})

    text, done = office("doctor"), office("doctor", "--json")

    (found,) = wrong(done.json)
    assert (text.code, done.code, done.json["exit_code"]) == (5, 5, 5)
    assert found["verdict"] == "failure"
    assert "set Create to Organization" in found["remedy"]
    assert "(prvCreateUserMobileOfflineProfileMembership)" in found["remedy"]
    assert "failure  rights on UserMobileOfflineProfileMembership: Create is missing" in text.out
    assert "→ Power Platform admin center" in text.out


def test_doubts_are_no_failure(office: Office) -> None:
    """A warning is shown, with what to do, and the command ends with 0."""
    order(office, "messages", {"refuse": ["Delete"]})

    done = office("doctor", "--json")

    assert done.code == 0
    assert done.json["verdict"] == "warning"
    assert [each["check"] for each in wrong(done.json)] == ["messages"]


def test_environments_have_their_turn(tmp_path: Path) -> None:
    """One that is gone does not keep the others from being looked at; the gravest code counts."""
    with opened(tmp_path, "fabrikam") as office:
        file = tmp_path / "syncd.toml"
        file.write_text(file.read_text("utf-8").replace(office.url, "http://127.0.0.1:9"), "utf-8")
        both, one = office("doctor", "--json"), office("doctor", "--json", "-e", "fabrikam")
        nobody = office("doctor", "-e", "nowhere")

    first, second = map(json.loads, both.out.splitlines())
    assert both.code == 5
    assert [each["check"] for each in first["findings"]] == ["connection"]
    assert "127.0.0.1 could not be reached" in first["findings"][0]["seen"]
    assert second["verdict"] == "ok"
    assert (one.code, one.json["environment"]) == (0, "fabrikam")
    assert (nobody.code, nobody.out) == (64, "")


def test_rules_with_profiles_that_are_not_there_fail(office: Office) -> None:
    """Before the first run: somebody may have mistyped one."""
    file = office.folder / "syncd.toml"
    file.write_text(file.read_text("utf-8").replace('"Depot"\nwhen', '"Twin"\nwhen'), "utf-8")

    done = office("doctor", "--json")

    (found,) = wrong(done.json)
    assert done.code == 5
    assert found["seen"] == "profile Twin has 2 published profiles of that name"
    assert found["remedy"] == "use its id"


def test_a_wrong_configuration_ends_with_64(tmp_path: Path) -> None:
    """Nothing is sent."""
    with opened(tmp_path) as office:
        (tmp_path / "syncd.toml").write_text("[polcy]\n", encoding="utf-8")
        done = office("doctor")

    assert (done.code, done.out) == (64, "")
    assert "polcy" in done.err
