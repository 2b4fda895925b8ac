"""upcoming, and what a plan says of the days after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.office import ADA, BO, Office, opened

HEAD = "EmployeeID;Department;First;Last\n"
PEOPLE = f"{HEAD}E1;Field;;2026-03-05\nE2;Depot;2026-03-10;\nE4;Field;2026-03-04;\n"
"""Ada's last day is Thursday, Bo starts the week after, E4 this Wednesday and has no user."""
DATES = 'attributes.department = "Department"\nstarts_on = "First"\nleaves_on = "Last"\n'
COMPARED = ("action", "person", "user", "profile_before", "profile_after", "situation", "reason")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give an office in which HR names days and leavers keep their row for four of them."""
    with opened(tmp_path) as office:
        file = tmp_path / "syncd.toml"
        text = file.read_text(encoding="utf-8")
        text = text.replace('attributes.department = "Department"\n', DATES)
        file.write_text(f"{text}\n[policy.grace]\nleft = 4\n", encoding="utf-8")
        says(office, PEOPLE)
        yield office


@pytest.fixture
def settled(office: Office) -> Office:
    """Give that office after its first run."""
    office.reconcile()
    return office


def says(office: Office, people: str) -> None:
    """Let HR say something else."""
    (office.folder / "hr.csv").write_text(people, encoding="utf-8")


def listed(office: Office, *words: str) -> Any:
    """Return what is said of days to come."""
    done = office("upcoming", "--json", *words)
    assert done.code == 0, done.err
    return done.json


def test_everybody_whose_day_comes_is_listed_by_day(settled: Office) -> None:
    """A first day, a last day with the grace after it, and a first day without a user."""
    said = listed(settled)

    assert (said["environment"], said["until"]) == ("contoso", "2026-04-01")
    assert [(e["day"], e["person"], e["action"]) for e in said["upcoming"]] == [
        ("2026-03-04", "E4", None),
        ("2026-03-10", "E1", "remove"),
        ("2026-03-10", "E2", "create"),
    ]
    waits, leaves, starts = said["upcoming"]
    assert (waits["situation"], waits["profile_after"]) == ("UNRESOLVED_USER", "Field Crew")
    assert (leaves["user"], leaves["since"]) == (ADA, "2026-03-06")
    assert (starts["user"], starts["profile_after"]) == (BO, "Depot")


def test_a_plan_as_of_a_day_agrees_with_what_is_said_of_it(settled: Office) -> None:
    """The same rows change; a removal with grace is due on the day that was said."""
    _, leaves, starts = listed(settled)["upcoming"]

    shown = settled("plan", "--json", "--as-of", starts["day"]).json
    (create,) = [each for each in shown["changes"] if each["person"] == "E2"]
    assert {name: create[name] for name in COMPARED} == {n: starts[n] for n in COMPARED}
    shown = settled("plan", "--json", "--as-of", leaves["since"]).json
    (pending,) = [each for each in shown["pending"] if each["person"] == "E1"]
    assert (pending["membership"], pending["due"]) == (leaves["membership"], leaves["day"])


def test_people_read_the_days_as_text(settled: Office) -> None:
    """Counts first, then who, what and why; a short list says what it leaves out."""
    said = settled("upcoming").out

    assert said.startswith("contoso · 1 gain, 1 loss, 1 start without a profile until 2026-04-01")
    assert "2026-03-10  E2" in said
    assert "LEFT since" in said
    assert "… and 2 more" in settled("upcoming", "--limit", "1").out
    assert "nothing changes until 2026-03-03" in settled("upcoming", "--days", "1").out


def test_neither_side_is_asked(settled: Office) -> None:
    """What the last run read will do, also while HR and the environment are away."""
    (settled.folder / "hr.csv").unlink()
    file = settled.folder / "syncd.toml"
    text = file.read_text(encoding="utf-8")
    before = listed(settled)

    assert [each["person"] for each in before["upcoming"]] == ["E4", "E1", "E2"]
    assert listed(settled) == before
    assert file.read_text(encoding="utf-8") == text


def test_days_are_counted_from_today_not_from_the_last_run(settled: Office) -> None:
    """What became due since the last run is in the plan, and the grace of a leaver has begun."""
    done = settled("upcoming", "--json", now="2026-03-08T08:00:00Z")

    entries = done.json["upcoming"]
    assert [(e["day"], e["person"]) for e in entries] == [
        ("2026-03-10", "E2"),
        ("2026-03-12", "E1"),
    ]
    assert done.json["read_on"] == "2026-03-02"


def test_before_the_first_run_nothing_is_known(office: Office) -> None:
    """One sentence says what to do first."""
    done = office("upcoming")

    assert done.code == 64
    assert done.out == ""
    assert "no run has read both sides yet" in done.err
    assert "syncd reconcile --environment contoso" in done.err


def test_a_source_that_was_not_believed_is_named(settled: Office) -> None:
    """Then nobody loses anything, whatever the dates say."""
    says(settled, f"{HEAD}E1;Field;;2026-03-05\nE2;Depot;2026-03-10;\nE4;Field\n")
    assert settled.reconcile()[0] == 4

    assert listed(settled)["not_believed"] == ["hr"]
    assert "not believed when last read: hr" in settled("upcoming").out


def test_a_plan_tells_the_days_after_it_without_hashing_them(settled: Office) -> None:
    """They are no changes: the same plan tomorrow has the same digest while they draw nearer."""
    shown = settled("plan", "--json").json
    says(settled, PEOPLE.replace("2026-03-04", "2026-03-05"))
    later = settled("plan", "--json").json

    assert [(e["day"], e["person"]) for e in shown["upcoming"]] == [("2026-03-04", "E4")]
    assert [(e["day"], e["person"]) for e in later["upcoming"]] == [("2026-03-05", "E4")]
    assert (shown["upcoming_until"], shown["upcoming_people"]) == ("2026-03-09", 2)
    assert shown["digest"] == later["digest"]
    assert not any(each["person"] == "E4" for each in shown["changes"])
    said = settled("plan").out
    assert "upcoming 1  until 2026-03-09" in said
    assert "2026-03-05  E4" in said
