"""People in a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path

from syncd.connectors.sources.files.deliveries import Delivery
from syncd.connectors.sources.files.encodings import (
    AUTO,
    Encoding,
    Scan,
    byte_lines,
    resolve,
    text_lines,
    undecodable,
)
from syncd.connectors.sources.files.opened import Opened, Unreadable
from syncd.connectors.sources.files.reading import (
    Clock,
    FileReading,
    absent,
    digest,
    shape,
    utc_now,
)
from syncd.connectors.sources.files.tally import Kind, Tally
from syncd.core.columns import PageMapper, compile_page
from syncd.core.identity import text
from syncd.core.mapping import Mapper, PersonMapping, compile_mapping
from syncd.core.ports import Known, Record

__all__ = ["CsvSource"]

CANDIDATES = (",", ";", "\t", "|")
BATCH = 1000
"""Lines that are looked at together."""
SAMPLE = 50
"""Lines in which the header must end, where its delimiter is looked for."""


@dataclass(frozen=True, slots=True)
class CsvSource:
    """
    A CSV file with a header, compressed when its name ends in .gz.

    `encoding` and `delimiter` may be "auto". A row is known by its text, so the
    same file read again gives only rows that are new or edited.
    """

    name: str
    path: Path
    mapping: PersonMapping
    encoding: str = "utf-8"
    delimiter: str = ","
    delivery: Delivery = field(default_factory=Delivery)
    clock: Clock = utc_now

    @property
    def shape(self) -> str:
        """A digest of everything that decides how a row becomes a record."""
        return shape("csv", self.encoding, self.delimiter, self.mapping)

    def read(self, known: Known) -> FileReading:
        """Read the file; rows whose mark is known are not given again."""
        validate = self.encoding == AUTO
        return FileReading(
            self.path, known, self._rows, validate, delivery=self.delivery, clock=self.clock
        )

    def _rows(self, file: Opened, seen: Scan, marks: set[bytes], tally: Tally) -> Iterator[Record]:
        encoding = resolve(file.path, self.encoding, seen)
        if encoding.plain and seen.separator and not seen.quoted and not seen.nul:
            lines = byte_lines(file.path, file.chunks(), seen.separator, encoding.mark)
            return self._cut(lines, encoding, marks, tally)
        return self._parsed(text_lines(file.path, file.chunks(), encoding), encoding, marks, tally)

    def _cut(
        self, lines: Iterator[bytes], encoding: Encoding, marks: set[bytes], tally: Tally
    ) -> Iterator[Record]:
        """Read rows that are lines: without quotes, only lines that are not known are decoded."""
        first, header = next(((n, line) for n, line in enumerate(lines, 1) if line), (1, b""))
        number = first
        try:
            table = self._table(
                [*[""] * (first - 1), header.decode(encoding.codec)], encoding, tally
            )
            for batch in iter(lambda: list(islice(lines, BATCH)), []):
                records = table.batch(batch, marks, encoding.codec)
                if records is not None:
                    number += len(batch)
                    yield from records
                    continue
                for number, line in enumerate(batch, number + 1):  # noqa: B020  # it goes on
                    mark = table.hash(line)
                    if mark in marks:
                        marks.remove(mark)
                        tally.rows += 1
                        continue
                    if not line:
                        continue
                    cells = line.decode(encoding.codec).split(table.delimiter)
                    limit = csv.field_size_limit()
                    if len(line) > limit and max(map(len, cells)) > limit:
                        tally.note(Kind.CUT, number, _why(f"field limit ({limit})"))
                        return
                    record = table.record(cells, mark, number)
                    if record is not None:
                        yield record
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding.codec)
            place = number, len(before) + 1
            raise undecodable(tally.path, place, encoding.codec, error) from None

    def _parsed(
        self, lines: Iterator[str], encoding: Encoding, marks: set[bytes], tally: Tally
    ) -> Iterator[Record]:
        """Read rows of any form: quoted, over several lines, of any encoding."""
        sample = list(islice(lines, SAMPLE))
        table = self._table(sample, encoding, tally)
        reader = csv.reader(chain(sample, lines), delimiter=table.delimiter, strict=True)
        next(row for row in reader if row)
        last = reader.line_num
        try:
            for cells in reader:
                number, last = last + 1, reader.line_num
                if not cells:
                    continue
                mark = table.mark(cells)
                if mark in marks:
                    marks.remove(mark)
                    tally.rows += 1
                    continue
                record = table.record(cells, mark, number)
                if record is not None:
                    yield record
        except csv.Error as error:
            tally.note(Kind.CUT, last + 1, _why(str(error)))

    def _table(self, sample: Sequence[str], encoding: Encoding, tally: Tally) -> _Table:
        """Read the header. Raises Unreadable unless every mapped column is there, and once."""
        key = text(self.mapping.key.column)
        delimiter = _delimiter(sample, key) if self.delimiter == AUTO else self.delimiter
        try:
            line, header = _header(sample, delimiter)
        except csv.Error as error:
            raise Unreadable(f"{tally.path}, line 1: the header: {_why(str(error))}") from None
        if not header:
            raise Unreadable(f"{tally.path}: the file has no header")
        tally.columns = tuple(header)
        wanted = self.mapping.columns()
        where = f"{tally.path}, line {line}"
        wrong = absent(where, wanted, header)
        wrong += _doubled(where, wanted, header)
        if wrong:
            raise Unreadable(*wrong)
        salt = digest(encoding.codec, delimiter, header)
        codec = encoding.codec if encoding.plain else "utf-8"
        return _Table(
            tally,
            delimiter,
            len(header),
            header.index(key) + 1,
            key,
            salt,
            codec,
            compile_mapping(self.mapping, header),
            compile_page(self.mapping, header),
        )


@dataclass(frozen=True, slots=True)
class _Table:
    """What the header settles for all rows."""

    tally: Tally
    delimiter: str
    width: int
    position: int
    key: str
    salt: bytes
    codec: str
    to_record: Mapper
    to_records: PageMapper

    def batch(self, lines: list[bytes], marks: set[bytes], codec: str) -> list[Record] | None:
        """
        Map what is not known of some lines, and take the marks of what is known out of *marks*.

        None, and nothing done, where something about a line must be said or looked at.
        """
        digests = list(map(self.hash, lines))
        unique = set(digests)
        new = unique.difference(marks) if marks else unique
        if len(unique) != len(lines) or max(map(len, lines)) > csv.field_size_limit():
            return None
        records: list[Record] = []
        if new:
            fresh = [n for n, digest in enumerate(digests) if digest in new]
            mapped = self._mapped([lines[n] for n in fresh], [digests[n] for n in fresh], codec)
            if mapped is None:
                return None
            records = mapped
        marks.difference_update(unique)
        self.tally.rows += len(lines)
        return records

    def _mapped(self, lines: list[bytes], digests: list[bytes], codec: str) -> list[Record] | None:
        try:
            texts = b"\n".join(lines).decode(codec).split("\n")
        except UnicodeDecodeError:
            return None
        rows = [line.split(self.delimiter) for line in texts]
        if len(rows) != len(lines) or set(map(len, rows)) != {self.width} or b"" in lines:
            return None
        records = self.to_records(rows, digests)
        # The list has no None any more, which is more than its type can say.
        return None if None in records else records  # type: ignore[return-value]  # none is None

    def hash(self, line: bytes) -> bytes:
        """Return the mark of a line."""
        return blake2b(line, digest_size=16, person=self.salt).digest()

    def record(self, cells: Sequence[str], mark: bytes, number: int) -> Record | None:
        """Map a row that is whole and has a key; note any other."""
        if len(cells) != self.width:
            what = f"{_cells(len(cells))} where the header has {self.width}; the row was not read"
            self.tally.note(Kind.RAGGED, number, what)
            return None
        record = self.to_record(cells, mark)
        if record is None:
            what = f'the key is empty (column {self.position}, "{self.key}"); the row was not read'
            self.tally.note(Kind.KEYLESS, number, what)
            return None
        self.tally.rows += 1
        return record

    def mark(self, cells: Sequence[str]) -> bytes:
        """
        Return the mark of a parsed row: of its line, as if it had no quotes.

        So one quote that comes or goes somewhere in the file makes no other row new.
        """
        line = self.delimiter.join(cells)
        if line.count(self.delimiter) != len(cells) - 1 or _has_marks(line):
            line = f'"{cells!r}'  # no line without quotes begins with one
        return self.hash(line.encode(self.codec))


def _has_marks(line: str) -> bool:
    return '"' in line or "\n" in line or "\r" in line


def _delimiter(sample: Sequence[str], key: str) -> str:
    """Choose the delimiter that cuts the header into most columns, the key's among them."""
    best, most = CANDIDATES[0], (False, 0)
    for each in CANDIDATES:
        try:
            _, header = _header(sample, each)
        except csv.Error:
            continue
        found = (key in header, len(header))
        if found > most:
            best, most = each, found
    return best


def _header(sample: Iterable[str], delimiter: str) -> tuple[int, list[str]]:
    """Return the line of the header and its columns, in normal form."""
    last = 0
    reader = csv.reader(sample, delimiter=delimiter, strict=True)
    for row in reader:
        if row:
            return last + 1, [text(each) for each in row]
        last = reader.line_num
    return last, []


def _doubled(where: str, wanted: Sequence[str], header: Sequence[str]) -> list[str]:
    return [
        f'{where}: the mapped column "{each}" is there {header.count(each)} times'
        for each in wanted
        if header.count(each) > 1
    ]


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _why(error: str) -> str:
    """Say in our words why the csv module gave up; it does not go on after any of these."""
    rest = "nothing from here on was read"
    if "unexpected end" in error:
        return f"the file ends inside quotes; {rest}"
    if "field limit" in error:
        limit = csv.field_size_limit()
        return f"a field is longer than {limit} characters, as if a quote were not closed; {rest}"
    if "expected after" in error:
        return f"text follows a closing quote in the row that begins here; {rest}"
    return f"the row that begins here is not CSV ({error}); {rest}"
