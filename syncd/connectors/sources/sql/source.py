"""People in a database: one SELECT with named columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    TextClause,
    bindparam,
    case,
    column,
    literal_column,
    or_,
    select,
)
from sqlalchemy import text as sql
from sqlalchemy.engine import CursorResult, make_url
from sqlalchemy.exc import SQLAlchemyError

from syncd.config import SqlSource as Settings
from syncd.connectors.records import Batch, Course, RowReading, Unread, shape
from syncd.connectors.sources.sql import marks
from syncd.connectors.sources.sql.opened import Deadline, opened
from syncd.connectors.sources.sql.values import take
from syncd.core.identity import text
from syncd.core.mapping import PersonMapping
from syncd.core.ports import Known

__all__ = ["SqlSource", "Watermark", "open_sql"]

PAGE = 5_000
"""Rows that are in memory at a time."""

Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Watermark:
    """
    The column that grows when a row changes, and how far a read of changes goes back.

    What commits late with an earlier value is caught by the overlap: a duration where the
    column holds moments, a number where it holds numbers.
    """

    column: str
    overlap: timedelta | int = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class SqlSource:
    """
    The rows of one SELECT, streamed in one transaction that is rolled back.

    With a watermark a read can be of changes only. Rows that were deleted, or that the
    query does not give any more, show in none of them: only a full read takes people
    out. `url` may hold a password and is in no sentence.
    """

    name: str
    url: str = field(repr=False)
    query: str
    mapping: PersonMapping
    watermark: Watermark | None = None
    timeout: timedelta = timedelta(minutes=10)

    @property
    def shape(self) -> str:
        """A digest of everything that decides how a row becomes a record."""
        return shape("sql", self.mapping)

    def read(self, known: Known) -> RowReading:
        """Read everything, or with a token what changed since."""
        return RowReading(self.name, known, self.mapping, self._read)

    def _read(self, token: str | None, course: Course) -> Iterator[Batch]:
        deadline = Deadline.after(self.timeout)
        with opened(self.name, self.url, deadline) as connection:
            result, newest = None, None
            if token is not None and self.watermark is not None:
                newest = marks.load(self._origin(), token)
                result = self._changes(connection, newest, course)
            if result is None:
                newest = None
                result = _All(self._run(connection, self._text()))
            with closing(result):
                yield from self._batches(result, newest, course, deadline)

    def _batches(
        self, result: _All, newest: object, course: Course, deadline: Deadline
    ) -> Iterator[Batch]:
        columns = result.columns
        place = self._place(columns)
        course.columns = columns
        cells = take(self.mapping, columns)
        yield Batch(())
        for rows in result:
            deadline.check(self.name)
            if place is not None:
                newest = self._newest(newest, rows, place)
            yield Batch([(None, cells(row)) for row in rows])
        if self.watermark is not None and newest is not None:
            course.token = self._saved(newest)

    def _changes(self, connection: Connection, since: object, course: Course) -> _All | None:
        """
        Return what changed. None where that cannot be known, and all must be read.

        The newest row of the last read must still be there, or a newer one: otherwise it
        was deleted, or the database is an older copy of itself.
        """
        if since is None or self.watermark is None:
            return None
        result = _All(self._run(connection, self._since(self._back(since))))
        place = self._place(result.columns)
        first = result.first()
        top = None if first is None or place is None else first[place]
        course.partial = top is not None and not self._before(top, since)
        if course.partial:
            return result
        result.close()
        return None

    def _since(self, since: object) -> Executable:
        """Rows at or after a value of the watermark column, and those without one; newest first."""
        named = self.watermark.column if self.watermark is not None else ""
        rows = self._text().columns(column(named)).subquery("people")
        mark = rows.c[named]
        bound = bindparam("since", since, type_=marks.sql_type(since))
        return (
            select(literal_column("*"))
            .select_from(rows)
            .where(or_(mark >= bound, mark.is_(None)))
            .order_by(case((mark.is_(None), 1), else_=0), mark.desc())
        )

    def _text(self) -> TextClause:
        """Return the query; a colon in it is a colon and begins no parameter."""
        return sql(re.sub(":", r"\\:", self.query.strip().rstrip(";")))

    def _run(self, connection: Connection, statement: Executable) -> CursorResult[Any]:
        streaming = connection.execution_options(stream_results=True, max_row_buffer=PAGE)
        return streaming.execute(statement)

    def _place(self, columns: Sequence[str]) -> int | None:
        """Return where the watermark stands. Raises Unread for columns absent or doubled."""
        names = [text(each) for each in columns]
        wanted = [*self.mapping.columns()]
        if self.watermark is not None:
            wanted.append(text(self.watermark.column))
        for each in wanted:
            if names.count(each) > 1:
                raise Unread(
                    f'{self.name}: the query gives the column "{each}" '
                    f'{names.count(each)} times; name each once with "AS"'
                )
        if self.watermark is None:
            return None
        if wanted[-1] not in names:
            raise Unread(
                f'{self.name}: the query does not give the watermark column "{wanted[-1]}"; '
                "select it, too"
            )
        return names.index(wanted[-1])

    def _newest(self, newest: object, rows: Rows, place: int) -> object:
        for row in rows:
            value = row[place]
            if value is not None and (newest is None or self._before(newest, value)):
                newest = value
        return newest

    def _before(self, one: object, other: object) -> bool:
        try:
            return marks.before(one, other)
        except marks.Unordered as why:
            raise self._unfit(why) from None

    def _back(self, value: object) -> object:
        overlap = self.watermark.overlap if self.watermark is not None else 0
        try:
            return marks.back(value, overlap)
        except marks.Unordered as why:
            raise self._unfit(why) from None

    def _saved(self, newest: object) -> str:
        """Write the watermark; that a later read can go back from it is found out now."""
        try:
            token = marks.save(self._origin(), newest)
        except marks.Unordered as why:
            raise self._unfit(why) from None
        self._back(newest)
        return token

    def _unfit(self, why: marks.Unordered) -> Unread:
        named = self.watermark.column if self.watermark is not None else ""
        return Unread(f'{self.name}: the watermark column "{named}" {why}')

    def _origin(self) -> str:
        """Return what tells this database, query and column from any other."""
        place = make_url(self.url).render_as_string(hide_password=True)
        said = repr((place, self.query, self.watermark and self.watermark.column))
        return blake2b(said.encode(), digest_size=8).hexdigest()


def open_sql(settings: Settings) -> SqlSource:
    """Return the source that the settings describe; nothing is opened yet."""
    mark = settings.watermark
    return SqlSource(
        name=settings.name,
        url=settings.url.get_secret_value(),
        query=settings.query,
        mapping=settings.mapping(),
        watermark=None if mark is None else Watermark(mark.column, mark.overlap),
        timeout=settings.timeout,
    )


class _All:
    """The rows of a result by the page, of which the first may be looked at beforehand."""

    def __init__(self, result: CursorResult[Any]) -> None:
        self._result = result
        self._held: list[Sequence[Any]] = []
        self.columns = list(result.keys())

    def close(self) -> None:
        """Let go of the cursor, also of one that the database has closed already."""
        with suppress(SQLAlchemyError):
            self._result.close()

    def first(self) -> Sequence[Any] | None:
        """Return the first row, which stays in the first page."""
        self._held = list(self._result.fetchmany(1))
        return self._held[0] if self._held else None

    def __iter__(self) -> Iterator[Rows]:
        if self._held:
            yield self._held
        for rows in self._result.partitions(PAGE):
            yield list(rows)
