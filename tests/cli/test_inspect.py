"""syncd inspect, as people type it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.office import ADA, BO, ROWS, Office, opened
from tests.company import CREW

ROW = "30000000-0000-4000-8000-000000000001"
TEAM = "50000000-0000-4000-8000-000000000001"
REGARDING = "regardingobjectid_usermobileofflineprofilemembership@odata.bind"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Give an office in which Ada's row has had a failing job and she is in a team."""
    with opened(tmp_path_factory.mktemp("office")) as office:
        post(
            office,
            "asyncoperations",
            {
                "name": "Cascade",
                "statecode": 3,
                "statuscode": 31,
                "friendlymessage": "no space",
                REGARDING: f"/{ROWS}({ROW})",
            },
        )
        post(office, "teams", {"teamid": TEAM, "name": "Storm"})
        post(office, "teammemberships", {"teamid": TEAM, "systemuserid": ADA})
        post(office, "teammobileofflineprofilememberships", {
            "name": "Storm", "TeamId@odata.bind": f"/teams({TEAM})",
            "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({CREW})",
        })  # fmt: skip
        yield office


def post(office: Office, where: str, body: object) -> None:
    """Do what somebody else does in the environment."""
    answer = httpx.post(f"{office.url}/api/data/v9.2/{where}", json=body)
    assert answer.status_code == 204, answer.text


def test_a_user_is_shown_with_all_that_surrounds_the_rows(office: Office) -> None:
    """Teams, the old field, and each row with what refers to it; nothing remembers it."""
    done = office("inspect", "ada@contoso.com")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("contoso  ada  ada@contoso.com\n")
    assert "Storm, brings Field Crew" in done.out
    assert "old field  empty" in re.sub(" {2,}", "  ", done.out)
    assert f"row {ROW}  by hand" in done.out
    assert "Failed, Cascade, no space" in done.out
    assert "failures of bulk deletes" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert not (office.folder / "syncd.db").exists()


def test_the_document_has_the_same_facts(office: Office) -> None:
    """One for each environment, a row by its id."""
    body = office("inspect", ROW, "--json").json

    assert (body["schema"], body["environment"]) == ("syncd.inspect/1", "contoso")
    assert body["user"]["id"] == ADA
    (row,) = body["rows"]
    jobs, *others = row["neighbours"]
    assert (row["id"], row["profile_name"], row["active"]) == (ROW, "Field Crew", True)
    assert [entry["said"] for entry in jobs["entries"]] == ["Failed, Cascade, no space"]
    assert [each["entries"] for each in others] == [[]] * 5
    assert row["modified"]["by"]


def test_who_has_no_row_is_shown_without(office: Office) -> None:
    """That may be just what somebody wants to know."""
    done = office("inspect", BO)

    assert done.code == 0
    assert "rows" in done.out
    assert "row 3" not in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody@contoso.com"], "no user of contoso has this user name"),
        (["cy@contoso.com"], "2 users are called so"),
        ([BO, "-e", "nowhere"], "there is no such environment"),
        ([], "missing argument"),
    ],
)
def test_who_cannot_be_meant_ends_with_64(office: Office, words: list[str], said: str) -> None:
    """One sentence, and nothing on standard output."""
    done = office("inspect", *words)

    assert (done.code, done.out) == (64, "")
    assert said in done.err


def test_a_table_that_may_not_be_read_is_named(office: Office) -> None:
    """The rest is shown, and the command ends with 0."""
    orders = f"{office.url}/_sandbox/lacking"
    assert httpx.post(orders, json={"privileges": ["prvReadSyncError"]}).status_code == 204
    done = office("inspect", ROW)
    assert httpx.post(orders, json={"privileges": []}).status_code == 204

    assert done.code == 0
    assert "sync errors of devices" in done.out
    assert "prvReadSyncError" in done.out
    assert "Failed, Cascade, no space" in done.out


def test_an_environment_that_is_gone_ends_with_5(tmp_path: Path) -> None:
    """Nobody is said not to be there."""
    with opened(tmp_path) as office:
        file = tmp_path / "syncd.toml"
        file.write_text(file.read_text("utf-8").replace(office.url, "http://127.0.0.1:9"), "utf-8")
        done = office("inspect", BO)

    assert (done.code, done.out) == (5, "")
    assert "could not be reached" in done.err
