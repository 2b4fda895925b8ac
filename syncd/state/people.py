"""What the sources said: marks, the picture of each source, and the people they make together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from syncd.core.merging import Combined, combine
from syncd.core.ports import Known, ReadFacts, Record
from syncd.state.database import bulk, one, rows, run, scratch, stream, upsert
from syncd.state.revisions import touch

__all__ = ["Picture", "Stage", "begin", "known", "merge", "only", "picture", "publish", "shown"]

FIELDS = (
    "key",
    "source",
    "mark",
    "object_id",
    "employee_id",
    "user_name",
    "mail",
    "enabled",
    "starts_on",
    "leaves_on",
    "combo",
    "problem",
)
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
RUNGS = "object_id, employee_id, user_name, mail"
REMEMBERED = 200_000
"""How many sets of attributes are kept at hand while a source is read."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of a source. `certified_rows` is the baseline of the shrink check."""

    id: int
    shape: str | None
    content: bytes | None
    certified_rows: int | None
    failed_by: str | None


def picture(tx: Connection, name: str) -> Picture:
    """Return what is known of a source, which is made known if it is new."""
    sql = "SELECT id, shape, content, certified_rows, failed_by FROM sources WHERE name = :name"
    found = rows(tx, sql, name=name)
    if not found:
        run(tx, "INSERT INTO sources (name) VALUES (:name)", name=name)
        found = rows(tx, sql, name=name)
    row = found[0]
    content = None if row.content is None else bytes(row.content)
    return Picture(row.id, row.shape, content, row.certified_rows, row.failed_by)


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


def known(tx: Connection, source: Picture, shape: str) -> Known:
    """Return what a source need not tell again. Nothing, if records are now made in another way."""
    if source.shape != shape:
        return Known(None, set)
    return Known(source.content, lambda: _marks(tx, source.id))


def _marks(tx: Connection, source: int) -> set[bytes]:
    sql = "SELECT mark FROM records WHERE source = :source AND mark IS NOT NULL"
    return {bytes(row[0]) for row in stream(tx, sql, source=source)}


# --- reading ------------------------------------------------------------------------------


class Stage:
    """The records of a read that is not finished, to be published or forgotten."""

    def __init__(self, tx: Connection, source: int, extend: Callable[[Record], str] | None) -> None:
        """Prepare to set records aside; *extend* adds what rules read of identity."""
        self.tx = tx
        self.source = source
        self._extend = extend
        self._combos: dict[str, int] = {}
        self._seen: set[int] = set()
        self._twins: list[Sequence[object]] = []
        scratch(
            tx, f"twins_{source}", ", ".join(f"{name} TEXT" for name in ("key", *RUNGS.split(", ")))
        )
        whole = (
            "source INTEGER, enabled INTEGER, starts_on INTEGER, leaves_on INTEGER, combo INTEGER"
        )
        texts = (
            "key TEXT, object_id TEXT, employee_id TEXT, user_name TEXT, mail TEXT, problem TEXT"
        )
        scratch(tx, f"incoming_{source}", f"{texts}, mark BLOB, {whole}, doubled INTEGER DEFAULT 0")

    def take(self, pages: Iterable[Sequence[Record]]) -> None:
        """Set all pages aside. A key that comes a second time is kept as a twin."""
        for page in pages:
            bulk(self.tx, f"incoming_{self.source}", FIELDS, self._rows(page))
        bulk(self.tx, f"twins_{self.source}", ("key", *RUNGS.split(", ")), self._twins)

    def _rows(self, page: Sequence[Record]) -> list[Sequence[object]]:
        source, seen, combos, extend = self.source, self._seen, self._combos, self._extend
        prepared: list[Sequence[object]] = []
        for record in page:
            key, mark, oid, eid, login, mail, enabled, starts, leaves, attributes, problem = record
            digest = hash(key)
            if digest in seen:
                # Two keys may share a digest, once in many billions: then both are held.
                self._twins.append((key, oid, eid, login, mail))
                continue
            seen.add(digest)
            if extend is not None:
                attributes = extend(record)
            combo = combos.get(attributes) or self._intern(attributes)
            prepared.append(
                (key, source, mark, oid, eid, login, mail, enabled, starts, leaves, combo, problem)
            )
        return prepared

    def _intern(self, attributes: str) -> int:
        if len(self._combos) > REMEMBERED:
            self._combos.clear()
        number = self._combos[attributes] = combo_id(self.tx, attributes)
        return number


