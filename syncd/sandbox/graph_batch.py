"""Several requests to Microsoft Graph in one, as JSON (identity-and-sources.md section 2.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from syncd.sandbox.answers import Answer, Call
from syncd.sandbox.errors import Refused

__all__ = ["answer_batch"]

MOST = 20
FAILED_DEPENDENCY = 424


class Step(msgspec.Struct, rename="camel"):
    """One request of a batch."""

    id: str
    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: Any = None
    depends_on: list[str] = []


class Batch(msgspec.Struct):
    """What is sent."""

    requests: list[Step]


def answer_batch(call: Call, perform: Callable[[Call], Answer]) -> dict[str, object]:
    """
    Do the requests in order, and answer the last one first: their order says nothing.

    Raises Refused where the batch itself is wrong.
    """
    try:
        steps = msgspec.json.decode(call.body, type=Batch).requests
    except msgspec.MsgspecError as error:
        raise _bad(f"Invalid batch payload format: {error}.") from None
    if not 0 < len(steps) <= MOST:
        raise _bad(f"The number of batch request steps must be between 1 and {MOST}.")
    if len({step.id for step in steps}) < len(steps):
        raise _bad("The ids of batch request steps must be unique.")
    done: dict[str, Answer] = {}
    for step in steps:
        if any(name not in done for name in step.depends_on):
            raise _bad("A batch request step depends on one that does not come before it.")
        failed = any(done[name].status >= 400 for name in step.depends_on)
        done[step.id] = _failed_dependency() if failed else perform(_call(call, step))
    return {"responses": [_response(name, done[name]) for name in reversed(done)]}


def _call(call: Call, step: Step) -> Call:
    if "://" in step.url:
        raise _bad("The url of a batch request step must be relative.")
    path, _, query = step.url.lstrip("/").partition("?")
    headers = {name.lower(): value for name, value in step.headers.items()}
    body = b"" if step.body is None else msgspec.json.encode(step.body)
    return Call(step.method.upper(), path, query, headers, body, call.base, call.now)


def _response(name: str, answer: Answer) -> dict[str, object]:
    body = msgspec.json.decode(answer.content) if answer.content else None
    return {"id": name, "status": answer.status, "headers": dict(answer.headers), "body": body}


def _failed_dependency() -> Answer:
    return Answer(FAILED_DEPENDENCY, {}, b'{"error":{"code":"FailedDependency","message":""}}')


def _bad(message: str) -> Refused:
    return Refused(400, "BadRequest", message)
