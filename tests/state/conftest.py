"""A state database that is ready for use, once for each kind, fresh for every test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from syncd.state.database import Database
from syncd.state.schema_service import metadata
from syncd.state.upgrade import HEAD
from tests.postgres import Server
from tests.world import World, opened


@pytest.fixture(scope="session")
def sqlite_master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file with today's schema, to be copied: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("master") / "master.db"
    opened(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def sqlite_ready(sqlite_master: Path, tmp_path: Path) -> str:
    """Give the URL of an SQLite database with today's schema and nothing in it."""
    path = tmp_path / "ready.db"
    shutil.copy(sqlite_master, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgresql_master(postgresql_server: Server) -> Iterator[str]:
    """Give the URL of a PostgreSQL database with today's schema."""
    with postgresql_server.database() as url:
        opened(url).close()
        yield url


@pytest.fixture
def postgresql_ready(postgresql_master: str) -> str:
    """Give the URL of a PostgreSQL database with today's schema and nothing in it."""
    # Emptied, not copied: a copy takes a hundred times as long.
    emptied = [f"DELETE FROM {table.name}" for table in metadata.sorted_tables]  # noqa: S608  # our own tables
    alone = f"{OTHERS} AND pid <> pg_backend_pid()"
    anew = "SELECT setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences"
    with psycopg.connect(_plain(postgresql_master), autocommit=True) as server:
        server.execute(alone)
        server.execute("; ".join([*emptied, f"UPDATE alembic_version SET version_num = '{HEAD}'"]))  # noqa: S608  # likewise
        server.execute(anew)
    return postgresql_master


OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"


def _plain(url: str) -> str:
    """Return a URL as the driver itself takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def ready_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of a database that is ready for use, once for each kind."""
    return str(request.getfixturevalue(f"{request.param}_ready"))


@pytest.fixture
def database(ready_url: str) -> Iterator[Database]:
    """Give that database."""
    database = Database(ready_url)
    yield database
    database.close()


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    """Give a world that remembers in it: two profiles, three users, no row yet."""
    return World(tmp_path, database, rows=small())


def small() -> dict[str, list[dict[str, object]]]:
    """Describe an environment with two profiles and three users."""
    from tests.state.desk import PROFILES, USERS  # noqa: PLC0415  # the desk needs no fixtures

    return {
        "systemusers": [
            {"systemuserid": key, "fullname": name, "domainname": f"{name}@x.org",
             "employeeid": name}
            for name, key in USERS.items()
        ],
        "mobileofflineprofiles": [
            {"mobileofflineprofileid": key, "name": name, "componentstate": 0,
             "publishedon": "2026-01-01T00:00:00Z"}
            for name, key in PROFILES.items()
        ],
    }  # fmt: skip
