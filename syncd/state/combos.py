"""Distinct sets of attributes, each with a small number."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import cast

from sqlalchemy import Connection

from syncd.state.database import bulk, one, rows

__all__ = ["Combos", "alone"]

MOST = 200_000
"""How many sets are kept at hand; beyond, the database is asked for each."""


def alone(tx: Connection) -> None:
    """Wait until no other transaction reads sources; SQLite lets only one write anyway."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql("LOCK TABLE combos IN EXCLUSIVE MODE")


class Combos:
    """
    Numbers sets of attributes, given as canonical JSON.

    New ones are written by `flush`, before anything that refers to them.
    """

    def __init__(self, tx: Connection) -> None:
        """Bring what is known to hand."""
        self.tx = tx
        alone(tx)  # numbers are given out here
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

    def numbers(self, attributes: Sequence[str]) -> list[int]:
        """Return the numbers of many sets, among which few are new."""
        found = list(map(self.known.get, attributes))
        if None not in found:
            return cast("list[int]", found)
        new = (each is None for each in found)
        given = {each: self.number(each) for each in dict.fromkeys(compress(attributes, new))}
        both = zip(attributes, found, strict=True)
        return [given[each] if number is None else number for each, number in both]

    def flush(self) -> None:
        """Write the new sets."""
        bulk(self.tx, "combos", ("id", "attributes"), self._new)
        self._new = []
