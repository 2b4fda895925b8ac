"""What is usual of a source: its groups, its keys and its columns, as certified reads had them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from syncd.core.bands import Group, Look, columns_kept, grown
from syncd.core.certificate import Certificate
from syncd.core.ports import ReadFacts
from syncd.core.settings import SourceLimits
from syncd.state.database import bulk, column, one, rows, run, scratch
from syncd.state.pictures import Picture

__all__ = ["learn", "look"]

ENABLED = "enabled"
"""The one thing beside attributes whose groups can be compared."""
ANYBODY = ""
"""Stands in the table for everybody with any value: a value is never empty."""


# --- before a read is judged ------------------------------------------------------------------


def look(
    tx: Connection,
    source: Picture,
    shape: str,
    facts: ReadFacts,
    limits: SourceLimits,
    *,
    exact: bool = False,
) -> Look:
    """
    Count what was staged of a read that is to be compared with certified ones.

    Nothing is counted that could not be remarkable, unless *exact*.
    """
    failed_by = tuple(json.loads(source.failed_by or "[]"))
    if not facts.usable:
        return Look(reads=limits.learn, failed_by=failed_by)
    before = _history(tx, source, limits)
    reads = min((len(before[name].get(ANYBODY, ())) for name in limits.bands), default=0)
    new, whole = _new(tx, source, shape, facts, limits, exact=exact)
    known = one(tx, "SELECT columns FROM sources WHERE id = :id", id=source.id)
    return Look(
        groups=tuple(_groups(tx, source, shape, facts, limits, before, reads, exact=exact)),
        reads=reads,
        new=new,
        rows=whole,
        columns=None if known is None else tuple(json.loads(known)),
        failed_by=failed_by,
    )


History = dict[str, dict[str, tuple[int, ...]]]
"""By attribute and value: how many people there were in recent certified reads."""


def _history(tx: Connection, source: Picture, limits: SourceLimits) -> History:
    found: History = defaultdict(dict)
    if limits.bands:
        sql = "SELECT attribute, value, counts FROM bands WHERE source = :source"
        for row in rows(tx, sql, source=source.id):
            found[row.attribute][row.value] = tuple(json.loads(row.counts))
    return found


def _new(
    tx: Connection,
    source: Picture,
    shape: str,
    facts: ReadFacts,
    limits: SourceLimits,
    *,
    exact: bool,
) -> tuple[int, int]:
    """Count the keys that no certified read has shown, and the rows among which they are."""
    whole = source.certified_rows if facts.partial else facts.rows
    if source.blank or source.certified_rows is None or facts.unchanged or not whole:
        return 0, whole or 0
    staged = f"incoming_{source.id}"
    suspects = one(tx, "SELECT count(*) FROM newcomers WHERE source = :id", id=source.id)
    most = suspects + one(tx, f"SELECT count(*) FROM {staged}")
    if not exact and (most <= limits.new_floor or most * 100 <= limits.max_new_percent * whole):
        return 0, whole  # even if all of them were new
    new = one(
        tx,
        f"SELECT count(*) FROM {staged} i WHERE NOT EXISTS (SELECT 1 FROM records r "
        "WHERE r.key = i.key AND r.source = :id) "
        "OR EXISTS (SELECT 1 FROM newcomers n WHERE n.key = i.key AND n.source = :id)",
        id=source.id,
    )
    if suspects and source.shape == shape:
        marks = column(
            tx,
            "SELECT r.mark FROM newcomers n JOIN records r "
            "ON r.key = n.key AND r.source = n.source WHERE n.source = :id "
            f"AND r.mark IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {staged} i "
            "WHERE i.key = n.key)",
            id=source.id,
        )
        new += sum(bytes(mark) not in facts.gone for mark in marks)
    return int(new), whole


# --- groups -----------------------------------------------------------------------------------


def _groups(
    tx: Connection,
    source: Picture,
    shape: str,
    facts: ReadFacts,
    limits: SourceLimits,
    before: History,
    reads: int,
    *,
    exact: bool,
) -> Iterator[Group]:
    """Give the groups that are large enough, or were: of a read of changes those that changed."""
    if not limits.bands or (facts.partial and not reads):
        return
    if reads >= limits.learn and not exact and _as_before(tx, source, shape, facts):
        return
    _count(tx, source, shape, facts)
    for name in limits.bands:
        known = before[name]
        found = _values(tx, source, name, limits.smallest_group)
        found[ANYBODY] = _anybody(tx, name)
        if facts.partial:
            last = {value: counts[-1] for value, counts in known.items()}
            found = {
                value: last[value] + more for value, more in found.items() if value in last and more
            }
        else:
            found = {**dict.fromkeys(known, 0), **found}
        for value, number in sorted(found.items()):
            yield Group(name, value or None, number, known.get(value, ()))


def _as_before(tx: Connection, source: Picture, shape: str, facts: ReadFacts) -> bool:
    """Tell whether a read shows what the last one showed, which was certified."""
    if facts.unchanged:
        return True
    if facts.gone or source.blank or source.failed_by or source.shape != shape:
        return False
    if source.token is not None:
        return False  # reads of changes since then may have made new groups
    return not one(tx, f"SELECT 1 FROM incoming_{source.id} LIMIT 1")


def _count(tx: Connection, source: Picture, shape: str, facts: ReadFacts) -> None:
    """Count people by combination: all whom the read shows, or how many more there are by it."""
    scratch(tx, "band_sizes", "combo INTEGER, enabled INTEGER, number INTEGER")
    each = "SELECT combo, enabled, {number} FROM {rows} GROUP BY combo, enabled"
    incoming = f"incoming_{source.id}"
    recorded = "records WHERE source = :source"
    if source.blank or facts.unchanged:
        parts = [each.format(number="count(*)", rows=recorded)]
    elif facts.partial:
        told = f"{recorded} AND key IN (SELECT key FROM {incoming})"
        parts = [
            each.format(number="count(*)", rows=incoming),
            each.format(number="-count(*)", rows=told),
        ]
    else:
        parts = [each.format(number="count(*)", rows=incoming)]
        if source.shape == shape:  # else nothing was known, and all of it is staged
            scratch(tx, "departed", "mark BLOB PRIMARY KEY")
            bulk(tx, "departed", ("mark",), ((mark,) for mark in facts.gone))
            told = (
                "records r WHERE source = :source AND mark IS NOT NULL "
                "AND NOT EXISTS (SELECT 1 FROM departed d WHERE d.mark = r.mark)"
            )
            parts.append(each.format(number="count(*)", rows=told))
    for part in parts:
        sql = f"INSERT INTO band_sizes (combo, enabled, number) {part}"
        run(tx, sql, **({"source": source.id} if ":source" in sql else {}))


def _value(tx: Connection, attribute: str) -> tuple[str, str]:
    """Return the expression of a group's value, and what it is to be given as `path`."""
    if attribute == ENABLED:
        return "CASE WHEN s.enabled = 0 THEN 'false' ELSE 'true' END", ""
    if tx.dialect.name == "postgresql":
        told = "CAST(c.attributes AS json) ->> CAST(:path AS text)"
        return f'({told}) COLLATE "C"', attribute
    return "CAST(json_extract(c.attributes, :path) AS TEXT)", f'$."{attribute}"'


