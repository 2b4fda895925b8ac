"""A look at what the next run would say of the sources, on both databases."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from syncd.core.model import iso
from syncd.core.settings import CertificateLimits, Policy, SourceLimits
from syncd.engine.checking import Checked, check
from syncd.engine.parts import Silent
from syncd.state.aside import aside
from syncd.state.database import Database
from tests.state.desk import person, read, select
from tests.world import World

MEMORY = ("records", "sources", "people", "bands", "newcomers", "combos", "doubles", "meta")


@pytest.fixture
def world(world: World) -> World:
    """Give a world of two sources that were read once; the directory has the canary."""
    world.policy = Policy(certificate=CertificateLimits(canaries=("d1",)))
    world.limits = SourceLimits(bands=("department",), learn=1, smallest_group=2, new_floor=1)
    world.says([person("e1"), person("e2"), person("e3", "office")])
    world.says([person("d1")], "directory")
    read(world)
    return world


def checked(world: World, names: Collection[str]) -> list[Checked]:
    """Check some sources."""
    with aside(world.database, reading=True) as tx:
        now = iso(world.clock())
        return check(tx, world.environment, world.ranked, names, now, Silent())


def memory(database: Database) -> list[list[str]]:
    """Return what is remembered of the sources."""
    return [sorted(map(repr, select(database, f"SELECT * FROM {name}"))) for name in MEMORY]  # noqa: S608  # our own tables


def test_one_source_is_checked_with_what_is_known_of_the_others(world: World) -> None:
    """A canary that the directory had in its last read is not lost because nobody asked it."""
    world.says([person("e1"), person("e2"), person("e3", "office"), person("e4")])
    [found] = checked(world, ["hr"])

    assert found.certificate.certified
    assert (found.certificate.rows, found.last_rows, found.new) == (4, 3, 1)
    assert [(each.value, each.now, each.before) for each in found.groups] == [
        (None, 4, (3,)),
        ("field", 3, (2,)),
    ]
    assert found.columns is not None
    assert "department" in found.columns


def test_a_check_leaves_nothing_behind(world: World, database: Database) -> None:
    """Whatever it found; a run that comes after it finds the same."""
    before = memory(database)
    world.says([person("x1"), person("x2", "office"), person("x3", "office")])
    found = checked(world, ["hr", "directory"])
    after = memory(database)
    certificates = read(world)

    assert before == after
    assert [each.certificate for each in found] == certificates
    assert [each.certificate.certified for each in found] == [False, True]
    assert found[1].unchanged


def test_a_check_finds_everybody_counted_where_a_run_need_not_count(world: World) -> None:
    """The file is the one that is known; whoever asks sees the groups all the same."""
    [found] = checked(world, ["hr"])

    assert found.unchanged
    assert [each.now for each in found.groups if each.value == "field"] == [2]
