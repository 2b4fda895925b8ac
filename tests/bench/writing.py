"""
How fast many changes are applied by an environment that takes its time and protects itself.

Each case is a cold run of its own, of a company in which everybody joins, leaves or moves: the
real client, with journal and audit, against a sandbox in another process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.bench.company import Company, configuration
from tests.bench.cycle import Phase
from tests.bench.limits import Limits
from tests.bench.measure import NewState
from tests.bench.processes import BenchError, cycle, run, served

__all__ = ["MOST_CHANGES", "Case", "Written", "cases", "changes_for", "lines", "measure"]

MOST_CHANGES = 20_000
LATENCIES = (0.010, 0.030, 0.040)
"""Seconds for each row, as measured elsewhere for the three ways to write (section 8.1)."""
WITHIN = 1.3
"""How many times of the best a case may take."""
CHEAP = 60
"""Microseconds of the client's processor for each change that are meant to be enough."""
PURSES = 4
"""How many windows the case takes that is meant to meet the limit of execution time."""


@dataclass(frozen=True, slots=True)
class Case:
    """So many changes under these limits, so many in a request."""

    name: str
    changes: int
    limits: Limits
    size: int = 100


@dataclass(frozen=True, slots=True)
class Written:
    """
    How a case went. `knocked` counts requests that were sent during a wait.

    `refused` counts those that a limit turned down, `lanes` how many were under way at most.
    """

    case: Case
    applying: Phase
    requests: int
    refused: int
    knocked: int
    lanes: int

    @property
    def best(self) -> float:
        """Seconds that the limits permit at best with the lanes that the server recommends."""
        return self.case.limits.best(self.case.changes, self.case.size, self.case.limits.hint)

    @property
    def ideal(self) -> float:
        """Seconds that they permit at best with as many lanes as were really used."""
        return self.case.limits.best(self.case.changes, self.case.size, max(1, self.lanes))

    @property
    def cost(self) -> float:
        """Microseconds of the client's processor for each change."""
        return 1e6 * self.applying.cpu / self.case.changes


def changes_for(people: int) -> int:
    """Return how many changes a company of that size is worth."""
    return min(MOST_CHANGES, people // 5000 * 1000) or 1000


def cases(changes: int) -> Iterator[Case]:
    """
    Give the cases: three latencies, a purse that empties again and again, no latency at all.

    For the purse the window is short, so that it does not take long; the rates are those of
    the documentation (6,000 requests and 1,200 s of execution in 300 s).
    """
    for each in LATENCIES:
        yield Case(f"{1000 * each:.0f} ms a row", changes, Limits(each))
    half = changes // 2000 * 1000 or 1000
    execution = half * LATENCIES[-1] / PURSES
    short = Limits(LATENCIES[-1], 8, execution / 4, round(execution * 5), execution)
    yield Case(f"{1000 * LATENCIES[-1]:.0f} ms, purse of {execution:.0f} s", half, short)
    for size in (100, 1000):
        yield Case("no latency", changes, Limits(0.0), size)


def measure(case: Case, new_state: NewState, folder: Path, seed: int) -> Written:
    """Run a case. Raises BenchError if a change was not applied."""
    company = Company(case.changes, seed, restless=True)
    file, people = folder / "syncd.toml", folder / "people.csv"
    company.write(people, 1)
    with served(company) as url, new_state() as state:
        text = configuration(
            company,
            url=url,
            state=state,
            source=people,
            ownership="exclusive",
            batch_size=case.size,
        )
        file.write_text(text, encoding="utf-8")
        run(["tests.bench.cycle", str(file), "--warm"], 1)
        order = f"{url}/_sandbox/protection"
        httpx.post(order, json=case.limits.order(), timeout=60).raise_for_status()
        measured = cycle(file, 1, "--apply")
        seen = httpx.get(order, timeout=60).json()
    if measured.applied != case.changes or measured.problem:
        said = measured.problem or "the run says of no problem"
        raise BenchError(f"{case.name}: {measured.applied} of {case.changes} changes: {said}")
    return Written(
        case,
        measured.phases[-1],
        seen["requests"],
        seen["refused"],
        seen["knocked"],
        seen["most_at_once"],
    )


def lines(found: Sequence[Written], database: str, *, binding: bool) -> Iterator[str]:
    """Give the lines that say how the cases went; figures are *binding* for all changes only."""
    yield f"applying creates, moves and deletes, a third each, {database}"
    yield (
        f"  {'':22}{'changes':>9}{'in one':>8}{'seconds':>9}{'best':>8}{'ratio':>7}"
        f"{'lanes':>7}{'ratio*':>8}{'429':>5}{'in wait':>9}{'µs CPU':>8}"
    )
    for each in found:
        yield _line(each)
    yield (
        "  best: with the lanes that the server recommends; ratio*: to the best with the lanes "
        "that were used"
    )
    yield "  429: requests that a limit refused; in wait: sent although told to wait"
    slow = [each for each in found if each.best]
    cheap = [each for each in found if not each.best]
    knocked = max(each.knocked for each in found)
    yield _target("slowest / best", max(e.applying.seconds / e.best for e in slow), WITHIN, binding)
    yield _target("requests sent during a wait", knocked, 0, binding=True)
    for each in cheap:
        name = f"client CPU per change in µs, {each.case.size} in one request"
        yield _target(name, each.cost, CHEAP, binding)


def _line(each: Written) -> str:
    seconds, case = each.applying.seconds, each.case
    ratio, ideal = ("", "")
    if each.best:
        ratio, ideal = f"{seconds / each.best:.2f}", f"{seconds / each.ideal:.2f}"
    return (
        f"  {case.name:22}{case.changes:9,}{case.size:8}{seconds:9.1f}{each.best:8.1f}{ratio:>7}"
        f"{each.lanes:7}{ideal:>8}{each.refused:5}{each.knocked:9}{each.cost:8.0f}"
    )


def _target(name: str, value: float, most: float, binding: bool) -> str:  # noqa: FBT001  # named by its only callers
    verdict = "" if not binding else "  reached" if value <= most else "  MISSED"
    return f"  {name:46}{value:9.3g}{'':9}  {most:g}{verdict}"
