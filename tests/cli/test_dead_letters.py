"""`syncd dead-letters`: changes that failed, and what a person does about them."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from syncd.app import App, build
from syncd.cli import letters
from syncd.cli.letters import Choice
from syncd.core.errors import UsageError
from syncd.sandbox.faults import Fault, FaultKind
from tests.e2e.house import SECOND, House, opened

QUARTER, LATER = "2026-03-03T08:15:00Z", "2026-03-12T08:00:00Z"
CODE = "0x80040265"
WHY = "the mailbox is there now"
ALL = Choice(None, None, everything=True)
ALL_REFUSED = "\n[policy.failures]\nquarantine_floor = 2\n"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give a house whose environment refuses the two new rows of the second day."""
    with opened(tmp_path) as house:
        refuse(house)
        yield house


@pytest.fixture
def dead(house: House) -> House:
    """Give that house when a week is over: both were tried twice, and are given up."""
    for now in (SECOND, QUARTER, LATER):
        house.office.reconcile(now=now)
    return house


def refuse(house: House) -> None:
    """Let the environment refuse every new row."""
    refusal = Fault(
        kind=FaultKind.OPERATION, method="POST", status=400, code=CODE, count=None, message="No."
    )
    house.wire.sandbox.misbehave([refusal])


def app(house: House) -> App:
    """Build the program as configured, on the last day."""
    return build(house.folder / "syncd.toml", {"SYNCD_NOW": LATER})


def listed(house: House, *, everything: bool = False) -> list[Any]:
    """Return what is listed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        letters.show(app(house), None, None, everything=everything, as_json=True)
    found: list[Any] = json.loads(out.getvalue())["dead_letters"]
    return found


def row_of(house: House, person: str) -> str:
    """Return the row that somebody was to have."""
    return str(next(e["membership"] for e in listed(house) if e["person"] == person))


def outcomes(house: House) -> tuple[int, list[str]]:
    """Run once more, with an environment that is well; return the exit code and what waits."""
    house.wire.sandbox.misbehave(())
    code, plan = house.office.reconcile(now="2026-03-12T08:05:00Z")
    return code, [each["person"] for each in plan["pending"]]


def audited(house: House) -> Sequence[tuple[str, str, str]]:
    """Return what operators did and why, as the audit log has it."""
    with sqlite3.connect(house.state) as database:
        sql = "SELECT person, what, why FROM audit WHERE who <> 'syncd' ORDER BY id"
        return database.execute(sql).fetchall()


def test_what_waits_is_no_dead_letter_yet(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """The list is empty, and tells where the rest is."""
    house.office.reconcile(now=SECOND)

    letters.show(app(house), None, None, everything=False, as_json=False)

    said = capsys.readouterr().out
    assert said.splitlines()[0] == "there are no dead letters"
    assert "2 more wait for the next try" in said
    assert listed(house) == []
    assert {each["due"] for each in listed(house, everything=True)} == {QUARTER}


def test_dead_letters_are_listed_with_all_that_is_known(dead: House) -> None:
    """Whose it is, what was tried how often, and what was answered."""
    found = {each["person"]: each for each in listed(dead)}

    assert sorted(found) == ["E5", "E6"]
    first = found["E5"]
    assert (first["action"], first["after"], first["tries"]) == ("create", "Depot", 2)
    assert (first["state"], first["due"], first["cause"]) == ("dead", None, CODE)
    assert (first["first"], first["last"]) == (SECOND, QUARTER)


def test_a_dead_letter_is_explained(dead: House, capsys: pytest.CaptureFixture[str]) -> None:
    """With the server's answer, each try, and what can be done; its id may be cut short."""
    row = row_of(dead, "E5")

    letters.explain(app(dead), None, row[:13], as_json=False)
    said = capsys.readouterr().out
    letters.explain(app(dead), None, row, as_json=True)
    document = json.loads(capsys.readouterr().out)

    assert f"No. ({CODE}, status 400)" in said
    assert "create to Depot, ABSENT" in said
    assert f"syncd dead-letters retry {row}" in said
    assert [line["what"] for line in document["history"]] == ["create", "create", "dead letter"]


def test_one_is_tried_again_and_the_other_still_waits(dead: House) -> None:
    """The next run sends it as if for the first time; the audit log knows who wanted that."""
    said = dead.office("dead-letters", "retry", row_of(dead, "E5"), "--reason", WHY, now=LATER)

    assert (said.code, said.out) == (
        0, "contoso: 1 change will be tried by the next run: syncd reconcile\n",
    )  # fmt: skip
    assert outcomes(dead) == (0, ["E6"])
    assert audited(dead) == [("E5", "dead letter retried", f"create, {CODE}: {WHY}")]


@pytest.mark.parametrize(
    "choice", [Choice(None, CODE, everything=False), Choice(None, None, everything=True)]
)
def test_all_of_a_cause_are_tried_again(dead: House, choice: Choice) -> None:
    """Once the cause is mended nobody looks for ids."""
    letters.retry(app(dead), None, choice, WHY)

    assert outcomes(dead) == (0, [])


def test_what_is_discarded_is_left_alone_and_not_listed(dead: House) -> None:
    """It is not tried while the same is planned; `--all` still shows it."""
    letters.discard(app(dead), "contoso", ALL, WHY)

    assert listed(dead) == []
    assert {each["state"] for each in listed(dead, everything=True)} == {"discarded"}
    assert outcomes(dead) == (0, ["E5", "E6"])
    assert {what for _, what, _ in audited(dead)} == {"dead letter discarded"}


def test_what_waits_is_not_discarded_by_the_dozen(house: House) -> None:
    """Only one by one: its next try may go well. To try it at once is no harm."""
    house.office.reconcile(now=SECOND)

    with pytest.raises(UsageError, match="see: syncd dead-letters list --all"):
        letters.discard(app(house), None, ALL, WHY)
    letters.retry(app(house), None, ALL, WHY)

    assert listed(house, everything=True) == []


@pytest.mark.parametrize("choice", [(None, None, False), (None, "row", True), ("f", None, True)])
def test_who_does_not_say_what_is_meant_is_asked(choice: tuple[Any, Any, bool]) -> None:
    """A row, a cause, or all of them: exactly one."""
    with pytest.raises(UsageError, match="name either a ROW, or --cause CAUSE, or --all"):
        Choice(choice[0], choice[1], everything=choice[2])


def test_what_is_not_there_is_not_decided_about(dead: House) -> None:
    """Neither a row nor a cause that nobody has, nor an id that two have."""
    for choice, sentence in (
        (Choice("ffff", None, everything=False), "there is no such change that failed"),
        (Choice(None, "status 999", everything=False), "there is no such change that failed"),
        (Choice("", None, everything=False), "begins the ids of 2 rows"),
    ):
        with pytest.raises(UsageError, match=sentence):
            letters.retry(app(dead), None, choice, WHY)

    assert audited(dead) == []


def test_the_status_tells_of_dead_letters_and_of_a_quarantine(tmp_path: Path) -> None:
    """Two of four failed, which this policy calls too much; both are said as long as they last."""
    with opened(tmp_path, more=ALL_REFUSED) as house:
        refuse(house)
        for now in (SECOND, QUARTER, LATER):
            house.office.reconcile(now=now)
        said = " ".join(house.office("status", now=LATER).out.split())

    assert "YES, since 2026-03-03 08:00 UTC: 2 of 2 changes failed" in said
    assert "2 dead letters syncd dead-letters list" in said
