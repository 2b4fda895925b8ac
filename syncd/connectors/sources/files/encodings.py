"""Which encoding a file has, and the way from its bytes to its lines."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from syncd.connectors.sources.files.opened import Unreadable

__all__ = [
    "AUTO",
    "Encoding",
    "Scan",
    "beginning",
    "byte_batches",
    "byte_lines",
    "resolve",
    "scan",
    "text_lines",
    "undecodable",
]

AUTO = "auto"
HEAD = 4096
LONGEST = 8 << 20
"""Bytes or characters of one line; a longer one is no line, and would fill the memory."""

MARKS = (  # the longer before the shorter that begins alike
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
FAMILY = {
    "utf-8": {"utf-8", "utf-8-sig"},
    "utf-16-le": {"utf-16", "utf-16-le"},
    "utf-16-be": {"utf-16", "utf-16-be"},
    "utf-32-le": {"utf-32", "utf-32-le"},
    "utf-32-be": {"utf-32", "utf-32-be"},
}
"""Which declared encodings a byte order mark agrees with."""


@dataclass(frozen=True, slots=True)
class Scan:
    """
    What a look at every byte shows, before anything is read.

    `separator` is what ends every line, None where line ends differ or a lone CR
    occurs. `utf8` is False when some byte before the end cannot be UTF-8; a file that
    was cut inside a character still counts as UTF-8.
    """

    head: bytes
    size: int
    quoted: bool
    nul: bool
    separator: bytes | None
    utf8: bool


@dataclass(frozen=True, slots=True)
class Encoding:
    """A codec, the length of the byte order mark, and whether bytes may be cut into lines."""

    codec: str
    mark: int
    plain: bool


def scan(chunks: Iterable[bytes], *, validate: bool) -> Scan:
    """Look at all bytes; only if *validate*, find out whether they are UTF-8."""
    head, size, quoted, nul, utf8 = b"", 0, False, False, True
    returns = pairs = feeds = 0
    last = b""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for chunk in chunks:
        head = head or chunk[:HEAD]
        size += len(chunk)
        quoted = quoted or b'"' in chunk
        nul = nul or b"\0" in chunk
        feeds += chunk.count(b"\n")
        if b"\r" in chunk or last == b"\r":
            returns += chunk.count(b"\r")
            pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
        last = chunk[-1:]
        utf8 = utf8 and (not validate or _decodes(decoder, chunk))
    return Scan(head, size, quoted, nul, _separator(returns, pairs, feeds), utf8)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes) -> bool:
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _separator(returns: int, pairs: int, feeds: int) -> bytes | None:
    if not returns:
        return b"\n"
    return b"\r\n" if returns == pairs == feeds else None


def resolve(path: Path, declared: str, seen: Scan) -> Encoding:
    """
    Settle the encoding: as declared, or by byte order mark, validity and zero bytes for "auto".

    Raises Unreadable when there is no such encoding, or the byte order mark denies it.
    """
    mark, codec = next(((m, c) for m, c in MARKS if seen.head.startswith(m)), (b"", None))
    if declared == AUTO:
        chosen = codec or _guess(seen)
    else:
        name = _name(path, declared)
        if codec is not None and name not in FAMILY[codec]:
            raise Unreadable(
                f'{path}, line 1, column 1: encoding is "{declared}", but the file begins with '
                f'the byte order mark of {codec.upper()}; set encoding = "{codec}"'
            )
        chosen = codec or {"utf-8-sig": "utf-8", "utf-16": _wide(seen.head) or "utf-16-le"}.get(
            name, name
        )
    return Encoding(chosen, len(mark), _is_plain(chosen))


def beginning(seen: Scan) -> str:
    """Return the text of the first bytes, to look for a date in: as good as can be."""
    marked = next((codec for mark, codec in MARKS if seen.head.startswith(mark)), None)
    return seen.head.decode(marked or _wide(seen.head) or "utf-8", errors="replace")


def _name(path: Path, declared: str) -> str:
    try:
        found = codecs.lookup(declared)
        b"".decode(declared)
    except (LookupError, ValueError):
        raise Unreadable(
            f'{path}: encoding "{declared}" is not known; use "utf-8", "utf-16", "windows-1252" '
            f'or "{AUTO}"'
        ) from None
    return found.name


def _guess(seen: Scan) -> str:
    return _wide(seen.head) or ("utf-8" if seen.utf8 else "cp1252")


def _wide(head: bytes) -> str | None:
    """Recognise UTF-16 without a mark: of mostly western text every second byte is zero."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    enough = max(1, len(head) // 8)
    if odd >= enough and not even:
        return "utf-16-le"
    return "utf-16-be" if even >= enough and not odd else None


