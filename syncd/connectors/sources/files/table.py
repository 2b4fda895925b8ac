"""The rows of one CSV file, as its header settles them: a page of them at once, or one by one."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, compress, islice, repeat
from pathlib import Path

from syncd.connectors.sources.files.encodings import undecodable
from syncd.connectors.sources.files.opened import Unreadable
from syncd.connectors.sources.files.runs import Memory, digest_of
from syncd.connectors.sources.files.tally import Kind, Tally
from syncd.core.columns import Page, PageMapper
from syncd.core.mapping import Mapper
from syncd.core.ports import Record

__all__ = ["Table", "bad_bytes", "lines_of", "why"]


@dataclass(frozen=True, slots=True)
class Table:
    """What the header settles for all rows."""

    tally: Tally
    delimiter: str
    width: int
    position: int
    key: str
    codec: str
    salt: bytes
    hasher: Callable[[bytes], blake2b]
    to_record: Mapper
    to_page: PageMapper

    def runs(self, new: list[list[bytes]], number: int, memory: Memory) -> tuple[Page, bool]:
        """Map runs that are not known, the first line being *number*; tell whether to go on."""
        lines, marks, goes_on = list(chain.from_iterable(new)), memory.marks, True
        digests = list(map(blake2b.digest, map(self.hasher, lines)))
        taken = marks.intersection(digests)
        page = self.lines(lines, digests, marks)
        if page is None:
            page, goes_on = self.each_line(lines, number, marks)
        stay = taken.union(page.columns[1])
        each = iter(digests)
        for run in new:
            own = list(islice(each, len(run)))
            if stay.issuperset(own):
                memory.keep(digest_of(run, self.salt), own)
            else:
                memory.note(stay.intersection(own))
        return page, goes_on

    def lines(self, lines: list[bytes], digests: list[bytes], marks: set[bytes]) -> Page | None:
        """
        Map what is not known of some lines, and take the marks of what is known out of *marks*.

        None, and nothing done, where something about a line must be said or looked at.
        """
        if max(map(len, lines)) > csv.field_size_limit():
            return None
        return self._page(digests, marks, lambda new: self._columns(list(compress(lines, new))))

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
                raise bad_bytes(self.tally.path, place, self.codec, error) from None
            limit = csv.field_size_limit()
            if len(line) > limit and max(map(len, cells)) > limit:
                self.tally.note(Kind.CUT, place, why(f"field limit ({limit})"))
                return Page.of(records), False
            record = self.record(cells, mark, place)
            if record is not None:
                records.append(record)
        return Page.of(records), True

    def each_row(self, rows: list[list[str]], number: int, marks: set[bytes]) -> Page:
        """Do what `rows` does one by one, the first beginning in line *number*."""
        records: list[Record] = []
        for cells in rows:
            place, number = number, number + lines_of(cells)
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
        return list(map(self.hash, text.encode(self.codec).split(b"\n")))


def lines_of(cells: Sequence[str]) -> int:
    """Return how many lines a parsed row takes."""
    inner = sum(cell.count("\n") + cell.count("\r") - cell.count("\r\n") for cell in cells)
    return 1 + inner


def bad_bytes(path: Path, line: int, codec: str, error: UnicodeDecodeError) -> Unreadable:
    """Return what to raise for a line that does not decode."""
    before = error.object[: error.start].decode(codec)
    return undecodable(path, (line, len(before) + 1), codec, error)


def _has_marks(line: str) -> bool:
    return '"' in line or "\n" in line or "\r" in line


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def why(error: str) -> str:
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
