"""
The `$batch` envelope: a strict reader and a writer (dataverse-web-api.md section 3).

The reader takes what Dataverse takes and nothing more: CRLF everywhere, the two part headers, an
empty line after the head of a request, no nesting, no reads in change sets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from uuid import uuid4

import msgspec

from syncd.sandbox.answers import Answer
from syncd.sandbox.errors import payload

__all__ = ["ChangeSet", "Part", "boundary", "read", "write"]

LIMIT = 1000
"""Operations in one batch, those in change sets counted."""
BOUNDARY = re.compile(
    r'multipart/mixed\s*;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE
)
REQUEST = re.compile(r"([A-Z]+) (\S.*) HTTP/1\.1")
"""The target may have spaces in it: Microsoft's own client writes filters as they are."""
ROOT = "/api/data/v9.2/"
TARGET = re.compile(r"(?:https?://[^/]+)?/api/data/v9\.\d+/(.+)")
CONTENT_ID_TARGET = re.compile(r"\$[\w.-]+(?:/.*)?")
METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})
BARE = {"OData-Version": "4.0"}
PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Part(msgspec.Struct, frozen=True):
    """One operation. `target` is relative to the Web API root, its query included."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    content_id: str | None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Operations that happen together or not at all."""

    parts: tuple[Part, ...]


def boundary(content_type: str) -> str:
    """Return the boundary of a multipart body. Raises Refused if there is none."""
    match = BOUNDARY.match(content_type.strip())
    if content_type.strip().lower().startswith("application/json"):
        raise payload("Batches in JSON are not supported: use multipart/mixed with a boundary.")
    if match is None:
        raise payload("The Content-Type of a batch must be multipart/mixed with a boundary.")
    return match[1] or match[2]


def read(content_type: str, body: bytes) -> list[Part | ChangeSet]:
    """Read a batch. Raises Refused for whatever is not exactly as documented; nothing ran then."""
    found: list[Part | ChangeSet] = []
    operations = 0
    for headers, content in _sections(body, boundary(content_type)):
        kind = headers.get("content-type", "")
        if kind.lower().startswith("multipart/mixed"):
            change_set = _change_set(kind, content)
            operations += len(change_set.parts)
            found.append(change_set)
        else:
            operations += 1
            found.append(_part(headers, content))
    if operations > LIMIT:
        raise payload(
            f"The number of operations in the batch is {operations}, the limit is {LIMIT}."
        )
    return found


def _change_set(content_type: str, body: bytes) -> ChangeSet:
    parts: list[Part] = []
    seen: set[str] = set()
    for headers, content in _sections(body, boundary(content_type)):
        if headers.get("content-type", "").lower().startswith("multipart/"):
            raise payload("Batches and change sets do not nest.")
        part = _part(headers, content)
        if part.method == "GET":
            raise payload("A change set must not contain a GET request.")
        if part.content_id is None:
            raise payload("Each request in a change set needs a Content-ID.")
        if part.content_id in seen:
            raise payload(f"The Content-ID '{part.content_id}' is used twice in a change set.")
        seen.add(part.content_id)
        parts.append(part)
    return ChangeSet(tuple(parts))


def _sections(body: bytes, mark: str) -> list[tuple[Mapping[str, str], bytes]]:
    """Cut a multipart body at its boundary; each section is its headers and its content."""
    delimiter = b"--" + mark.encode()
    body = body.lstrip(b"\r\n")  # an empty preamble, as some clients write it
    if not body.startswith(delimiter + b"\r\n"):
        raise payload("Stream was not readable: a batch begins with its boundary and CRLF.")
    content, sign, rest = body.partition(b"\r\n" + delimiter + b"--")
    if not sign or not rest.startswith(b"\r\n") or rest.strip(b"\r\n"):
        raise payload("Stream was not readable: a batch ends with its boundary, '--' and CRLF.")
    sections = []
    for section in content[len(delimiter) + 2 :].split(b"\r\n" + delimiter + b"\r\n"):
        if delimiter in section:
            raise payload("Stream was not readable: a boundary does not begin its line.")
        # The CRLF before a boundary ends the last line of the section too.
        head, empty, inner = (section + b"\r\n").partition(b"\r\n\r\n")
        if not empty:
            raise payload("Stream was not readable: no empty line after the headers of a part.")
        sections.append((_headers(head), inner))
    return sections


