"""Whole runs: on SQLite in a plain run of the tests, on PostgreSQL, too, in the campaign."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaign import long
from tests.company import profile
from tests.engine.crew import FIELD, OFFICE, person, user
from tests.world import World, opened


@pytest.fixture(params=["sqlite", long("postgresql")])
def database_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty database, once for each kind that the state may live in."""
    return str(request.getfixturevalue(f"{request.param}_url"))


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
