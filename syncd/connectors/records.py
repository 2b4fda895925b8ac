"""What sources that give rows by name have in common: from rows to records, and the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import blake2b

import msgspec

from syncd.core.identity import text
from syncd.core.mapping import Mapper, PersonMapping, compile_mapping
from syncd.core.ports import Known, ReadFacts, Record

__all__ = ["Batch", "Course", "RowReading", "Unread", "beginning", "shape"]

FORMAT = 1
"""Of marks and records: another way to make them makes every row new."""
NEAR = 0.5
"""How alike a name must be to be offered for an absent one."""
NAMED = 3
"""How many rows of one kind of trouble are named by their number."""


class Unread(Exception):
    """A read broke off or cannot begin; the text says what, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Batch:
    """
    What came with one page: rows by the names of their columns, each with its own id.

    The id is the source's own, None where it has none; `gone` are ids of rows that the
    source says it deleted.
    """

    rows: Sequence[tuple[str | None, Mapping[str, object]]]
    gone: Sequence[str] = ()


@dataclass(slots=True)
class Course:
    """
    How a read goes on. The source says so while it reads.

    `token` is where a later read of changes may go on, None where none may. `partial`
    says that only changes come; it must be known before the first batch. `columns` are
    the names that rows can have, where the source knows that beforehand.
    """

    token: str | None = None
    partial: bool = False
    columns: Sequence[str] | None = None


Read = Callable[[str | None, Course], Iterator[Batch]]
"""Reads everything, or with a token what changed since; raises Unread. Ends with the last page."""


@dataclass(slots=True)
class RowReading:
    """
    One read: pages of records, then the facts. Never raises for what a source holds.

    `what` names the source in sentences. Only rows that are not known are given; a read
    of changes gives all that come.
    """

    what: str
    known: Known
    mapping: PersonMapping
    read: Read
    facts: ReadFacts = field(default=ReadFacts(0, usable=False), init=False)

    def __iter__(self) -> Iterator[Sequence[Record]]:
        """Give the records that are not known already, page by page."""
        course = Course()
        table = _Table(self.what, self.mapping)
        marks: set[bytes] | None = None
        gone: set[bytes] = set()
        findings: list[str] = []
        try:
            for batch in self.read(self.known.token, course):
                if marks is None:
                    marks = set() if course.partial else self.known.marks()
                    table.expect(course.columns)
                gone.update(beginning(each) for each in batch.gone)
                page = table.records(batch, marks)
                if page:
                    yield page
            if not course.partial:
                table.complete()
        except Unread as error:
            findings.append(str(error))
        except _Absent as absent:
            columns = table.columns(course)
            self.facts = ReadFacts(0, absent.args, usable=False, columns=columns)
            return
        except GeneratorExit:
            # Whoever reads no further wants to know what there was so far.
            self.facts = ReadFacts(table.rows, columns=table.columns(course))
            raise
        findings += table.findings()
        whole = marks if marks is not None else self.known.marks()
        self.facts = ReadFacts(
            table.rows,
            tuple(findings),
            gone=gone if course.partial else whole,
            token=None if findings else course.token,
            partial=course.partial,
            columns=None if findings else table.columns(course),
            declared=course.columns is not None,
        )


class _Absent(Exception):
    """Mapped columns are not there: one sentence each."""


@dataclass(slots=True)
class _Table:
    """Makes records of rows, and remembers what was odd."""

    what: str
    mapping: PersonMapping
    rows: int = 0
    names: tuple[str, ...] = field(init=False)
    places: dict[str, int] = field(default_factory=dict)
    missing: set[int] = field(init=False)
    keyless: list[int] = field(default_factory=list)
    twice: list[int] = field(default_factory=list)
    to_record: Mapper = field(init=False)

    def __post_init__(self) -> None:
        self.names = self.mapping.columns()
        self.missing = set(range(len(self.names)))
        self.to_record = compile_mapping(self.mapping, self.names, native=True)

    def expect(self, columns: Sequence[str] | None) -> None:
        """Compare with the columns that there are. Raises _Absent."""
        if columns is None:
            return
        for column in columns:
            self.missing.discard(self._place(column))
        self._refuse_absent(columns)

    def columns(self, course: Course) -> tuple[str, ...]:
        """Return the names that rows can have or had, in normal form."""
        named = self.places if course.columns is None else course.columns
        return tuple(dict.fromkeys(map(text, named)))

    def complete(self) -> None:
        """Raise _Absent if a mapped column came in no row of a whole read."""
        if self.rows:
            self._refuse_absent(list(self.places))

    def records(self, batch: Batch, marks: set[bytes]) -> list[Record]:
        """Return the records of rows that are not known; takes the marks of those that are out."""
        page: list[Record] = []
        for own, row in batch.rows:
            number = self.rows + len(self.keyless) + len(self.twice) + 1
            cells = self._cells(row)
            if cells is None:
                self.twice.append(number)
                continue
            mark = _mark(own, cells)
            if mark in marks:
                marks.discard(mark)
                self.rows += 1
                continue
            record = self.to_record(cells, mark)
            if record is None:
                self.keyless.append(number)
                continue
            self.rows += 1
            page.append(record)
        return page

    def findings(self) -> list[str]:
        """Say what was odd, each a reason not to believe the read."""
        key = self.names[0]
        return [
            f"{self.what}: {_some(rows)} {what}; not read"
            for rows, what in (
                (self.keyless, f'without a key ("{key}" is empty)'),
                (self.twice, "with two columns of the same name"),
            )
            if rows
        ]

    def _cells(self, row: Mapping[str, object]) -> list[object] | None:
        cells: list[object] = [None] * len(self.names)
        filled: set[int] = set()
        for name, cell in row.items():
            place = self._place(name)
            if place < 0:
                continue
            if place in filled:
                return None
            filled.add(place)
            cells[place] = cell
        self.missing -= filled
        return cells

    def _place(self, name: str) -> int:
        place = self.places.get(name)
        if place is None:
            normal = text(name)
            place = self.names.index(normal) if normal in self.names else -1
            self.places[name] = place
        return place

    def _refuse_absent(self, present: Sequence[str]) -> None:
        if not self.missing:
            return
        free = {name.casefold(): name for name in map(text, present) if name not in self.names}
        sentences = []
        for place in sorted(self.missing):
            column = self.names[place]
            near = get_close_matches(column.casefold(), free, n=1, cutoff=NEAR)
            hint = f'; is it "{free[near[0]]}" now?' if near else ""
            sentences.append(f'{self.what}: the mapped column "{column}" is absent{hint}')
        raise _Absent(*sentences)


def _some(rows: Sequence[int]) -> str:
    """Name a few rows by their numbers."""
    named = ", ".join(map(str, rows[:NAMED]))
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    return f"row{'s' if len(rows) > 1 else ''} {named}{more}"


def beginning(own: str) -> bytes:
    """Return how the mark of a row begins that the source knows by this id."""
    return blake2b(own.encode(), digest_size=8).digest()


def _mark(own: str | None, cells: Sequence[object]) -> bytes:
    """Return 16 bytes by which a row is known again, the first eight by its own id alone."""
    content = msgspec.json.encode(cells, enc_hook=repr)
    if own is None:
        return blake2b(content, digest_size=16).digest()
    return beginning(own) + blake2b(content, digest_size=8).digest()


def shape(kind: str, mapping: PersonMapping, *parts: object) -> str:
    """Return the digest of everything that decides how a row becomes a record."""
    said = repr((FORMAT, kind, mapping.shape(), *parts))
    return blake2b(said.encode(), digest_size=16).hexdigest()
