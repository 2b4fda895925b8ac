"""
Bound actions on a set: many rows at once (dataverse-web-api.md section 4).

Each is one transaction: the first row that is refused leaves all of them as they were.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from syncd.sandbox import errors, writes
from syncd.sandbox.answers import JSON, Answer
from syncd.sandbox.columns import Table
from syncd.sandbox.store import Rows, Store
from syncd.sandbox.values import guid
from syncd.sandbox.writes import Stamp

__all__ = ["NAMESPACE", "many"]

NAMESPACE = "Microsoft.Dynamics.CRM."
ADDRESS = re.compile(r"(?:.*/)?(?P<set>\w+)\((?P<key>[^()]*)\)")
DONE = Answer(204, {"OData-Version": "4.0"})

Body = Mapping[str, object]


def many(store: Store, rows: Rows, message: str, body: Body, stamp: Stamp, base: str) -> Answer:
    """
    Do a bulk action and return its answer.

    Raises Refused: the action is not for this table, a target names no type or another one, or
    what the single operation would refuse. Nothing has changed then.
    """
    if message == "DeleteMultiple":
        raise errors.Refused(400, "0x80044824", "DeleteMultiple has not yet been implemented.")
    if message not in {"CreateMultiple", "UpdateMultiple", "UpsertMultiple"}:
        raise errors.segment(NAMESPACE + message)
    targets = [_typed(rows.table, each) for each in _targets(body)]
    mark = len(store.changes)
    try:
        match message:
            case "CreateMultiple":
                keys = [writes.create(store, rows.table, each, stamp) for each in targets]
                return _created(base, keys)
            case "UpdateMultiple":
                for each in targets:
                    _update(store, rows, each, stamp)
            case _:
                for each in targets:
                    _upsert(store, rows, each, stamp)
    except errors.Refused:
        store.rollback(mark)
        raise
    return DONE


def _targets(body: Body) -> list[object]:
    strange = sorted(body.keys() - {"Targets"})
    if strange:
        raise errors.payload(f"The parameter '{strange[0]}' in the request is not known.")
    targets = body.get("Targets")
    if not isinstance(targets, list):
        raise errors.payload("The action needs 'Targets', a list of rows.")
    if not targets:
        raise errors.argument("The 'Targets' of a bulk action must not be empty.")
    return targets


def _typed(table: Table, target: object) -> Body:
    """Return a target that says of which table it is."""
    if not isinstance(target, dict):
        raise errors.payload("A target of a bulk action is an object.")
    named = target.get("@odata.type")
    if named is None:
        raise errors.payload(
            "A resource without a type name was found, but no expected type was specified. To "
            "allow entries without type information, the expected type must also be specified "
            "when the model is specified: each target needs '@odata.type'."
        )
    if not isinstance(named, str) or named.removeprefix("#") != NAMESPACE + table.name:
        raise errors.payload(f"'{named}' is not the type '{NAMESPACE}{table.name}' of this set.")
    return target


def _update(store: Store, rows: Rows, target: Body, stamp: Stamp) -> None:
    key = _key(rows.table, target)
    if key not in rows.by_key:
        raise errors.absent(rows.table.name, key)
    writes.update(store, rows, key, target, stamp)


def _upsert(store: Store, rows: Rows, target: Body, stamp: Stamp) -> None:
    table = rows.table
    key = None if table.key not in target and "@odata.id" not in target else _key(table, target)
    if key is None:
        writes.create(store, table, target, stamp)
    elif key in rows.by_key:
        writes.update(store, rows, key, target, stamp)
    else:
        writes.create(store, table, {**target, table.key: key}, stamp)


def _key(table: Table, target: Body) -> str:
    """Return the key that a target names, by its column or as the address of its row."""
    address = target.get("@odata.id")
    if address is None:
        key = guid(target.get(table.key))
        if key is None:
            raise errors.argument(f"A target needs the key '{table.key}' of its row.")
        return key
    match = ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if match is None or match["set"] != table.set_name:
        raise errors.payload(f"'{address}' is no address of a row of '{table.set_name}'.")
    return writes.row_key(table, match["key"])


def _created(base: str, keys: list[str]) -> Answer:
    context = f"{base}/$metadata#{NAMESPACE}CreateMultipleResponse"
    content = msgspec.json.encode({"@odata.context": context, "Ids": keys})
    return Answer(200, {"OData-Version": "4.0", "Content-Type": JSON}, content)