@lru_cache(maxsize=256)
def _headers(head: bytes) -> Mapping[str, str]:
    """Read header lines; most parts of a batch have the same ones."""
    found = {}
    for line in head.decode("latin-1").split("\r\n") if head else ():
        name, sign, value = line.partition(":")
        if not sign or "\n" in line or not name or name != name.strip():
            raise payload("Stream was not readable: a header line is malformed.")
        found[name.lower()] = value.strip()
    return MappingProxyType(found)


def _part(headers: Mapping[str, str], content: bytes) -> Part:
    if headers.get("content-type", "").lower() != "application/http":
        raise payload("A part of a batch needs Content-Type: application/http.")
    if headers.get("content-transfer-encoding", "").lower() != "binary":
        raise payload("A part of a batch needs Content-Transfer-Encoding: binary.")
    head, empty, body = content.partition(b"\r\n\r\n")
    if not empty:
        raise payload("Stream was not readable: no empty line after the head of a request.")
    first, _, lines = head.partition(b"\r\n")
    match = REQUEST.fullmatch(_decoded(first))
    if match is None or match[1] not in METHODS:
        raise payload("Stream was not readable: a request line is malformed.")
    return Part(
        match[1],
        _target(match[2]),
        _headers(lines),
        body.removesuffix(b"\r\n"),
        headers.get("content-id"),
    )


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _target(text: str) -> str:
    if text.startswith(ROOT) and text != ROOT:  # as most clients write it
        return text.removeprefix(ROOT)
    match = TARGET.fullmatch(text)
    if match:
        return match[1]
    if CONTENT_ID_TARGET.fullmatch(text):
        return text
    raise payload(f"The request target '{text[:80]}' is no path from the root and no address.")


def write(sections: Sequence[tuple[Part, Answer] | list[tuple[Part, Answer]]]) -> tuple[str, bytes]:
    """
    Write the answers of a batch and return content type and body.

    A list stands for a change set that was done; one that failed comes as its one answer.
    """
    mark = f"batchresponse_{uuid4()}"
    delimiter = f"--{mark}\r\n".encode()
    lines: list[bytes] = []
    for section in sections:
        lines.append(delimiter)
        lines.append(_inner(section) if isinstance(section, list) else _written(*section))
    lines.append(f"--{mark}--\r\n".encode())
    return f"multipart/mixed; boundary={mark}", b"".join(lines)


def _inner(answered: Sequence[tuple[Part, Answer]]) -> bytes:
    """Write the answers of a change set as a part of its own."""
    mark = f"changesetresponse_{uuid4()}"
    lines = [f"Content-Type: multipart/mixed; boundary={mark}\r\n\r\n".encode()]
    for part, answer in answered:
        lines += (f"--{mark}\r\n".encode(), _written(part, answer))
    lines.append(f"--{mark}--\r\n".encode())
    return b"".join(lines)


@lru_cache(maxsize=16)
def _bare(status: int) -> bytes:
    """Return an answer without a word, as those to deletions are; many batches have only them."""
    return _spelled(Part("", "", {}, b"", None), Answer(status, BARE))


def _written(part: Part, answer: Answer) -> bytes:
    if part.content_id is None and not answer.content and answer.headers == BARE:
        return _bare(answer.status)
    return _spelled(part, answer)


def _spelled(part: Part, answer: Answer) -> bytes:
    identity = f"Content-ID: {part.content_id}\r\n" if part.content_id is not None else ""
    headers = "".join([f"{name}: {value}\r\n" for name, value in answer.headers.items()])
    head = (
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
        f"{identity}\r\nHTTP/1.1 {answer.status} {PHRASES.get(answer.status, 'Unknown')}\r\n"
        f"{headers}\r\n"
    )
    return head.encode() + answer.content + b"\r\n"
