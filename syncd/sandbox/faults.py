"""
Misbehaviour on request.

A faults file is a JSON list of objects. Each has a `kind` and, where they matter:

    throttle   429 instead of the work: retry_after (seconds; absent: no header), code
    error      status, code, message; when "before" (default) or "after" the work was done
    cut        the connection is closed without an answer; when "before" or "after" the work
    latency    the answer comes seconds later
    operation  one operation of a batch fails: status, code, message; position (from 0) or the
               first that fits; when "before" or "after" its work
    write      someone else writes first: request = {"method", "path", "body"}
    raw        whatever stands between answers instead: status, headers, content (a text), such as
               a proxy's page, a redirect to a sign-in, or JSON that ends too soon

A `kind` of three digits is that status: "429" throttles, any other is an error. `retry_after` may
be a date, as HTTP writes it.

Each says when it happens: `method` and `path` (a text that path or query contains) narrow the
requests, `skip` lets the first ones of these pass, `count` (default 1; null: always) ends it.
For `operation` they are those of the operation; `skip` and `count` are of operations too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

import msgspec

from syncd.sandbox.answers import JSON, Answer, Call, refusal
from syncd.sandbox.errors import Refused, SandboxError

__all__ = ["Fault", "FaultKind", "Faults", "load_faults", "read_faults"]

Serve = Callable[[Call], Answer]
THROTTLED = "0x80072322"
THROTTLE = 429
FAILED = 503
STATUS = re.compile(r"[45]\d\d").fullmatch


class FaultKind(StrEnum):
    """What goes wrong."""

    THROTTLE = "throttle"
    ERROR = "error"
    CUT = "cut"
    LATENCY = "latency"
    OPERATION = "operation"
    WRITE = "write"
    RAW = "raw"


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What someone else sends; `path` is relative to the Web API root."""

    method: str
    path: str
    body: dict[str, object] | None = None


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of a faults file; the module's text says what each field means."""

    kind: FaultKind
    method: str | None = None
    path: str | None = None
    skip: int = 0
    count: int | None = 1
    when: Literal["before", "after"] = "before"
    status: int | None = None
    code: str = ""
    message: str = "The sandbox was told to fail."
    retry_after: int | str | None = None
    seconds: float = 0.0
    position: int | None = None
    request: Request | None = None
    headers: dict[str, str] = {}
    content: str = ""


def load_faults(path: Path) -> tuple[Fault, ...]:
    """Read a faults file. Raises SandboxError, which says what is wrong and where."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SandboxError(f"The faults file {path} cannot be read: {error.strerror}.") from error
    return read_faults(content, f"faults file {path}")


def read_faults(content: bytes, name: str) -> tuple[Fault, ...]:
    """
    Read faults as JSON, one or a list of them.

    Raises SandboxError, which says what is wrong and where; *name* is what the content is called.
    """
    try:
        read = msgspec.json.decode(content)
        listed = [_spelled(each) for each in (read if isinstance(read, list) else [read])]
        faults = msgspec.convert(listed, type=tuple[Fault, ...])
    except msgspec.MsgspecError as error:
        raise SandboxError(f"The {name} is wrong: {error}.") from error
    for number, fault in enumerate(faults):
        if fault.kind is FaultKind.WRITE and fault.request is None:
            raise SandboxError(f"The {name} is wrong: [{number}] write needs request.")
        if fault.kind is FaultKind.LATENCY and fault.seconds <= 0:
            raise SandboxError(f"The {name} is wrong: [{number}] latency needs seconds.")
    return faults


def _spelled(fault: object) -> object:
    """Return a fault whose kind is a status with the kind that makes it."""
    kind = fault.get("kind") if isinstance(fault, dict) else None
    if not (isinstance(fault, dict) and isinstance(kind, str) and STATUS(kind)):
        return fault
    spelled = FaultKind.THROTTLE if int(kind) == THROTTLE else FaultKind.ERROR
    return {"status": int(kind), **fault, "kind": spelled.value}


@dataclass(slots=True)
class Running:
    """A fault and how often it was met so far."""

    fault: Fault
    seen: int = 0

    def strikes(self, call: Call) -> bool:
        """Say whether the fault happens to this request, and count it."""
        fault = self.fault
        if fault.method is not None and fault.method != call.method:
            return False
        if fault.path is not None and fault.path not in f"{call.path}?{call.query}":
            return False
        self.seen += 1
        past = self.seen - fault.skip
        return past > 0 and (fault.count is None or past <= fault.count)


@dataclass(slots=True)
class Faults:
    """The faults of a sandbox, at work."""

    requests: list[Running] = field(default_factory=list)
    operations: list[Running] = field(default_factory=list)
    position: int = field(init=False, default=0)

    def add(self, script: Iterable[Fault]) -> None:
        """Do these faults too, after those that are still at work."""
        for fault in script:
            operation = fault.kind is FaultKind.OPERATION
            (self.operations if operation else self.requests).append(Running(fault))

    def clear(self) -> None:
        """Do none from now on."""
        self.requests.clear()
        self.operations.clear()

    @property
    def has_operations(self) -> bool:
        """Say whether operations of batches have to be looked at."""
        return bool(self.operations)

    def around(self, call: Call, serve: Serve, perform: Serve) -> Answer:
        """Answer a request, or fail as told. `perform` does what someone else sends."""
        self.position = 0
        struck = [each.fault for each in self.requests if each.strikes(call)]
        for fault in struck:
            if fault.request is not None:
                _interfere(fault.request, call, perform)
        delay = sum(fault.seconds for fault in struck if fault.kind is FaultKind.LATENCY)
        failing = next((fault for fault in struck if fault.kind in FAILURES), None)
        if failing is None:
            answer = serve(call)
        else:
            if failing.when == "after":
                serve(call)
            answer = _failure(failing)
        if not delay:
            return answer
        return Answer(answer.status, answer.headers, answer.content, delay, answer.cut)

    def operation(self, call: Call, perform: Serve) -> Answer:
        """Do one operation of a batch, or fail it as told."""
        at, self.position = self.position, self.position + 1
        for each in self.operations:
            wanted = each.fault.position
            if (wanted is None or wanted == at) and each.strikes(call):
                if each.fault.when == "after":
                    perform(call)
                return _failure(each.fault)
        return perform(call)


FAILURES = frozenset({FaultKind.THROTTLE, FaultKind.ERROR, FaultKind.CUT, FaultKind.RAW})


def _failure(fault: Fault) -> Answer:
    if fault.kind is FaultKind.CUT:
        return Answer(503, {}, b"", cut=True)
    if fault.kind is FaultKind.RAW:
        return Answer(fault.status or FAILED, fault.headers, fault.content.encode())
    if fault.kind is FaultKind.THROTTLE:
        said = "Number of requests exceeded the limit."
        refused = Refused(fault.status or THROTTLE, fault.code or THROTTLED, said)
    else:
        refused = Refused(fault.status or FAILED, fault.code, fault.message)
    answer = refusal(refused)
    if fault.retry_after is None:
        return answer
    headers = {**answer.headers, "Retry-After": str(fault.retry_after)}
    return Answer(answer.status, headers, answer.content)


def _interfere(request: Request, call: Call, perform: Serve) -> None:
    """Do what someone else sends; that it may be refused is their business."""
    path, _, query = request.path.partition("?")
    headers: Mapping[str, str] = {"content-type": JSON}
    body = b"" if request.body is None else msgspec.json.encode(request.body)
    try:
        perform(Call(request.method, path, query, headers, body, call.base, call.now))
    except Refused:
        return
