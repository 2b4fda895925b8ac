"""`syncd sources check` and `preview`: to look at what sources say, and to change nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.office import Office, opened

HEADER = "EmployeeID;Department;Site"
BANDS = '\n[sources.certificate]\nbands = ["department"]\nlearn = 1\nsmallest_group = 4\n'


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give an office whose departments are compared from the second read on."""
    with opened(tmp_path) as office:
        settings = tmp_path / "syncd.toml"
        before, header, after = settings.read_text(encoding="utf-8").partition("\n[sources.person]")
        settings.write_text(f"{before}{BANDS}{header}{after}", encoding="utf-8")
        yield office


def staff(office: Office, field: int, depot: int) -> None:
    """Let HR have so many people of two departments."""
    rows = [
        *(f"E{n};Field;Lyon" for n in range(field)),
        *(f"D{n};Depot;" for n in range(depot)),
    ]
    text = "\n".join([HEADER, *rows]) + "\n"
    (office.folder / "hr.csv").write_text(text, encoding="utf-8")


def memory(office: Office) -> list[str]:
    """Return everything that the state database holds."""
    with sqlite3.connect(office.folder / "syncd.db") as database:
        return list(database.iterdump())


def test_a_check_says_what_a_run_would_and_changes_nothing(office: Office) -> None:
    """Same findings, same exit code; afterwards the run finds everything as it was."""
    staff(office, 9, 8)
    code, _ = office.reconcile()
    staff(office, 9, 3)
    before = memory(office)
    looked = office("sources", "check", "hr")
    told = office("sources", "check", "--json")
    after = memory(office)
    failed, plan = office.reconcile()

    assert (code, looked.code, told.code, failed) == (0, 4, 4, 4)
    assert before == after
    assert "hr  would NOT be believed" in looked.out
    [source] = told.json["sources"]
    assert source["findings"] == plan["certificates"][0]["findings"]
    assert "department Depot 3 where 8 are usual" in source["findings"][0]
    assert {"attribute": "department", "value": "Depot", "people": 3, "usual": 8.0, "reads": 1} in (
        source["groups"]
    )


def test_a_reorganised_department_is_accepted_once(office: Office) -> None:
    """The finding is named, may pass, and what was read is usual from then on."""
    staff(office, 9, 8)
    office.reconcile()
    staff(office, 16, 1)
    failed, _ = office.reconcile()
    accepted = office("sources", "accept", "hr", "--reason", "the depot closed")
    waiting = office("sources", "check")
    passed, _ = office.reconcile()

    assert (failed, accepted.code, waiting.code, passed) == (4, 0, 0, 0)
    assert "department Depot 1 where 8 are usual" in accepted.out
    assert "an operator lets the next read pass one finding" in waiting.out
    assert office.reconcile()[0] == 0


def test_a_first_check_says_that_there_is_nothing_to_compare_with(office: Office) -> None:
    """It needs no run before it, and says what it is learning."""
    done = office("sources", "check")

    assert done.code == 0
    assert "no read was believed yet" in done.out
    assert "learning: groups are not compared yet; certified reads: 0 of 1" in done.out
    assert office("sources", "list", "--json").json["sources"][0]["last_read"] is None


def test_learning_is_said_by_the_run_and_by_the_list(office: Office) -> None:
    """Whoever set it up sees that it is not in force yet."""
    done = office("reconcile")
    listed = office("sources", "list")

    assert done.code == 0
    for each in (done, listed):
        assert "certified reads: 0 of 1" in " ".join(each.out.split())


def test_a_source_that_is_not_there_is_named(office: Office) -> None:
    """Both commands say which ones there are."""
    checked, previewed = office("sources", "check", "x"), office("sources", "preview", "x")

    assert (checked.code, previewed.code) == (64, 64)
    assert "there are hr" in checked.err
    assert "there are hr" in previewed.err


# --- preview ----------------------------------------------------------------------------------


def test_a_preview_shows_what_the_mapping_makes_of_it(office: Office) -> None:
    """People, how often fields are empty, and columns that nothing is mapped to."""
    (office.folder / "hr.csv").write_text(
        f"{HEADER}\nE1;Field;Lyon\nE2;;Lyon\nE2;Depot;\n", encoding="utf-8"
    )
    shown = office("sources", "preview", "hr", "--people", "1")
    told = office("sources", "preview", "hr", "--json").json

    assert shown.code == 0
    assert "person 1" in shown.out
    assert "person 2" not in shown.out
    assert (told["rows"], told["whole"], told["doubled"]) == (3, True, 1)
    assert told["unmapped"] == ["Site"]
    assert [one["key"] for one in told["people"]] == ["E1", "E2", "E2"]
    assert {"field": "department", "column": "Department", "empty": 1, "empty_share": 0.3333} in (
        told["fields"]
    )
    assert shown.err == ""
    assert not (office.folder / "syncd.db").exists()


def test_a_preview_of_a_column_that_is_not_there_lists_those_that_are(office: Office) -> None:
    """That is what is needed to write the mapping."""
    (office.folder / "hr.csv").write_text("EmployeeID;Dept;Site\nE1;Field;Lyon\n", "utf-8")
    done = office("sources", "preview", "hr", "--json")

    assert done.code == 4
    assert 'the mapped column "Department" is absent; is it "Dept" now?' in done.json["findings"][0]
    assert done.json["unmapped"] == ["Dept", "Site"]
