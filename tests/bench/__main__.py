"""
How long a cycle takes, and where the time goes.

    python -m tests.bench [--people N …] [--database sqlite|postgresql|both]
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests import postgres
from tests.bench.company import OWNERSHIP, Company
from tests.bench.measure import Bench, BenchError, Figures, NewState, sqlite_program
from tests.bench.report import conditions, growth, table, targets

SIZES = (10_000, 100_000, 1_000_000)
DATABASES = ("sqlite", "postgresql")


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
        sqlite_program()
        print(*conditions(asked.ownership, asked.rounds), sep="\n")
        for name in names:
            _measure_all(asked, name, say)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--people", type=_people, nargs="+", default=list(SIZES))
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--ownership", choices=OWNERSHIP, default=OWNERSHIP[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often most cycles are measured")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _people(text: str) -> int:
    number = int(text.replace("_", "").replace(",", ""))
    if number <= 0 or number % 1000:
        raise argparse.ArgumentTypeError(f"{text} is not a multiple of 1000")
    return number


def _measure_all(asked: argparse.Namespace, name: str, say: Callable[[str], None]) -> None:
    before: Figures | None = None
    with ExitStack() as stack:
        server = stack.enter_context(postgres.serve()) if name == "postgresql" else None
        for people in sorted(asked.people):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="syncd-bench-")))
            company = Company(people, asked.seed)
            say(f"{people:,} people, {name}")
            bench = Bench(company, asked.ownership, name, asked.rounds, folder, say)
            figures = bench.run(server.database if server else _files(folder))
            print("", *table(figures), "", *targets(figures), sep="\n")
            if before is not None:
                print(growth(before, figures), flush=True)
            before = figures


def _files(folder: Path) -> NewState:
    """Return what gives SQLite databases in a folder."""

    @contextmanager
    def fresh() -> Iterator[str]:
        with tempfile.TemporaryDirectory(dir=folder) as inner:
            yield f"sqlite:///{inner}/state.db"

    return fresh


if __name__ == "__main__":
    sys.exit(main())
