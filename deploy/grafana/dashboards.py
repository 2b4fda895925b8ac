#!/usr/bin/env python3
"""
The dashboards, as code: `dashboards.py` writes them, `dashboards.py --check` compares.

Needs the package grafana-foundation-sdk (the extra `test` has it). The series named
`environment…:…:…` come from the recording rules in deploy/prometheus.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from business import BUSINESS
from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from operations import OPERATIONS
from overview import OVERVIEW
from panels import SOURCE, Chapter

__all__ = ["documents", "main"]

FOLDER = Path(__file__).resolve().parent
ALL = "$__all"
FOREIGN = ("auto", "auto_min", "auto_count")
"""Keys of interval variables, which the builders give to all variables."""
DASHBOARDS = {
    "overview": ("syncd: overview", "Running? In sync? What needs a person?", OVERVIEW),
    "operations": ("syncd: operations", "Runs, changes, sources, requests, daemons.", OPERATIONS),
    "business": ("syncd: business", "Coverage, joiners and leavers, conflicts.", BUSINESS),
}


def documents() -> Iterator[tuple[Path, str]]:
    """Give each dashboard's file, and what must stand there."""
    for name, (title, about, chapters) in DASHBOARDS.items():
        built = json.loads(json.dumps(_dashboard(name, title, about, chapters), cls=JSONEncoder))
        text = json.dumps(_cleared(built), indent=2, ensure_ascii=False)
        yield FOLDER / f"{name}.json", f"{text}\n"


def main(words: Sequence[str]) -> int:
    """Write or compare; 1 where a file is not as it must be."""
    if list(words) not in ([], ["--check"]):
        sys.stderr.write("usage: dashboards.py [--check]\n")
        return 2
    stale = []
    for file, text in documents():
        if words and (not file.is_file() or file.read_text(encoding="utf-8") != text):
            stale.append(file.name)
        if not words:
            file.write_text(text, encoding="utf-8")
    if stale:
        sys.stderr.write(
            f"not as generated: {', '.join(stale)}; run deploy/grafana/dashboards.py\n"
        )
    return 1 if stale else 0


def _dashboard(name: str, title: str, about: str, chapters: Sequence[Chapter]) -> Any:
    made = dashboard.Dashboard(title).uid(f"syncd-{name}").description(about).tags(["syncd"])
    made = made.readonly().refresh("1m").time("now-24h", "now").timezone("browser")
    made = made.with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
    made = made.with_variable(_environments()).link(_others())
    number = 0
    for chapter in chapters:
        number += 1
        made = made.with_row(dashboard.Row(chapter.title).id(number))
        for panel in chapter.panels:
            number += 1
            made = made.with_panel(panel.id(number))
    return made.build()


def _environments() -> dashboard.QueryVariable:
    """Let people choose among the environments that any daemon knows; all at first."""
    variable = dashboard.QueryVariable("environment").label("Environment").datasource(SOURCE)
    variable = variable.query("label_values(syncd_lease_held, environment)")
    variable = (
        variable.multi(True).include_all(True).all_value(".*").sort(VariableSort.ALPHABETICAL_ASC)
    )
    everything = VariableOption(selected=True, text=["All"], value=[ALL])
    return variable.current(everything).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)


def _others() -> dashboard.DashboardLink:
    """Lead to the other dashboards, with what was chosen."""
    link = (
        dashboard.DashboardLink("syncd")
        .type(DashboardLinkType.DASHBOARDS)
        .as_dropdown(True)
        .tags(["syncd"])
    )
    return link.keep_time(True).include_vars(True)


def _cleared(value: Any) -> Any:
    """Leave out what the builders add and Grafana's own types refuse."""
    if isinstance(value, list):
        return [_cleared(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _cleared(each)
        for key, each in value.items()
        if key not in FOREIGN and (key, each) != ("options", None)
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
