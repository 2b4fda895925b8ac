"""A plan or a run as text: the verdict, then who is concerned and why, then what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from syncd.cli.render import columns, counted, heading, more, moved, styled, summed, when
from syncd.cli.render_upcoming import reason
from syncd.core.certificate import acceptable
from syncd.core.plan import Result
from syncd.core.words import SAYS

if TYPE_CHECKING:
    from rich.console import Console

    from syncd.core.certificate import Certificate
    from syncd.core.gates import Gate
    from syncd.engine.parts import RunReport
    from syncd.state.views import Group, PlanShown

__all__ = ["next_step", "show", "verdict"]

BECAME = {
    "applied": "done",
    "already": "was so already",
    "moved": "no longer fits; skipped",
    "failed": "FAILED",
    "held": "HELD by a gate",
    "blackout": "HELD until the blackout is over",
    "escrow": "HELD: failed before",
    "quarantine": "HELD: quarantine",
    "capability": "HELD: the environment makes no rows",
}
OUTCOMES = {
    Result.APPLIED: "applied",
    Result.ALREADY: "done already",
    Result.MOVED: "no longer fitting",
    Result.FAILED: "failed",
    Result.HELD: "held back",
}


def show(out: Console, report: RunReport, plan: PlanShown | None, *, saved: bool = True) -> None:
    """Write what a run or a plan comes to. Without *plan* there was nothing to plan with."""
    mode = "staging" if report.outcomes is None and report.run is None else "live"
    style = "bold green" if not report.exit_code else "bold yellow"
    if report.problem:
        style = "bold red"
    out.print(styled((report.environment, "bold"), f" · {mode} · ", (verdict(report, plan), style)))
    facts = _facts(report, plan)
    if facts:
        out.print(styled((facts, "dim")))
    if report.problem:
        out.print(styled(("problem: ", "red"), report.problem))
    if plan is not None:
        _show_plan(out, plan)
    step = next_step(report, plan, saved=saved)
    if step:
        out.print()
        out.print(styled(("Next: ", "bold"), step))


def verdict(report: RunReport, plan: PlanShown | None) -> str:
    """Return what a run comes to, in a few words."""
    said = list(_withheld(report))
    adopted = plan.adopted.total if plan else 0
    if report.stopped:
        said.insert(0, "stopped")
    if plan is None:
        return "; ".join(said) or "nothing was done"
    live = report.run is not None or report.outcomes is not None
    if report.outcomes is not None and report.planned:
        done = [
            f"{number:,} {_ended(result, report)}"
            for result, number in report.outcomes.items()
            if number and result is not Result.APPLIED
        ]
        applied = counted(report.outcomes.get(Result.APPLIED, 0), "change")
        said.insert(0, ", ".join([f"{applied} applied", *done]))
    elif report.planned:
        said.insert(0, f"{counted(report.planned, 'change')} would be made")
    if adopted:
        word = "adopted" if live else "would be adopted"
        said.append(f"{counted(adopted, 'row')} {word}")
    waiting = sum(group.total for group in (*plan.pending, *plan.reports))
    if not report.planned and not adopted:
        said.insert(0, "nothing to do now" if said or waiting else "in step, nothing to do")
    if waiting:
        said.append(f"{waiting:,} to look at")
    return "; ".join(said)


def _ended(result: Result, report: RunReport) -> str:
    by_gate = result is Result.HELD and report.tripped
    return "held by a gate" if by_gate else OUTCOMES[result]


def _withheld(report: RunReport) -> Iterator[str]:
    tripped = sorted({gate.gate for gate in report.gates if gate.tripped})
    if tripped:
        yield f"the {' and '.join(tripped)} gate held"
    doubted = [each.source for each in report.certificates if not each.certified]
    if doubted:
        verb = "was" if len(doubted) == 1 else "were"
        yield f"{', '.join(doubted)} {verb} not believed, removals withheld"


def _facts(report: RunReport, plan: PlanShown | None) -> str:
    parts = []
    if report.run is not None:
        parts.append(f"run {report.run}")
    if report.plan is not None:
        parts.append(f"plan {report.plan}")
    if plan is not None:
        if report.run is None:
            parts.append(f"as of {plan.summary['created_at']}")
        parts.append(f"{sum(plan.summary['situations'].values()):,} considered")
        if report.run is None and report.planned:
            parts.append(_estimated(plan.summary.get("estimate")))
    if report.seconds >= 1:
        parts.append(f"{report.seconds:.1f} s")
    if report.recovered:
        parts.append(f"{counted(report.recovered, 'interrupted change')} settled first")
    if report.missed_by_delta:
        missed = counted(len(report.missed_by_delta), "change")
        parts.append(f"{missed} missed by the deltas before: {', '.join(report.missed_by_delta)}")
    return " · ".join(parts)


def _estimated(found: dict[str, Any] | None) -> str:
    """Say what applying a plan would take."""
    if found is None or not found["requests"]:
        return "nothing to send"
    by = "" if found["measured"] else " by published figures"
    took = max(1, round(found["seconds"]))
    return f"about {counted(found['requests'], 'request')}, {took:,} s{by}"


def _show_plan(out: Console, plan: PlanShown) -> None:
    situations = summed(plan.summary["situations"])
    if situations:
        out.print(styled((situations, "dim")))
    for group in plan.changes:
        _show_changes(out, group)
    _show_adopted(out, plan.adopted)
    _show_pending(out, plan.pending)
    _show_reports(out, plan.reports)
    _show_conflicts(out, plan.conflicts)
    _show_saved(out, plan.saved)
    _show_upcoming(out, plan)
    _show_gates(out, plan.summary["gates"])
    _show_certificates(out, plan.summary["certificates"])


def _show_group(
    out: Console,
    title: str,
    note: str,
    group: Group,
    facts: Sequence[Sequence[str]],
) -> None:
    """Write who is concerned, with facts about each; what all of them share is said once."""
    shared = {facts[0][-1]} if facts and facts[0] else set()
    if len(facts) > 1 and shared and {each[-1] if each else "" for each in facts} == shared:
        facts = [each[:-1] for each in facts]
        here = "here: " if group.total > len(group.first) else ""
        note = f"{note}; {here}{shared.pop()}"
    out.print()
    out.print(heading(title, note))
    who = [_person(each) for each in group.first]
    out.print(columns([*each, *more_facts] for each, more_facts in zip(who, facts, strict=True)))
    rest = more(group.total, len(group.first))
    if rest:
        out.print(styled((f"  {rest}", "dim")))


def _show_changes(out: Console, group: Group) -> None:
    situation, action, became = group.common
    title = f"{action} {group.total:,}"
    if became:
        title += f", {BECAME.get(became, became)}"
    facts = [
        [moved(each["profile_before"], each["profile_after"]), _why(each)] for each in group.first
    ]
    _show_group(out, title, f"{situation}: {SAYS.get(situation, '')}", group, facts)


def _why(change: dict[str, Any]) -> str:
    detail = change.get("detail")
    return f"{change['reason']}; {detail}" if detail else str(change["reason"])


def _person(each: dict[str, Any]) -> tuple[str, str]:
    """Name somebody: the key, and the user; or the thing that nobody has."""
    user = each.get("user_name") or each.get("user") or ""
    thing = each.get("membership") or each.get("profile") or ""
    return str(each.get("person") or ""), str(user or ("" if each.get("person") else thing))


def _show_adopted(out: Console, group: Group) -> None:
    if group.total:
        facts = [[str(each["profile"])] for each in group.first]
        note = "rows that were right already and are ours from now on"
        _show_group(out, f"adopt {group.total:,}", note, group, facts)


def _show_pending(out: Console, groups: Sequence[Group]) -> None:
    for group in groups:
        situation, reason = group.common
        facts = [_due(each) for each in group.first]
        note = f"{situation}: {SAYS.get(situation, '')}"
        title = f"pending {group.total:,}, {PENDING.get(reason, reason)}"
        _show_group(out, title, note, group, facts)


def _due(pending: dict[str, Any]) -> list[str]:
    if pending.get("due"):
        return [f"due {pending['due']}"]
    if "next_try" not in pending:
        return []
    moment = pending["next_try"]
    return [f"next try {when(moment)} UTC" if moment else "given up: syncd dead-letters list"]


PENDING = {
    "grace": "waiting for its day",
    "certificate": "until every source is believed",
    "profile": "until its profile can be used",
    "gate": "until the gate lets it pass",
    "blackout": "until the blackout is over",
    "escrow": "waiting for its next try",
    "quarantine": "too much failed; only a few are tried at a time",
    "capability": "the environment makes no rows; waits for one that is emptied",
}


def _show_reports(out: Console, groups: Sequence[Group]) -> None:
    for group in groups:
        (situation,) = group.common
        facts = [[str(each["detail"])] for each in group.first]
        title = f"to look at {group.total:,}"
        _show_group(out, title, f"{situation}: {SAYS.get(situation, '')}", group, facts)


def _show_conflicts(out: Console, groups: Sequence[Group]) -> None:
    for group in groups:
        facts = [[", ".join(each["profiles"])] for each in group.first]
        _show_group(out, f"open conflict {group.total:,}", group.common[0], group, facts)


def _show_saved(out: Console, group: Group) -> None:
    if group.total:
        facts = [[f"was pending as {each['situation']}"] for each in group.first]
        note = "a pending removal is called off: they are wanted again"
        _show_group(out, f"saved {group.total:,}", note, group, facts)


def _show_upcoming(out: Console, plan: PlanShown) -> None:
    """Write who gains or loses something within days, the next ones first."""
    group = plan.upcoming
    if not group.total:
        return
    out.print()
    note = f"until {plan.summary['upcoming_until']}; nothing of it is done by this plan"
    out.print(heading(f"upcoming {group.total:,}", note))
    out.print(
        columns(
            [
                [each["day"], *_person(each), moved(each["profile_before"], each["profile_after"]),
                 reason(each)]
                for each in group.first
            ]
        )
    )  # fmt: skip
    if group.total > len(group.first):
        days = "for all: syncd upcoming"
        out.print(styled((f"  … and {group.total - len(group.first):,} more; {days}", "dim")))


def _show_gates(out: Console, gates: Sequence[dict[str, Any]]) -> None:
    tripped = [gate for gate in gates if gate["tripped"]]
    if not tripped:
        return
    out.print()
    out.print(heading("gates", "no risky change goes ahead while one of them holds", "bold yellow"))
    out.print(
        columns(
            [
                [
                    gate["gate"],
                    gate["scope"],
                    f"{gate['count']:,} where {gate['allowed']:,} may pass",
                ]
                for gate in tripped
            ]
        )
    )


def _show_certificates(out: Console, certificates: Sequence[dict[str, Any]]) -> None:
    doubted = [each for each in certificates if not each["certified"]]
    if doubted:
        out.print()
        note = "nothing is removed while a source is not believed"
        out.print(heading("sources", note, "bold yellow"))
        out.print(columns(_said(doubted, "findings")))
    noted = _said(certificates, "notes")
    if noted:
        out.print()
        out.print(heading("seen in the sources"))
        out.print(columns(noted))


def _said(certificates: Iterable[dict[str, Any]], what: str) -> list[list[str]]:
    """Return a line for each sentence, the source's name before the first of its own."""
    return [
        [each["source"] if not place else "", sentence]
        for each in certificates
        for place, sentence in enumerate(each.get(what, ()))
    ]


