"""One version of a file: opened once, read twice, and compared."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

from syncd.connectors.sources.files.packed import PACKED, Damaged, bounded, gunzip, unzip

__all__ = ["CHUNK", "PACKED", "FileChanged", "Opened", "Unreadable", "opened", "same_content"]

CHUNK = 1 << 20


class Unreadable(Exception):
    """Nothing of the file may be used; the text is the finding."""


class FileChanged(Exception):
    """The file is not what it was when it was first looked at."""


class Digest(Protocol):
    """The part of a hashlib object that is used here."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes in."""
        ...

    def digest(self) -> bytes:
        """Return the digest of all bytes so far."""
        ...


@dataclass(slots=True)
class Hashed:
    """The raw bytes of a file from its start; their SHA-256 grows as they are read."""

    file: BinaryIO
    hasher: Digest = field(default_factory=sha256)
    whole: bytes | None = None

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most *size*."""
        data = self.file.read(size)
        self.hasher.update(data)
        return data

    def rest(self) -> bytes:
        """Read to the end and return the digest of everything; from then on it stays."""
        if self.whole is None:
            while self.read(CHUNK):
                pass
            self.whole = self.hasher.digest()
        return self.whole


@dataclass(slots=True)
class Opened:
    """
    A file under one descriptor, so that a replaced file stays the one it was.

    A file that is written in place is noticed: its size and time, or its bytes at the
    second reading, are not what they were.
    """

    path: Path
    file: BinaryIO
    before: os.stat_result
    content: bytes = b""
    hashed: Hashed = field(init=False)

    def __post_init__(self) -> None:
        self.hashed = Hashed(self.file)

    @property
    def packed(self) -> bool:
        """Whether the name says that the content is compressed."""
        return self.path.suffix.lower() in PACKED

    def chunks(self) -> Iterator[bytes]:
        """
        Read from the start: the content, unpacked, in pieces.

        Raises Unreadable for a compressed file that is damaged.
        """
        self.file.seek(0)
        self.hashed = Hashed(self.file)
        if not self.packed:
            yield from iter(lambda: self.hashed.read(CHUNK), b"")
            return
        try:
            yield from bounded(self._unpacked(), self.before.st_size)
        except Damaged as damaged:
            raise Unreadable(f"{self.path}: {damaged}") from None

    def _unpacked(self) -> Iterator[bytes]:
        if self.path.suffix.lower() == ".gz":
            return gunzip(self.hashed.read)
        # The table of an archive stands at its end: its bytes are digested beforehand.
        self.hashed.rest()
        return unzip(self.file)

    def digest(self) -> bytes:
        """Return the SHA-256 of the raw bytes of the whole file, as read since `chunks` began."""
        return self.hashed.rest()

    def check(self) -> None:
        """Raise FileChanged unless the file still is what it was when it was scanned."""
        if self.digest() != self.content or _moved(self.before, os.fstat(self.file.fileno())):
            raise FileChanged


def _moved(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a file for one read of it. Raises Unreadable when that fails, or reading does later."""
    try:
        _must_be_file(path)
        with path.open("rb", buffering=0) as file:
            yield Opened(path, file, os.fstat(file.fileno()))
    except FileNotFoundError:
        raise Unreadable(f"{path}: there is no such file") from None
    except PermissionError:
        raise Unreadable(f"{path}: there is no permission to read this file") from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise Unreadable(f"{path}: the file could not be read: {why}") from None


def _must_be_file(path: Path) -> None:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise Unreadable(f"{path}: this is a directory and not a file")
    if not stat.S_ISREG(mode):
        raise Unreadable(f"{path}: this is not a regular file")


def same_content(file: Opened, other: Path) -> bool:
    """Tell whether two files hold the same, unpacked; not if the other one cannot be read."""
    try:
        with opened(other) as before:
            if file.packed or before.packed:
                return _content(file) == _content(before)
            return file.before.st_size == before.before.st_size and file.content == before.digest()
    except Unreadable:
        return False


def _content(file: Opened) -> bytes:
    hasher = sha256()
    for chunk in file.chunks():
        hasher.update(chunk)
    return hasher.digest()
