"""One read of a file: pages of records, and the facts at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path

from syncd.connectors.sources.files.deliveries import (
    Delivery,
    complete,
    dated,
    expected_sum,
    findings,
)
from syncd.connectors.sources.files.encodings import Scan, beginning, scan
from syncd.connectors.sources.files.opened import (
    FileChanged,
    Opened,
    Unreadable,
    opened,
    same_content,
)
from syncd.connectors.sources.files.runs import Memory, known_as
from syncd.connectors.sources.files.tally import Tally
from syncd.core.columns import Page
from syncd.core.mapping import PersonMapping
from syncd.core.ports import Known, ReadFacts

__all__ = ["Clock", "FileReading", "absent", "digest", "shape", "utc_now"]

FORMAT = 1
"""Of marks and records: another parser makes every row new."""
PAGE = 10_000
ATTEMPTS = 2
NEAR = 0.5
"""How alike a name must be to be offered for an absent one: "Dept" for "Department"."""

Clock = Callable[[], datetime]
Rows = Callable[[Opened, Scan, Memory, Tally], Iterator[Page]]
"""Gives the records that are not known and takes those that are out of the memory."""


@dataclass(slots=True)
class FileReading:
    """
    Reads a file page by page, and once more when it changes while nothing was given yet.

    A page is given only when the next one is complete, the last one only when the
    file is still what it was: a small file that changes is simply read again.
    """

    path: Path
    known: Known
    rows: Rows
    validate: bool
    delivery: Delivery
    clock: Clock
    current: Path = field(init=False)
    tally: Tally = field(init=False)
    facts: ReadFacts = field(default=ReadFacts(0, usable=False), init=False)

    def __post_init__(self) -> None:
        self.current = self.path
        self.tally = Tally(self.path)

    def __iter__(self) -> Iterator[Page]:
        """Give the records that are not known already, page by page."""
        for attempt in range(1, ATTEMPTS + 1):
            given = False
            try:
                for page in self._attempt():
                    given = True
                    yield page
                return
            except Unreadable as error:
                self.facts = replace(_unusable(*error.args), columns=self.tally.columns)
                return
            except GeneratorExit:
                # Whoever reads no further wants to know what there was so far.
                self.facts = ReadFacts(self.tally.rows, columns=self.tally.columns)
                raise
            except FileChanged:
                self.facts = _unusable(
                    f"{self.current}: the file changed while it was read; nothing of it is used. "
                    "Write it under another name and rename it when it is complete"
                )
                if given or attempt == ATTEMPTS:
                    return

    def _attempt(self) -> Iterator[Page]:
        drops = self._drops()
        self.current = drops[0]
        with opened(self.current) as file:
            checksum = self.delivery.checksum
            seen = scan(file.chunks(), validate=self.validate)
            file.content = file.digest()
            try:
                if checksum is not None:
                    _compare(file, checksum)
                found = self._findings(file, seen, drops[1:2])
                if known_as(self.known, file.content):
                    file.check()
                    self.facts = ReadFacts(0, found, content=self.known.content, unchanged=True)
                    return
                yield from self._pages(file, seen, found)
            except Unreadable:
                # What cannot be read may only be half of what is being written.
                file.check()
                raise

    def _findings(self, file: Opened, seen: Scan, before: Sequence[Path]) -> tuple[str, ...]:
        """Say what speaks against a delivery that can be read."""
        wanted, path = self.delivery, file.path
        found: list[str] = []
        moment = dated(path, file.before.st_mtime, beginning(seen), wanted)
        if moment is not None:
            found += findings(path, moment, self.clock(), wanted)
        if before and wanted.repeated == "finding" and same_content(file, before[0]):
            found.append(
                f"{path}: it has the content of {before[0].name}, which came before it; "
                "is the same delivered again and again?"
            )
        return tuple(found)

    def _drops(self) -> Sequence[Path]:
        """Return the file that counts, and those before it."""
        try:
            return complete(self.path, self.delivery)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise Unreadable(f"{self.path}: the folder could not be read: {why}") from None

    def _pages(self, file: Opened, seen: Scan, found: tuple[str, ...]) -> Iterator[Page]:
        if not seen.size:
            raise Unreadable(f"{file.path}: the file is empty (0 bytes)")
        memory = Memory(self.known)
        tally = self.tally = Tally(file.path)
        held: Page | None = None
        for page in _paged(self.rows(file, seen, memory, tally)):
            if held is not None:
                yield held
            held = page
        file.check()
        self.facts = ReadFacts(
            tally.rows,
            (*found, *tally.findings()),
            memory.content(file.content),
            bare=file.content,
            gone=memory.marks,
            columns=tally.columns,
            declared=tally.declared,
        )
        if held is not None:
            yield held


def _paged(pieces: Iterator[Page]) -> Iterator[Page]:
    """Make pages of the usual size of pieces of any, and a last one of what remains."""
    kept: list[Page] = []
    for piece in pieces:
        if not piece:
            continue
        kept.append(piece)
        while sum(map(len, kept)) >= PAGE:
            whole = Page.joined(kept)
            yield whole[:PAGE]
            kept = [whole[PAGE:]]
    rest = Page.joined(kept)
    if rest:
        yield rest


def _compare(file: Opened, ending: str) -> None:
    """Raise Unreadable unless the file has the checksum that came with it."""
    if file.content.hex() != expected_sum(file.path, ending):
        raise Unreadable(
            f"{file.path}: its SHA-256 is not the one beside it, in *{ending}; nothing was read. "
            "Was it cut on the way?"
        )


def _unusable(*findings: str) -> ReadFacts:
    return ReadFacts(0, findings, usable=False)


def absent(where: str, columns: Sequence[str], present: Sequence[str]) -> list[str]:
    """Say of each mapped column that is not among the present ones what it may be called now."""
    free = {name.casefold(): name for name in present if name not in columns}
    sentences = []
    for column in columns:
        if column in present:
            continue
        near = get_close_matches(column.casefold(), free, n=1, cutoff=NEAR)
        hint = f'; is it "{free[near[0]]}" now?' if near else ""
        sentences.append(f'{where}: the mapped column "{column}" is absent{hint}')
    return sentences


def utc_now() -> datetime:
    """Return the moment that it is."""
    return datetime.now(UTC)


def digest(*parts: object) -> bytes:
    """Return 16 bytes that follow from the parts and from the format of marks."""
    return blake2b(repr((FORMAT, *parts)).encode(), digest_size=16).digest()


def shape(kind: str, encoding: str, delimiter: str, mapping: PersonMapping) -> str:
    """Return the digest of everything that decides how a row of a file becomes a record."""
    return digest(kind, encoding, delimiter, mapping.shape()).hex()
