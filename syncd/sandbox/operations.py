"""
One operation on the tables: from a method and a path to an answer.

    GET    set · set/$count · set/$ref · set(id), and what `retrieval` finds behind a row
    POST   set · set(id)/collection/$ref · set/Microsoft.Dynamics.CRM.CreateMultiple and its like
    PATCH  set(id)
    PUT    set(id)/column · set(id)/Lookup/$ref
    DELETE set(id) · set(id)/column · set(id)/Lookup/$ref · set(id)/collection(id)/$ref
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from syncd.sandbox import errors, messages, shapes, writes
from syncd.sandbox.answers import JSON, Answer, Call
from syncd.sandbox.associations import Associations
from syncd.sandbox.query import read_preferences
from syncd.sandbox.reads import Reader
from syncd.sandbox.retrieval import Retrieval
from syncd.sandbox.store import Rows, Store
from syncd.sandbox.switches import Switches
from syncd.sandbox.tables import CALLER, SETS
from syncd.sandbox.tracking import PREFERENCE, Tracker
from syncd.sandbox.values import guid
from syncd.sandbox.writes import Stamp

__all__ = ["Operations"]

PATH = re.compile(r"(?P<set>\w+)(?:\((?P<key>[^()]*)\))?(?:/(?P<rest>.+))?")
ETAG = re.compile(r'(?:W/)?"(\d+)"')
FOUND = {"OData-Version": "4.0", "Content-Type": JSON}
DONE = Answer(204, {"OData-Version": "4.0"})
IMPERSONATED = ("mscrmcallerid", "callerobjectid")


class Place(msgspec.Struct, frozen=True):
    """Where a path leads: a table, perhaps one row of it, perhaps something of that row."""

    rows: Rows
    key: str | None
    rest: str | None


class Operations:
    """Does operations on one store. Whoever calls holds the lock."""

    def __init__(self, store: Store, switches: Switches | None = None) -> None:
        self._store = store
        self._switches = switches or Switches()
        self._reader = Reader(store)
        self._associations = Associations(store, self._admit)
        self._retrieval = Retrieval(store, self._reader)
        self.tracker = Tracker(store)
        self.work: dict[str, int] | None = None
        """How often each message was done, while somebody wants to know."""

    def perform(self, call: Call) -> Answer:
        """Do one operation. Raises Refused, and then has changed nothing."""
        place = self._place(call.path)
        match call.method:
            case "GET":
                self._admit(place.rows, "RetrieveMultiple" if place.key is None else "Retrieve")
                return self._get(call, place)
            case "POST":
                return self._post(call, place)
            case "PATCH" if place.key is not None and place.rest is None:
                return self._patch(call, place.rows, place.key)
            case "PUT" if place.key is not None and place.rest is not None:
                return self._put(call, place.rows, place.key, place.rest)
            case "DELETE" if place.key is not None:
                return self._delete(call, place.rows, place.key, place.rest)
        raise errors.Refused(405, "0x8006088a", f"{call.method} is not allowed on '{call.path}'.")

    def _place(self, path: str) -> Place:
        match = PATH.fullmatch(path)
        table = SETS.get(match["set"]) if match else None
        if match is None or table is None:
            raise errors.segment(re.split(r"[/(]", path, maxsplit=1)[0])
        key = None if match["key"] is None else writes.row_key(table, match["key"])
        return Place(self._store.tables[table.name], key, match["rest"])

    def _admit(self, rows: Rows, message: str, count: int = 1) -> None:
        if self.work is not None and message != "Upsert":  # that is a Create or an Update, too
            self.work[message] = self.work.get(message, 0) + count
        if self._switches.refusals:
            self._switches.admit(rows.table.name, message)

    def _stamp(self, call: Call) -> Stamp:
        return Stamp(call.now, self._caller(call.headers))

    def _caller(self, headers: Mapping[str, str]) -> str:
        """Return who acts: a user by either impersonation header, else the application user."""
        user = headers.get("mscrmcallerid")
        if user is not None:
            return guid(user) or CALLER
        wanted = guid(headers.get("callerobjectid"))
        if wanted is None:
            return CALLER
        users = self._store.tables["systemuser"]
        at = users.table.positions["azureactivedirectoryobjectid"]
        return next((str(row[0]) for row in users.by_key.values() if row[at] == wanted), CALLER)

    # reading

    def _get(self, call: Call, place: Place) -> Answer:
        rows, key = place.rows, place.key
        preferences = read_preferences(call.headers)
        if key is None and place.rest == "$count":
            text = f"\ufeff{self._count(call, rows, preferences)}"
            return Answer(
                200, {"OData-Version": "4.0", "Content-Type": "text/plain"}, text.encode()
            )
        if key is None and place.rest is None:
            if self.tracker.concerns(call, preferences):
                return self._tracked(call, rows, preferences)
            content = self._reader.page(rows, call.query, call.base, preferences)
            return Answer(200, _applied(preferences), content)
        if key is None:
            return self._retrieval.of_set(call, rows, str(place.rest))
        rows = self._retrieval.rows_with(rows, key)
        if place.rest is not None:
            return self._retrieval.of_row(call, rows, key, place.rest)
        return self._retrieval.row(call, rows, key)

    def _count(self, call: Call, rows: Rows, preferences: Mapping[str, str]) -> int:
        if self.tracker.concerns(call, preferences):
            self._switches.admit_tracking(rows.table.name)
            return self.tracker.count(rows, call)
        return self._reader.count(rows, call.query)

    def _tracked(self, call: Call, rows: Rows, preferences: Mapping[str, str]) -> Answer:
        self._switches.admit_tracking(rows.table.name)

        def read(query: str) -> bytes:
            return self._reader.page(rows, query, call.base, preferences)

        content = self.tracker.page(rows, call, preferences, read)
        return Answer(200, _applied(preferences), content)

    def _there(self, rows: Rows, key: str) -> tuple[object, ...]:
        row = rows.by_key.get(key)
        if row is None:
            raise errors.absent(rows.table.name, key)
        return row

    # writing

    def _post(self, call: Call, place: Place) -> Answer:
        if place.key is not None and place.rest is not None:
            self._there(place.rows, place.key)
            given = _reference(_body(call))
            self._associations.associate(
                place.rows, place.key, place.rest, given, self._stamp(call)
            )
            return DONE
        if place.key is None and (place.rest or "").startswith(messages.NAMESPACE):
            return self._act(call, place.rows, str(place.rest).removeprefix(messages.NAMESPACE))
        if place.key is not None or place.rest is not None:
            raise errors.segment(place.rest or call.path)
        self._admit(place.rows, "Create")
        key = writes.create(self._store, place.rows.table, _body(call), self._stamp(call))
        return self._written(call, place.rows, key, created=True)

    def _act(self, call: Call, rows: Rows, message: str) -> Answer:
        body = _body(call)
        targets = body.get("Targets")
        self._admit(rows, message, len(targets) if isinstance(targets, list) else 1)
        return messages.many(self._store, rows, message, body, self._stamp(call), call.base)

    def _patch(self, call: Call, rows: Rows, key: str) -> Answer:
        body = _body(call)
        row = rows.by_key.get(key)
        if "if-match" not in call.headers:
            self._admit(rows, "Upsert")
        self._admit(rows, "Create" if row is None else "Update")
        if row is None:
            if "if-match" in call.headers:
                raise errors.absent(rows.table.name, key)
            given = guid(body.get(rows.table.key, key))
            if given != key:
                raise errors.argument("The key in the body is not the one in the address.")
            whole = {**body, rows.table.key: key}
            writes.create(self._store, rows.table, whole, self._stamp(call))
            return self._written(call, rows, key, created=True)
        if call.headers.get("if-none-match") == "*":
            raise errors.duplicate()
        self._precondition(call, rows, key)
        writes.update(self._store, rows, key, body, self._stamp(call))
        return self._written(call, rows, key, created=False)

    def _written(self, call: Call, rows: Rows, key: str, *, created: bool) -> Answer:
        if "return=representation" in call.headers.get("prefer", ""):
            wanted = read_preferences(call.headers).get("odata.include-annotations")
            content = self._reader.one(rows, key, call.query, call.base, wanted)
            headers = FOUND | {
                "ETag": shapes.etag(rows.table, rows.by_key[key]),
                "Preference-Applied": "return=representation",
            }
            return Answer(201 if created else 200, headers, content)
        address = f"{call.base}/{rows.table.set_name}({key})"
        headers = {"OData-Version": "4.0", "OData-EntityId": address}
        if created:
            headers["Location"] = address
        return Answer(204, headers)

    def _put(self, call: Call, rows: Rows, key: str, rest: str) -> Answer:
        self._admit(rows, "Associate" if rest.endswith("/$ref") else "Update")
        self._there(rows, key)
        self._precondition(call, rows, key)
        body = _body(call)
        if rest.endswith("/$ref"):
            nav = rest.removesuffix("/$ref")
            if nav not in rows.table.navs:
                raise errors.segment(nav)
            change = {f"{nav}@odata.bind": _reference(body)}
        elif rest in rows.table.plain:
            change = {rest: body.get("value")}
        else:
            raise errors.segment(rest)
        writes.update(self._store, rows, key, change, self._stamp(call))
        return DONE

    def _delete(self, call: Call, rows: Rows, key: str, rest: str | None) -> Answer:
        self._admit(rows, _unmaking(rest))
        self._there(rows, key)
        self._precondition(call, rows, key)
        if rest is None:
            writes.delete(self._store, rows, key, self._stamp(call))
            return DONE
        nav = rest.removesuffix("/$ref")
        if nav in rows.table.navs and nav != rest:
            change: dict[str, object] = {f"{nav}@odata.bind": None}
        elif rest in rows.table.plain:
            change = {rest: None}
        else:
            self._associations.disassociate(rows, key, rest, call.query, self._stamp(call))
            return DONE
        writes.update(self._store, rows, key, change, self._stamp(call))
        return DONE

    def _precondition(self, call: Call, rows: Rows, key: str) -> None:
        wanted = call.headers.get("if-match")
        if wanted is None or wanted == "*":
            return
        match = ETAG.fullmatch(wanted)
        if match is None:
            raise errors.query(f"The ETag '{wanted[:40]}' is malformed.")
        self._switches.admit_version(rows.table.name)
        if int(match[1]) != rows.by_key[key][rows.table.version]:
            raise errors.moved()


def _unmaking(rest: str | None) -> str:
    if rest is None:
        return "Delete"
    return "Disassociate" if rest.endswith("/$ref") else "Update"


def _body(call: Call) -> dict[str, object]:
    if not call.headers.get("content-type", "").lower().startswith("application/json"):
        raise errors.Refused(415, "0x80048d19", "A body needs Content-Type: application/json.")
    try:
        return msgspec.json.decode(call.body, type=dict[str, object])
    except msgspec.MsgspecError:
        raise errors.payload("The body of the request is no JSON object.") from None


def _reference(body: Mapping[str, object]) -> object:
    if "@odata.id" not in body:
        raise errors.payload("A reference needs '@odata.id'.")
    return body["@odata.id"]


def _applied(preferences: Mapping[str, str]) -> dict[str, str]:
    size = preferences.get("odata.maxpagesize")
    applied = [] if size is None else [f"odata.maxpagesize={size}"]
    if "odata.include-annotations" in preferences:
        applied.append(f'odata.include-annotations="{preferences["odata.include-annotations"]}"')
    if PREFERENCE in preferences:
        applied.append(PREFERENCE)
    return FOUND | {"Preference-Applied": ",".join(applied)} if applied else FOUND
