"""
The least that a first cycle takes here: both sides are read, stored and joined; nobody judges.

    python -m tests.bench.bare CSV URL

reads a file of people and both tables of an environment into a new SQLite database, finds
everybody's user by the object id alone, and writes down whose the rows are. No rules, no
certificate, no other rung, no plan: what no program with this language and this driver
gets around. Before that it reads it all once and keeps nothing. It prints one JSON document,
as a cycle does.
"""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.bench.cycle import Phase

__all__ = ["READING", "phases"]

READING = "reading alone"
AT_ONCE = 1000
TABLES = (
    "people (key TEXT PRIMARY KEY, mark BLOB, object_id TEXT, user_name TEXT, mail TEXT, "
    "status TEXT, starts TEXT, leaves TEXT, combo INTEGER)",
    "users (id TEXT PRIMARY KEY, version TEXT, user_name TEXT, full_name TEXT, object_id TEXT, "
    "mail TEXT, disabled INTEGER)",
    "memberships (user_id TEXT, id TEXT, version TEXT, profile TEXT, active INTEGER, "
    "flagged INTEGER, PRIMARY KEY (user_id, id))",
    "links (user_id TEXT, membership TEXT, person TEXT, profile TEXT, "
    "PRIMARY KEY (user_id, membership))",
)
JOIN = (
    "CREATE INDEX people_object_id ON people (object_id)",
    "INSERT INTO links SELECT u.id, m.id, p.key, m.profile FROM users u "
    "CROSS JOIN people p ON p.object_id = u.object_id "
    "CROSS JOIN memberships m ON m.user_id = u.id AND m.active = 1 ORDER BY u.id, m.id",
    "CREATE INDEX links_person ON links (person)",
    "COMMIT",
)


class _User(msgspec.Struct, gc=False):
    etag: str = msgspec.field(name="@odata.etag")
    id: str = msgspec.field(name="systemuserid")
    user_name: str | None = msgspec.field(name="domainname")
    full_name: str | None = msgspec.field(name="fullname")
    object_id: str | None = msgspec.field(name="azureactivedirectoryobjectid")
    mail: str | None = msgspec.field(name="internalemailaddress")
    disabled: bool = msgspec.field(name="isdisabled")


class _Row(msgspec.Struct, gc=False):
    etag: str = msgspec.field(name="@odata.etag")
    id: str = msgspec.field(name="usermobileofflineprofilemembershipid")
    user: str | None = msgspec.field(name="_systemuserid_value")
    profile: str | None = msgspec.field(name="_mobileofflineprofileid_value")
    state: int = msgspec.field(name="statecode")
    flagged: bool = msgspec.field(name="hasmobileofflineprofileidconflict")


def phases(source: Path, url: str, folder: Path) -> list[Phase]:
    """Do it, and return what each part took."""
    found = [_reading(source, url)]
    state = sqlite3.connect(folder / "bare.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-65536"):
        state.execute(f"PRAGMA {pragma}")
    for table in TABLES:
        state.execute(f"CREATE TABLE {table} WITHOUT ROWID")
    state.execute("BEGIN")

    def did(name: str, *statements: str, rows: Iterable[Sequence[object]] | None = None) -> None:
        started, worked = time.perf_counter(), time.process_time()
        for statement in statements:
            state.execute(statement) if rows is None else state.executemany(statement, rows)
        seconds, cpu = time.perf_counter() - started, time.process_time() - worked
        found.append(Phase(name, seconds, cpu))

    did("file", "INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows=_people(source))
    with httpx.Client(base_url=f"{url}/api/data/v9.2/", timeout=60) as client:
        did("users", "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?)", rows=_users(client))
        did("rows", "INSERT INTO memberships VALUES (?, ?, ?, ?, ?, ?)", rows=_rows(client))
    did("joining", *JOIN)
    state.close()
    return found


def _reading(source: Path, url: str) -> Phase:
    """Read both sides and keep nothing of them."""
    started, worked = time.perf_counter(), time.process_time()
    with httpx.Client(base_url=f"{url}/api/data/v9.2/", timeout=60) as client:
        for read in (_people(source), _users(client), _rows(client)):
            deque(read, maxlen=0)
    return Phase(READING, time.perf_counter() - started, time.process_time() - worked)


def _people(source: Path) -> Iterator[tuple[object, ...]]:
    combos: dict[tuple[str, ...], int] = {}
    with source.open("rb", buffering=1 << 20) as file:
        next(file)
        while lines := list(islice(file, AT_ONCE)):
            marks = [blake2b(line, digest_size=16).digest() for line in lines]
            text = b"".join(lines).decode()
            key, object_id, login, mail, _, _, status, starts, leaves, *attributes, _ = zip(
                *csv.reader(text.splitlines()), strict=True
            )
            combo = [combos.setdefault(each, len(combos)) for each in zip(*attributes, strict=True)]
            names = map(str.lower, object_id), map(str.casefold, login), map(str.casefold, mail)
            yield from zip(key, marks, *names, status, starts, leaves, combo, strict=True)


def _users(client: httpx.Client) -> Iterator[tuple[object, ...]]:
    for page in _pages(client, "systemusers", _User):
        for row in page:
            name, mail = (text and text.casefold() for text in (row.user_name, row.mail))
            yield row.id, row.etag, name, row.full_name, row.object_id, mail, row.disabled


def _rows(client: httpx.Client) -> Iterator[tuple[object, ...]]:
    for page in _pages(client, "usermobileofflineprofilememberships", _Row):
        for row in page:
            yield row.user, row.id, row.etag, row.profile, 1 - row.state, row.flagged


def _pages(client: httpx.Client, name: str, kind: Any) -> Iterator[list[Any]]:  # msgspec's own
    columns = ",".join(each.encode_name for each in msgspec.structs.fields(kind)[1:])
    page: Any = msgspec.defstruct(
        "Page",
        [
            ("value", list[kind]),
            ("next", str | None, msgspec.field(name="@odata.nextLink", default=None)),
        ],
    )
    decode = msgspec.json.Decoder(page).decode
    link: str | None = f"{name}?$select={columns}"
    while link is not None:
        found = decode(client.get(link, headers={"Prefer": "odata.maxpagesize=5000"}).content)
        yield found.value
        link = found.next


def main(source: str, url: str) -> None:
    """Print what it took."""
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as folder:
        print(json.dumps([asdict(each) for each in phases(Path(source), url, Path(folder))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
