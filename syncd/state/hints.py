"""
What users have in the columns that `usermapping` names: the values of one more rung.

They stand beside the users, in a table that is empty unless `policy.match` names the rung.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from syncd.core.hints import FORMS, Hint, Hints
from syncd.core.model import Rung
from syncd.core.ports import Pages, UserRow
from syncd.state.database import bulk, know, run, scratch
from syncd.state.revisions import recall, remember

__all__ = ["agrees", "answered", "fields", "forget", "gleaning", "note", "remarks", "write_hits"]

THEIRS = "SELECT 1 FROM hints h WHERE h.env = :env"


@dataclass(slots=True)
class Gleaned:
    """What passing pages of users said, to be written once all of them are there."""

    said: dict[str, Sequence[tuple[str, str]]] = field(default_factory=dict)

    def passing(self, pages: Iterator[Sequence[UserRow]]) -> Iterator[Sequence[UserRow]]:
        """Pass the pages on, and note what they say; of a user on two pages the last counts."""
        for page in pages:
            self.said.update((row[0], row[10]) for row in page)
            yield page

    def write(self, tx: Connection, env: int) -> None:
        """Replace what was known of these users, and forget users who are gone."""
        scratch(tx, "reread", "id TEXT PRIMARY KEY")
        bulk(tx, "reread", ("id",), ((user,) for user in self.said))
        run(
            tx,
            "DELETE FROM hints WHERE env = :env AND (user_id IN (SELECT id FROM reread) "
            "OR user_id NOT IN (SELECT id FROM users WHERE env = :env))",
            env=env,
        )
        bulk(tx, "hints", ("env", "user_id", "field", "value"), sorted(self._values(env)))
        know(tx, "hints")

    def _values(self, env: int) -> set[tuple[int, str, str, str]]:
        formed = (
            (env, user, name, FORMS[name](value))
            for user, pairs in self.said.items()
            for name, value in pairs
        )
        return {each for each in formed if each[3]}


@contextlib.contextmanager
def gleaning(
    tx: Connection, env: int, read: Pages[UserRow], hints: Sequence[Hint]
) -> Iterator[Pages[UserRow]]:
    """Pass a read of users on; write down at the end what they have for *hints*, if any."""
    if not hints:
        yield read
        return
    gleaned = Gleaned()
    read.pages = gleaned.passing(read.pages)
    yield read
    gleaned.write(tx, env)


def forget(tx: Connection, env: int) -> None:
    """Forget all of it: other columns are read from now on, or none."""
    run(tx, "DELETE FROM hints WHERE env = :env", env=env)


def note(tx: Connection, env: int, hints: Hints) -> None:
    """Remember which fields the rung compares, and what is to be said of rows left aside."""
    used = sorted({hint.field for hint in hints.used})
    remember(tx, f"hints:{env}", json.dumps({"fields": used, "remarks": hints.remarks}))


def fields(tx: Connection, env: int, ladder: Sequence[Rung]) -> list[str]:
    """Return which fields of a person the rung compares; none unless *ladder* has it."""
    return _noted(tx, env)["fields"] if Rung.USERMAPPING in ladder else []


def remarks(tx: Connection, env: int, ladder: Sequence[Rung]) -> list[str]:
    """Return what is to be said of rows that are left aside, likewise."""
    return _noted(tx, env)["remarks"] if Rung.USERMAPPING in ladder else []


def _noted(tx: Connection, env: int) -> dict[str, list[str]]:
    found = recall(tx, f"hints:{env}")
    return {"fields": [], "remarks": []} if found is None else dict(json.loads(found))


# --- statements: a person `p`, a user `u` -------------------------------------------------------


def agrees(fields: Sequence[str]) -> str:
    """Return a condition: on these fields the person says nothing, or what the user's hints say."""
    parts = [
        f"(p.{name} IS NULL OR EXISTS ({THEIRS} AND h.user_id = u.id "
        f"AND h.field = '{name}' AND h.value = p.{name}))"
        for name in fields
    ]
    return " AND ".join(parts) or "true"


def answered(fields: Sequence[str]) -> str:
    """Return a condition: some candidate's hints answer to the person."""
    parts = [
        "EXISTS (SELECT 1 FROM hints h JOIN users c ON c.env = h.env AND c.id = h.user_id "
        f"WHERE h.env = :env AND h.field = '{name}' AND h.value = p.{name} AND c.candidate = 1)"
        for name in fields
    ]
    return " OR ".join(parts) or "false"


def write_hits(tx: Connection, env: int, table: str, key: str, fields: Sequence[str]) -> None:
    """List in `hinted` whom these fields of the people in *table* find: candidates only, once."""
    scratch(tx, "hinted", "person TEXT, user_id TEXT")
    if not fields:
        return
    found = " UNION ".join(
        f"SELECT p.{key} AS person, h.user_id AS user_id FROM {table} p "
        f"JOIN hints h ON h.env = :env AND h.field = '{name}' AND h.value = p.{name} "
        "JOIN users u ON u.env = :env AND u.id = h.user_id AND u.candidate = 1"
        for name in fields
    )
    run(tx, f"INSERT INTO hinted {found}", env=env)
