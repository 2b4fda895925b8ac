"""Stages for properties. They live as long as the test process: Hypothesis builds many worlds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Server
from tests.properties.stage import Stage


@pytest.fixture(scope="session")
def sqlite_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a stage on SQLite."""
    path: Path = tmp_path_factory.mktemp("stage") / "state.db"
    stage = Stage(f"sqlite:///{path}")
    yield stage
    stage.close()


@pytest.fixture(scope="session")
def postgresql_stage(postgresql_server: Server) -> Iterator[Stage]:
    """Give a stage on PostgreSQL."""
    with postgresql_server.database() as url:
        stage = Stage(url)
        yield stage
        stage.close()


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(None, id="short"),
        pytest.param(None, marks=pytest.mark.campaign, id="long"),
    ],
)
def stage(sqlite_stage: Stage) -> Stage:
    """Give a stage for a short search, and one for a long one."""
    return sqlite_stage
