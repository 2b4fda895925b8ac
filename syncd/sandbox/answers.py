"""What comes in and what goes out, without a network."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from syncd.sandbox.errors import Refused, error_content

__all__ = ["JSON", "Answer", "Call", "refusal"]

JSON = "application/json; odata.metadata=minimal"


class Call(msgspec.Struct, frozen=True):
    """
    One request, alone or as a part of a batch.

    `path` is relative to the Web API root `base`; `query` is as it was sent, without the question
    mark; the names of `headers` are in lower case. What it writes is written at `now`.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    base: str
    now: str


class Answer(msgspec.Struct, frozen=True):
    """
    One answer.

    Two fields are for whoever carries it: wait `delay` seconds before it is sent, and with `cut`
    close the connection instead of sending anything.
    """

    status: int
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    content: bytes = b""
    delay: float = 0.0
    cut: bool = False


def refusal(refused: Refused) -> Answer:
    """Return the answer to a request that is refused."""
    content = error_content(refused.code, refused.message)
    return Answer(refused.status, {"OData-Version": "4.0", "Content-Type": JSON}, content)
