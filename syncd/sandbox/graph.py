"""
The face of Microsoft Graph: `/v1.0/…` on the same server, over a tenant of its own.

    Sandbox ─▶ faults ─▶ Graph.serve ─┬─▶ graph_batch ─▶ Graph.perform
                                      └─▶ graph_delta, lists, single objects ─▶ directory

Users and groups are put in the way Graph does it: POST, PATCH and DELETE. Properties that only
a synchronization writes may be written, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from syncd.sandbox.answers import Answer, Call, refusal
from syncd.sandbox.control import Order
from syncd.sandbox.directory import Directory, Entry
from syncd.sandbox.errors import Refused, SandboxError, error_content
from syncd.sandbox.graph_batch import answer_batch
from syncd.sandbox.graph_catalog import Kind, bad_request
from syncd.sandbox.graph_delta import Deltas, Habits
from syncd.sandbox.graph_query import Query, read_query, shown, unsupported

__all__ = ["Graph", "graph_orders", "in_its_words"]

HEADERS = {"Content-Type": "application/json; odata.metadata=minimal"}
CODES = {401: "InvalidAuthenticationToken", 429: "TooManyRequests"}
"""What Graph calls refusals that others make; theirs are of Dataverse."""
CHECKED = 20
"""The most groups that one question about memberships may name."""
CASTS = {f"microsoft.graph.{kind.name.lower()}": kind for kind in Kind}
Content = dict[str, Any]


class Graph:
    """A tenant as Graph shows it. Whoever calls holds the lock."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Have an empty tenant whose deltas behave as usual."""
        self.directory = Directory()
        self.deltas = Deltas(self.directory)

    def serve(self, call: Call, perform: Callable[[Call], Answer]) -> Answer:
        """Answer a request; the parts of a batch go through *perform*."""
        if (call.method, call.path) != ("POST", "$batch"):
            return self.perform(call)
        try:
            return _answer(200, answer_batch(call, perform))
        except Refused as refused:
            return refusal(refused)

    def perform(self, call: Call) -> Answer:
        """Answer a request that is no batch."""
        try:
            return self._route(call)
        except Refused as refused:
            return refusal(refused)

    def _route(self, call: Call) -> Answer:
        parts = [unquote(part) for part in call.path.split("/")]
        if parts[:2] == ["directory", "deletedItems"] and len(parts) > 2:
            return self._deleted(call, parts[2], parts[3:])
        kind = Kind(parts[0]) if parts[0] in tuple(Kind) else None
        if kind is None:
            raise bad_request(f"Resource not found for the segment '{parts[0]}'.")
        match call.method, parts[1:]:
            case "GET", []:
                return self._list(call, kind, self.directory.live(kind))
            case "GET", ["delta" | "microsoft.graph.delta" | "microsoft.graph.delta()"]:
                found = self.deltas.answer(call, kind)
                return found if isinstance(found, Answer) else _answer(200, found)
            case "POST", []:
                entry = self.directory.create(kind, _body(call), call.now)
                return _answer(201, shown(entry, None))
            case _, [ident]:
                return self._one(call, kind, self.directory.find(kind, ident))
            case _, [ident, *rest]:
                return self._below(call, self.directory.find(kind, ident), rest)
        raise _not_here(call)

    def _one(self, call: Call, kind: Kind, entry: Entry) -> Answer:
        match call.method:
            case "GET":
                return _answer(200, shown(entry, read_query(call, kind).select))
            case "PATCH":
                self.directory.update(entry, _body(call))
            case "DELETE":
                self.directory.delete(entry)
            case _:
                raise _not_here(call)
        return Answer(204)

    def _below(self, call: Call, entry: Entry, rest: Sequence[str]) -> Answer:
        match call.method, entry.kind, rest:
            case "POST", _, ["checkMemberGroups"]:
                return self._check(call, entry)
            case "GET", Kind.GROUP, ["members", *cast] if len(cast) < 2:
                return self._members(call, self.directory.direct(entry), cast)
            case "GET", Kind.GROUP, ["transitiveMembers", *cast] if len(cast) < 2:
                return self._members(call, self.directory.transitive(entry), cast)
            case "POST", Kind.GROUP, ["members", "$ref"]:
                reference = str(_body(call).get("@odata.id", ""))
                self.directory.join(entry, reference.rpartition("/")[2])
                return Answer(204)
            case "DELETE", Kind.GROUP, ["members", member, "$ref"]:
                self.directory.part(entry, member)
                return Answer(204)
        raise _not_here(call)

    def _check(self, call: Call, entry: Entry) -> Answer:
        """Say in which of some groups an object is, also through others."""
        asked = _body(call).get("groupIds")
        if not isinstance(asked, list) or not 0 < len(asked) <= CHECKED:
            raise bad_request(f"groupIds must have between 1 and {CHECKED} entries.")
        mine = self.directory.groups_of(entry)
        return _answer(200, {"value": [each for each in asked if str(each).lower() in mine]})

    def _members(self, call: Call, members: Iterable[Entry], cast: Sequence[str]) -> Answer:
        if not cast:
            return self._list(call, Kind.USER, members, typed=True)
        kind = CASTS.get(cast[0])
        if kind is None:
            raise bad_request(f"Resource not found for the segment '{cast[0]}'.")
        if not read_query(call, kind).advanced:
            raise unsupported("A cast needs $count=true and the header ConsistencyLevel: eventual.")
        return self._list(call, kind, (each for each in members if each.kind is kind))

    def _list(
        self, call: Call, kind: Kind, entries: Iterable[Entry], *, typed: bool = False
    ) -> Answer:
        """Return one page of objects, *typed* where they may be of several kinds."""
        query = read_query(call, kind)
        if query.delta is not None or "$expand" in query.given or "$orderby" in query.given:
            raise unsupported("This query option is not supported here.")
        fitting = [entry for entry in entries if query.fits(entry)]
        first = int(query.skip) if query.skip and query.skip.isdecimal() else 0
        page = [_typed(each, query, typed) for each in fitting[first : first + query.top]]
        content: Content = {"@odata.context": f"{call.base}$metadata#{kind}"}
        if query.advanced and not first:
            content["@odata.count"] = len(fitting)
        if first + query.top < len(fitting):
            content["@odata.nextLink"] = _next(call, first + query.top)
        return _answer(200, {**content, "value": page})

    def _deleted(self, call: Call, ident: str, rest: Sequence[str]) -> Answer:
        match call.method, rest:
            case "POST", ["restore"]:
                return _answer(200, shown(self.directory.restore(ident), None))
            case "DELETE", []:
                self.directory.purge(ident)
                return Answer(204)
        raise _not_here(call)