def _is_plain(codec: str) -> bool:
    """Whether the bytes of line ends, delimiters and quotes stand for nothing else."""
    if codec == "utf-8":
        return True
    every = bytes(range(256)).decode(codec, errors="replace")
    return len(every) == 256 and every[:128] == bytes(range(128)).decode("ascii")


def byte_lines(path: Path, chunks: Iterable[bytes], separator: bytes, skip: int) -> Iterator[bytes]:
    """Cut the content into lines without their ends; *skip* bytes at the start are left out."""
    return chain.from_iterable(byte_batches(path, chunks, separator, skip))


def byte_batches(
    path: Path, chunks: Iterable[bytes], separator: bytes, skip: int
) -> Iterator[list[bytes]]:
    """Give the lines of `byte_lines` as they come, many at a time."""
    tail = b""
    lines = 0
    for number, chunk in enumerate(chunks):
        cut = (tail + (chunk if number else chunk[skip:])).split(separator)
        tail = cut.pop()
        lines += len(cut)
        yield cut
        if len(tail) > LONGEST:
            raise _too_long(path, lines + 1)
    if tail:
        yield [tail]


def text_lines(path: Path, chunks: Iterable[bytes], encoding: Encoding) -> Iterator[str]:
    """
    Decode the content into lines that keep their ends, as the csv module wants them.

    Raises Unreadable for bytes that do not decode and for NUL characters.
    """
    tail = ""
    lines = 0
    for decoded in _decoded(path, chunks, encoding):
        joined = tail + decoded
        # A CR at the very end waits for the LF that may follow it.
        end = max(joined.rfind("\n"), joined.rfind("\r", 0, -1)) + 1
        tail = joined[end:]
        for line in io.StringIO(joined[:end], newline=""):
            lines += 1
            yield line
        if len(tail) > LONGEST:
            raise _too_long(path, lines + 1)
    yield from io.StringIO(tail, newline="")


def _decoded(path: Path, chunks: Iterable[bytes], encoding: Encoding) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding.codec)()
    place = _Place()
    for number, chunk in enumerate(_and_end(chunks)):
        try:
            piece = decoder.decode(chunk if number else chunk[encoding.mark :], final=not chunk)
        except UnicodeDecodeError as error:
            place.pass_over(error.object[: error.start].decode(encoding.codec))
            raise undecodable(path, (place.line, place.column), encoding.codec, error) from None
        if "\0" in piece:
            place.pass_over(piece[: piece.index("\0")])
            raise Unreadable(
                f"{path}, line {place.line}, column {place.column}: there is a NUL character; "
                f"the file is damaged or not {encoding.codec.upper()}"
            )
        place.pass_over(piece)
        yield piece


def _and_end(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield from chunks
    yield b""


@dataclass(slots=True)
class _Place:
    """A line and a column, counted from 1, while text goes by."""

    line: int = 1
    column: int = 1

    def pass_over(self, piece: str) -> None:
        feeds = piece.count("\n")
        self.line += feeds
        rest = len(piece) - piece.rfind("\n") - 1
        self.column = rest + 1 if feeds else self.column + rest


def undecodable(
    path: Path, place: tuple[int, int], codec: str, error: UnicodeDecodeError
) -> Unreadable:
    """Return what to raise for bytes at a line and column that do not decode."""
    line, column = place
    return Unreadable(
        f"{path}, line {line}, column {column}: the byte 0x{error.object[error.start]:02X} is not "
        f"{codec.upper()} here; nothing was read. Which encoding does the file have?"
    )


def _too_long(path: Path, line: int) -> Unreadable:
    return Unreadable(f"{path}, line {line}: the line is longer than {LONGEST} bytes")
