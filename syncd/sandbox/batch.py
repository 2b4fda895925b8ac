"""What `$batch` does with its operations (dataverse-web-api.md section 3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from syncd.sandbox import multipart
from syncd.sandbox.answers import Answer, Call, refusal
from syncd.sandbox.errors import Refused, payload
from syncd.sandbox.multipart import ChangeSet, Part
from syncd.sandbox.query import read_preferences
from syncd.sandbox.store import Store

__all__ = ["answer"]

Perform = Callable[[Call], Answer]
Answered = tuple[Part, Answer]
FAILED = 400
REFERRED = re.compile(rb'("[^"]*@odata\.(?:bind|id)"\s*:\s*)"/?\$([\w.-]+)"')


def answer(call: Call, store: Store, perform: Perform) -> Answer:
    """
    Do the operations of a batch, in order, and return their answers in one.

    Without `odata.continue-on-error` the first failure ends it: what came before stays, its
    answers are listed, and the status of the whole is that of the failure. A malformed envelope
    raises Refused before anything is done.
    """
    if call.method != "POST":
        raise Refused(405, "0x8006088a", f"{call.method} is not allowed on '$batch'.")
    sections = multipart.read(call.headers.get("content-type", ""), call.body)
    onward = "odata.continue-on-error" in read_preferences(call.headers)
    answered: list[Answered | list[Answered]] = []
    status = 200
    for section in sections:
        done = _change_set(call, store, section, perform) if isinstance(section, ChangeSet) else (
            section, _single(call, section, {}, perform)
        )  # fmt: skip
        answered.append(done)
        if not isinstance(done, list) and done[1].status >= FAILED and not onward:
            status = done[1].status
            break
    content_type, content = multipart.write(answered)
    return Answer(status, {"OData-Version": "4.0", "Content-Type": content_type}, content)


def _change_set(
    call: Call, store: Store, change_set: ChangeSet, perform: Perform
) -> list[Answered] | Answered:
    """Do all of a change set or nothing; then the answer of the one that failed stands for it."""
    mark = len(store.changes)
    made: dict[str, str] = {}
    done: list[Answered] = []
    for part in change_set.parts:
        result = _single(call, part, made, perform)
        if result.status >= FAILED:
            store.rollback(mark)
            return part, result
        address = result.headers.get("OData-EntityId", "")
        if part.content_id is not None and address:
            made[part.content_id] = address.removeprefix(call.base + "/")
        done.append((part, result))
    return done


def _single(call: Call, part: Part, made: Mapping[str, str], perform: Perform) -> Answer:
    try:
        target = _resolved(part.target, made)
        path, _, query = target.partition("?")
        body = _resolved_body(part.body, made)
        path = unquote(path) if "%" in path else path
        return perform(Call(part.method, path, query, part.headers, body, call.base, call.now))
    except Refused as refused:
        return refusal(refused)


def _resolved(target: str, made: Mapping[str, str]) -> str:
    if not target.startswith("$"):
        return target
    name, slash, rest = target[1:].partition("/")
    if name not in made:
        raise _unknown(name)
    return made[name] + slash + rest


def _resolved_body(body: bytes, made: Mapping[str, str]) -> bytes:
    """Put what earlier operations of the set made in place of `$1` where a body refers to it."""

    def address(match: re.Match[bytes]) -> bytes:
        name = match[2].decode()
        if name not in made:
            raise _unknown(name)
        return match[1] + f'"/{made[name]}"'.encode()

    return REFERRED.sub(address, body) if b'"$' in body else body


def _unknown(name: str) -> Refused:
    return payload(f"Content-ID Reference: '${name}' does not exist in the batch context.")
