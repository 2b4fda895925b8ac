"""People in a database: what a query gives, what changed, and every way in which it fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from syncd.config import SqlSource as Settings
from syncd.connectors.sources import open_source
from syncd.connectors.sources.sql import SqlSource, Watermark
from syncd.core.mapping import Field, PersonMapping, Type
from syncd.core.ports import Known
from tests.connectors.sources.people import read

MAPPING = PersonMapping(Field("id"), attributes={"department": Field("department")})
QUERY = "SELECT id, department, changed FROM people"
ROWS = "INSERT INTO people (id, department, changed) VALUES ('{}', '{}', {})"


@dataclass(frozen=True, slots=True)
class Server:
    """An empty database, and statements to fill it with."""

    url: str
    engine: Engine

    @property
    def kind(self) -> str:
        return self.engine.dialect.name

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for each in statements:
                connection.exec_driver_sql(each)

    def count(self, table: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608 - a test's own table

    def source(self, query: str = QUERY, **settings: Any) -> SqlSource:
        return replace(SqlSource("hr", self.url, query, MAPPING), **settings)


@pytest.fixture
def server(database_url: str) -> Iterator[Server]:
    """Give an empty SQLite database and an empty PostgreSQL database in turn."""
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.connect():
        pass
    if engine.dialect.name == "sqlite":
        Path(str(make_url(database_url).database)).touch()
    yield Server(database_url, engine)
    engine.dispose()


@pytest.fixture
def people(server: Server) -> Server:
    """Give a database with three people who changed at eight, nine and ten."""
    moment = "TIMESTAMP" if server.kind == "postgresql" else "TEXT"
    server.run(
        f"CREATE TABLE people (id TEXT, department TEXT, changed {moment})",
        ROWS.format("E1", "field", "'2026-03-01 08:00:00'"),
        ROWS.format("E2", "depot", "'2026-03-01 09:00:00'"),
        ROWS.format("E3", "field", "'2026-03-01 10:00:00'"),
    )
    return server


def changes(source: SqlSource, token: str | None) -> tuple[list[str], Any]:
    """Read what changed since a token; the keys, and the facts."""
    records, facts = read(source, Known(None, set, token))
    return [record[0] for record in records], facts


def by_changed(server: Server, column: str = "changed", **settings: Any) -> SqlSource:
    """Return a source that reads changes by a column."""
    return server.source(watermark=Watermark(column, timedelta(minutes=30)), **settings)


def test_a_query_gives_people_as_typed_columns_have_them(server: Server) -> None:
    """Numbers, days, moments, booleans and decimals are read as texts of them would be."""
    boolean, yes = ("BOOLEAN", "true") if server.kind == "postgresql" else ("INT", "1")
    server.run(
        f"CREATE TABLE t (id NUMERIC(10), active {boolean}, hired DATE, ends TIMESTAMP, "
        "grade DECIMAL(4,1), score DECIMAL(4,1))",
        f"INSERT INTO t VALUES (1001, {yes}, '2026-03-01', '2026-04-01 00:00:00', 7.0, 7.5)",  # noqa: S608 - a test's own table
    )
    mapping = PersonMapping(
        Field("id"),
        enabled=Field("active"),
        starts_on=Field("hired"),
        leaves_on=Field("ends", format="%Y-%m-%d %H:%M:%S"),
        attributes={
            "grade": Field("grade", Type.FLOAT),
            "score": Field("score", Type.FLOAT),
        },
    )

    records, facts = read(SqlSource("hr", server.url, "SELECT * FROM t", mapping))

    assert [(r[0], r[6:11]) for r in records] == [
        ("1001", (1, 739676, 739707, '{"grade":7.0,"score":7.5}', None))
    ]
    assert (facts.rows, facts.findings) == (1, ())


def test_types_that_only_postgresql_has_are_read(postgresql_url: str) -> None:
    """Arrays become lists, uuids texts; a moment with a zone counts in UTC."""
    query = (
        "SELECT '00112233-4455-6677-8899-AABBCCDDEEFF'::uuid AS id, ARRAY['a','b'] AS groups, "
        "TIMESTAMPTZ '2026-03-01 00:30:00+02' AS hired, 'x:y'::text AS \"Cost: centre\", "
        "jsonb_build_object('a', 1) AS more"
    )
    mapping = PersonMapping(
        Field("id"),
        starts_on=Field("hired"),
        attributes={
            "groups": Field("groups", split=";"),
            "cost": Field("Cost: centre"),
            "more": Field("more"),
        },
    )

    records, facts = read(SqlSource("hr", postgresql_url, query, mapping))

    assert records[0][0] == "00112233-4455-6677-8899-aabbccddeeff"
    assert records[0][7] == 739675
    assert records[0][9] == '{"cost":"x:y","groups":["a","b"],"more":null}'
    assert records[0][10] == 'column "more": an object is not a text'
    assert facts.findings == ()


@pytest.mark.parametrize("value", ["x'00ff'", "'a' || char(0) || 'b'"])
def test_bytes_where_text_was_expected_hold_the_person(tmp_path: Path, value: str) -> None:
    """So does a text with a NUL, which is no text."""
    url = f"sqlite:///{tmp_path / 'hr.db'}"
    sqlite3.connect(tmp_path / "hr.db").close()
    (tmp_path / "hr.db").touch()

    records, facts = read(
        SqlSource("hr", url, f"SELECT 'E1' AS id, {value} AS department", MAPPING)
    )

    assert [(r[0], r[10]) for r in records] == [
        ("E1", 'column "department": an object is not a text')
    ]
    assert facts.findings == ()


def test_rows_come_by_the_page(people: Server) -> None:
    """Memory is bounded: many rows are several pages, and all of them come."""
    query = (
        "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 12000) "
        "SELECT id, 'field' AS department FROM n"
    )
    reading = people.source(query).read(Known(None, set))

    sizes = [len(page) for page in reading]

    assert sizes == [5000, 5000, 2000]
    assert reading.facts.rows == 12_000


def test_a_read_of_changes_goes_back_by_the_overlap(people: Server) -> None:
    """Rows within the overlap come again, earlier ones do not; nobody is gone."""
    source = by_changed(people)
    _, whole = changes(source, None)
    people.run(ROWS.format("E4", "depot", "'2026-03-01 09:31:00'"))

    keys, facts = changes(source, whole.token)

    assert sorted(keys) == ["E3", "E4"]
    assert facts.partial
    assert (facts.gone, facts.findings) == (set(), ())
    assert facts.token == whole.token


def test_the_watermark_goes_on_with_what_was_read(people: Server) -> None:
    """Each read of changes begins where the last one saw the newest row."""
    source = by_changed(people)
    _, whole = changes(source, None)
    people.run(ROWS.format("E4", "depot", "'2026-03-02 12:00:00'"))
    _, second = changes(source, whole.token)

    keys, third = changes(source, second.token)

    assert keys == ["E4"]
    assert third.token == second.token != whole.token


def test_rows_without_a_watermark_come_each_time(people: Server) -> None:
    """Nobody can know whether they changed."""
    people.run(ROWS.format("E5", "depot", "NULL"))
    source = by_changed(people)
    _, whole = changes(source, None)

    keys, facts = changes(source, whole.token)

    assert sorted(keys) == ["E3", "E5"]
    assert facts.partial


def test_deletions_are_seen_by_a_full_read_only(people: Server) -> None:
    """A read of changes takes nobody out: what is not shown did not change."""
    source = by_changed(people)
    records, whole = read(source)
    marks = {record[1] for record in records if record[1]}
    people.run("DELETE FROM people WHERE id = 'E1'")

    _, changed = changes(source, whole.token)
    _, again = read(source, Known(None, lambda: set(marks)))

    assert (changed.partial, changed.gone) == (True, set())
    assert again.gone == {records[0][1]}


def test_an_older_copy_of_the_database_is_read_whole(people: Server) -> None:
    """When the newest row known is not there any more, changes prove nothing."""
    source = by_changed(people)
    _, whole = changes(source, None)
    people.run("DELETE FROM people WHERE id = 'E3'")

    keys, facts = changes(source, whole.token)

    assert sorted(keys) == ["E1", "E2"]
    assert not facts.partial
    assert facts.token != whole.token


@pytest.mark.parametrize("token", ["nonsense", '["other","moment","2026-03-01T08:00:00"]'])
def test_a_token_of_something_else_is_not_used(people: Server, token: str) -> None:
    """Another database, query or column: everything is read."""
    keys, facts = changes(by_changed(people), token)

    assert len(keys) == 3
    assert (facts.partial, facts.findings) == (False, ())


def test_another_query_begins_anew(people: Server) -> None:
    """A watermark says nothing about rows that the old query left out."""
    _, whole = changes(by_changed(people, query=QUERY + " WHERE department = 'field'"), None)

    keys, facts = changes(by_changed(people), whole.token)

    assert len(keys) == 3
    assert not facts.partial


@pytest.mark.parametrize(
    ("kind", "values", "overlap", "expected"),
    [
        ("DATE", ("'2026-03-01'", "'2026-03-02'", "'2026-03-04'"), timedelta(hours=1), ["E3"]),
        (
            "DATE",
            ("'2026-03-01'", "'2026-03-03'", "'2026-03-04'"),
            timedelta(hours=1),
            ["E2", "E3"],
        ),
        ("BIGINT", ("1", "5000000000", "5000000009"), 9, ["E2", "E3"]),
        ("BIGINT", ("1", "5000000000", "5000000009"), 0, ["E3"]),
        ("NUMERIC(10,1)", ("1.5", "2.5", "3.5"), 1, ["E2", "E3"]),
        (
            "TEXT",
            ("'2026-03-01T08:00:00Z'", "'2026-03-01T09:00:00.5Z'", "'2026-03-01T09:05:00.5Z'"),
            timedelta(minutes=5),
            ["E2", "E3"],
        ),
    ],
)
def test_watermarks_are_moments_days_or_numbers(
    server: Server, kind: str, values: tuple[str, ...], overlap: Any, expected: list[str]
) -> None:
    """Whatever grows with each change and can be gone back from."""
    server.run(
        f"CREATE TABLE people (id TEXT, department TEXT, changed {kind})",
        *(ROWS.format(f"E{n}", "field", value) for n, value in enumerate(values, 1)),
    )
    source = server.source(watermark=Watermark("changed", overlap))
    _, whole = changes(source, None)

    keys, facts = changes(source, whole.token)

    assert whole.findings == ()
    assert sorted(keys) == expected
    assert facts.partial


def test_moments_with_a_zone_are_compared_as_moments(postgresql_url: str) -> None:
    """Whatever the zone of the session is."""
    query = (
        "SELECT 'E1' AS id, 'a' AS department, TIMESTAMPTZ '2026-03-01 08:00+02' AS changed "
        "UNION ALL SELECT 'E2', 'b', TIMESTAMPTZ '2026-03-01 08:00+01'"
    )
    source = SqlSource(
        "hr", postgresql_url, query, MAPPING, Watermark("changed", timedelta(minutes=59))
    )
    _, whole = changes(source, None)

    keys, _ = changes(source, whole.token)

    assert keys == ["E2"]


@pytest.mark.parametrize(
    ("values", "overlap", "says"),
    [
        (("1", "2"), timedelta(minutes=5), "holds numbers; write the overlap as a number, too"),
        (("'2026-03-01'",), 5, "holds moments; write the overlap as a duration"),
        (("'1 March'", "'2 March'"), timedelta(0), "holds texts that do not begin as 2026-03-01"),
        (("x'01'", "x'02'"), timedelta(0), "holds neither moments, days nor numbers"),
        (("1", "'2026-03-01'"), 1, "holds values of several kinds"),
    ],
)
def test_a_column_that_is_no_watermark_is_named(
    tmp_path: Path, values: tuple[str, ...], overlap: Any, says: str
) -> None:
    """The first full read finds out, and not the first read of changes."""
    base = sqlite3.connect(tmp_path / "hr.db")
    base.execute("CREATE TABLE people (id, department, changed)")
    for number, value in enumerate(values):
        base.execute(ROWS.format(f"E{number}", "field", value))
    base.commit()
    base.close()
    source = SqlSource(
        "hr", f"sqlite:///{tmp_path / 'hr.db'}", QUERY, MAPPING, Watermark("changed", overlap)
    )

    _, facts = changes(source, None)

    assert len(facts.findings) == 1
    assert facts.findings[0].startswith(f'hr: the watermark column "changed" {says}')
    assert facts.token is None


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT id FROM people", 'the mapped column "department" is absent'),
        ("SELECT id, department AS dept FROM people", 'absent; is it "dept" now?'),
        (
            "SELECT id, department, id FROM people",
            'the query gives the column "id" 2 times; name each once with "AS"',
        ),
        ("SELECT id, department FROM peple", "the database refuses the query: "),
        ("SELEC id FROM people", "the database refuses the query: "),
    ],
)
def test_a_query_that_does_not_fit_says_why(people: Server, query: str, says: str) -> None:
    """One sentence for each thing that is wrong."""
    _, facts = read(people.source(query))

    assert len(facts.findings) == 1
    assert facts.findings[0].startswith("hr: ")
    assert says in facts.findings[0]


def test_a_watermark_that_is_not_selected_is_named(people: Server) -> None:
    """The column must be among those that the query gives."""
    _, facts = read(by_changed(people, query="SELECT id, department FROM people"))

    assert facts.findings == (
        'hr: the query does not give the watermark column "changed"; select it, too',
    )


def test_an_empty_result_still_shows_its_columns(people: Server) -> None:
    """A column that is gone is found although nobody is there."""
    _, facts = read(people.source("SELECT id FROM people WHERE 1 = 0"))

    assert facts.findings == ('hr: the mapped column "department" is absent',)


def test_a_query_that_writes_changes_nothing(people: Server) -> None:
    """It is refused by the transaction, whatever the account may do."""
    if people.kind == "postgresql":
        people.run(
            "CREATE FUNCTION wipe() RETURNS TEXT LANGUAGE sql AS "
            "'DELETE FROM people; SELECT ''E1''::text'"
        )
        query = "SELECT wipe() AS id, 'a' AS department"
    else:
        query = "DELETE FROM people RETURNING id, department"

    _, facts = read(people.source(query))

    assert facts.findings == (
        "hr: the query writes, and a source is only read; make it a SELECT that changes nothing",
    )
    assert people.count("people") == 3


def test_a_query_that_takes_too_long_is_ended(people: Server) -> None:
    """The database itself is told when to stop."""
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 - 1 FROM n) SELECT max(x)"
    query = f"{endless} AS id, 'a' AS department FROM n"

    _, facts = read(people.source(query, timeout=timedelta(seconds=0.2)))

    assert facts.findings == (
        "hr: the query took longer than timeout allows (0.2 s); nothing more was read",
    )


def test_a_slow_reader_is_ended_between_pages(people: Server) -> None:
    """The limit is for the whole read, not for each page."""
    source = people.source(timeout=timedelta(seconds=0))

    _, facts = read(source)

    assert "took longer than timeout allows" in facts.findings[0]


def test_values_are_not_shown_where_the_database_quotes_them(postgresql_url: str) -> None:
    """What it cannot convert may be about a person."""
    query = "SELECT 'E1' AS id, 'Ada Kuhn'::text::int AS department"

    _, facts = read(SqlSource("hr", postgresql_url, query, MAPPING))

    assert facts.findings == (
        "hr: the query failed with InvalidTextRepresentation (22P02); try it by hand to see more",
    )


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///{folder}/none.db", "{folder}/none.db: there is no such file"),
        (
            "postgresql+psycopg://u:hunter2@/hr?host={folder}",
            "cannot connect to {folder}: ",
        ),
        (
            "mysql+pymysql://u:hunter2@db/hr",
            "the driver for mysql+pymysql is not installed; "
            "install the Python package of the module pymysql",
        ),
        ("hrbase://u:hunter2@db/hr", "no kind of database is called hrbase; "),
        ("u:hunter2@db", "the url cannot be read as that of a database"),
    ],
)
def test_a_database_that_cannot_be_opened_says_why(tmp_path: Path, url: str, says: str) -> None:
    """Never with the password."""
    _, facts = read(SqlSource("hr", url.format(folder=tmp_path), QUERY, MAPPING))

    assert len(facts.findings) == 1
    assert facts.findings[0].startswith(f"hr: {says.format(folder=tmp_path)}")
    assert "hunter2" not in facts.findings[0]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    """The code is SQLite's own."""
    (tmp_path / "hr.db").write_text("EmployeeID,UPN\n" * 99)

    _, facts = read(SqlSource("hr", f"sqlite:///{tmp_path / 'hr.db'}", QUERY, MAPPING))

    assert facts.findings == (
        "hr: the query failed with DatabaseError (SQLITE_NOTADB); try it by hand to see more",
    )


