"""What comes out of compressed files, piece by piece."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo

__all__ = ["PACKED", "Damaged", "bounded", "gunzip", "unzip"]

PACKED = (".gz", ".zip")
"""Endings of names of compressed files."""
CHUNK = 1 << 20
PLENTY = 64 << 20
"""Bytes that any file may unpack to."""
TIMES = 200
"""How often its own size a file may unpack to beyond that; exports reach a tenth of it."""


class Damaged(Exception):
    """The file cannot be unpacked; the text says why."""


class _Bytes:
    """What gzip asks of a file: its bytes from the start."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.read = read


def gunzip(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Unpack gzip data. Raises Damaged."""
    # What gzip asks of a file is read(); its stub asks for more.
    unpacked = gzip.GzipFile(fileobj=_Bytes(read), mode="rb")  # type: ignore[call-overload]
    try:
        yield from iter(lambda: unpacked.read(CHUNK), b"")
    except EOFError:
        raise Damaged("the gzip data end too early; was it cut?") from None
    except gzip.BadGzipFile as error:
        raise Damaged(f"this is not sound gzip data ({error})") from None
    except zlib.error:
        raise Damaged("the gzip data are damaged") from None


def unzip(file: BinaryIO) -> Iterator[bytes]:
    """
    Unpack the only file of an archive, without a trace on the disk. Raises Damaged.

    Folders, hidden files and what macOS adds do not count. A name in the archive is
    never used as a path.
    """
    try:
        with ZipFile(file) as archive, archive.open(_only(archive.infolist())) as unpacked:
            yield from iter(lambda: unpacked.read(CHUNK), b"")
    except EOFError:
        raise Damaged("the zip data end too early; was it cut?") from None
    except (NotImplementedError, RuntimeError):
        raise Damaged("the zip archive is locked or packed in a way that is not known") from None
    except (BadZipFile, zlib.error, lzma.LZMAError, OSError):
        raise Damaged("this is not a sound zip archive; was it cut?") from None


def _only(members: Iterable[ZipInfo]) -> ZipInfo:
    files = [each for each in members if not each.is_dir() and not _aside(each.filename)]
    if len(files) != 1:
        raise Damaged(f"the zip archive holds {len(files)} files where one is expected")
    return files[0]


def _aside(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name.startswith(".") or "__MACOSX" in path.parts


def bounded(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Pass on what is unpacked of *size* bytes. Raises Damaged where that is beyond reason."""
    most = max(PLENTY, size * TIMES)
    for chunk in chunks:
        most -= len(chunk)
        if most < 0:
            raise Damaged(
                f"it unpacks to more than {TIMES} times its size, as no export does; "
                "nothing of it is used"
            )
        yield chunk
