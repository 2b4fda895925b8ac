"""What doctor shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from syncd.app import App
from syncd.cli import listing
from syncd.cli.render import columns, console, counted, heading, styled
from syncd.core.exits import ExitCode
from syncd.core.preflight import Observation, Verdict, gravest

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["examine", "put_findings", "show_findings"]

STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILURE: "bold red"}


def examine(app: App, name: str, *, as_json: bool) -> int:
    """Look at one environment and show how it is; returns the exit code."""
    found = app.preflight(name)
    failed = gravest(found) is Verdict.FAILURE
    code = ExitCode.TARGET if failed else ExitCode.DONE
    if as_json:
        where = {"environment": name, "url": app.config.environments[name].url}
        put_findings("syncd.doctor/1", where, found, int(code))
    else:
        show_findings(name, app.config.environments[name].url, found)
    return int(code)


def put_findings(
    schema: str, where: Mapping[str, object], found: Sequence[Observation], code: int
) -> None:
    """Write what was looked at as one JSON document."""
    findings = [
        {
            "check": each.check,
            "verdict": each.verdict,
            "seen": each.seen,
            "remedy": each.remedy or None,
        }
        for each in found
    ]
    head = {"schema": schema, **where, "verdict": gravest(found)}
    listing.write_document({**head, "findings": findings, "exit_code": code})


def show_findings(title: str, note: str, found: Sequence[Observation]) -> None:
    """Write what was looked at for people, with what to do below each finding."""
    out = console()
    out.print(heading(title, note))
    lines: list[list[str | Text | None]] = []
    for each in found:
        said = styled((each.check, "bold"), f": {each.seen}")
        lines.append([styled((each.verdict, STYLES[each.verdict])), said])
        if each.remedy:
            lines.append(["", f"→ {each.remedy}"])
    out.print(columns(lines, whole=(0,)))
    counts = Counter(each.verdict for each in found)
    doubtful = counted(counts[Verdict.WARNING], "warning")
    failing = counted(counts[Verdict.FAILURE], "failure")
    out.print(styled(f"  {counts[Verdict.OK]} ok · {doubtful} · {failing}"))
