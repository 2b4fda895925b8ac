"""Create, update and delete, with what Dataverse checks and does by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import uuid4

import msgspec

from syncd.sandbox import errors
from syncd.sandbox.columns import Column, Kind, OnDelete, Table
from syncd.sandbox.store import Rows, Store
from syncd.sandbox.tables import SETS, STATUS_STATES, TABLES
from syncd.sandbox.values import acceptors, guid

__all__ = ["Stamp", "create", "delete", "link_target", "row_key", "update"]

REFERENCE = re.compile(
    r"(?:(?:https?://[^/]+)?/api/data/v9\.\d+/|/)?(?P<set>\w+)\((?P<key>[^()]*)\)"
)


class Stamp(msgspec.Struct, frozen=True):
    """Who writes and when, as the row will say."""

    now: str
    caller: str


def create(store: Store, table: Table, body: Mapping[str, object], stamp: Stamp) -> str:
    """
    Create a row and return its key, chosen by the caller or by us.

    Raises Refused: a column that cannot be given on create, a value that does not fit, a
    required one that is missing, a bound row that is not there, a key that is taken.
    """
    rows = store.tables[table.name]
    given = _given(store, table, body, creating=True)
    key = given.get(0) or str(uuid4())
    assert isinstance(key, str)  # noqa: S101  # a GUID, by its acceptor
    if key in rows.by_key:
        raise errors.duplicate()
    values = list(table.defaults)
    values[0] = key
    for at, value in given.items():
        values[at] = value
    values[0] = key
    _complete(table, values)
    _require(table, values)
    _pair(table, values, given)
    if table.unique:
        _refuse_twin(rows, values)
    _stamp(table, values, stamp, store.next_version(), created=True)
    store.put(rows, key, tuple(values))
    return key


def update(store: Store, rows: Rows, key: str, body: Mapping[str, object], stamp: Stamp) -> None:
    """
    Change columns of a row that is there. Equal values still make a new version.

    Raises Refused: a column that is fixed or read-only, a value that does not fit, null where
    one is required, a bound row that is not there, a status that is not of its state.
    """
    table = rows.table
    given = _given(store, table, body, creating=False)
    if given.pop(0, key) != key:
        raise errors.argument(f"The key of a {table.name} cannot be changed.")
    values = list(rows.by_key[key])
    for at, value in given.items():
        if value is None and table.columns[at].required:
            raise _null(table, table.columns[at])
        values[at] = value
    _pair(table, values, given)
    _stamp(table, values, stamp, store.next_version(), created=False)
    store.put(rows, key, tuple(values))


def delete(store: Store, rows: Rows, key: str, stamp: Stamp) -> None:
    """Delete a row and do to those that point at it what their relation says (domain.md §5)."""
    for children, at, child in store.children(rows.table, key):
        column = children.table.columns[at]
        if child not in children.by_key:
            continue
        if column.on_delete is OnDelete.CASCADE:
            delete(store, children, child, stamp)
        else:
            values = list(children.by_key[child])
            values[at] = None
            _stamp(children.table, values, stamp, store.next_version(), created=False)
            store.put(children, child, tuple(values))
    store.drop(rows, key)


def link_target(store: Store, column: Column, given: object) -> str:
    """
    Return the key of the row that a reference names.

    Raises Refused if the text is no reference, names another table, or a row that is not there.
    """
    match = REFERENCE.fullmatch(given) if isinstance(given, str) else None
    key = guid(match["key"]) if match else None
    if match is None or key is None:
        raise errors.payload(f"'{given}' is no reference to a row.")
    _check_target(store, column, match["set"], key)
    return key


def row_key(table: Table, text: str) -> str:
    """
    Return the key that stands between the parentheses of an address.

    Raises Refused if it is none, or names columns that are not a key of the table.
    """
    key = guid(text)
    if key is None:
        name, sign, value = text.partition("=")
        # Tables with an owner cannot be addressed by their primary key's name (section 2.3).
        if sign and name == table.key and table.name not in {"systemuser", "team"}:
            key = guid(value.strip("'"))  # as clients write any key that is not the plain one
        elif sign:
            raise errors.Refused(
                400,
                "0x80060890",
                f"The specified key attributes are not a defined key for the {table.name} entity",
            )
    if key is None:
        raise errors.query(f"'{text[:60]}' is no key of {table.set_name}.")
    return key


def _check_target(store: Store, column: Column, set_name: str, key: str) -> None:
    target = TABLES.get(column.target or "")
    if target is None:  # business units and the like are not in this sandbox
        return
    if SETS.get(set_name) is not target:
        raise errors.payload(
            f"The navigation property '{column.nav}' takes a row of '{target.set_name}', "
            f"not of '{set_name}'."
        )
    if key not in store.tables[target.name].by_key:
        raise errors.absent(target.name, key)


def _given(
    store: Store, table: Table, body: Mapping[str, object], *, creating: bool
) -> dict[int, object]:
    """Read a body: positions and the values that they are to have."""
    given: dict[int, object] = {}
    for name, value in body.items():
        at = table.plain.get(name)
        if at is None:
            at, value = _bound(store, table, name, value)  # noqa: PLW2901  # the bound row's key
            if at < 0:
                continue
        else:
            value = _plain(store, table, at, value)  # noqa: PLW2901  # as it is kept
        column = table.columns[at]
        if at and not (column.create if creating else column.update):
            verb = "create" if creating else "update"
            raise errors.argument(
                f"The property '{column.name}' of '{table.name}' is not valid for {verb}."
            )
        given[at] = value
    return given


def _plain(store: Store, table: Table, at: int, value: object) -> object:
    kept, column = acceptors(table.set_name)[at](value), table.columns[at]
    if column.kind is Kind.LOOKUP and isinstance(kept, str):
        target = TABLES[str(column.target)]  # only an intersection has plain lookups
        _check_target(store, column, target.set_name, kept)
    return kept


def _bound(store: Store, table: Table, name: str, value: object) -> tuple[int, object]:
    """Read a lookup or an annotation; the position is negative where there is nothing to write."""
    nav, sign, annotation = name.partition("@")
    at = table.navs.get(nav)
    if at is not None and annotation == "odata.bind":
        column = table.columns[at]
        return at, None if value is None else link_target(store, column, value)
    if at is not None and not sign and value is None:
        return at, None
    if sign and annotation != "odata.bind":
        return -1, None
    if name.startswith("_") and name in table.positions:
        raise errors.payload(
            f"The lookup '{name}' cannot be written directly. Use its navigation property "
            f"'{table.columns[table.positions[name]].nav}' with @odata.bind."
        )
    raise errors.payload(
        f"An undeclared property '{nav}' was found in the payload for "
        f"'Microsoft.Dynamics.CRM.{table.name}'."
    )


def _complete(table: Table, values: list[object]) -> None:
    """Fill what the platform derives when a row is created."""
    if table.name == "systemuser":
        name, first, last = (table.plain[each] for each in ("fullname", "firstname", "lastname"))
        if values[name] is None:
            parts = [part for part in (values[first], values[last]) if isinstance(part, str)]
            values[name] = " ".join(parts) or None
    elif table.name == "mobileofflineprofile":
        unique = table.plain["mobileofflineprofileidunique"]
        values[unique] = values[unique] or values[0]


def _require(table: Table, values: list[object]) -> None:
    for column, value in zip(table.columns, values, strict=True):
        if value is None and column.required:
            raise _null(table, column)


def _null(table: Table, column: Column) -> errors.Refused:
    return errors.argument(
        f"The attribute '{column.name}' of '{table.name}' is required and cannot be NULL."
    )


def _pair(table: Table, values: list[object], given: Mapping[int, object]) -> None:
    """Keep state and status a pair: one alone brings its partner's default or must fit it."""
    if table.state < 0 or not (table.state in given or table.status in given):
        return
    if given.get(table.status) is None:
        state = values[table.state]
        values[table.status] = next(s for s, its in STATUS_STATES.items() if its == state)
    elif STATUS_STATES[int(str(given[table.status]))] != values[table.state]:
        raise errors.Refused(
            400,
            "0x80048408",
            "State code is invalid or state code is valid but status code is invalid for a "
            "specified state code.",
        )


def _refuse_twin(rows: Rows, values: list[object]) -> None:
    first, *rest = rows.table.unique
    for key in rows.referring(first, str(values[first])) or ():
        if all(rows.by_key[key][at] == values[at] for at in rest):
            raise errors.duplicate()


def _stamp(
    table: Table, values: list[object], stamp: Stamp, version: int, *, created: bool
) -> None:
    values[table.version] = version
    if table.modified_on >= 0:
        values[table.modified_on] = stamp.now
        values[table.modified_by] = stamp.caller
    if created and table.created_on >= 0:
        values[table.created_on] = stamp.now
        values[table.created_by] = stamp.caller
