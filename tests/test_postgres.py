"""The databases that the tests bring are real, empty and apart."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import create_engine, inspect, text

from tests import postgres


def test_a_database_is_empty_and_can_be_written(database_url: str) -> None:
    """Whichever kind it is, a test begins with no table and may make its own."""
    engine = create_engine(database_url)
    before = inspect(engine).get_table_names()

    with engine.begin() as connection:
        connection.execute(text("create table people (id integer primary key)"))

    assert before == []
    assert inspect(engine).get_table_names() == ["people"]
    engine.dispose()


def test_two_databases_do_not_know_each_other(postgresql_server: postgres.Server) -> None:
    """A table made in one is not there in the other."""
    with postgresql_server.database() as one, postgresql_server.database() as other:
        first, second = create_engine(one), create_engine(other)
        with first.begin() as connection:
            connection.execute(text("create table people (id integer primary key)"))

        assert inspect(second).get_table_names() == []
        first.dispose()
        second.dispose()


def test_a_database_is_dropped_though_somebody_is_connected(
    postgresql_server: postgres.Server,
) -> None:
    """A test that forgets a connection leaves nothing behind for the next."""
    with postgresql_server.database() as url:
        left = psycopg.connect(url.replace("+psycopg", ""))

    with pytest.raises(psycopg.OperationalError):
        left.execute("select 1")
    left.close()
