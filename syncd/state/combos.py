"""Distinct sets of attributes, each with a small number."""

from __future__ import annotations

from sqlalchemy import Connection

from syncd.state.database import bulk, one, rows

__all__ = ["Combos"]

MOST = 200_000
"""How many sets are kept at hand; beyond, the database is asked for each."""


class Combos:
    """
    Numbers sets of attributes, given as canonical JSON.

    New ones are written by `flush`, before anything that refers to them. `known` may be
    read directly; ask `number` for what is not in it.
    """

    def __init__(self, tx: Connection) -> None:
        """Bring what is known to hand."""
        self.tx = tx
        if tx.dialect.name == "postgresql":
            # Numbers are given out here: one transaction at a time.
            tx.exec_driver_sql("LOCK TABLE combos IN EXCLUSIVE MODE")
        self._last = int(one(tx, "SELECT COALESCE(max(id), 0) FROM combos"))
        self._whole = int(one(tx, "SELECT count(*) FROM combos")) <= MOST
        found = rows(tx, "SELECT attributes, id FROM combos") if self._whole else ()
        self.known: dict[str, int] = {row.attributes: row.id for row in found}
        self._new: list[tuple[int, str]] = []

    def number(self, attributes: str) -> int:
        """Return the number of a set, which gets one if it is new."""
        found = self.known.get(attributes)
        if found is None and not self._whole:
            self.flush()
            sql = "SELECT id FROM combos WHERE attributes = :attributes"
            found = one(self.tx, sql, attributes=attributes)
        if found is None:
            self._last += 1
            found = self._last
            self._new.append((found, attributes))
        if len(self.known) >= MOST:
            self.flush()
            self.known.clear()
            self._whole = False
        self.known[attributes] = int(found)
        return int(found)

    def flush(self) -> None:
        """Write the new sets."""
        bulk(self.tx, "combos", ("id", "attributes"), self._new)
        self._new = []
