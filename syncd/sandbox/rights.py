"""Who may what: the caller has every privilege on every table, but for those that it lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import unquote_plus

from syncd.sandbox.answers import Call
from syncd.sandbox.catalog import FACTS, PRIVILEGE_TYPES
from syncd.sandbox.errors import Refused
from syncd.sandbox.registrations import privilege_id
from syncd.sandbox.relationships import Pairing, to_many, to_one
from syncd.sandbox.shorthand import BUSINESS_UNIT, CALLER
from syncd.sandbox.store import Store
from syncd.sandbox.tables import SETS

__all__ = ["check", "held", "privileges"]

PATH = re.compile(r"(?P<set>\w+)(?P<key>\([^()]*\))?(?:/(?P<rest>.+))?")
NAV = re.compile(r"\w+")
BIND = re.compile(rb'"(\w+)@odata\.bind"\s*:')
EXPANDED = re.compile(r"(?:^|[?&])(?:\$|%24)expand=([^&]*)")
LINKED = re.compile(r"<link-entity\b[^>]*?\bname=[\"'](\w+)")
BULK = {
    "CreateMultiple": ("Create",),
    "UpdateMultiple": ("Write",),
    "UpsertMultiple": ("Create", "Write"),
}
Need = tuple[str, str]
"""The type of a privilege, and the table that it is on."""


@cache
def privileges() -> dict[str, Need]:
    """Return all privileges by name, each with its type and a table that it is on."""
    return {
        facts.privilege(kind): (kind, table)
        for table, facts in FACTS.items()
        for kind in PRIVILEGE_TYPES
    }


def held(store: Store, user: str) -> list[dict[str, Any]]:
    """
    Return the privileges of a user, as RetrieveUserPrivileges does.

    The caller has those that it does not lack, everywhere. Others may read where they have a role.
    """
    if user == CALLER:
        names = [name for name in privileges() if name.lower() not in store.lacking]
        return [_held(name, "Global") for name in names]
    if not store.tables["systemuserroles"].referring(1, user):
        return []
    return [_held(name, "Basic") for name, (kind, _) in privileges().items() if kind == "Read"]


def _held(name: str, depth: str) -> dict[str, Any]:
    return {
        "Depth": depth,
        "PrivilegeId": privilege_id(name),
        "BusinessUnitId": BUSINESS_UNIT,
        "PrivilegeName": name,
        "RecordFilterId": "00000000-0000-0000-0000-000000000000",
        "RecordFilterUniqueName": "",
    }


def check(store: Store, call: Call) -> None:
    """Raise Refused for an operation that needs a privilege which the caller lacks."""
    for kind, table in _needed(store, call):
        facts = FACTS[table]
        name = facts.privilege(kind)
        if name.lower() in store.lacking:
            raise Refused(
                403,
                "0x80040220",
                f"Principal user (Id={CALLER}, type=8) is missing {name} privilege "
                f"(Id={privilege_id(name)}) on OTC={facts.type_code} for entity '{table}'.",
            )


def _needed(store: Store, call: Call) -> Iterator[Need]:
    match = PATH.fullmatch(call.path)
    table = SETS.get(match["set"]) if match else None
    if match is None or table is None:
        return
    name, rest = table.name, match["rest"] or ""
    match call.method:
        case "GET":
            yield "Read", name
            yield from _read(name, rest, call)
        case "POST" if rest.endswith("/$ref"):
            yield from _joined(name, rest)
        case "POST" if rest:
            for kind in BULK.get(rest.rpartition(".")[2], ()):
                yield kind, name
            yield from _bound(name, call)
        case "POST":
            yield "Create", name
            yield from _bound(name, call)
        case "PATCH":
            key = (match["key"] or "").strip("()").lower()
            yield ("Write" if key in store.tables[name].by_key else "Create"), name
            yield from _bound(name, call)
        case "PUT" | "DELETE" if rest.endswith("/$ref"):
            yield from _joined(name, rest)
        case "PUT" | "DELETE":
            yield ("Write" if rest else "Delete"), name


def _read(table: str, rest: str, call: Call) -> Iterator[Need]:
    """Name what is read beside the table itself: what a path or an expansion leads to."""
    for nav in NAV.findall(rest):
        yield from (("Read", other) for other in _behind(table, nav))
    found = EXPANDED.search(call.query)
    if found:
        for nav in NAV.findall(found[1]):
            yield from (("Read", other) for other in _behind(table, nav))
    if "etchXml=" in call.query:
        linked = LINKED.findall(unquote_plus(call.query))
        yield from (("Read", other) for other in linked if other in FACTS)


def _bound(table: str, call: Call) -> Iterator[Need]:
    navs = {nav.decode() for nav in BIND.findall(call.body)}
    if navs:
        yield "Append", table
    for nav in sorted(navs):
        yield from (("AppendTo", other) for other in _behind(table, nav))


def _joined(table: str, rest: str) -> Iterator[Need]:
    """Name what it takes to set or empty a lookup from either of its ends."""
    nav = rest.partition("/")[0].partition("(")[0]
    from_child = to_one(table, nav) is not None
    yield ("Append" if from_child else "AppendTo"), table
    other = "AppendTo" if from_child else "Append"
    yield from ((other, behind) for behind in _behind(table, nav))


def _behind(table: str, nav: str) -> Iterator[str]:
    single, many = to_one(table, nav), to_many(table, nav)
    if single is not None:
        yield single.parent
    if isinstance(many, Pairing):
        yield many.tables[many.other(table)]
    elif many is not None:
        yield many.child
