"""
A Dataverse for the memberships and the tables around them, as an object with one method.

    server ─▶ Sandbox.answer ─▶ faults ─▶ questions ─▶ definitions, functions, privileges
                            ├─▶ batch ──▶┴▶ operations ─▶ writes, reads ─▶ store
                            └─▶ graph: a tenant of Entra ID, for /v1.0/

It shares no code with the client it is there to test. It never sleeps and holds no socket, so a
test can call it directly; `server` puts it behind HTTP.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from syncd.sandbox import batch, errors
from syncd.sandbox.answers import Answer, Call, refusal
from syncd.sandbox.control import PREFIX, Control, protection_orders, sign_in_orders
from syncd.sandbox.faults import Fault, Faults
from syncd.sandbox.graph import Graph, graph_orders, in_its_words
from syncd.sandbox.jobs import BULK_DELETE, Jobs
from syncd.sandbox.operations import Operations
from syncd.sandbox.protection import Limits, Protection, Ticks
from syncd.sandbox.questions import Questions
from syncd.sandbox.store import Change, Store
from syncd.sandbox.switches import Switches
from syncd.sandbox.tables import CALLER
from syncd.sandbox.tokens import Application, Authority

__all__ = ["Clock", "Sandbox", "real_time"]

ROOT = re.compile(r"(?P<root>/api/data/v9\.[0-2])(?:/(?P<path>.*))?")
GRAPH = re.compile(r"(?P<root>/v1\.0/)(?P<path>.*)")
HINT = "4"
"""The number of parallel requests that `x-ms-dop-hint` recommends."""

Clock = Callable[[], datetime]


def real_time() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


class Sandbox:
    """
    The environment.

    `clock` says what createdon and modifiedon get, `ticks` how time goes by for service
    protection, in seconds. `keep` is called after each request that
    changed rows, before its answer is given, with the changes in order. Safe to be called from
    several threads; requests are done one after the other.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        clock: Clock = real_time,
        scheme: str = "http",
        keep: Callable[[Sequence[Change]], None] | None = None,
        faults: Sequence[Fault] = (),
        switches: Switches | None = None,
        ticks: Ticks = time.monotonic,
    ) -> None:
        self.store = store or Store()
        self._clock = clock
        self._scheme = scheme
        self._keep = keep
        self.switches = switches or Switches()
        self._faults = Faults()
        self._faults.add(faults)
        self._questions = Questions(self.store, self.switches)
        self.definitions = self._questions.definitions
        self._operations = Operations(self.store, self.switches)
        self._control = Control(
            self.switches, self._faults, self._operations.tracker, self.store, self.definitions
        )
        self._protection = Protection(ticks)
        self._control.add(protection_orders(self._protection))
        self._authority = Authority()
        self._control.add(sign_in_orders(self._authority))
        self._jobs = Jobs(self.store, self.switches)
        self._graph = Graph()
        self._control.add(graph_orders(self._graph))
        self._lock = threading.Lock()

    def misbehave(self, faults: Sequence[Fault]) -> None:
        """Do these faults from now on, instead of those so far."""
        with self._lock:
            self._faults.clear()
            self._faults.add(faults)

    def register(self, *applications: Application) -> None:
        """Give tokens to these applications, and want them from now on."""
        with self._lock:
            self._authority.register(applications)

    def protect(self, limits: Limits | None) -> None:
        """Keep to these limits from now on, or to none; it begins anew."""
        with self._lock:
            self._protection.set(limits)

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer one request. `path` is decoded, `query` is not and has no question mark."""
        lower = {name.lower(): value for name, value in headers.items()}
        match = ROOT.fullmatch(path)
        if match is None:
            return self._beside(method, path, query, lower, body)
        base = f"{self._origin(lower)}{match['root']}"
        call = Call(method, match["path"] or "", query, lower, body, base, self._now())
        with self._lock:
            try:
                if self._authority.required:
                    refused = self._authority.refusal(call)
                    if refused is not None:
                        return refused
                if self._protection.on:
                    return self._protected(call)
                return self._faulty(call)
            finally:
                self._settle(call.now)

    def _beside(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer what is not for the Web API: orders, Graph, and requests for tokens."""
        origin = self._origin(headers)
        graph = GRAPH.fullmatch(path)
        with self._lock:
            if graph is not None:
                base = f"{origin}{graph['root']}"
                call = Call(method, graph["path"], query, headers, body, base, self._now())
                return in_its_words(self._directory(call))
            if path.startswith(PREFIX):
                return self._control.answer(method, path, body)
            answer = self._authority.answer(method, path, headers, body, origin)
        return refusal(errors.segment(path)) if answer is None else answer

    def _directory(self, call: Call) -> Answer:
        """Answer what is for Microsoft Graph."""
        refused = self._authority.refusal(call) if self._authority.required else None
        if refused is not None:
            return refused

        def part(call: Call) -> Answer:
            if self._faults.has_operations:
                return in_its_words(self._faults.operation(call, self._graph.perform))
            return self._graph.perform(call)

        serve = partial(self._graph.serve, perform=part)
        return self._faults.around(call, serve, self._graph.perform)

    def _origin(self, headers: Mapping[str, str]) -> str:
        """Return scheme and host as the caller wrote them: addresses in answers begin so."""
        scheme = headers.get("x-forwarded-proto", self._scheme)
        return f"{scheme}://{headers.get('host', 'sandbox')}"

    def _protected(self, call: Call) -> Answer:
        work: dict[str, int] = {}
        self._operations.work = work
        try:
            user = self._authority.client(call)
            return self._protection.around(call, user, self._faulty, work)
        finally:
            self._operations.work = None

    def _faulty(self, call: Call) -> Answer:
        return self._faults.around(call, self._serve, self._dispatch_part)

    def _serve(self, call: Call) -> Answer:
        try:
            answer = self._dispatch(call)
        except errors.Refused as refused:
            answer = refusal(refused)
        hint = {"x-ms-dop-hint": HINT, "x-ms-service-request-id": CALLER}
        return Answer(answer.status, {**answer.headers, **hint}, answer.content)

    def _dispatch(self, call: Call) -> Answer:
        if call.path == "$batch":
            return batch.answer(call, self.store, self._perform)
        return self._dispatch_part(call)

    def _perform(self, call: Call) -> Answer:
        """Do one operation of a batch, or of someone else."""
        if self._faults.has_operations:
            return self._faults.operation(call, self._dispatch_part)
        return self._dispatch_part(call)

    def _dispatch_part(self, call: Call) -> Answer:
        answer = self._questions.answer(call)
        if answer is not None:
            return answer
        if call.path == BULK_DELETE and call.method == "POST":
            return self._jobs.order(call)
        return self._operations.perform(call)

    def _settle(self, now: str) -> None:
        if self._jobs.waiting:
            self._jobs.run(now)
        changes, self.store.changes = self.store.changes, []
        if changes:
            self._operations.tracker.note(changes)
        if changes and self._keep is not None:
            self._keep(changes)

    def _now(self) -> str:
        return self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
