"""The dashboards: as generated, of Grafana's own types, and with data in every panel."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.dom import minidom

import pytest

from tests.campaign import LONG
from tests.deploy.house import DEPLOY, Series, Watched, needed, watched
from tests.deploy.pictures import FOLDER, Query, pictures, queries

DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
OFFLINE = re.compile("ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|ENOTCACHED")
TYPED = """import type { Dashboard } from "@grafana/schema";
// JSON has no enums, only their values.
type Plain<T> = T extends string ? `${T}`
    : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
const dashboard = %s satisfies Plain<Partial<Dashboard>>;
export default dashboard;
"""
METRIC = re.compile(r"(?<![\w:])(?:\w+:)?(?:syncd_|up\b)[\w:]*")


def generator(folder: Path) -> subprocess.CompletedProcess[str]:
    """Compare the dashboards of a folder with its generator."""
    command = [sys.executable, "-B", str(folder / "dashboards.py"), "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_dashboards_are_as_generated(tmp_path: Path) -> None:
    """Whoever edits one by hand is told which."""
    assert [file.stem for file in DASHBOARDS] == ["business", "operations", "overview"]
    done = generator(DEPLOY / "grafana")
    assert done.returncode == 0, done.stderr
    shutil.copytree(DEPLOY / "grafana", tmp_path / "edited")
    edited = tmp_path / "edited" / "business.json"
    edited.write_text(edited.read_text(encoding="utf-8").replace("Covered", "Sheltered"))
    done = generator(tmp_path / "edited")
    assert done.returncode == 1
    assert "not as generated: business.json;" in done.stderr


def test_the_overview_answers_its_three_questions() -> None:
    """Is it running, is it in sync, what needs a person: one row for each, in this order."""
    panels = json.loads((DEPLOY / "grafana" / "overview.json").read_text())["panels"]
    rows = [panel["title"] for panel in panels if panel["type"] == "row"]
    assert rows == ["Is it running?", "Is it in sync?", "What needs a person?"]


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_panels_fit_beside_each_other(file: Path) -> None:
    """Numbers are told apart, nothing overlaps, and everything is explained."""
    panels = json.loads(file.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["description"].endswith(".")


def test_dashboards_are_of_grafanas_own_types(tmp_path: Path) -> None:
    """The TypeScript compiler finds nothing wrong, and finds what is wrong."""
    npm = needed("npm", "npm")
    shutil.copy(Path(__file__).with_name("package.json"), tmp_path)
    quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--fetch-retries=1")
    got = _run(tmp_path, npm, "install", *quiet)
    if got.returncode and (OFFLINE.search(got.stderr) or os.environ.get("CI") != "true"):
        said = "the npm registry cannot be reached: DASHBOARDS ARE NOT CHECKED AGAINST THEIR TYPES"
        sys.__stderr__.write(f"\n{said}\n") if sys.__stderr__ else None
        pytest.skip(said)
    assert got.returncode == 0, got.stderr
    for file in DASHBOARDS:
        text = file.read_text(encoding="utf-8").strip()
        (tmp_path / f"{file.stem}.ts").write_text(TYPED % text, encoding="utf-8")
    wrong = (tmp_path / "overview.ts").read_text().replace('"absolute"', '"absolut"', 1)
    (tmp_path / "wrong.ts").write_text(wrong, encoding="utf-8")
    strict = ("--noEmit", "--strict", "--skipLibCheck", "--module", "esnext")
    names = sorted(file.name for file in tmp_path.glob("*.ts"))
    compiler = str(tmp_path / "node_modules" / ".bin" / "tsc")
    done = _run(tmp_path, compiler, *strict, "--moduleResolution", "bundler", *names)
    remarks = done.stdout.splitlines()
    assert [line.partition("(")[0] for line in remarks] == ["wrong.ts"], done.stdout


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )


@LONG
def test_every_panel_and_rule_has_data_from_a_real_daemon(tmp_path: Path) -> None:
    """
    Prometheus scraped a daemon that worked; every query finds numbers in what it said.

    One test, because the daemon is what takes its time: panels with their legends, rules
    with the metrics, labels and values they name, and the pictures that the manual shows.
    """
    with watched(tmp_path) as seen:
        assert [problem for query in queries() for problem in _empty(seen, query)] == []
        assert _unknown(seen) == []
        health = [(rule["name"], rule["health"]) for rule in _rules(seen)]
        assert {state for _, state in health} == {"ok"}, health
        _drawn(dict(pictures(seen)))


def _empty(seen: Watched, query: Query) -> list[str]:
    """Say what a panel would lack."""
    where = f"{query.dashboard}, {query.panel}"
    found = (seen.now if query.instant else seen.course)(query.expr)
    if not any(math.isfinite(value) for _, values in found for _, value in values):
        return [f"{where}: no data"]
    named = re.findall(r"{{(\w+)}}", query.legend)
    lacking = {name for name in named for labels, _ in found if name not in labels}
    return [f"{where}: no label {name}" for name in sorted(lacking)] + _doubled(where, named, found)


def _doubled(where: str, named: Sequence[str], found: Sequence[Series]) -> list[str]:
    """Two series of a panel must not have the same name, but for the replica."""
    names = [tuple(labels.get(name) for name in named) for labels, _ in found]
    return [f"{where}: two of a name"] if named and len(set(names)) < len(names) else []


def _rules(seen: Watched) -> list[dict[str, Any]]:
    groups = seen.ask("rules")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _unknown(seen: Watched) -> list[str]:
    """Say which metrics, labels and values the rules name that nobody has seen."""
    rules = _rules(seen)
    assert len(rules) > 30
    return [
        f"{rule['name']}: no {what}" for rule in rules for what in _missing(seen, rule["query"])
    ]


def _missing(seen: Watched, query: str) -> Iterator[str]:
    values: dict[str, set[str]] = {}
    for metric in sorted(set(METRIC.findall(query))):
        series = seen.ask("series", **{"match[]": metric})
        if not series:
            yield metric
        for label, value in (pair for one in series for pair in one.items()):
            values.setdefault(label, set()).add(value)
    yield from sorted(f"label {label}" for label in _labels(query) - set(values))
    for label, value in re.findall(r'(\w+)=~?"([^"]+)"', query):
        lacking = set(value.split("|")) - values.get(label, set())
        yield from sorted(f"{label} that is {each}" for each in lacking)


def _labels(query: str) -> set[str]:
    grouped = re.findall(r"\b(?:by|on) ?\(([^)]*)\)", query)
    return {label.strip() for group in grouped for label in group.split(",")}


def _drawn(drawn: dict[str, str]) -> None:
    """Each picture has lines, and the one of the manual shows the same lines."""
    manual = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert len(drawn) == 3
    for name, text in drawn.items():
        assert _texts(text) == _texts((FOLDER / f"{name}.svg").read_text(encoding="utf-8"))
        assert text.count('<path class="l"') >= 2, text
        assert f"(grafana/pictures/{name}.svg)" in manual


def _texts(svg: str) -> set[str]:
    """Return title and names of lines; numbers are of the day."""
    root = minidom.parseString(svg)  # noqa: S318  # our own writer made it
    found = root.getElementsByTagName("text")
    texts = {element.firstChild.nodeValue or "" for element in found if element.firstChild}
    return {text for text in texts if not text[0].isdigit()}