def combo_id(tx: Connection, attributes: str) -> int:
    """Return the number of a set of attributes, given as canonical JSON."""
    sql = "SELECT id FROM combos WHERE attributes = :attributes"
    found = one(tx, sql, attributes=attributes)
    if found is None:
        run(tx, "INSERT INTO combos (attributes) VALUES (:attributes)", attributes=attributes)
        found = one(tx, sql, attributes=attributes)
    return int(found)


def publish(
    tx: Connection, source: Picture, shape: str, facts: ReadFacts, *, rows: int, certified: bool
) -> None:
    """
    Make what was staged the picture of the source, or lay it over the picture.

    A certified read replaces the picture. Any other read only adds to it: nobody leaves
    by not being shown, and a key that was doubled stays so. *rows* is the next baseline.
    """
    if not facts.unchanged and facts.usable:
        values = {"source": source.id}
        if source.shape != shape:
            # Marks of another shape say nothing: whoever is not shown again is unseen.
            run(tx, "UPDATE records SET mark = NULL WHERE source = :source", **values)
        _find_doubles(tx, source.id, facts)
        _lay_over(tx, source.id, certified=certified)
        if certified:
            _drop_unseen(tx, source.id)
    if certified:
        run(
            tx,
            "UPDATE sources SET shape = :shape, content = :content, certified_rows = :rows, "
            "failed_by = NULL WHERE id = :id",
            shape=shape, content=facts.content, rows=rows, id=source.id,
        )  # fmt: skip
        return
    # What was laid over may mix two shapes: only a certified read makes rows known again.
    known_still = "shape" if source.shape == shape or not facts.usable else "NULL"
    run(
        tx,
        f"UPDATE sources SET content = NULL, shape = {known_still}, failed_by = :why "
        "WHERE id = :id",
        why=json.dumps(list(facts.findings)), id=source.id,
    )  # fmt: skip


def _find_doubles(tx: Connection, source: int, facts: ReadFacts) -> None:
    """Mark the keys that this read showed twice, also where one of the rows was known."""
    incoming, twins = f"incoming_{source}", f"twins_{source}"
    scratch(tx, "unseen", "mark BLOB PRIMARY KEY")
    bulk(tx, "unseen", ("mark",), ((mark,) for mark in facts.gone))
    scratch(tx, "doubled", "key TEXT PRIMARY KEY")
    run(tx, f"INSERT INTO doubled SELECT DISTINCT key FROM {twins}")
    run(
        tx,
        f"INSERT INTO doubled SELECT i.key FROM {incoming} i "
        "JOIN records r ON r.key = i.key AND r.source = :source "
        "WHERE r.mark IS NOT NULL AND NOT EXISTS (SELECT 1 FROM unseen u WHERE u.mark = r.mark) "
        "AND NOT EXISTS (SELECT 1 FROM doubled d WHERE d.key = i.key)",
        source=source,
    )
    if not one(tx, "SELECT 1 FROM doubled LIMIT 1"):
        return
    run(
        tx,
        f"INSERT INTO {twins} (key, {RUNGS}) SELECT r.key, r.object_id, r.employee_id, "
        "r.user_name, r.mail FROM records r JOIN doubled d ON d.key = r.key "
        "WHERE r.source = :source "
        "AND r.mark IS NOT NULL AND NOT EXISTS (SELECT 1 FROM unseen u WHERE u.mark = r.mark)",
        source=source,
    )
    run(
        tx,
        f"UPDATE {incoming} SET doubled = 1, mark = NULL WHERE key IN (SELECT key FROM doubled)",
    )


