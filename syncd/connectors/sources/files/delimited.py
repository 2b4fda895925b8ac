"""People in a CSV file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path

from syncd.connectors.sources.files.deliveries import Delivery
from syncd.connectors.sources.files.encodings import (
    AUTO,
    Encoding,
    Scan,
    byte_batches,
    resolve,
    text_lines,
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
from syncd.connectors.sources.files.runs import Memory, digest_of, runs
from syncd.connectors.sources.files.table import Table, bad_bytes, lines_of, why
from syncd.connectors.sources.files.tally import Kind, Tally
from syncd.core.columns import Page, compile_page
from syncd.core.identity import text
from syncd.core.mapping import PersonMapping, compile_mapping
from syncd.core.ports import Known

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

    def _rows(self, file: Opened, seen: Scan, memory: Memory, tally: Tally) -> Iterator[Page]:
        encoding = resolve(file.path, self.encoding, seen)
        if encoding.plain and seen.separator and not seen.quoted and not seen.nul:
            lines = byte_batches(file.path, file.chunks(), seen.separator, encoding.mark)
            return self._cut(lines, encoding, memory, tally)
        every = text_lines(file.path, file.chunks(), encoding)
        return self._parsed(every, encoding, memory.marks, tally)

    def _cut(
        self, batches: Iterator[list[bytes]], encoding: Encoding, memory: Memory, tally: Tally
    ) -> Iterator[Page]:
        """Read rows that are lines: without quotes, only lines that are not known are decoded."""
        first, header, rest = _first(batches)
        try:
            sample = [*[""] * (first - 1), header.decode(encoding.codec)]
        except UnicodeDecodeError as error:
            raise bad_bytes(tally.path, first, encoding.codec, error) from None
        table = self._table(sample, encoding, tally)
        number, goes_on = first + 1, True
        new: list[list[bytes]] = []
        for run in chain(runs(chain([rest], batches)), [None]):
            rows = 0 if run is None else memory.take(digest_of(run, table.salt))
            waiting = sum(map(len, new))
            if new and (run is None or rows or waiting >= BATCH):
                page, goes_on = table.runs(new, number, memory)
                yield page
                number, new = number + waiting, []
            if run is None or not goes_on:
                break
            if rows:
                tally.rows += rows
                number += len(run)
            else:
                new.append(run)
        memory.complete()

    def _parsed(
        self, lines: Iterator[str], encoding: Encoding, marks: set[bytes], tally: Tally
    ) -> Iterator[Page]:
        """Read rows of any form: quoted, over several lines, of any encoding."""
        sample = list(islice(lines, SAMPLE))
        table = self._table(sample, encoding, tally)
        reader = csv.reader(chain(sample, lines), delimiter=table.delimiter, strict=True)
        next(row for row in reader if row)
        while True:
            number, cut = reader.line_num + 1, None
            batch: list[list[str]] = []
            try:
                batch.extend(islice(reader, BATCH))  # what is whole stays in it when the next fails
            except csv.Error as error:
                cut = why(str(error))
            if batch:
                page = table.rows(batch, marks)
                yield table.each_row(batch, number, marks) if page is None else page
            if cut is not None:
                tally.note(Kind.CUT, number + sum(map(lines_of, batch)), cut)
            if cut is not None or not batch:
                return

    def _table(self, sample: Sequence[str], encoding: Encoding, tally: Tally) -> Table:
        """Read the header. Raises Unreadable unless every mapped column is there, and once."""
        key = text(self.mapping.key.column)
        delimiter = _delimiter(sample, key) if self.delimiter == AUTO else self.delimiter
        try:
            line, header = _header(sample, delimiter)
        except csv.Error as error:
            raise Unreadable(f"{tally.path}, line 1: the header: {why(str(error))}") from None
        if not header:
            raise Unreadable(f"{tally.path}: the file has no header")
        tally.columns = tuple(header)
        wanted = self.mapping.columns()
        where = f"{tally.path}, line {line}"
        wrong = absent(where, wanted, header)
        wrong += _doubled(where, wanted, header)
        if wrong and (other := _elsewise(sample, delimiter, wanted)):
            raise Unreadable(
                f"{where}: delimiter is {_shown(delimiter)}, but {_shown(other)} is what parts "
                f"the header into the mapped columns; set delimiter = {_shown(other)}"
            )
        if wrong:
            raise Unreadable(*wrong)
        salt = digest(encoding.codec, delimiter, header)
        return Table(
            tally,
            delimiter,
            len(header),
            header.index(key) + 1,
            key,
            encoding.codec if encoding.plain else "utf-8",
            salt,
            partial(blake2b, digest_size=16, person=salt),
            compile_mapping(self.mapping, header),
            compile_page(self.mapping, header),
        )


def _first(batches: Iterable[list[bytes]]) -> tuple[int, bytes, list[bytes]]:
    """Return the number of the first line that is not blank, the line, and what came after it."""
    number = 0
    for batch in batches:
        for place, line in enumerate(batch):
            if line:
                return number + place + 1, line, batch[place + 1 :]
        number += len(batch)
    return 1, b"", []


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


def _elsewise(sample: Sequence[str], delimiter: str, wanted: Sequence[str]) -> str | None:
    """Return the delimiter that the file has instead: with it every mapped column is there."""
    other = _delimiter(sample, wanted[0])
    if other == delimiter:
        return None
    try:
        _, header = _header(sample, other)
    except csv.Error:
        return None
    return other if all(header.count(each) == 1 for each in wanted) else None


def _shown(delimiter: str) -> str:
    return json.dumps(delimiter, ensure_ascii=False)


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