def next_step(report: RunReport, plan: PlanShown | None, *, saved: bool) -> str:
    """Return the command that somebody who read all this would type."""
    where = f"--environment {report.environment}"
    if report.stopped:
        return f"go on where this stopped: syncd reconcile {where}"
    if report.problem:
        return f"mend what stopped the run, then: syncd reconcile {where}"
    if not report.certified:
        return _believe(report.certificates)
    removals = [gate for gate in report.gates if gate.tripped and gate.gate == "removals"]
    if removals:
        return f"if this is right: {' && '.join(_pass(gate, where) for gate in removals)}"
    if report.outcomes is not None and report.outcomes.get(Result.FAILED):
        return f"what failed, and when it is tried again: syncd dead-letters list --all {where}"
    made = report.run is None and report.outcomes is None
    if made and plan is not None and (report.planned or plan.adopted.total):
        return f"syncd apply {report.plan}" if saved else f"syncd reconcile {where}"
    return _look_closer(plan)


def _believe(certificates: Sequence[Certificate]) -> str:
    """Say which sources to mend, and of those that may be right as they are how to accept them."""
    doubted = [each for each in certificates if not each.certified]
    said = f"mend {', '.join(each.source for each in doubted)}"
    right = [
        f"syncd sources accept {each.source} --reason TEXT"
        for each in doubted
        if len(each.findings) == 1 and acceptable(each.findings[0])
    ]
    return f"{said}; if it is right as it is: {' && '.join(right)}" if right else said


def _pass(gate: Gate, where: str) -> str:
    scope = f'"{gate.scope}"' if " " in gate.scope else gate.scope
    return (
        f"syncd passes grant --scope {scope} --max {gate.count} --expires 2h --reason TEXT {where}"
    )


def _look_closer(plan: PlanShown | None) -> str:
    if plan is None:
        return ""
    if plan.conflicts:
        return "decide: syncd conflicts resolve USER --profile NAME --reason TEXT"
    if plan.reports or plan.pending:
        return "why somebody is as they are: syncd explain USER"
    return ""
