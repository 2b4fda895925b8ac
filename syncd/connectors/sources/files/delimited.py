"""People in a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import chain, compress, islice, repeat
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
from syncd.core.columns import Page, PageMapper, compile_page
from syncd.core.identity import text
from syncd.core.mapping import Mapper, PersonMapping, compile_mapping
from syncd.core.ports import Known, Record

__all__ = ["CsvSource"]

CANDIDATES = (",", ";", "\t", "|")
BATCH = 1000
"""Rows that are looked at together."""
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

    def _rows(self, file: Opened, seen: Scan, marks: set[bytes], tally: Tally) -> Iterator[Page]:
        encoding = resolve(file.path, self.encoding, seen)
        if encoding.plain and seen.separator and not seen.quoted and not seen.nul:
            lines = byte_lines(file.path, file.chunks(), seen.separator, encoding.mark)
            return self._cut(lines, encoding, marks, tally)
        return self._parsed(text_lines(file.path, file.chunks(), encoding), encoding, marks, tally)

    def _cut(
        self, lines: Iterator[bytes], encoding: Encoding, marks: set[bytes], tally: Tally
    ) -> Iterator[Page]:
        """Read rows that are lines: without quotes, only lines that are not known are decoded."""
        first, header = next(((n, line) for n, line in enumerate(lines, 1) if line), (1, b""))
        try:
            sample = [*[""] * (first - 1), header.decode(encoding.codec)]
        except UnicodeDecodeError as error:
            raise _undecodable(tally.path, first, encoding.codec, error) from None
        table = self._table(sample, encoding, tally)
        number, goes_on = first + 1, True
        while goes_on and (batch := list(islice(lines, BATCH))):
            page = table.lines(batch, marks)
            if page is None:
                page, goes_on = table.each_line(batch, number, marks)
            yield page
            number += len(batch)

    def _parsed(
        self, lines: Iterator[str], encoding: Encoding, marks: set[bytes], tally: Tally
    ) -> Iterator[Page]:
        """Read rows of any form: quoted, over several lines, of any encoding."""
        sample = list(islice(lines, SAMPLE))
        table = self._table(sample, encoding, tally)
        reader = csv.reader(chain(sample, lines), delimiter=table.delimiter, strict=True)
        next(row for row in reader if row)
        while True:
            number, why = reader.line_num + 1, None
            batch: list[list[str]] = []
            try:
                batch.extend(islice(reader, BATCH))  # what is whole stays in it when the next fails
            except csv.Error as error:
                why = _why(str(error))
            if batch:
                page = table.rows(batch, marks)
                yield table.each_row(batch, number, marks) if page is None else page
            if why is not None:
                tally.note(Kind.CUT, number + sum(map(_lines, batch)), why)
            if why is not None or not batch:
                return

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
        return _Table(
            tally,
            delimiter,
            len(header),
            header.index(key) + 1,
            key,
            encoding.codec if encoding.plain else "utf-8",
            partial(blake2b, digest_size=16, person=salt),
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
    codec: str
    hasher: Callable[[bytes], blake2b]
    to_record: Mapper
    to_page: PageMapper

    def lines(self, lines: list[bytes], marks: set[bytes]) -> Page | None:
        """
        Map what is not known of some lines, and take the marks of what is known out of *marks*.

        None, and nothing done, where something about a line must be said or looked at.
        """
        if max(map(len, lines)) > csv.field_size_limit():
            return None
        return self._page(
            self._hashes(lines), marks, lambda new: self._columns(list(compress(lines, new)))
        )

    def rows(self, rows: list[list[str]], marks: set[bytes]) -> Page | None:
        """Do with parsed rows what `lines` does."""
        if set(map(len, rows)) != {self.width}:
            return None
        return self._page(
            self._marks(rows), marks, lambda new: list(zip(*compress(rows, new), strict=True))
        )

    def _page(
        self,
        digests: list[bytes],
        marks: set[bytes],
        columns: Callable[[list[bool]], Sequence[Sequence[str]] | None],
    ) -> Page | None:
        unique = set(digests)
        if len(unique) != len(digests):
            return None
        page: Page | None = Page.of([])
        new = unique - marks
        if new:
            fresh = [digest in new for digest in digests]
            found = columns(fresh)
            page = None if found is None else self.to_page(found, list(compress(digests, fresh)))
        if page is not None:
            marks.difference_update(unique)
            self.tally.rows += len(digests)
        return page

    def _columns(self, lines: list[bytes]) -> Sequence[Sequence[str]] | None:
        """Return the cells of lines column by column; None where one has too many or too few."""
        try:
            text = b"\n".join(lines).decode(self.codec)
        except UnicodeDecodeError:
            return None
        counts = set(map(str.count, text.split("\n"), repeat(self.delimiter)))
        if counts != {self.width - 1} or b"" in lines:
            return None
        cells = text.replace("\n", self.delimiter).split(self.delimiter)
        return [cells[place :: self.width] for place in range(self.width)]

    def each_line(self, lines: list[bytes], number: int, marks: set[bytes]) -> tuple[Page, bool]:
        """
        Do what `lines` does one by one, the first being line *number*, and note what is wrong.

        The second value tells whether to go on. Raises Unreadable for what does not decode.
        """
        records: list[Record] = []
        for place, line in enumerate(lines, number):
            mark = self.hash(line)
            if mark in marks:
                marks.remove(mark)
                self.tally.rows += 1
                continue
            if not line:
                continue
            try:
                cells = line.decode(self.codec).split(self.delimiter)
            except UnicodeDecodeError as error:
                raise _undecodable(self.tally.path, place, self.codec, error) from None
            limit = csv.field_size_limit()
            if len(line) > limit and max(map(len, cells)) > limit:
                self.tally.note(Kind.CUT, place, _why(f"field limit ({limit})"))
                return Page.of(records), False
            record = self.record(cells, mark, place)
            if record is not None:
                records.append(record)
        return Page.of(records), True

    def each_row(self, rows: list[list[str]], number: int, marks: set[bytes]) -> Page:
        """Do what `rows` does one by one, the first beginning in line *number*."""
        records: list[Record] = []
        for cells in rows:
            place, number = number, number + _lines(cells)
            if not cells:
                continue
            mark = self.mark(cells)
            if mark in marks:
                marks.remove(mark)
                self.tally.rows += 1
                continue
            record = self.record(cells, mark, place)
            if record is not None:
                records.append(record)
        return Page.of(records)

    def hash(self, line: bytes) -> bytes:
        """Return the mark of a line."""
        return self.hasher(line).digest()

    def _hashes(self, lines: list[bytes]) -> list[bytes]:
        return list(map(blake2b.digest, map(self.hasher, lines)))

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

    def _marks(self, rows: list[list[str]]) -> list[bytes]:
        """Return the `mark` of each row, all of one width."""
        lines = list(map(self.delimiter.join, rows))
        text = "\n".join(lines)
        breaks = text.count("\n") + text.count("\r") - len(lines) + 1
        ends = text.count(self.delimiter) - len(lines) * (self.width - 1)
        if breaks or ends or '"' in text:
            return list(map(self.mark, rows))
        return self._hashes(text.encode(self.codec).split(b"\n"))


def _lines(cells: Sequence[str]) -> int:
    """Return how many lines a parsed row takes."""
    inner = sum(cell.count("\n") + cell.count("\r") - cell.count("\r\n") for cell in cells)
    return 1 + inner


def _undecodable(path: Path, line: int, codec: str, error: UnicodeDecodeError) -> Unreadable:
    before = error.object[: error.start].decode(codec)
    return undecodable(path, (line, len(before) + 1), codec, error)


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
