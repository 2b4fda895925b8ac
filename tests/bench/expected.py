"""What each cycle must find: a fast wrong answer is no win, so every cycle is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.bench.company import Company

__all__ = ["Expected", "differences", "expected"]

FIRST = {"FOUND": 958, "ABSENT": 10, "UNASSIGNED": 10, "FOREIGN_MISPLACED": 20, "SURPLUS": 2}
REST = {
    "exclusive": {"CONFIRMED": 990, "IDLE": 10},
    "adopt": {"CONFIRMED": 968, "UNASSIGNED": 10, "FOREIGN_MISPLACED": 20, "SURPLUS": 2},
}
SECOND = {"ABSENT": 10, "LEFT": 10, "MISPLACED": 20, "SURPLUS": 2}
CHANGES = {
    # In adopt mode rows of others stay, and the conflict is flagged on each of them.
    ("exclusive", 1): {"create": 10, "remove": 12, "move": 20},
    ("exclusive", 2): {"create": 10, "remove": 12, "move": 20},
    ("adopt", 1): {"create": 10, "flag": 24},
    ("adopt", 2): {"create": 10, "remove": 10, "move": 20, "flag": 4},
}
"""All numbers are of a thousand people."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Situations and planned changes by action, as numbers of people and changes."""

    situations: Mapping[str, int]
    changes: Mapping[str, int]


def expected(company: Company, ownership: str, day: int, *, settled: bool) -> Expected:
    """Say what a cycle must find on a day: before the plan is applied, or *settled*."""
    if day == 1:
        situations = dict(REST[ownership] if settled else FIRST)
    else:
        situations = dict(REST[ownership])
        for name, number in SECOND.items():
            situations[name] = situations.get(name, 0) + number
            # The joiners are new; everybody else was as wanted the day before.
            situations["CONFIRMED"] -= 0 if name == "ABSENT" else number
    changes = {} if settled else CHANGES[ownership, day]
    return Expected(_of(company, situations), _of(company, changes))


def _of(company: Company, of_a_thousand: Mapping[str, int]) -> dict[str, int]:
    return {name: number * company.people // 1000 for name, number in of_a_thousand.items()}


def differences(wanted: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    """Say in which counts two tables differ."""
    return [
        f"{name}: {found.get(name, 0)} instead of {wanted.get(name, 0)}"
        for name in sorted({*wanted, *found})
        if found.get(name, 0) != wanted.get(name, 0)
    ]
