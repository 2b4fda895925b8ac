"""
One cycle in a process of its own, so that its peak memory is nobody else's.

    python -m tests.bench.cycle FILE [--apply] [--delta] | --warm

prints one JSON document. Without --apply the run is asked to stop when its plan is saved;
with --delta it reads only what changed in the environment.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event

from syncd.app import App, build
from syncd.engine.parts import RunReport
from syncd.state.database import Database, rows

__all__ = ["APPLYING", "ENVIRONMENT", "STARTING", "Measured", "Phase"]

APPLYING = "applying"
STARTING = "starting"
ENVIRONMENT = "bench"


@dataclass(slots=True)
class Phase:
    """One phase: seconds on the wall and on this process's cores, and how much there was to do."""

    name: str
    seconds: float = 0.0
    cpu: float = 0.0
    number: int = 0


@dataclass(slots=True)
class Measured:
    """What one cycle took and found. `peak` is the most memory it had, in megabytes."""

    phases: list[Phase]
    situations: dict[str, int]
    changes: dict[str, int]
    applied: int
    peak: float
    problem: str | None

    def seconds(self) -> float:
        """Return the time to the saved plan: from the configuration, all modules being loaded."""
        return sum(phase.seconds for phase in self.phases if phase.name != APPLYING)

    def cpu(self) -> float:
        """Return the seconds that this process's cores worked in that time."""
        return sum(phase.cpu for phase in self.phases if phase.name != APPLYING)


@dataclass(slots=True)
class _Watch:
    """Takes the time of each phase, and asks the run to stop before it applies anything."""

    stop: Event
    apply: bool
    phases: list[Phase] = field(default_factory=lambda: [Phase(STARTING)])
    _since: tuple[float, float] = field(
        default_factory=lambda: (time.perf_counter(), time.process_time())
    )

    def phase(self, name: str, total: int | None = None) -> None:
        self.lap()
        self.phases.append(Phase(name, number=total or 0))
        if name == APPLYING and not self.apply:
            self.stop.set()

    def advance(self, number: int) -> None:
        """Pass over it: what there was to do is known beforehand."""

    def lap(self) -> None:
        """End the phase that runs."""
        now = time.perf_counter(), time.process_time()
        self.phases[-1].seconds += now[0] - self._since[0]
        self.phases[-1].cpu += now[1] - self._since[1]
        self._since = now


def measure(path: Path, *, apply: bool, delta: bool) -> Measured:
    """Run one cycle."""
    stop = Event()
    watch = _Watch(stop, apply)
    app = build(path, os.environ, stop)
    with app.database() as database:
        with app.reconciler(database, ENVIRONMENT, watch) as reconciler:
            report = reconciler.reconcile(delta=delta)
        watch.lap()
        changes = _changes(database, report)
    outcomes = {str(result): number for result, number in (report.outcomes or {}).items()}
    return Measured(
        phases=watch.phases,
        situations=report.situations,
        changes=changes,
        applied=outcomes.get("applied", 0),
        peak=_peak(),
        problem=report.problem,
    )


def _changes(database: Database, report: RunReport) -> dict[str, int]:
    sql = "SELECT action, count(*) AS number FROM changes WHERE plan = :plan GROUP BY action"
    with database.read() as tx:
        return {row.action: row.number for row in rows(tx, sql, plan=report.plan)}


def _peak() -> float:
    """Return the most memory that this process had in use, in megabytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def warm(app: App) -> None:
    """Read the environment once, so that the sandbox has its answers ready as a server would."""
    with app.target(ENVIRONMENT) as target:
        for pages in (target.users(set()), target.memberships(set())):
            for _ in pages:
                pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is asked for and print what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--apply", action="store_true")
    parser.add_argument("--delta", action="store_true")
    parser.add_argument("--warm", action="store_true")
    asked = parser.parse_args(arguments)
    if asked.warm:
        warm(build(asked.file, os.environ))
        return
    print(json.dumps(asdict(measure(asked.file, apply=asked.apply, delta=asked.delta))))


if __name__ == "__main__":
    main()
