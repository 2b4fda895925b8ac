"""What each kind of source costs: its first read, its full read, and a cycle of changes only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.bench.company import SOURCE, Company, configuration
from tests.bench.cycle import Measured, Phase
from tests.bench.expected import differences, expected
from tests.bench.measure import NewState
from tests.bench.processes import BenchError, cycle, run, served
from tests.bench.registers import SYSTEMS, Filled, System, filled

__all__ = ["PEOPLE", "Costs", "lines", "measure"]

PEOPLE = 100_000
"""How many people there are unless it is said."""
MEANT_FOR = 1_000_000
MOST = 1 / 50
"""Of a full cycle a cycle of changes may take so much, at so many people (0.1 % changed)."""
OWNERSHIP = "exclusive"

EXPLANATION = (
    "  first and full read: rows/s while the source is read and stored; CPU s: the client's, of a",
    "  full read; peak: the client's memory. Cycles: seconds to the plan, with the read of the",
    "  environment. A delta cycle reads what changed in both; * of the source everything.",
)

Say = Callable[[str], None]


@dataclass(slots=True)
class Costs:
    """The cycles of one kind of source: the first, full ones, and ones of changes."""

    system: System
    people: int
    changing: int
    first: Measured
    full: list[Measured] = field(default_factory=list)
    delta: list[Measured] = field(default_factory=list)

    @property
    def peak(self) -> float:
        """The most memory of any cycle, in megabytes."""
        return max(each.peak for each in (self.first, *self.full, *self.delta))

    @property
    def share(self) -> float:
        """What a cycle of changes takes of a full one."""
        return middle(self.delta, Measured.seconds) / middle(self.full, Measured.seconds)


def measure(
    kinds: Sequence[str],
    people: int,
    seed: int,
    rounds: int,
    new_state: NewState,
    folder: Path,
    say: Say,
) -> Iterator[Costs | str]:
    """Measure one kind of source after the other; a sentence where its program is missing."""
    for system in (each for each in SYSTEMS if each.name in kinds):
        place = folder / system.name
        place.mkdir()
        company = Company(min(people, system.most), seed)
        say(f"{system.name}: putting {company.people:,} people into {system.behind}")
        try:
            with filled(system, company, place) as found:
                yield _measured(system, company, found, rounds, new_state, place, say)
        except BenchError as error:
            if system.name not in {"ldap", "scim"} or "not installed" not in str(error):
                raise
            yield f"{system.name}: {error}"


def _measured(
    system: System,
    company: Company,
    found: Filled,
    rounds: int,
    new_state: NewState,
    folder: Path,
    say: Say,
) -> Costs:
    file = folder / "syncd.toml"
    with served(company) as url, new_state() as state:
        text = configuration(
            company, url=url, state=state, source=found.source, ownership=OWNERSHIP
        )
        file.write_text(text, encoding="utf-8")
        run(["tests.bench.cycle", str(file), "--warm"], 1)
        say(f"{system.name}: first cycle")
        costs = Costs(
            system, company.people, found.changing, _checked(system, company, file, first=True)
        )
        _checked(system, company, file)  # reads what the plan wrote
        for _ in range(rounds):
            for name, measured in (("full", costs.full), ("delta", costs.delta)):
                say(f"{system.name}: {name} cycle")
                found.change()
                measured.append(_checked(system, company, file, delta=name == "delta"))
    return costs


def _checked(
    system: System, company: Company, file: Path, *, first: bool = False, delta: bool = False
) -> Measured:
    """Run a cycle. Raises BenchError if it finds other people than there are."""
    measured = cycle(file, 1, "--apply", *(["--delta"] if delta else []))
    wanted = expected(company, OWNERSHIP, 1, settled=not first)
    wrong = differences(wanted.situations, measured.situations)
    wrong += [measured.problem] if measured.problem else []
    if wrong:
        raise BenchError(f"{system.name}, {company.people} people: {'; '.join(wrong)}")
    return measured


# --- what is printed ------------------------------------------------------------------------


def lines(found: list[Costs | str], database: str) -> Iterator[str]:
    """Give the lines that compare the kinds of sources."""
    yield f"sources, {database}"
    yield (
        f"  {'':28}{'people':>8}{'first read':>12}{'full read':>12}{'CPU s':>8}{'peak':>9}"
        f"{'full cycle':>12}{'0.1 % delta':>13}{'share':>9}"
    )
    for each in found:
        yield f"  {each}" if isinstance(each, str) else _line(each)
    for each in found:
        if not isinstance(each, str) and each.people == each.system.most:
            name, why = each.system.name, each.system.why
            yield f"  {name}: with no more than {each.people:,} people; {why}"
    yield from EXPLANATION
    binding = [
        each
        for each in found
        if not isinstance(each, str) and each.system.incremental and each.people >= MEANT_FOR
    ]
    for each in binding:
        verdict = "reached" if each.share <= MOST else "MISSED"
        yield f"  {each.system.name}: delta / full {each.share:.3g}, at most {MOST:g}  {verdict}"


def _line(costs: Costs) -> str:
    system = costs.system
    title = f"{system.name}, {system.behind}"
    first = costs.people / _reading(costs.first).seconds
    full = costs.people / middle(costs.full, lambda each: _reading(each).seconds)
    cpu = middle(costs.full, lambda each: _reading(each).cpu)
    cycles = [middle(each, Measured.seconds) for each in (costs.full, costs.delta)]
    star = "" if system.incremental else " *"
    return (
        f"  {title:28}{costs.people:8,}{first:10,.0f}/s{full:10,.0f}/s{cpu:8.2f}"
        f"{costs.peak:6.0f} MB{cycles[0]:10.2f} s{cycles[1]:11.2f} s{costs.share:9.3f}{star}"
    )


def _reading(measured: Measured) -> Phase:
    return next(phase for phase in measured.phases if phase.name == f"reading {SOURCE}")


def middle(runs: list[Measured], figure: Callable[[Measured], float]) -> float:
    """Return a figure of the run in the middle."""
    return median(figure(each) for each in runs)
