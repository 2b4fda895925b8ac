"""
The environment that is measured against: a sandbox that fills itself, in a process of its own.

    python -m tests.bench.environment --people 10000 --seed 1

prints its address once it listens, and serves until SIGTERM.
"""

from __future__ import annotations

import argparse
import gc

from syncd.sandbox import Sandbox, Store
from syncd.sandbox.columns import Table
from syncd.sandbox.index import Row
from syncd.sandbox.server import serve
from syncd.sandbox.tables import CALLER, SETS
from tests.bench.company import Company, profiles

__all__ = ["fill"]

MADE = "2025-11-03T08:00:00Z"
PROFILES = "mobileofflineprofiles"
ROWS = "usermobileofflineprofilememberships"
USERS = "systemusers"


class _Maker:
    """Makes rows of one table. Columns that all rows share are the same objects."""

    def __init__(self, store: Store, table: Table, names: tuple[str, ...]) -> None:
        self._store = store
        self._values = list(table.defaults)
        for at in (table.created_on, table.modified_on):
            self._values[at] = MADE
        for at in (table.created_by, table.modified_by):
            self._values[at] = CALLER
        self._version = table.version
        self._places = [table.positions[name] for name in names]

    def __call__(self, *given: object) -> Row:
        values = self._values.copy()
        for at, value in zip(self._places, given, strict=True):
            values[at] = value
        values[self._version] = self._store.next_version()
        return tuple(values)


def fill(store: Store, company: Company) -> None:
    """Put a company into an empty store; a million people take some fifteen seconds."""
    names = "systemuserid azureactivedirectoryobjectid domainname internalemailaddress fullname"
    make_user = _maker(store, USERS, tuple(names.split()))
    key = "usermobileofflineprofilemembershipid"
    make_row = _maker(store, ROWS, (key, "_systemuserid_value", "_mobileofflineprofileid_value"))
    users: dict[str, Row] = {}
    rows: dict[str, Row] = {}
    ids = [ident for ident, _ in profiles()]
    gc.disable()  # rows hold texts and numbers only and cannot form cycles
    for person, members in company.members():
        user, login = person.user, person.login
        full_name = f"{person.first} {person.last}"
        users[user] = make_user(user, person.object_id, login, login, full_name)
        for ident, profile in members:
            rows[ident] = make_row(ident, user, ids[profile])
    make_profile = _maker(store, PROFILES, ("mobileofflineprofileid", "name", "publishedon"))
    known = {ident: make_profile(ident, name, MADE) for ident, name in profiles()}
    for name, found in ((USERS, users), (PROFILES, known), (ROWS, rows)):
        store.tables[SETS[name].name].fill(found)
    gc.freeze()
    gc.enable()


def _maker(store: Store, name: str, names: tuple[str, ...]) -> _Maker:
    return _Maker(store, SETS[name], names)


def main() -> None:
    """Fill a sandbox and serve it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--restless", action="store_true")
    asked = parser.parse_args()
    store = Store()
    fill(store, Company(asked.people, asked.seed, restless=asked.restless))
    serve(Sandbox(store), "127.0.0.1", 0, None, lambda url: print(url, flush=True))


if __name__ == "__main__":
    main()
