"""What the environment costs: reading all of it, and applying many changes to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import reading, writing
from tests.bench.company import Company, configuration
from tests.bench.measure import NewState
from tests.bench.processes import run, served
from tests.bench.reading import Read

__all__ = ["read", "write"]

Say = Callable[[str], None]


def read(
    company: Company, database: str, new_state: NewState, folder: Path, say: Say
) -> Iterator[str]:
    """Measure reading and give the lines about it. Raises BenchError if it fails."""
    file = folder / "syncd.toml"
    with served(company) as url, new_state() as state:
        source = folder / "people.csv"
        text = configuration(company, url=url, state=state, source=source, ownership="exclusive")
        file.write_text(text, encoding="utf-8")
        say("reading the environment once, unmeasured")
        run(["tests.bench.cycle", str(file), "--warm"], 1)
        say("reading the environment")
        found = json.loads(run(["tests.bench.reading", str(file)], 1))
    yield from reading.lines([Read(**each) for each in found], database)


def write(
    changes: int, database: str, new_state: NewState, folder: Path, seed: int, say: Say
) -> Iterator[str]:
    """Measure applying and give the lines about it. Raises BenchError if it fails."""
    found = []
    for case in writing.cases(changes):
        say(f"{case.changes:,} changes, {case.name}, {case.size} in one request")
        found.append(writing.measure(case, new_state, folder, seed))
    yield from writing.lines(found, database, binding=changes == writing.MOST_CHANGES)