def in_its_words(answer: Answer) -> Answer:
    """Return a refusal with the code that Graph has for it."""
    code = CODES.get(answer.status)
    if code is None or b'"code":"0x' not in answer.content:
        return answer
    error = msgspec.json.decode(answer.content)["error"]
    content = error_content(code, error["message"])
    return msgspec.structs.replace(answer, content=content)


def graph_orders(graph: Graph) -> Mapping[tuple[str, str], Order]:
    """Return the orders about the tenant: how deltas behave, and what is forgotten."""

    def behave(body: bytes) -> None:
        try:
            graph.deltas.habits = msgspec.json.decode(body, type=Habits)
        except msgspec.MsgspecError as error:
            raise SandboxError(f"The order cannot be read: {error}.") from error

    return {
        ("POST", "graph"): behave,
        ("DELETE", "graph"): lambda _: graph.clear(),
        ("DELETE", "graph-tracking"): lambda _: graph.directory.expire(),
    }


def _typed(entry: Entry, query: Query, typed: bool) -> Content:  # noqa: FBT001  # from _list
    item = shown(entry, query.select)
    return {"@odata.type": entry.kind.type, **item} if typed else item


def _next(call: Call, first: int) -> str:
    kept = "&".join(
        part for part in call.query.split("&") if part and not part.startswith("$skiptoken")
    )
    return f"{call.base}{call.path}?{kept}{'&' if kept else ''}$skiptoken={first}"


def _body(call: Call) -> Content:
    try:
        return msgspec.json.decode(call.body, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise bad_request("Unable to read JSON request payload.") from None


def _answer(status: int, content: Mapping[str, object]) -> Answer:
    return Answer(status, HEADERS, msgspec.json.encode(content))


def _not_here(call: Call) -> Refused:
    return Refused(405, "Request_BadRequest", f"{call.method} is not allowed for {call.path}.")
