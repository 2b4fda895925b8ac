"""
The pictures of deploy/README.md: what panels show of a daemon that really worked.

`python -m tests.deploy.pictures` draws them anew.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy.drawing import picture
from tests.deploy.house import DEPLOY, Watched, watched

__all__ = ["FOLDER", "Query", "pictures", "queries"]

FOLDER = DEPLOY / "grafana" / "pictures"
SHOWN = {
    "needs": ("overview", "Waiting for a person"),
    "coverage": ("business", "Coverage by profile, over time"),
    "conflicts": ("business", "Conflicts over time"),
}
"""Dashboard and panel of each picture."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel."""

    dashboard: str
    panel: str
    expr: str
    legend: str
    instant: bool


def queries() -> list[Query]:
    """Return every query of every dashboard."""
    return [
        Query(file.stem, panel["title"], one["expr"], one.get("legendFormat", ""), one["instant"])
        for file in sorted((DEPLOY / "grafana").glob("*.json"))
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]
        for one in panel.get("targets", ())
    ]


def pictures(seen: Watched) -> Iterator[tuple[str, str]]:
    """Draw what the panels show: the picture's name, and its SVG."""
    for name, (dashboard, title) in SHOWN.items():
        [query] = [one for one in queries() if (one.dashboard, one.panel) == (dashboard, title)]
        lines = [
            (_called(query.legend, labels), values)
            for labels, values in seen.course(query.expr)
            if any(value for _, value in values)
        ]
        yield name, picture(title, sorted(lines))


def _called(legend: str, labels: Mapping[str, Any]) -> str:
    """Fill the labels in; there is one environment, whose name says nothing here."""
    named = legend.replace("{{environment}} ", "")
    return re.sub(r"{{(\w+)}}", lambda found: str(labels[found[1]]), named)


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, watched(Path(folder)) as seen:
        for name, drawn in pictures(seen):
            (FOLDER / f"{name}.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
