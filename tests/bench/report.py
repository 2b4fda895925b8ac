"""Print what was measured: phases, ratios, and whether they are where they are meant to be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.bench.company import SOURCE, Company
from tests.bench.cycle import APPLYING, STARTING, Phase
from tests.bench.measure import Cycle, Figures

__all__ = ["conditions", "growth", "table", "targets"]

RATIOS = (
    ("cold", "import", 6.0),
    ("full no-op", "import", 2.5),
    ("full no-op", "cold", 0.45),
    ("idle", "cold", 0.25),
    ("nothing new", "cold", 0.02),
)
"""Which cycle is divided by what, and the most that is meant to come out."""
MEANT_FOR = 1_000_000
"""People for whom the targets are meant."""


@dataclass(frozen=True, slots=True)
class Target:
    """
    A figure and the most it is meant to be.

    `cpu` is the same ratio of processor times, which a busy machine disturbs less.
    """

    name: str
    value: float
    most: float
    unit: str = ""
    cpu: float | None = None


def table(figures: Figures) -> Iterator[str]:
    """Give the lines that say how long each phase of each cycle took."""
    company = figures.company
    yield f"{company.people:,} people, {figures.database}"
    seconds, cpu = figures.yardstick
    walls = [wall for wall, _ in figures.imports]
    yield (
        f"  yardstick: sqlite3 .import of the same file {seconds:.2f} s (CPU {cpu:.2f} s), "
        f"{company.people / seconds:,.0f} rows/s; "
        f"{len(walls)} times, from {min(walls):.2f} to {max(walls):.2f} s"
    )
    least, least_cpu = figures.least
    unkept, unkept_cpu = figures.unkept
    yield (
        f"  reading alone: the same file and tables, of which nothing is kept {unkept:.2f} s "
        f"(CPU {unkept_cpu:.2f} s), {unkept / seconds:.1f} imports"
    )
    yield (
        f"  bare: the same file and tables read, stored and joined, nothing judged {least:.2f} s "
        f"(CPU {least_cpu:.2f} s), {least / seconds:.1f} imports; "
        f"cold is {figures.cycles['cold'].seconds / least:.1f} times that"
    )
    yield f"  {'':34}{'seconds':>9}{'CPU s':>9}{'share':>7}{'rows/s':>12}"
    for cycle in figures.cycles.values():
        yield from _cycle(cycle, company)


def _cycle(cycle: Cycle, company: Company) -> Iterator[str]:
    typical, total = cycle.typical, cycle.seconds
    times = f"the middle one of {len(cycle.runs)}" if len(cycle.runs) > 1 else "once"
    title = f"{cycle.name}, {times}"
    yield (
        f"  {title:34}{total:9.2f}{typical.cpu():9.2f}{'':7}{company.people / total:12,.0f}"
        f"  peak {cycle.peak:.0f} MB"
    )
    for phase in typical.phases:
        if phase.name != APPLYING:
            share = f"{100 * phase.seconds / total:.0f} %"
            yield _line(phase, share, _rate(phase, cycle, company))
    # Of several runs only the last one applied its plan.
    applying = cycle.runs[-1].phases[-1]
    if applying.number:
        yield _line(applying, "", _rate(applying, cycle, company))


def _line(phase: Phase, share: str, rate: str) -> str:
    return f"    {phase.name:32}{phase.seconds:9.2f}{phase.cpu:9.2f}{share:>7}{rate:>12}"


def _rate(phase: Phase, cycle: Cycle, company: Company) -> str:
    number = {
        f"reading {SOURCE}": 0
        if cycle.name in {"idle", "nothing new", "settling"}
        else company.people,
        "reading users": company.accounts,
        "reading memberships": company.rows,
        "comparing": company.people,
    }.get(phase.name, phase.number)
    return f"{number / phase.seconds:,.0f}" if number and phase.seconds else ""


def targets(figures: Figures) -> Iterator[str]:
    """Give the lines that compare the figures with what they are meant to be."""
    binding = figures.company.people == MEANT_FOR
    where = "" if binding else f" (meant for {MEANT_FOR:,} people)"
    yield f"  figure {'':39}{'here':>9}{'by CPU':>9}  at most{where}"
    for target in _targets(figures):
        verdict = "" if not binding else "  reached" if target.value <= target.most else "  MISSED"
        cpu = "" if target.cpu is None else _short(target.cpu)
        most = f"{target.most:g} {target.unit}".rstrip()
        yield f"  {target.name:46}{_short(target.value):>9}{cpu:>9}  {most}{verdict}"


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _targets(figures: Figures) -> Iterator[Target]:
    cycles = figures.cycles
    times = {
        "import": figures.yardstick,
        **{name: (cycle.seconds, cycle.typical.cpu()) for name, cycle in cycles.items()},
    }
    for above, below, most in RATIOS:
        wall, cpu = (times[above][at] / times[below][at] for at in (0, 1))
        # What PostgreSQL's own processes do is not in our processor's time.
        yield Target(
            f"{above} / {below}", wall, most, cpu=cpu if figures.database == "sqlite" else None
        )
    yield Target("peak memory, any cycle", max(c.peak for c in cycles.values()), 400, "MB")
    for name in ("cold", "second day"):
        phase = cycles[name].runs[-1].phases[-1]
        cost = 1e6 * phase.cpu / phase.number
        yield Target(f"applying, client CPU per change, {name}", cost, 60, "µs")


def growth(smaller: Figures, larger: Figures) -> str:
    """Give the line that says how the cold cycle grows from one company to another."""
    sizes = [each.company.people for each in (smaller, larger)]
    times = [each.cycles["cold"].seconds for each in (smaller, larger)]
    exponent = math.log(times[1] / times[0]) / math.log(sizes[1] / sizes[0])
    binding = sizes == [100_000, MEANT_FOR]
    verdict = "" if not binding else "  reached" if exponent <= 1.10 else "  MISSED"
    name = f"growth of the cold cycle, {sizes[0]:,} to {sizes[1]:,}"
    return f"  {name:46}{exponent:9.3g}{'':9}  1.1{verdict}"


def conditions(ownership: str, rounds: int, batch: int) -> Sequence[str]:
    """Say under which conditions it is measured."""
    return (
        f"ownership = {ownership}; each cycle in a process of its own; the sandbox in another one,",
        "whose first reading (it writes every row's JSON once) is not measured.",
        "bare: tests/bench/bare.py, the least that a first cycle takes in this language.",
        f"cold: empty state database, {rounds} times; the last plan is applied, timed apart,",
        f"{batch} changes in one request.",
        "settling: the run after it reads what the plan wrote; shown, used in no ratio.",
        "full no-op: the last two rows of the file are swapped, so that its digest is new and all",
        "rows are read again. idle: the same file; the environment is read again. nothing new: of",
        "the environment only what changed is read.",
        f"seconds: from the configuration to the saved plan, without {APPLYING}; {STARTING}: the",
        "configuration and the state database are opened. CPU: of the measured process alone.",
    )
