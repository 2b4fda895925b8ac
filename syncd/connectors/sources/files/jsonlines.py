"""People in a JSON Lines file: one object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import msgspec

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
from syncd.connectors.sources.files.runs import Memory
from syncd.connectors.sources.files.tally import Kind, Tally
from syncd.core.columns import Page
from syncd.core.identity import text
from syncd.core.mapping import PersonMapping, compile_mapping
from syncd.core.ports import Known, Record

__all__ = ["JsonlSource"]

BATCH = 1000
"""Records that are handed on together."""
NAMES = 10_000
"""Spellings of names remembered; a file with more has no columns."""
DECODE = msgspec.json.Decoder().decode
KINDS = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}


class _Broken(Exception):
    """A line is not an object that can be read; the text says why and where."""


@dataclass(frozen=True, slots=True)
class JsonlSource:
    """
    A JSON Lines file, compressed when its name ends in .gz; a column is a key of its objects.

    A key that a row lacks is null there; a mapped one that all rows lack is a finding.
    """

    name: str
    path: Path
    mapping: PersonMapping
    encoding: str = "utf-8"
    delivery: Delivery = field(default_factory=Delivery)
    clock: Clock = utc_now

    @property
    def shape(self) -> str:
        """A digest of everything that decides how a line becomes a record."""
        return shape("jsonl", self.encoding, "", self.mapping)

    def read(self, known: Known) -> FileReading:
        """Read the file; rows whose mark is known are not given again."""
        validate = self.encoding == AUTO
        return FileReading(
            self.path, known, self._rows, validate, delivery=self.delivery, clock=self.clock
        )

    def _rows(self, file: Opened, seen: Scan, memory: Memory, tally: Tally) -> Iterator[Page]:
        records = self._records(file, seen, memory.marks, tally)
        return map(Page.of, iter(lambda: list(islice(records, BATCH)), []))

    def _records(
        self, file: Opened, seen: Scan, marks: set[bytes], tally: Tally
    ) -> Iterator[Record]:
        encoding = resolve(file.path, self.encoding, seen)
        codec = encoding.codec if encoding.plain else "utf-8"
        salt = digest(codec)
        columns = _Columns(self.mapping.columns())
        to_record = compile_mapping(self.mapping, columns.names, native=True)
        skipped = tally.declared = False
        for number, raw in enumerate(_lines(file, seen, encoding), 1):
            line = raw.rstrip()
            if not line:
                continue
            mark = blake2b(line, digest_size=16, person=salt).digest()
            known = mark in marks
            if known:
                marks.remove(mark)
                tally.rows += 1
                if not columns.missing:
                    skipped = True
                    continue
            try:
                cells = columns.cells(_object(line.decode(codec)))
            except UnicodeDecodeError as error:
                before = line[: error.start].decode(codec)
                place = number, len(before) + 1
                raise undecodable(file.path, place, codec, error) from None
            except _Broken as broken:
                tally.note(Kind.BROKEN, number, f"{broken}; the line was not read")
                continue
            if known:
                continue
            record = to_record(cells, mark)
            if record is None:
                what = f'the key "{columns.names[0]}" is empty; the line was not read'
                tally.note(Kind.KEYLESS, number, what)
                continue
            tally.rows += 1
            yield record
        tally.columns = None if skipped else columns.came()
        columns.check(file.path)


@dataclass(slots=True)
class _Columns:
    """Finds the mapped columns among the names of an object, and remembers which ones came."""

    names: tuple[str, ...]
    places: dict[str, int] = field(default_factory=dict)
    missing: set[int] = field(init=False)
    objects: bool = False

    def __post_init__(self) -> None:
        self.missing = set(range(len(self.names)))

    def cells(self, found: dict[str, object]) -> list[object]:
        """Return the cells of the mapped columns, None where the object lacks one."""
        cells: list[object] = [None] * len(self.names)
        for name, cell in found.items():
            place = self.places.get(name)
            if place is None:
                place = self._place(name)
            if place < 0:
                continue
            if cells[place] is not None:
                raise _Broken(f'"{self.names[place]}" is there twice')
            cells[place] = cell
        self.objects = True
        if self.missing:
            self.missing.difference_update([self.places[name] for name in found])
        return cells

    def _place(self, name: str) -> int:
        if len(self.places) >= NAMES:
            raise _Broken(f"no more than {NAMES} different names can be columns")
        normal = text(name)
        place = self.names.index(normal) if normal in self.names else -1
        self.places[name] = place
        return place

    def came(self) -> tuple[str, ...]:
        """Return the names that came, in normal form."""
        return tuple(dict.fromkeys(map(text, self.places)))

    def check(self, path: Path) -> None:
        """Raise Unreadable if some mapped column was in no object at all."""
        if self.objects and self.missing:
            raise Unreadable(*absent(f"{path}, all lines", self.names, self.came()))


def _lines(file: Opened, seen: Scan, encoding: Encoding) -> Iterator[bytes]:
    if encoding.plain and not seen.nul:
        return byte_lines(file.path, file.chunks(), b"\n", encoding.mark)
    return (line.encode() for line in text_lines(file.path, file.chunks(), encoding))


def _object(line: str) -> dict[str, object]:
    try:
        found = DECODE(line)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _Broken(_why(line, error)) from None
    if not isinstance(found, dict):
        kind = KINDS.get(type(found), "a number")
        raise _Broken(f"column 1: this is {kind} and not an object")
    # A text column of PostgreSQL takes no NUL, and no name of anything holds one.
    if "\\u0000" in line and "\\x00" in repr(found):
        raise _Broken(f"column {line.index(chr(92) + 'u0000') + 1}: there is a NUL character")
    return found


def _why(line: str, error: Exception) -> str:
    """Say where a line stops being JSON. Python's own parser knows the column, ours is faster."""
    if isinstance(error, RecursionError):
        return "column 1: values are nested too deeply"
    try:
        json.loads(line)
    except json.JSONDecodeError as told:
        return f"column {told.colno}: this is not JSON ({told.msg.lower()})"
    except RecursionError:
        return "column 1: values are nested too deeply"
    except ValueError:
        # Python reads no whole number of thousands of digits, and does not say where it stands.
        return "column 1: this is not JSON that can be read (a number has too many digits)"
    byte = re.search(r"\(byte ([0-9]+)\)", str(error))
    before = line.encode()[: int(byte.group(1))] if byte else b""
    column = len(before.decode(errors="ignore")) + 1
    return f"column {column}: this is not JSON (a value has no exact meaning)"
