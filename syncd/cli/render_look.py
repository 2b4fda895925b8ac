"""The state of environments, runs and the audit log as text."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from syncd.cli.render import columns, counted, heading, moved, styled, summed, when

if TYPE_CHECKING:
    from rich.console import Console

    from syncd.state.views import Document

__all__ = ["ENDED", "FIELDS", "show_audit", "show_run", "show_runs", "show_status", "write_csv"]

ENDED: Mapping[int | None, str] = {
    None: "not ended",
    0: "done",
    2: "some changes failed",
    3: "a gate held",
    4: "a source was not believed",
    5: "target",
    6: "another run",
    64: "configuration",
    70: "internal error",
}
"""What an exit code means, in a word or two."""


# --- status ---------------------------------------------------------------------------------


def show_status(out: Console, document: Document) -> None:
    """Write the four answers about one environment."""
    name = (document["environment"], "bold")
    if not document["known"]:
        out.print(styled(name, " · no run yet; first look: ", ("syncd plan", "bold")))
        return
    sync, style = _sync(document)
    out.print(styled(name, " · ", (sync, style)))
    last = document["last_attempt"]
    out.print(
        columns(
            [
                ["running", _running(document["running"])],
                ["last success", _success(document)],
                ["last run", _attempt(last) if last else "none"],
                ["quarantine", _quarantine(document["quarantine"])],
                ["people", _people(document)],
                ["last 24 hours", _spent(document["limits"])],
                *(
                    [["pace", _pace(document["limits"]["pace"])]]
                    if document["limits"]["pace"]
                    else []
                ),
            ]
        )
    )
    refused = document["limits"]["refused"]
    if refused:
        out.print(heading("  not taken by the environment"))
        out.print(columns([_refused(each) for each in refused], indent=4))
    needs = [*_unwell(last), *_needs(document["needs"])]
    if needs:
        out.print(heading("  needs a person"))
        out.print(columns(needs, indent=4))
    else:
        out.print(styled("  nothing needs a person"))


def _sync(document: Document) -> tuple[str, str]:
    match document["in_sync"]:
        case None:
            return "no run has ended yet", "yellow"
        case True:
            return "in sync as of the last run", "bold green"
        case _:
            waiting = sum(document["unapplied"].values())
            said = f"not in sync: {counted(waiting, 'planned change')} not applied"
            return (said if waiting else "not in sync: the last run did not end well"), "bold red"


def _running(run: Document | None) -> str:
    if run is None:
        return "no"
    return f"yes: {run['command']}, run {run['run']}, since {when(run['started'])} UTC"


def _success(document: Document) -> str:
    if document["last_success"] is None:
        return "never"
    full = document["last_full_success"]
    same = full == document["last_success"]
    rest = "" if same else f" (of a full run: {when(full) if full else 'never'})"
    return f"{when(document['last_success'])} UTC{rest}"


def _people(document: Document) -> str:
    last, judged = document["last_attempt"], document["judged"]
    said = summed(document["situations"]) or "nobody yet"
    return said if judged is None or judged == last["run"] else f"{said}; as of run {judged}"


def _attempt(run: Document) -> str:
    said = f"run {run['run']}, {run['command']}, {when(run['started'])} UTC: "
    said += _ended(run)
    return f"{said}: {run['problem']}" if run["problem"] else said


def _ended(run: Document) -> str:
    code = run["exit_code"]
    return _word(run) if code is None else f"{_word(run)} (exit code {code})"


def _word(run: Document) -> str:
    """Say how a run ended."""
    return "killed" if run["killed"] else ENDED.get(run["exit_code"], "stopped")


def _spent(limits: Document) -> str:
    """Say what was sent, and what of it the daily entitlement counts."""
    sent = limits["last_24_hours"]
    counts = f"{sent['operations']:,} of the daily entitlement"
    return f"{counted(sent['requests'], 'request')} sent, {counts}"


def _pace(pace: Document) -> str:
    return f"{pace['rate']:,.0f} rows/s with {pace['lanes']} lanes of {pace['size']}"


INSTEAD = {
    "CreateMultiple": "rows are made in batches",
    "UpdateMultiple": "rows are changed in batches",
    "$batch": "each change is a request of its own",
    "Create": "joiners take emptied rows; without one they wait",
    "Update": "profiles are set by reference; flags and states are not",
    "Delete": "rows are emptied, and free for the next joiner",
    "optimistic concurrency": "rows are read again right before their change",
}
"""What is done where an environment refuses something."""


def _refused(each: Document) -> list[str]:
    said = f"{INSTEAD.get(each['message'], 'nothing takes its place')}; tried again after "
    return [each["message"], f"{said}{when(each['until'])} UTC ({each['detail']})"]


def _quarantine(found: Document | None) -> str:
    if found is None:
        return "no"
    return (
        f"YES, since {when(found['since'])} UTC: {found['failed']:,} of {found['sent']:,} changes "
        f"failed, mostly by {found['cause']}; a few are tried from {when(found['due'])} UTC on"
    )


def _unwell(last: Document | None) -> Iterable[Sequence[str]]:
    """Name a last run that broke off: what it left is not the whole picture."""
    if last and last["finished"] and last["exit_code"] not in (0, 2, 3, 4):
        yield "the last run broke off", f"{_ended(last)}; syncd runs {last['run']}"


def _needs(needs: Document) -> Iterable[Sequence[str]]:
    """List what a person must look at, and with which command."""
    if needs["interrupted"]:
        numbers = ", ".join(str(run["run"]) for run in needs["interrupted"])
        yield f"interrupted: run {numbers}", "syncd reconcile settles what was in flight"
    if needs["unsettled"]:
        yield f"{counted(needs['unsettled'], 'change')} sent, outcome unknown", "syncd reconcile"
    for each in needs["certificates"]:
        yield f"source {each['source']} was not believed", "; ".join(each["findings"])
    for gate in needs["gates"]:
        said = f"{gate['count']:,} where {gate['allowed']:,} may pass; syncd passes grant"
        yield f"{gate['gate']} gate, {gate['scope']}", said
    if needs["failed"].get("dead"):
        yield counted(needs["failed"]["dead"], "dead letter"), "syncd dead-letters list"
    for reason, number in needs["pending"].items():
        yield f"{number:,} pending", f"{reason}; syncd explain USER"
    for code, number in needs["conflicts"].items():
        yield f"{counted(number, 'open conflict')}", f"{code}; syncd conflicts list"
    for situation, number in needs["reports"].items():
        yield f"{number:,} reported", f"{situation}; syncd explain USER"


# --- runs -------------------------------------------------------------------------------------


def show_runs(out: Console, runs: Sequence[Document]) -> None:
    """Write the table of runs, the newest first."""
    if not runs:
        out.print("no run yet; first look: syncd plan")
        return
    out.print(
        columns(
            (
                [
                    str(run["run"]),
                    run["environment"],
                    run["command"],
                    when(run["started"]),
                    _seconds(run["seconds"]),
                    _outcomes(run["outcomes"]),
                    f"{'' if run['exit_code'] is None else run['exit_code']} {_word(run)}",
                ]
                for run in runs
            ),
            heads=("run", "environment", "command", "started (UTC)", "took", "changes", "ended"),
            whole=(0, 3, 4),
            indent=0,
        )
    )


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:,.1f} s"


def _outcomes(outcomes: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in outcomes.items() if number) or "none"


def show_run(out: Console, run: Document) -> None:
    """Write everything about one run."""
    out.print(
        styled(
            (f"run {run['run']}", "bold"),
            f" · {run['environment']} · {run['command']} · ",
            (_ended(run), "bold green" if run["exit_code"] == 0 else "bold yellow"),
        )
    )
    facts = [
        ["started", f"{when(run['started'])} UTC"],
        ["ended", f"{when(run['finished'])} UTC, after {_seconds(run['seconds'])}"],
        ["people", summed(run["situations"]) or "nobody was judged"],
        ["changes", _outcomes(run["outcomes"])],
    ]
    if run["killed"]:
        facts[1][1] = f"nobody knows when; noticed {when(run['finished'])} UTC"
    if run["finished"] is None:
        facts[1][1] = "not yet, or it was interrupted: syncd status"
    if run["problem"]:
        facts.append(["problem", run["problem"]])
    if run["recovered"]:
        facts.append(["settled first", counted(run["recovered"], "interrupted change")])
    out.print(columns(facts))
    if run["actions"]:
        out.print(heading("  what was done"))
        lines = [[each["action"], f"{each['count']:,}", each["result"]] for each in run["actions"]]
        out.print(columns(lines, indent=4))
    if run["certificates"]:
        out.print(heading("  sources"))
        out.print(columns([_certificate(each) for each in run["certificates"]], indent=4))
    tripped = [gate for gate in run["gates"] if gate["tripped"]]
    if tripped:
        out.print(heading("  gates that held"))
        lines = [
            [gate["gate"], gate["scope"], f"{gate['count']:,} where {gate['allowed']:,} may pass"]
            for gate in tripped
        ]
        out.print(columns(lines, indent=4))
    if run["plan"]:
        out.print(styled("Next: the whole plan: ", (f"syncd plan --show {run['plan']}", "bold")))


def _certificate(each: Document) -> Sequence[str]:
    said = "believed" if each["certified"] else "NOT believed: " + "; ".join(each["findings"])
    said = "; ".join([said, *each.get("notes", ())])
    return each["source"], f"{each['rows']:,} rows", said


# --- audit ------------------------------------------------------------------------------------

FIELDS = (
    "at",
    "environment",
    "run",
    "who",
    "what",
    "person",
    "user",
    "user_name",
    "membership",
    "profile_before",
    "profile_after",
    "why",
    "result",
)


def show_audit(out: Console, lines: Sequence[Document], limit: int | None) -> None:
    """Write lines of the audit log, each with the reason below it."""
    if not lines:
        out.print("the audit log has nothing on that")
        return
    several = len({line["environment"] for line in lines}) > 1
    out.print(
        columns(
            ([when(line["at"]), line["what"], _line(line, several=several)] for line in lines),
            heads=("when (UTC)", "what", "whom, by whom, why, with which result"),
            whole=(0,),
            indent=0,
        )
    )
    if limit is not None and len(lines) == limit:
        out.print(styled((f"… the newest {limit}; see more with --limit", "dim")))


def _line(line: Document, *, several: bool) -> str:
    whom = " ".join(str(each) for each in (line["person"], _user(line)) if each)
    profiles = moved(line["profile_before"], line["profile_after"])
    by = line["who"] if line["run"] is None else f"{line['who']}, run {line['run']}"
    if several and line["environment"]:
        by = f"{line['environment']}, {by}"
    parts = [f"{whom}: {profiles}" if whom and profiles != "—" else whom or profiles]
    parts.append(f"{line['result']} · {by} · {line['why']}")
    return "\n".join(part for part in parts if part not in ("", "—"))


def _user(line: Document) -> str | None:
    name = line["user_name"] or line["user"]
    return None if name is None else str(name)


def write_csv(out: TextIO, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write lines of the audit log as a table for a spreadsheet, which must not run any cell."""
    writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow({name: _harmless(line[name]) for name in FIELDS})


def _harmless(value: object) -> object:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
