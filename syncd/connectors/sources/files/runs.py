"""
Runs of lines that a read leaves behind, so that the next one looks at changed ones only.

Where a run ends follows from the line there alone: a line that comes, goes or changes
somewhere makes one run new, and all others are known again by one digest each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain
from struct import iter_unpack
from zlib import adler32

from syncd.core.ports import Known

__all__ = ["Memory", "digest_of", "known_as", "runs"]

SPAN = 64
"""Lines of a run, on average."""
MOST = 1000
"""Lines that are waited for until a run ends."""
WHOLE = 32
"""Bytes of the digest of a file."""
MARK = 16
"""Bytes of the mark of a row, and of the digest of a run."""
COUNT = 4
"""Bytes of the number of rows of a run."""
LOOSE = bytes(MARK)
"""Stands for the digest where rows are in no run that can be known again."""


def runs(batches: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    """Cut lines into runs, where a sum of the line's bytes says so."""
    tail: list[bytes] = []
    for batch in batches:
        lines = tail + batch
        start = 0
        for end in [place for place, each in enumerate(map(adler32, lines), 1) if not each % SPAN]:
            yield lines[start:end]
            start = end
        tail = lines[start:]
        while len(tail) > MOST:
            yield tail[:MOST]
            tail = tail[MOST:]
    if tail:
        yield tail


@dataclass(slots=True)
class Memory:
    """
    What is known of the rows of a file, and what this read will have known of them.

    That is written behind the digest of the file: of each run its digest, the number of its
    rows and their marks. It says nothing but what the marks say that syncd remembers; where
    it is absent those are asked for.
    """

    known: Known
    _runs: dict[bytes, memoryview] = field(default_factory=dict, init=False)
    _marks: set[bytes] | None = field(default=None, init=False)
    _kept: bytearray = field(default_factory=bytearray, init=False)
    _loose: bytearray = field(default_factory=bytearray, init=False)
    _complete: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        body = memoryview(self.known.content or b"")[WHOLE:]
        while body:
            head, counted = bytes(body[:MARK]), body[MARK : MARK + COUNT]
            end = MARK + COUNT + MARK * int.from_bytes(counted, "big")
            self._runs[head], body = body[MARK + COUNT : end], body[end:]
        if not self._runs:
            self._marks = self.known.marks()

    @property
    def marks(self) -> set[bytes]:
        """The marks that are known and did not come yet; whoever finds one takes it out."""
        if self._marks is None:
            self._marks = {mark for run in self._runs.values() for mark in _each(run)}
        return self._marks

    def take(self, run: bytes) -> int:
        """Take out the marks of a run that came; return its number of rows, 0 if it is new."""
        known = self._runs.get(run)
        if known is None:
            return 0
        if self._marks is not None:
            own = set(_each(known))
            if not self._marks.issuperset(own):
                return 0  # one of its lines came before, by itself
            self._marks.difference_update(own)
        del self._runs[run]
        rows = len(known) // MARK
        self._keep(run, rows, known)
        return rows

    def keep(self, run: bytes, marks: Sequence[bytes]) -> None:
        """Remember a run all of whose lines are rows that will be known."""
        self._keep(run, len(marks), b"".join(marks))

    def _keep(self, run: bytes, rows: int, marks: bytes | bytearray | memoryview) -> None:
        self._kept += run
        self._kept += rows.to_bytes(COUNT, "big")
        self._kept += marks

    def note(self, marks: Iterable[bytes]) -> None:
        """Remember the marks of rows of a run that must be looked at line by line each time."""
        self._loose += b"".join(marks)

    def complete(self) -> None:
        """Say that all rows which will be known were remembered."""
        self._complete = True

    def content(self, digest: bytes) -> bytes:
        """Return what to know the file by, and what of its rows was remembered."""
        if not self._complete:
            return digest
        if self._loose:
            self._keep(LOOSE, len(self._loose) // MARK, self._loose)
            self._loose = bytearray()
        return digest + self._kept


def digest_of(run: list[bytes], salt: bytes) -> bytes:
    """Return the digest of a run; *salt* stands for all that decides what its lines mean."""
    return sha256(salt + b"\n".join(run)).digest()[:MARK]


def known_as(known: Known, digest: bytes) -> bool:
    """Tell whether the file that has this digest is the one that was read last."""
    return known.content is not None and known.content[:WHOLE] == digest


def _each(marks: memoryview) -> Iterator[bytes]:
    return chain.from_iterable(iter_unpack(f"{MARK}s", marks))
