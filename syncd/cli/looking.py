"""What doctor shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from syncd.app import App
from syncd.cli import listing
from syncd.cli.render import columns, console, counted, heading, styled
from syncd.core.exits import ExitCode
from syncd.core.preflight import Observation, Verdict, gravest

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["examine"]

STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILURE: "bold red"}


def examine(app: App, name: str, *, as_json: bool) -> int:
    """Look at one environment and show how it is; returns the exit code."""
    found = app.preflight(name)
    failed = gravest(found) is Verdict.FAILURE
    code = ExitCode.TARGET if failed else ExitCode.DONE
    if as_json:
        listing.write_document(
            {
                "schema": "syncd.doctor/1",
                "environment": name,
                "url": app.config.environments[name].url,
                "verdict": gravest(found),
                "findings": [
                    {
                        "check": each.check,
                        "verdict": each.verdict,
                        "seen": each.seen,
                        "remedy": each.remedy or None,
                    }
                    for each in found
                ],
                "exit_code": int(code),
            }
        )
    else:
        _show(name, app.config.environments[name].url, found)
    return int(code)


def _show(name: str, url: str, found: Sequence[Observation]) -> None:
    out = console()
    out.print(heading(name, url))
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
