"""The envelope of a $batch: operations in, answers out (dataverse-web-api.md section 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email.message import Message as Head
from typing import NamedTuple

from syncd.core.ledger import Message

__all__ = ["Operation", "Part", "boundary_of", "decode", "encode"]

_status = re.compile(rb"HTTP/\d(?:\.\d)? ([1-5]\d\d)(?: |\r?\n|$)").match
_content_id = re.compile(
    rb"(?:^|\n)content-id:[ \t]*(\d{1,6})[ \t]*(?:\r?\n|\r?$)", re.IGNORECASE
).search
_blank = re.compile(rb"\r?\n\r?\n").search


class Operation(NamedTuple):  # a tuple, because a run may make a million
    """
    One request inside a batch. `path` starts at the root of the host, `body` is JSON.

    `message` is what it means to the table, for whoever has to know.
    Everything is written as it stands: whoever makes one has made sure that no line
    break or foreign text is in it.
    """

    method: str
    path: str
    body: str | None = None
    etag: str | None = None
    message: Message = Message.UPDATE


class Part(NamedTuple):
    """One answer inside a batch; `head` is its status line and its own headers."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header of this answer, or None."""
        pattern = rb"(?:^|\n)" + re.escape(name.encode()) + rb":[ \t]*([^\r\n]*)"
        found = re.search(pattern, self.head, re.IGNORECASE)
        return found[1].decode("latin-1").strip() if found else None


def encode(operations: Sequence[Operation], boundary: str) -> bytes:
    """Write a batch of independent operations; Content-IDs count from 1."""
    parts = [_part(number, one, boundary) for number, one in enumerate(operations, 1)]
    return f"{''.join(parts)}--{boundary}--\r\n".encode()


def _part(number: int, operation: Operation, boundary: str) -> str:
    match = "" if operation.etag is None else f"If-Match: {operation.etag}\r\n"
    rest = (
        f"{match}\r\n\r\n"
        if operation.body is None
        else f"Content-Type: application/json\r\n{match}\r\n{operation.body}\r\n"
    )
    return (
        f"--{boundary}\r\nContent-Type: application/http\r\n"
        f"Content-Transfer-Encoding: binary\r\nContent-ID: {number}\r\n\r\n"
        f"{operation.method} {operation.path} HTTP/1.1\r\n{rest}"
    )


def boundary_of(content_type: str) -> bytes | None:
    """Return the boundary that a multipart content type names; None if it is not one."""
    message = Head()
    message["Content-Type"] = content_type
    boundary = message.get_param("boundary")
    if message.get_content_maintype() != "multipart" or not isinstance(boundary, str):
        return None
    return boundary.encode("latin-1", "replace") or None


def decode(content_type: str, body: bytes, count: int) -> list[Part | None]:
    """
    Return the answers to *count* operations, in their order.

    None stands for an answer that is missing, cut off or cannot be read: what became
    of that operation is unknown. Answers are matched by Content-ID; only where none
    has one and their number fits, by position.
    """
    boundary = boundary_of(content_type)
    if boundary is None:
        return [None] * count
    return _quick(body, boundary, count) or _matched(
        [_read(piece) for piece in _lines(body, boundary)], count
    )


def _quick(body: bytes, boundary: bytes, count: int) -> list[Part | None] | None:
    """
    Read what a server in good order sends; None if anything at all is otherwise.

    Cutting at the boundary wherever it occurs would be wrong where a body quotes it,
    but then the number of pieces, or the end of one, is not as it should be.
    """
    pieces = body.split(b"--" + boundary)
    if len(pieces) != count + 2 or pieces[0].strip() or pieces[-1].rstrip() != b"--":
        return None
    answers: list[Part | None] = [None] * count
    for piece in pieces[1:-1]:
        outer, _, inner = piece.partition(b"\r\n\r\n")
        _, found, number = outer.lower().partition(b"\r\ncontent-id:")
        digits = number.partition(b"\r")[0].strip()
        status = inner[9:12]
        if not found or not digits.isdigit() or not status.isdigit() or inner[:7] != b"HTTP/1.":
            return None
        if not piece.endswith(b"\n"):
            return None
        place = int(digits) - 1
        if not 0 <= place < count or answers[place] is not None:
            return None
        head, _, text = inner.partition(b"\r\n\r\n")
        answers[place] = Part(int(status), head, text)
    return answers


def _lines(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """Cut only where the boundary is a line of its own; what no delimiter ends is left out."""
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    start: int | None = None
    for found in delimiter.finditer(body):
        if start is not None:
            yield body[start : found.start()]
        if found[1]:
            return
        start = found.end()


def _read(piece: bytes) -> tuple[int | None, Part | None]:
    """Take one piece apart: its Content-ID, if any, and the answer, if it is one."""
    gap = _blank(piece)
    if gap is None:
        return _id(piece), None
    outer, inner = piece[: gap.start()], piece[gap.end() :]
    status = _status(inner)
    if status is None:
        return _id(outer), None
    end = _blank(inner)
    head, text = (inner, b"") if end is None else (inner[: end.start()], inner[end.end() :])
    number = _id(outer)
    return (_id(head) if number is None else number), Part(int(status[1]), head, text.strip())


def _id(head: bytes) -> int | None:
    found = _content_id(head)
    return int(found[1]) if found else None


def _matched(read: list[tuple[int | None, Part | None]], count: int) -> list[Part | None]:
    numbers = [number for number, _ in read]
    if len(read) == count and not any(numbers):
        return [part for _, part in read]
    answers: list[Part | None] = [None] * count
    seen: set[int] = set()
    for number, part in read:
        if number is not None and 1 <= number <= count:
            # Two answers to one operation contradict each other.
            answers[number - 1] = None if number in seen else part
            seen.add(number)
    return answers
