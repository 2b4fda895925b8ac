"""Whole runs: on SQLite in a plain run of the tests, on PostgreSQL, too, in the campaign."""

from __future__ import annotations

import pytest

from tests.campaign import long


@pytest.fixture(params=["sqlite", long("postgresql")])
def database_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty database, once for each kind that the state may live in."""
    return str(request.getfixturevalue(f"{request.param}_url"))