def _by_value(tx: Connection, attribute: str) -> tuple[str, dict[str, object]]:
    """Return a query of the groups of an attribute, without those who have no value."""
    value, path = _value(tx, attribute)
    return (
        f"SELECT value, number FROM (SELECT {value} AS value, SUM(s.number) AS number "
        "FROM band_sizes s JOIN combos c ON c.id = s.combo GROUP BY 1) g "
        "WHERE g.value IS NOT NULL AND g.value <> ''"
    ), ({"path": path} if path else {})


def _values(tx: Connection, source: Picture, attribute: str, smallest: int) -> dict[str, int]:
    """Return the size of each group that is large enough, or was once."""
    query, values = _by_value(tx, attribute)
    found = rows(
        tx,
        f"{query} AND (ABS(g.number) >= :smallest OR EXISTS (SELECT 1 FROM bands b "
        "WHERE b.source = :source AND b.attribute = :attribute AND b.value = g.value))",
        smallest=max(smallest, 1),
        source=source.id,
        attribute=attribute,
        **values,
    )
    return {row.value: int(row.number) for row in found}


def _anybody(tx: Connection, attribute: str) -> int:
    query, values = _by_value(tx, attribute)
    return int(one(tx, f"SELECT COALESCE(SUM(number), 0) FROM ({query}) a", **values))


# --- after it is judged -----------------------------------------------------------------------


def learn(
    tx: Connection,
    source: Picture,
    facts: ReadFacts,
    certificate: Certificate,
    found: Look,
    limits: SourceLimits,
    *,
    accepted: bool,
) -> None:
    """
    Remember what a certified read was like, and whom a read that is not believed made known.

    Call it before the read becomes the picture. *accepted* says that an operator let it
    pass: then this is what is usual from now on.
    """
    if not certificate.certified:
        _suspect(tx, source, facts)
        return
    run(tx, "DELETE FROM newcomers WHERE source = :id", id=source.id)
    columns = columns_kept(facts, found.columns)
    if columns != found.columns:
        told = json.dumps(columns, ensure_ascii=False)
        run(tx, "UPDATE sources SET columns = :told WHERE id = :id", told=told, id=source.id)
    if facts.partial:
        changed = [(group, (*group.before[:-1], group.now)) for group in found.groups]
    else:
        changed = [
            (group, grown(group.before, group.now, limits, anew=accepted)) for group in found.groups
        ]
    _forget(tx, source, limits)
    _write(tx, source, changed, limits)


def _suspect(tx: Connection, source: Picture, facts: ReadFacts) -> None:
    """Note the keys that get into the picture though nobody believed the read that had them."""
    if source.blank:
        run(tx, "DELETE FROM newcomers WHERE source = :id", id=source.id)
    if source.blank or source.certified_rows is None or facts.unchanged or not facts.usable:
        return
    run(
        tx,
        f"INSERT INTO newcomers (source, key) SELECT :id, key FROM incoming_{source.id} i "
        "WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.key = i.key AND r.source = :id) "
        "ON CONFLICT DO NOTHING",
        id=source.id,
    )


def _forget(tx: Connection, source: Picture, limits: SourceLimits) -> None:
    """Forget attributes that are not compared any more."""
    known = rows(tx, "SELECT DISTINCT attribute FROM bands WHERE source = :id", id=source.id)
    for (name,) in known:
        if name not in limits.bands:
            sql = "DELETE FROM bands WHERE source = :id AND attribute = :name"
            run(tx, sql, id=source.id, name=name)


def _write(
    tx: Connection,
    source: Picture,
    changed: Sequence[tuple[Group, tuple[int, ...]]],
    limits: SourceLimits,
) -> None:
    """Write what is remembered of some groups; one that was small all the time is forgotten."""
    for group, _ in changed:
        sql = "DELETE FROM bands WHERE source = :id AND attribute = :name AND value = :value"
        run(tx, sql, id=source.id, name=group.attribute, value=group.value or ANYBODY)
    bulk(
        tx,
        "bands",
        ("source", "attribute", "value", "counts"),
        [
            (source.id, group.attribute, group.value or ANYBODY, json.dumps(counts))
            for group, counts in changed
            if group.value is None or max(counts) >= limits.smallest_group
        ],
    )
