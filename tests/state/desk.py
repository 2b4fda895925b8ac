"""What the tests of the state database have at hand: people, a target that shows pages, views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import text

from syncd.core.certificate import Certificate
from syncd.core.errors import TargetIncomplete, TokenExpired
from syncd.core.hints import Hint, Hints
from syncd.core.ledger import Ledger
from syncd.core.model import Membership, iso
from syncd.core.plan import Change, Outcome
from syncd.core.ports import (
    MembershipRow,
    Pages,
    ProfileRow,
    Remembered,
    TeamProfileRow,
    UserRow,
)
from syncd.engine.parts import Silent
from syncd.engine.reading import read_sources, read_target
from syncd.state import observed
from syncd.state.database import Database
from tests.world import URL, World, number

USERS = {f"e{which}": number(1, which) for which in range(1, 4)}
PROFILES = {"Field": number(2, 1), "Office": number(2, 2)}
FIELD, OFFICE = PROFILES.values()
ONE, TWO, THREE = USERS.values()
BROKEN = TargetIncomplete("the page after this one never came")


def person(
    key: str,
    department: str = "field",
    *,
    status: str = "Active",
    grade: str = "3",
    mail: str = "",
    last: str = "",
) -> tuple[str, ...]:
    """Describe somebody as a file does; the key is the employee id, too."""
    return (key, "", key, "", mail, status, "", last, department, grade, "")


def read(world: World) -> list[Certificate]:
    """Read the sources of a world, and keep what was read."""
    with world.database.begin() as tx:
        now = iso(world.clock())
        return read_sources(tx, world.environment, world.ranked, now, Silent())


def select(database: Database, sql: str, **values: object) -> list[tuple[Any, ...]]:
    """Return what a statement finds, on a connection of its own."""
    with database.read() as tx:
        return [tuple(row) for row in tx.execute(text(sql), values)]


def people(database: Database) -> dict[str, str]:
    """Return everybody in the picture, with their attributes."""
    sql = "SELECT p.key, c.attributes FROM people p JOIN combos c ON c.id = p.combo"
    return dict(select(database, sql))


def day(text: str) -> int:
    """Return the number of a day as the records have it."""
    return date.fromisoformat(text).toordinal()


# --- a target --------------------------------------------------------------------------------


def user(key: str, version: str = "1", *, name: str | None = None) -> UserRow:
    """Describe a user as the target shows it."""
    return (key, version, name, name, None, None, None, True, False, None, ())


def row(
    which: int,
    user: str | None,
    profile: str | None = FIELD,
    version: str = "1",
    *,
    active: bool = True,
) -> MembershipRow:
    """Describe a membership row as the target shows it."""
    return (number(3, which), version, user, profile, active, False, "2026-01-01T00:00:00Z")


Shows = Sequence[Sequence[Any] | TargetIncomplete]


@dataclass(slots=True)
class Shown:
    """A target that shows these pages; one that is an error is where the read breaks off."""

    users_shown: Shows = field(default_factory=lambda: [[user(key) for key in USERS.values()]])
    rows_shown: Shows = ()
    teams: Sequence[TeamProfileRow] = ()
    rows_since: Shows = ()
    gone: Sequence[str] = ()
    token: str | None = None
    next_token: str | None = None
    now: Mapping[str, Membership] = field(default_factory=dict)
    given: list[str] = field(default_factory=list)
    asked: list[Hint] = field(default_factory=list)
    declared: Hints | None = None
    ledger: Ledger = field(default_factory=Ledger)

    def users(
        self, known: set[str], hints: Sequence[Hint] = (), memory: Remembered | None = None
    ) -> Pages[UserRow]:
        self.asked += hints
        known.update(memory.known() if memory else ())
        return Pages(self._news(self.users_shown, known), self.token)

    def memberships(
        self, known: set[str], memory: Remembered | None = None
    ) -> Pages[MembershipRow]:
        known.update(memory.known() if memory else ())
        return Pages(self._news(self.rows_shown, known), self.token)

    def hints(self) -> Hints:
        assert self.declared is not None, "nobody asks for hints here"
        return self.declared

    def users_since(self, token: str, hints: Sequence[Hint] = ()) -> Pages[UserRow]:
        self.asked += hints
        raise TokenExpired(f"{token} is too old")

    def memberships_since(self, token: str) -> Pages[MembershipRow]:
        if token != self.token:
            raise TokenExpired(f"{token} is too old")
        return Pages(self._news(self.rows_since, set()), self.next_token, set(self.gone))

    def profiles(self) -> Sequence[ProfileRow]:
        return [(key, name, True) for name, key in PROFILES.items()]

    def team_profiles(self) -> Sequence[TeamProfileRow]:
        return self.teams

    def fetch(self, ids: Sequence[str]) -> dict[str, Membership]:
        return {ident: row for ident, row in self.now.items() if ident in ids}

    def apply(self, changes: Sequence[Change], run: int) -> list[Outcome]:
        raise AssertionError(f"run {run} sends {changes}, and nothing is sent here")

    @property
    def batch_size(self) -> int:
        return 1

    @property
    def lanes(self) -> int:
        return 1

    def _news(self, pages: Shows, known: set[str]) -> Iterator[list[Any]]:
        for page in pages:
            if isinstance(page, TargetIncomplete):
                raise page
            fresh = [each for each in page if each[0] + each[1] not in known]
            known.difference_update(each[0] + each[1] for each in page)
            self.given += [each[0] for each in fresh]
            yield fresh


def look(world: World, target: Shown) -> int:
    """Read a target, keep what was read, and return the environment's number."""
    with world.database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        read_target(tx, world.environment, env, target, Silent(), delta=world.delta)
    return env


def held(database: Database) -> list[tuple[Any, ...]]:
    """Return the rows in the picture of the target: user, row, profile, active."""
    return select(database, "SELECT user_id, id, profile, active FROM memberships ORDER BY 1, 2")


def husks(database: Database) -> list[tuple[Any, ...]]:
    """Return the husks in it."""
    return select(database, "SELECT id, user_id, profile FROM husks ORDER BY 1")


def audit(database: Database) -> list[tuple[Any, ...]]:
    """Return the whole audit log, in the order in which it was written."""
    sql = (
        "SELECT id, at, env, run, who, what, person, user_id, membership, before, after, why, "
        "result FROM audit ORDER BY id"
    )
    return select(database, sql)


def journal(database: Database) -> list[tuple[Any, ...]]:
    """Return the journal: run, number, plan, settled, result."""
    sql = "SELECT run, number, plan, settled, result FROM journal ORDER BY run, number"
    return select(database, sql)
