"""Text for people: 80 columns, no colour in a pipe, nothing that steers a terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest

from syncd.cli import render_look, render_run
from syncd.cli.render import columns, console, moved
from syncd.core.certificate import Certificate
from syncd.core.gates import Gate
from syncd.core.model import Situation
from syncd.core.plan import Result
from syncd.core.words import SAYS
from syncd.engine.parts import RunReport
from syncd.state.views import Group, PlanShown

NOBODY = Group((), 0, ())


def change(number: int, **more: Any) -> dict[str, Any]:
    """Make a change as a plan shows it."""
    return {
        "person": f"E{number}",
        "user": str(number),
        "user_name": f"somebody.with.a.long.name.{number}@contoso.com",
        "membership": "row",
        "profile_before": "A profile with quite a long name",
        "profile_after": None,
        "reason": "left on 2026-02-28",
        "detail": None,
        **more,
    }


def plan(*groups: Group, **more: Any) -> PlanShown:
    """Make a plan as a person reads it."""
    summary = {
        "created_at": "2026-03-02T08:00:00Z",
        "situations": {"CONFIRMED": 1000, "LEFT": 25},
        "gates": [],
        "certificates": [],
    }
    return PlanShown(summary | more, groups, NOBODY, (), (), NOBODY, ())


def text(report: RunReport, shown: PlanShown | None) -> str:
    """Write a run as somebody sees it who pipes it on."""
    out = io.StringIO()
    render_run.show(console(out, width=80), report, shown)
    return out.getvalue()


def test_wide_tables_fold_at_80_columns() -> None:
    """Long names fold; nothing is cut off, and no line ends in blanks."""
    group = Group(("LEFT", "remove", "held"), 25, tuple(change(n) for n in range(20)))

    said = text(RunReport("contoso", "reconcile", run=1, planned=25), plan(group))

    assert max(map(len, said.splitlines())) <= 80
    assert all(line == line.rstrip() for line in said.splitlines())
    assert "… and 5 more" in said
    assert "HELD by a gate" in said


def test_there_is_no_colour_in_a_pipe() -> None:
    """Escape sequences are for terminals."""
    said = text(RunReport("contoso", "plan", plan="p1", planned=1), plan())

    assert "\x1b" not in said


def test_names_cannot_steer_a_terminal() -> None:
    """User names come from other systems; control characters in them are shown as such."""
    evil = change(1, user_name="\x1b]0;owned\x07[bold]ada[/bold]")
    group = Group(("LEFT", "remove", ""), 1, (evil,))

    said = text(RunReport("contoso", "plan", plan="p1", planned=1), plan(group))

    assert "\x1b" not in said
    assert "\x07" not in said
    assert "[bold]ada" in said


def test_the_first_line_says_environment_mode_and_verdict() -> None:
    """A run is live, a plan is staging."""
    outcomes = {Result.APPLIED: 1, Result.FAILED: 2, Result.HELD: 0}
    live = RunReport("contoso", "reconcile", run=7, planned=3, outcomes=outcomes)
    staged = RunReport("contoso", "plan", plan="p1", planned=3)
    calm = RunReport("contoso", "reconcile", run=8, outcomes={})

    first = [text(report, plan()).splitlines()[0] for report in (live, staged, calm)]

    assert first == [
        "contoso · live · 1 change applied, 2 failed",
        "contoso · staging · 3 changes would be made",
        "contoso · live · in step, nothing to do",
    ]


def test_the_last_line_says_what_to_type_next() -> None:
    """A gate that held names the pass it would need; a plan how it is applied."""
    gate = Gate("removals", "profile:Field Crew", 12, 5, tripped=True)
    held = RunReport("contoso", "reconcile", run=7, planned=12, gates=(gate,), outcomes={})
    staged = RunReport("contoso", "plan", plan="p1", planned=3)

    assert '--scope "profile:Field Crew" --max 12' in " ".join(text(held, plan()).split())
    assert text(staged, plan()).splitlines()[-1] == "Next: syncd apply p1"


def test_each_gate_that_tripped_gets_its_pass() -> None:
    """One pass is no use while another scope still holds everything."""
    gates = [
        Gate("removals", "run", 12, 5, tripped=True),
        Gate("removals", "profile:Depot", 9, 5, tripped=True),
        Gate("removals", "profile:Office", 3, 5, tripped=False),
    ]
    held = RunReport("contoso", "reconcile", run=7, planned=12, gates=tuple(gates), outcomes={})

    said = " ".join(text(held, plan()).split())

    for scope, most in (("run", 12), ("profile:Depot", 9)):
        assert f"syncd passes grant --scope {scope} --max {most} --expires 2h" in said
    assert said.count("syncd passes grant") == 2


SHRUNK = "the read gave 1 row where the last certified one gave 5: 80.0 percent fewer"


@pytest.mark.parametrize(
    ("findings", "offered"),
    [
        ((SHRUNK,), True),
        ((SHRUNK, "the read gave 1 row, fewer than min_rows = 2"), False),
        (("hr.csv:3: the row has 2 cells where the header has 4",), False),
        (("canary E9 is absent from all sources",), False),
    ],
    ids=["by its size", "two findings", "not complete", "a canary"],
)
def test_only_what_may_be_accepted_is_offered(findings: tuple[str, ...], *, offered: bool) -> None:
    """A command that would be refused is no next step."""
    doubted = Certificate("hr", certified=False, rows=1, findings=findings)
    believed = Certificate("payroll", certified=True, rows=5)
    report = RunReport("contoso", "reconcile", run=7, certificates=(believed, doubted), outcomes={})

    said = " ".join(text(report, plan()).split())

    assert "Next: mend hr" in said
    assert ("syncd sources accept hr --reason TEXT" in said) is offered
    assert "payroll" not in said


def test_what_all_share_is_said_once() -> None:
    """One reason for everybody stands in the heading."""
    group = Group(("LEFT", "remove", ""), 2, (change(1), change(2)))

    said = text(RunReport("contoso", "plan", plan="p1", planned=2), plan(group))

    assert said.count("left on") == 1


def test_groups_without_facts_are_lists_of_names() -> None:
    """Pending changes without a due date have nothing but who they are about."""
    waiting = Group(("LEFT", "gate"), 2, ({"person": "E1", "due": None}, {"person": "E2"}))
    shown = PlanShown(plan().summary, (), NOBODY, (waiting,), (), NOBODY, ())

    said = text(RunReport("contoso", "plan", plan="p1"), shown)

    assert "pending 2, until the gate lets it pass" in said
    assert said.splitlines()[5:7] == ["  E1", "  E2"]


def test_every_situation_has_its_words() -> None:
    """Nobody needs the reference to read a report."""
    assert set(SAYS) == set(Situation)


def test_a_profile_that_stays_is_named_once() -> None:
    """Flags leave the profile as it is."""
    assert moved("A", "A") == "A"
    assert moved(None, "A") == "— → A"
    assert moved("A", None) == "A → —"


def test_columns_in_which_nobody_has_anything_are_left_out() -> None:
    """Lines may have different lengths."""
    out = io.StringIO()
    console(out, width=80).print(columns([["a", "", "b"], ["c", ""]], indent=0))

    assert out.getvalue() == "a  b\nc\n"


def test_a_spreadsheet_runs_nothing_from_the_audit_log() -> None:
    """A reason that begins like a formula is a text."""
    line = dict.fromkeys(render_look.FIELDS)
    out = io.StringIO()
    render_look.write_csv(out, [line | {"why": "=HYPERLINK(1)", "who": "olga"}])

    assert out.getvalue().splitlines()[1].split(",")[3] == "olga"
    assert "'=HYPERLINK(1)" in out.getvalue()