def _lay_over(tx: Connection, source: int, *, certified: bool) -> None:
    """Write the staged records over those that are there, and note who changed."""
    incoming, twins = f"incoming_{source}", f"twins_{source}"
    if certified:
        run(tx, "DELETE FROM doubles WHERE source = :source", source=source)
    else:
        run(
            tx,
            f"UPDATE {incoming} SET doubled = 1, mark = NULL WHERE doubled = 0 AND key IN "
            "(SELECT key FROM records WHERE source = :source AND doubled = 1)",
            source=source,
        )
    run(
        tx,
        f"INSERT INTO doubles (source, key, {RUNGS}) SELECT :source, key, {RUNGS} FROM {twins} "
        f"UNION SELECT :source, key, {RUNGS} FROM {incoming} WHERE doubled = 1",
        source=source,
    )
    if one(tx, "SELECT 1 FROM people LIMIT 1"):
        sql = f"INSERT INTO dirty SELECT key FROM {incoming} WHERE true ON CONFLICT DO NOTHING"
        run(tx, sql)
    columns = ", ".join((*FIELDS, "doubled"))
    taken = ", ".join(f"{name} = excluded.{name}" for name in (*FIELDS[2:], "doubled"))
    run(
        tx,
        f"INSERT INTO records ({columns}) SELECT {columns} FROM {incoming} WHERE true ORDER BY key "
        f"ON CONFLICT (key, source) DO UPDATE SET {taken}",
    )


def _drop_unseen(tx: Connection, source: int) -> None:
    """Take out of the picture whoever the read did not show."""
    gone = (
        "FROM records WHERE source = :source "
        "AND (mark IS NULL OR mark IN (SELECT mark FROM unseen)) "
        f"AND key NOT IN (SELECT key FROM incoming_{source})"
    )
    run(tx, f"INSERT INTO dirty SELECT key {gone} ON CONFLICT DO NOTHING", source=source)
    run(tx, f"DELETE {gone}", source=source)


def shown(tx: Connection, source: Picture, facts: ReadFacts, keys: Sequence[str]) -> set[str]:
    """Return which of these keys the read that was staged has shown."""
    found = set()
    for key in keys:
        values = {"key": key, "source": source.id}
        if not facts.unchanged and facts.usable:
            sql = f"SELECT 1 FROM incoming_{source.id} WHERE key = :key"
            if one(tx, sql, key=key):
                found.add(key)
                continue
        sql = "SELECT mark FROM records WHERE key = :key AND source = :source"
        mark = one(tx, sql, **values)
        if (facts.unchanged and one(tx, sql.replace("mark", "1", 1), **values)) or (
            facts.usable and mark is not None and bytes(mark) not in facts.gone
        ):
            found.add(key)
    return found


# --- merging ------------------------------------------------------------------------------


def begin(tx: Connection) -> None:
    """Prepare to note who changes while the sources are read."""
    scratch(tx, "dirty", "key TEXT PRIMARY KEY")


def merge(tx: Connection, order: Sequence[int]) -> None:
    """
    Bring `people` up to date for whoever changed since `begin`.

    *order* are the sources' numbers, the lowest rank first.
    """
    whole = not one(tx, "SELECT 1 FROM people LIMIT 1")
    if not whole and not one(tx, "SELECT 1 FROM dirty LIMIT 1"):
        return
    touch(tx, "people")
    changed = "true" if whole else "r.key IN (SELECT key FROM dirty)"
    run(tx, "DELETE FROM people WHERE key IN (SELECT key FROM dirty)")
    scratch(tx, "several", "key TEXT PRIMARY KEY")
    alone = "true"
    if len(order) > 1:
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
    upsert(tx, "people", PERSON, ("key",), list(_merged(tx, order)))


def _merged(tx: Connection, order: Sequence[int]) -> Iterator[Sequence[object]]:
    """Merge the records of everybody whom several sources describe."""
    place = {source: number for number, source in enumerate(order)}
    found = stream(
        tx,
        "SELECT r.*, c.attributes FROM several s JOIN records r ON r.key = s.key "
        "JOIN combos c ON c.id = r.combo ORDER BY r.key",
    )
    for key, group in groupby(found, key=lambda row: row.key):
        several = sorted(group, key=lambda row: place[row.source])
        merged: Combined = combine([_combined(row) for row in several])
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
            combo_id(tx, merged.attributes),
            merged.problem,
            max(row.doubled for row in several),
        )


def _combined(row: Any) -> Combined:
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
