"""Where nothing is new a run looks at nobody, and still counts everybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from syncd.engine.parts import RunReport
from tests.company import profile
from tests.world import World, number, opened

FIELD, OFFICE = number(2, 1), number(2, 2)


def person(which: int, status: str = "Active", department: str = "field") -> tuple[str, ...]:
    """Say of a person what HR does."""
    name = f"u{which}@contoso.com"
    return (f"E{which}", "", f"{which}", name, name, status, "", "", department, "9", "")


def user(which: int) -> dict[str, object]:
    """Describe a user."""
    name = f"u{which}@contoso.com"
    return {"systemuserid": number(1, which), "domainname": name, "fullname": f"User {which}",
            "employeeid": f"{which}", "internalemailaddress": name}  # fmt: skip


@dataclass(slots=True)
class Steps:
    """Notes how many cases a run decides."""

    decided: list[int] = field(default_factory=list)

    def phase(self, name: str, total: int | None = None) -> None:
        """Note the phase of deciding."""
        if name == "deciding":
            self.decided.append(total or 0)

    def advance(self, number: int) -> None:
        """Pass over it."""


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    """Give four people of the field, with their accounts."""
    database = opened(database_url)
    found = {
        "systemusers": [user(which) for which in range(1, 5)],
        "mobileofflineprofiles": [profile(FIELD, "Field"), profile(OFFICE, "Office")],
    }
    world = World(tmp_path, database, rows=found)
    world.says(person(which) for which in range(1, 5))
    yield world
    database.close()


def run(world: World) -> tuple[RunReport, int]:
    """Run once; return how many cases were decided, too."""
    steps = Steps()
    with world.target() as target:
        reconciler = world.reconciler(target)
        reconciler.progress = steps
        report = reconciler.reconcile(delta=True)
    return report, sum(steps.decided)


def test_who_has_left_is_looked_at_until_nothing_is_noted_of_them(world: World) -> None:
    """The run after the removal forgets the sighting; from the next on nobody is looked at."""
    run(world)
    run(world)
    world.says([person(1), person(2), person(3, "Left"), person(4, "Left")])
    left, looked_at = run(world)
    assert (left.planned, looked_at) == (2, 2)

    settling, looked_at = run(world)
    quiet, nobody = run(world)

    assert (looked_at, nobody) == (2, 0)
    assert settling.situations == quiet.situations == {"CONFIRMED": 2, "IDLE": 2}