def test_a_connection_that_is_lost_on_the_way_is_a_finding(
    postgresql_url: str,
) -> None:
    """What came before is laid over the picture, and there is no watermark."""
    engine = create_engine(postgresql_url, poolclass=NullPool)
    query = "SELECT n::text AS id, 'a' AS department FROM generate_series(1, 20000) AS n"
    reading = SqlSource("hr", postgresql_url, query, MAPPING).read(Known(None, set))
    pages = iter(reading)
    first = next(pages)
    with engine.begin() as other:
        other.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )

    rest = list(pages)

    assert len(first) == 5000
    assert sum(map(len, rest)) < 15_000
    assert len(reading.facts.findings) == 1
    assert "was lost; nothing after that was read" in reading.facts.findings[0]


def test_settings_open_a_source(people: Server) -> None:
    """What a configuration says arrives where the rows are read."""
    settings = Settings.model_validate(
        {
            "name": "payroll",
            "type": "sql",
            "url": people.url,
            "query": QUERY,
            "watermark": {"column": "changed", "overlap": "90m"},
            "timeout": "30s",
            "person": {"key": "id"},
        }
    )

    source = open_source(settings, Event())
    _, whole = read(source)
    keys, facts = read(source, Known(None, set, whole.token))

    assert source.name == "payroll"
    assert sorted(record[0] for record in keys) == ["E2", "E3"]
    assert facts.partial


def test_the_url_is_in_no_repr(people: Server) -> None:
    """It may hold a password."""
    source = people.source(url="postgresql://u:hunter2@db/hr")

    assert "hunter2" not in repr(source)
