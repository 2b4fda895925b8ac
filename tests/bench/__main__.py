"""
How long a cycle takes, and where the time goes; what the environment and the sources take of it.

    python -m tests.bench [--people N …] [--database sqlite|postgresql|both]
                          [--section cycle|wire|sources|all] [--source KIND …] [--batch N]
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests import postgres
from tests.bench import sources, wire
from tests.bench.company import OWNERSHIP, Company
from tests.bench.measure import Bench, Figures, NewState, sqlite_program
from tests.bench.processes import BenchError
from tests.bench.registers import SYSTEMS
from tests.bench.report import conditions, growth, table, targets
from tests.bench.writing import changes_for

SIZES = (10_000, 100_000, 1_000_000)
DATABASES = ("sqlite", "postgresql")
SECTIONS = ("cycle", "wire", "sources", "all")

Say = Callable[[str], None]
Places = Generator[tuple[Path, NewState], None, None]
"""Gives an empty folder, the last one's being gone, and what gives state databases."""


def main() -> int:
    """Measure, print, and return 0; 1 if a cycle found something wrong or could not run."""
    asked = _arguments()
    names = DATABASES if asked.database == "both" else (asked.database,)
    started = time.monotonic()
    # Whoever stops us, `timeout` for one, must not leave servers and folders behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    def say(words: str) -> None:
        print(f"[{time.monotonic() - started:5.0f} s] {words}", file=sys.stderr, flush=True)

    try:
        if asked.section in {"cycle", "all"}:
            sqlite_program()
            print(*conditions(asked.ownership, asked.rounds, asked.batch), sep="\n")
        for name in names:
            _measure_all(asked, name, say)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--people", type=_people, nargs="+")
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--section", choices=SECTIONS, default=SECTIONS[-1])
    kinds = [each.name for each in SYSTEMS]
    parser.add_argument("--source", choices=kinds, nargs="+", default=kinds)
    parser.add_argument("--ownership", choices=OWNERSHIP, default=OWNERSHIP[0])
    parser.add_argument("--batch", type=int, default=100, help="how many changes go in one request")
    parser.add_argument("--rounds", type=int, default=3, help="how often most cycles are measured")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _people(text: str) -> int:
    number = int(text.replace("_", "").replace(",", ""))
    if number <= 0 or number % 1000:
        raise argparse.ArgumentTypeError(f"{text} is not a multiple of 1000")
    return number


def _measure_all(asked: argparse.Namespace, name: str, say: Say) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(postgres.serve()) if name == "postgresql" else None

        def folders() -> Places:
            while True:
                with tempfile.TemporaryDirectory(prefix="syncd-bench-") as folder:
                    yield Path(folder), server.database if server else _files(Path(folder))

        places = stack.enter_context(closing(folders()))
        if asked.section in {"cycle", "all"}:
            _measure_cycles(asked, name, places, say)
        if asked.section in {"wire", "all"}:
            _measure_wire(asked, name, places, say)
        if asked.section in {"sources", "all"}:
            _measure_sources(asked, name, places, say)


def _measure_cycles(asked: argparse.Namespace, name: str, places: Places, say: Say) -> None:
    before: Figures | None = None
    for people in _sizes(asked):
        folder, new_state = next(places)
        company = Company(people, asked.seed)
        say(f"{people:,} people, {name}")
        figures = Bench(company, asked.ownership, asked.batch, name, asked.rounds, folder, say).run(
            new_state
        )
        print("", *table(figures), "", *targets(figures), sep="\n")
        if before is not None:
            print(growth(before, figures), flush=True)
        before = figures


def _measure_wire(asked: argparse.Namespace, name: str, places: Places, say: Say) -> None:
    """Read companies of every size; apply what the largest of them is worth."""
    for people in _sizes(asked):
        folder, new_state = next(places)
        say(f"{people:,} people, {name}")
        found = wire.read(Company(people, asked.seed), name, new_state, folder, say)
        print("", *found, sep="\n", flush=True)
    folder, new_state = next(places)
    changes = changes_for(max(_sizes(asked)))
    print("", *wire.write(changes, name, new_state, folder, asked.seed, say), sep="\n", flush=True)


def _measure_sources(asked: argparse.Namespace, name: str, places: Places, say: Say) -> None:
    """Measure every kind of source, with one size unless several are given."""
    for people in sorted(asked.people or [sources.PEOPLE]):
        folder, new_state = next(places)
        found = list(
            sources.measure(asked.source, people, asked.seed, asked.rounds, new_state, folder, say)
        )
        print("", *sources.lines(found, name), sep="\n", flush=True)


def _sizes(asked: argparse.Namespace) -> list[int]:
    return sorted(asked.people or SIZES)


def _files(folder: Path) -> NewState:
    """Return what gives SQLite databases in a folder."""

    @contextmanager
    def fresh() -> Iterator[str]:
        with tempfile.TemporaryDirectory(dir=folder) as inner:
            yield f"sqlite:///{inner}/state.db"

    return fresh


if __name__ == "__main__":
    sys.exit(main())
