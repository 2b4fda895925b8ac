"""What can be asked beside rows: definitions, functions, the root, and the registered messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from syncd.sandbox import csdl, errors, registrations, rights
from syncd.sandbox.answers import JSON, Answer, Call
from syncd.sandbox.definitions import Definitions
from syncd.sandbox.functions import UNBOUND, Functions
from syncd.sandbox.metadata import SETS, Metadata, query_options
from syncd.sandbox.store import Store
from syncd.sandbox.switches import Switches

__all__ = ["Questions"]

FIRST = re.compile(r"(?:Microsoft\.Dynamics\.CRM\.)?([$\w]*)")


class Questions:
    """Answers them for one sandbox. Whoever calls holds the lock."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self._store = store
        self._switches = switches
        self.definitions = Definitions(switches)
        self._metadata = Metadata(self.definitions)
        self._functions = Functions(store, self.definitions)
        self._handlers: Mapping[str, Callable[[Call], Answer]] = {
            **dict.fromkeys(SETS, self._metadata.answer),
            **dict.fromkeys(UNBOUND, self._functions.unbound),
            "": self._root,
            "$metadata": self._csdl,
        }
        self._registered: object = None

    def answer(self, call: Call) -> Answer | None:
        """Answer a question; None if the request is about rows, and the caller may do it."""
        match = FIRST.match(call.path)
        handler = self._handlers.get(match[1]) if match else None
        if handler is not None:
            return handler(call)
        if self._store.lacking:
            rights.check(self._store, call)
        if call.path.startswith("sdkmessage"):
            self._register()
        if call.method == "GET" and "/Microsoft.Dynamics.CRM." in call.path:
            return self._functions.bound(call)
        return None

    def _register(self) -> None:
        """Make the rows of registered messages say what the switches say."""
        stand = (dict(self._switches.refusals), set(self._switches.untracked))
        if stand != self._registered:
            self._store.tables["sdkmessagefilter"].fill(registrations.filters(self._switches))
            self._registered = stand

    def _root(self, call: Call) -> Answer:
        if call.path or call.method != "GET":
            raise errors.segment(call.path)
        content = csdl.service_document(call.base)
        return Answer(200, {"OData-Version": "4.0", "Content-Type": JSON}, content)

    def _csdl(self, call: Call) -> Answer:
        if call.path != "$metadata" or call.method != "GET":
            raise errors.segment(call.path)
        annotations = query_options(call.query).get("annotations") == "true"
        content = csdl.document(self.definitions, self._switches, annotations=annotations)
        headers = {"OData-Version": "4.0", "Content-Type": "application/xml"}
        return Answer(200, headers, content)
