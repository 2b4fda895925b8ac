"""The people that the pictures of all sources make together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from syncd.core.merging import Combined, combine
from syncd.state.combos import Combos
from syncd.state.database import know, one, rows, run, scratch, stream, upsert
from syncd.state.pictures import TOMBSTONE
from syncd.state.revisions import recall, remember, touch, touch_from

__all__ = ["begin", "combined", "merge", "only"]

ORDER = "order of sources"
"""Under this name it is remembered in which order people were merged last."""
PERSON = (
    "key",
    "source",
    "object_id",
    "employee_id",
    "user_name",
    "mail",
    "enabled",
    "starts_on",
    "leaves_on",
    "combo",
    "problem",
    "doubled",
)


def only(tx: Connection, names: Sequence[str]) -> None:
    """Forget the pictures of sources that the configuration no longer names."""
    for row in rows(tx, "SELECT id, name FROM sources"):
        if row.name not in names and one(
            tx, "SELECT 1 FROM records WHERE source = :id LIMIT 1", id=row.id
        ):
            run(tx, "DELETE FROM records WHERE source = :id", id=row.id)
            run(tx, "DELETE FROM doubles WHERE source = :id", id=row.id)
            sql = "UPDATE sources SET shape = NULL, content = NULL WHERE id = :id"
            run(tx, sql, id=row.id)
            rebuild(tx)


def rebuild(tx: Connection) -> None:
    """Ask the next merge to look at everybody."""
    run(tx, "DELETE FROM people")
    touch(tx, "people")


def begin(tx: Connection) -> None:
    """Prepare to note who changes while the sources are read."""
    scratch(tx, "dirty", "key TEXT PRIMARY KEY")


def merge(tx: Connection, order: Sequence[int]) -> None:
    """
    Bring `people` up to date for whoever changed since `begin`.

    *order* are the sources' numbers, the lowest rank first. In another order than before
    everybody is merged anew: another source's word may count.
    """
    if _reordered(tx, order):
        rebuild(tx)
    whole = not one(tx, "SELECT 1 FROM people LIMIT 1")
    if not whole and not one(tx, "SELECT 1 FROM dirty LIMIT 1"):
        return
    if whole:
        touch(tx, "people")
    else:
        number = int(one(tx, "SELECT count(*) FROM dirty"))
        touch_from(tx, "people", "SELECT 'p:' || key FROM dirty", number)
    changed = "true" if whole else "r.key IN (SELECT key FROM dirty)"
    run(tx, "DELETE FROM people WHERE key IN (SELECT key FROM dirty)")
    scratch(tx, "several", "key TEXT PRIMARY KEY")
    alone = "true"
    if len(order) > 1:
        _forget_tombstones(tx, changed)
        run(
            tx,
            f"INSERT INTO several SELECT r.key FROM records r WHERE {changed} "
            "GROUP BY r.key HAVING count(*) > 1",
        )
        alone = "r.key NOT IN (SELECT key FROM several)"
    columns = ", ".join(PERSON)
    run(
        tx,
        f"INSERT INTO people ({columns}) SELECT {columns} FROM records r "
        f"WHERE {changed} AND {alone} ORDER BY key",
    )
    if len(order) > 1:
        combos = Combos(tx)
        merged = list(_merged(tx, order, combos))
        combos.flush()
        upsert(tx, "people", PERSON, ("key",), merged)
    know(tx, "people")


def _forget_tombstones(tx: Connection, changed: str) -> None:
    """
    Forget who was deleted in one source and is in another: the other's word counts alone.

    So it would after a read of everything, and a read of changes must not come to less.
    """
    run(
        tx,
        f"DELETE FROM records AS r WHERE {changed} AND r.mark = :tombstone AND EXISTS "
        "(SELECT 1 FROM records o WHERE o.key = r.key AND o.source <> r.source "
        "AND (o.mark IS NULL OR o.mark <> :tombstone))",
        tombstone=TOMBSTONE,
    )


def _reordered(tx: Connection, order: Sequence[int]) -> bool:
    """Tell whether sources changed places among each other, and remember where they are now."""
    said = ",".join(map(str, order))
    before = recall(tx, ORDER)
    if said == before:
        return False
    remember(tx, ORDER, said)
    old = [int(each) for each in (before or "").split(",") if each]
    return [each for each in old if each in order] != [each for each in order if each in old]


def _merged(tx: Connection, order: Sequence[int], combos: Combos) -> Iterator[Sequence[object]]:
    """Merge the records of everybody whom several sources describe."""
    place = {source: number for number, source in enumerate(order)}
    found = stream(
        tx,
        "SELECT r.*, c.attributes FROM several s JOIN records r ON r.key = s.key "
        "JOIN combos c ON c.id = r.combo ORDER BY r.key",
    )
    for key, group in groupby(found, key=lambda row: row.key):
        several = sorted(group, key=lambda row: place[row.source])
        merged: Combined = combine([combined(row) for row in several])
        yield (
            key,
            several[0].source,
            merged.object_id,
            merged.employee_id,
            merged.user_name,
            merged.mail,
            merged.enabled,
            merged.starts_on,
            merged.leaves_on,
            combos.number(merged.attributes),
            merged.problem,
            max(row.doubled for row in several),
        )


def combined(row: Any) -> Combined:
    """Return a record, read with its attributes, as it takes part in merging."""
    return Combined(
        row.object_id,
        row.employee_id,
        row.user_name,
        row.mail,
        row.enabled,
        row.starts_on,
        row.leaves_on,
        row.attributes,
        row.problem,
    )
