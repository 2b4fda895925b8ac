"""
World files: a whole environment as one JSON object, an array for each entity set.

Rows are as the Web API shows them. Absent columns get the table's defaults; read-only columns may
be given; lookups may dangle, because those of a real environment do. Annotations are passed over.
The array `_lacking` names privileges that the caller is to lack: `[{"name": "prvReadTeam"}]`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import msgspec

from syncd.sandbox.columns import Table
from syncd.sandbox.errors import Refused, SandboxError
from syncd.sandbox.store import Row, Store
from syncd.sandbox.tables import CALLER, SETS, WORLD_SETS
from syncd.sandbox.values import acceptors

__all__ = ["World", "fill", "fill_set", "load", "without_collector"]

World = Mapping[str, Iterable[Mapping[str, object]]]
LACKING = "_lacking"


def load(store: Store, path: Path, now: str) -> None:
    """
    Put the rows of a world file into an empty store.

    *now* is the createdon of rows that do not say theirs. A million rows take some ten seconds.
    Raises SandboxError: the file cannot be read, is no world, or holds a row that cannot be.
    """
    try:
        sets = msgspec.json.decode(path.read_bytes(), type=dict[str, list[msgspec.Raw]])
    except OSError as error:
        raise SandboxError(f"The world {path} cannot be read: {error.strerror}.") from error
    except msgspec.MsgspecError as error:
        raise SandboxError(f"The world {path} is no object of arrays: {error}.") from error
    with without_collector():
        fill(store, {name: _decoded(path, name, rows) for name, rows in sets.items()}, now)


@contextmanager
def without_collector() -> Iterator[None]:
    """
    Keep the garbage collector from looking at millions of rows, now and ever after.

    Rows hold texts and numbers only and cannot form cycles. `load` does it by itself; whoever
    calls `fill` with a big world should, too.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _decoded(path: Path, name: str, rows: list[msgspec.Raw]) -> Iterator[dict[str, object]]:
    """
    Decode one row at a time: all at once, a million would take gigabytes.

    They come in the order of their keys where that is cheap to tell, so that rows which are
    read together lie together in memory, which makes reading a third faster.
    """
    decode = msgspec.json.Decoder(dict[str, object]).decode
    for number in _order(name, rows):
        try:
            yield decode(rows[number])
        except msgspec.MsgspecError as error:
            message = f"The world {path} is wrong at {name}[{number}]: {error}."
            raise SandboxError(message) from error


def _order(name: str, rows: list[msgspec.Raw]) -> Sequence[int]:
    """Return the order of the rows by key; as they come, where a row has none or is broken."""
    key = SETS[name].key if name in SETS else name
    decode = msgspec.json.Decoder(msgspec.defstruct("Key", [(key, str)])).decode
    try:
        keys = [getattr(decode(raw), key) for raw in rows]
    except msgspec.MsgspecError:
        return range(len(rows))
    return sorted(range(len(rows)), key=keys.__getitem__)


def fill(store: Store, world: World, now: str) -> None:
    """Put the rows of a world into an empty store. Raises SandboxError as `load` does."""
    for name, rows in world.items():
        if name == LACKING:
            store.lacking |= {str(row.get("name")).lower() for row in rows}
            continue
        table = SETS.get(name)
        if table is None or table.derived:
            raise SandboxError(f"'{name}' is no entity set; there are {', '.join(WORLD_SETS)}.")
        fill_set(store, table, rows, now)


def fill_set(store: Store, table: Table, given: Iterable[Mapping[str, object]], now: str) -> None:
    """Put rows into an empty table. Raises SandboxError for one that cannot be."""
    rows: dict[str, Row] = {}
    for number, each in enumerate(given):
        try:
            row = _row(store, table, each, number, now)
        except Refused as refused:
            raise SandboxError(
                f"The world is wrong at {table.set_name}[{number}]: {refused.message}"
            ) from refused
        key = str(row[0])
        if key in rows:
            raise SandboxError(f"The world is wrong at {table.set_name}[{number}]: {key} is there.")
        rows[key] = row
    if rows:  # else what stands there without a world stays
        store.tables[table.name].fill(rows)


def _row(store: Store, table: Table, given: Mapping[str, object], number: int, now: str) -> Row:
    values = list(table.defaults)
    positions, accept = table.positions, acceptors(table.set_name)
    for name, value in given.items():
        at = positions.get(name)
        if at is not None:
            values[at] = accept[at](value)
        elif "@" not in name:
            raise Refused(400, "", f"{table.set_name} has no column '{name}'.")
    if values[0] is None:
        values[0] = str(uuid5(NAMESPACE_URL, f"sandbox:{table.set_name}:{number}"))
    if table.created_on >= 0:
        _audit(table, values, now)
    if table.state >= 0 and "statuscode" not in given:
        values[table.status] = 2 if values[table.state] else 1
    version = values[table.version]
    if isinstance(version, int):
        store.version = max(store.version, version)
    else:
        values[table.version] = store.next_version()
    return tuple(values)


def _audit(table: Table, values: list[object], now: str) -> None:
    values[table.created_on] = values[table.created_on] or now
    values[table.created_by] = values[table.created_by] or CALLER
    values[table.modified_on] = values[table.modified_on] or values[table.created_on]
    values[table.modified_by] = values[table.modified_by] or CALLER
