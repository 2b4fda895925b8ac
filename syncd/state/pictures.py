"""What the sources said: the picture of each, and the marks by which a source knows its rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from syncd.core.certificate import Certificate
from syncd.core.columns import Page
from syncd.core.ports import Known, ReadFacts, Record
from syncd.state.columns import ascending, insert, octets
from syncd.state.combos import Combos, alone
from syncd.state.database import bulk, column, one, rows, run, scratch

__all__ = ["TOMBSTONE", "Picture", "Stage", "known", "picture", "publish", "shown"]

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
BEGINNING = 8
"""Bytes at the beginning of a mark by which a source knows a row that it deletes."""
TOMBSTONE = b""
"""The mark of a record whose row the source says it deleted; no row has it."""
RUNGS = "object_id, employee_id, user_name, mail"
STANDING = ("enabled", "starts_on", "leaves_on")


@dataclass(frozen=True, slots=True)
class Picture:
    """
    What is known of a source. `certified_rows` is the baseline of the shrink check.

    A `blank` picture has no record yet: what is read is written where it stays.
    """

    id: int
    shape: str | None
    content: bytes | None
    certified_rows: int | None
    failed_by: str | None
    blank: bool = False
    token: str | None = None


def picture(tx: Connection, name: str) -> Picture:
    """Return what is known of a source, which is made known if it is new."""
    alone(tx)  # were this older than the records, what others have just read would look doubled
    columns = "id, shape, content, certified_rows, failed_by, token"
    sql = f"SELECT {columns} FROM sources WHERE name = :name"
    found = rows(tx, sql, name=name)
    if not found:
        run(tx, "INSERT INTO sources (name) VALUES (:name)", name=name)
        found = rows(tx, sql, name=name)
    row = found[0]
    content = None if row.content is None else bytes(row.content)
    blank = not one(tx, "SELECT 1 FROM records WHERE source = :id LIMIT 1", id=row.id)
    return Picture(row.id, row.shape, content, row.certified_rows, row.failed_by, blank, row.token)


def known(tx: Connection, source: Picture, shape: str, *, delta: bool) -> Known:
    """
    Return what a source need not tell again. Nothing, if records are now made in another way.

    With *delta* a source that can need tell only what changed.
    """
    if source.shape != shape:
        return Known(None, set)
    token = source.token if delta and not source.blank else None
    return Known(source.content, lambda: _marks(tx, source.id), token)


def _marks(tx: Connection, source: int) -> set[bytes]:
    sql = "SELECT mark FROM records WHERE source = :source AND mark IS NOT NULL"
    return set(map(bytes, column(tx, sql, source=source)))


# --- reading ------------------------------------------------------------------------------


class Stage:
    """The records of a read that is not finished, to be published or forgotten."""

    def __init__(
        self, tx: Connection, picture: Picture, extend: Callable[[Record], str] | None
    ) -> None:
        """Prepare to set records aside; *extend* adds what rules read of identity."""
        self.tx = tx
        source = self.source = picture.id
        self._blank = picture.blank
        self._aside = f"incoming_{source}"
        self._table: str | None = None
        self._extend = extend
        self._combos = Combos(tx)
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
            single = self._single(Page.of(page))
            if single:
                table = self._table = self._table or self._place(single)
                columns = self._columns(single)
                self._combos.flush()
                insert(self.tx, table, FIELDS, columns)
        bulk(self.tx, f"twins_{self.source}", ("key", *RUNGS.split(", ")), self._twins)
        if self._blank and self._table == self._aside:
            self._write()

    def _place(self, page: Page) -> str:
        """Choose by the first page where all are written: a first read is set aside if it pays."""
        at_once = self.tx.dialect.name != "sqlite" or ascending(page.columns[0])
        return "records" if self._blank and at_once else self._aside

    def _single(self, page: Page) -> Page:
        """Return the records whose keys come for the first time; the others become twins."""
        seen = self._seen
        # Two keys share a digest once in ten million reads of a million people. The second
        # would then be missing from this one read, which removes nobody.
        digests = list(map(hash, page.columns[0]))
        unique = set(digests)
        if len(unique) == len(digests) and seen.isdisjoint(unique):
            seen |= unique
            return page
        single = []
        for digest, record in zip(digests, page, strict=True):
            single.append(digest not in seen)
            seen.add(digest)
            if not single[-1]:
                self._twins.append((record[0], *record[2:6]))
        return page.picked(single)

    def _columns(self, page: Page) -> list[Sequence[object]]:
        """Return what to write of some records, column by column."""
        key, mark, *rest, attributes, problem = page.columns
        if self._extend is not None:
            attributes = list(map(self._extend, page))
        combos = self._combos.numbers(attributes)
        source = [self.source] * len(page)
        return [key, source, octets(self.tx, mark), *rest, combos, problem]

    def _write(self) -> None:
        """Write what was set aside where it stays, in the order in which it is kept there."""
        columns = ", ".join(FIELDS)
        aside = self._aside
        sql = f"INSERT INTO records ({columns}) SELECT {columns} FROM {aside} ORDER BY key"
        run(self.tx, sql)
        run(self.tx, f"DELETE FROM {aside}")


def publish(
    tx: Connection, source: Picture, shape: str, facts: ReadFacts, certificate: Certificate
) -> None:
    """
    Make what was staged the picture of the source, or lay it over the picture.

    A certified read replaces the picture. Any other read only adds to it: nobody leaves
    by not being shown, and a key that was doubled stays so.
    """
    rows, certified, findings = certificate.rows, certificate.certified, certificate.findings
    if source.blank and not facts.usable:
        run(tx, "DELETE FROM records WHERE source = :source", source=source.id)
    if source.blank and facts.usable:
        _double(tx, source.id)
    elif facts.partial and facts.usable:
        _lay_changes_over(tx, source.id, facts)
    elif not facts.unchanged and facts.usable:
        values = {"source": source.id}
        if source.shape != shape:
            # Marks of another shape say nothing: whoever is not shown again is unseen.
            run(tx, "UPDATE records SET mark = NULL WHERE source = :source", **values)
        _find_doubles(tx, source.id, facts)
        _lay_over(tx, source.id, certified=certified)
        if certified:
            _drop_unseen(tx, source.id)
    if certified:
        counted = "certified_rows" if facts.partial else ":rows"
        values = {} if facts.partial else {"rows": rows}
        run(
            tx,
            f"UPDATE sources SET shape = :shape, content = :content, certified_rows = {counted}, "
            "failed_by = NULL, token = :token WHERE id = :id",
            shape=shape, content=_content(tx, source, facts), token=facts.token, id=source.id,
            **values,
        )  # fmt: skip
        return
    # What was laid over may mix two shapes: only a certified read makes rows known again.
    known_still = "shape" if source.shape == shape or not facts.usable else "NULL"
    run(
        tx,
        f"UPDATE sources SET content = NULL, token = NULL, shape = {known_still}, "
        "failed_by = :why "
        "WHERE id = :id",
        why=json.dumps(list(findings), ensure_ascii=False), id=source.id,
    )  # fmt: skip


def _content(tx: Connection, source: Picture, facts: ReadFacts) -> bytes | None:
    """Return what to know the content by; the records of doubled keys are not as they came."""
    sql = "SELECT 1 FROM doubles WHERE source = :id LIMIT 1"
    return facts.bare if facts.bare and one(tx, sql, id=source.id) else facts.content


def _lay_changes_over(tx: Connection, source: int, facts: ReadFacts) -> None:
    """
    Write what changed over the picture. Whom the source says it deleted has left.

    The record stays as a tombstone, which is evidence that the person left, until a read of
    everything shows them again or no more; where another source has the person it counts
    for nothing, as it would after that read (`people.merge`). A key that the changes show
    twice is doubled; one that was doubled stays so.
    """
    keys = f"(SELECT key FROM twins_{source})"
    run(tx, f"UPDATE incoming_{source} SET doubled = 1, mark = NULL WHERE key IN {keys}")
    if facts.gone:
        scratch(tx, "unseen", "mark BLOB PRIMARY KEY")
        bulk(tx, "unseen", ("mark",), ((mark,) for mark in facts.gone))
        gone = (
            "FROM records WHERE source = :source "
            f"AND substr(mark, 1, {BEGINNING}) IN (SELECT mark FROM unseen)"
        )
        run(tx, f"INSERT INTO dirty SELECT key {gone} ON CONFLICT DO NOTHING", source=source)
        run(
            tx,
            "UPDATE records SET enabled = 0, mark = :tombstone "
            f"WHERE source = :source AND key IN (SELECT key {gone})",
            source=source,
            tombstone=TOMBSTONE,
        )
    _lay_over(tx, source, certified=False)


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


def _double(tx: Connection, source: int) -> None:
    """Mark the doubled keys of a first read, and note everybody as changed."""
    keys = f"(SELECT key FROM twins_{source})"
    where = f"WHERE source = :source AND key IN {keys}"
    run(tx, f"UPDATE records SET doubled = 1, mark = NULL {where}", source=source)
    run(
        tx,
        f"INSERT INTO doubles (source, key, {RUNGS}) SELECT :source, key, {RUNGS} "
        f"FROM twins_{source} UNION SELECT :source, key, {RUNGS} FROM records {where}",
        source=source,
    )
    _empty(tx, "records", source)
    if one(tx, "SELECT 1 FROM people LIMIT 1"):
        sql = (
            "INSERT INTO dirty SELECT key FROM records WHERE source = :source "
            "ON CONFLICT DO NOTHING"
        )
        run(tx, sql, source=source)


def _lay_over(tx: Connection, source: int, *, certified: bool) -> None:
    """Write the staged records over those that are there, and note who changed."""
    incoming, twins = f"incoming_{source}", f"twins_{source}"
    if certified:
        run(tx, "DELETE FROM doubles WHERE source = :source", source=source)
    else:
        run(
            tx,
            f"UPDATE {incoming} SET doubled = 1, mark = NULL WHERE doubled = 0 AND EXISTS "
            f"(SELECT 1 FROM records r WHERE r.key = {incoming}.key AND r.source = :source "
            "AND r.doubled = 1)",
            source=source,
        )
    run(
        tx,
        f"INSERT INTO doubles (source, key, {RUNGS}) SELECT :source, key, {RUNGS} FROM {twins} "
        f"UNION SELECT :source, key, {RUNGS} FROM {incoming} WHERE doubled = 1",
        source=source,
    )
    _empty(tx, incoming, source)
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


def _empty(tx: Connection, table: str, source: int) -> None:
    """Empty the records of doubled keys: which of their rows came first must decide nothing."""
    if not one(tx, f"SELECT 1 FROM {table} WHERE doubled = 1 AND source = :id LIMIT 1", id=source):
        return
    combos = Combos(tx)
    nothing = combos.number("{}")
    combos.flush()
    empty = ", ".join(f"{name} = NULL" for name in (*RUNGS.split(", "), *STANDING, "problem"))
    run(
        tx,
        f"UPDATE {table} SET {empty}, combo = :combo WHERE source = :source AND doubled = 1",
        source=source,
        combo=nothing,
    )


def _drop_unseen(tx: Connection, source: int) -> None:
    """Take out of the picture whoever the read did not show."""
    gone = (
        "FROM records WHERE source = :source "
        "AND (mark IS NULL OR mark IN (SELECT mark FROM unseen)) "
        f"AND key NOT IN (SELECT key FROM incoming_{source})"
    )
    if one(tx, f"SELECT 1 {gone} LIMIT 1", source=source):
        run(tx, f"INSERT INTO dirty SELECT key {gone} ON CONFLICT DO NOTHING", source=source)
        run(tx, f"DELETE {gone}", source=source)


def shown(tx: Connection, source: Picture, facts: ReadFacts, keys: Sequence[str]) -> set[str]:
    """Return which of these keys the read that was staged has shown."""
    found = set()
    for key in keys:
        values = {"key": key, "source": source.id}
        if source.blank:
            sql = "SELECT 1 FROM records WHERE key = :key AND source = :source"
            if facts.usable and one(tx, sql, **values):
                found.add(key)
            continue
        if not facts.unchanged and facts.usable:  # what changed, or all that is not known
            sql = f"SELECT 1 FROM incoming_{source.id} WHERE key = :key"
            if one(tx, sql, key=key):
                found.add(key)
                continue
        sql = "SELECT mark FROM records WHERE key = :key AND source = :source"
        if any(_still_there(row.mark, facts) for row in rows(tx, sql, **values)):
            found.add(key)
    return found


def _still_there(mark: bytes | None, facts: ReadFacts) -> bool:
    """Tell whether a read leaves a record where it is, by the mark of its row."""
    if mark is None:
        return facts.unchanged or facts.partial
    own = bytes(mark)
    if facts.partial:
        return own != TOMBSTONE and own[:BEGINNING] not in facts.gone
    return facts.unchanged or (facts.usable and own not in facts.gone)
