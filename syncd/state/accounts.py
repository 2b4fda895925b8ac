"""The users of an environment as they were read last, and whom it concerns if one changes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from syncd.core.columns import normal_forms
from syncd.core.errors import TokenExpired
from syncd.core.hints import Hint
from syncd.core.identity import guid, login, text
from syncd.core.ports import Pages, Target, UserRow
from syncd.state import hints, kin, leaves
from syncd.state.advice import reindex
from syncd.state.columns import lay
from syncd.state.database import bulk, know, one, run, scratch, upsert
from syncd.state.revisions import recall, remember, touch
from syncd.state.schema import FOUND_BY

__all__ = ["GUID_LENGTH", "Difference", "users"]

GUID_LENGTH = 36
USER = (
    "env",
    "id",
    "version",
    "user_name",
    "full_name",
    "object_id",
    "employee_id",
    "login",
    "mail",
    "candidate",
    "disabled",
    "pointer",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a read found otherwise than it was known: ids of rows, and of those that are gone."""

    changed: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()

    @property
    def ids(self) -> frozenset[str]:
        """The ids of both."""
        return self.changed | self.gone


def users(
    tx: Connection,
    env: int,
    target: Target,
    match: str,
    further: Sequence[Hint] = (),
    *,
    delta: bool = False,
) -> Difference:
    """
    Read the users; rows that are known with their version are not written again.

    With *delta* only what changed is read, where the target knows that. *match* names
    what is read of a user beside the essential; if it changes, nothing is known.
    *further* are the hints among that.
    """
    if recall(tx, f"match:{env}") != match:
        run(tx, "DELETE FROM users WHERE env = :env", env=env)
        hints.forget(tx, env)
        leaves.forget(tx, env, leaves.USERS)
        remember(tx, f"match:{env}", match)
        remember(tx, f"token:{env}:users", "")
    token = recall(tx, f"token:{env}:users")
    if delta and token:
        with (
            contextlib.suppress(TokenExpired),
            hints.gleaning(tx, env, target.users_since(token, further), further) as read,
        ):
            return _changed_users(tx, env, read, hinted=bool(further))
    known: set[str] = set()
    memory = leaves.recollect(tx, env, leaves.USERS)
    with hints.gleaning(tx, env, target.users(known, further, memory), further) as read:
        if memory is None:
            difference = _first_users(tx, env, read)
        else:
            changed = _set_aside(tx, env, read)
            gone = {mark[:GUID_LENGTH] for mark in known} - changed
            difference = _replace_users(tx, env, changed, gone, hinted=bool(further))
            leaves.settle(tx, env, leaves.USERS, memory)
    remember(tx, f"token:{env}:users", read.token or "")
    return difference


def _first_users(tx: Connection, env: int, read: Iterable[Sequence[UserRow]]) -> Difference:
    """Write users where none are known. Nobody needs their ids: there may be a million."""
    alone = not one(tx, "SELECT 1 FROM users LIMIT 1")
    for name in FOUND_BY if alone else ():  # they are made faster when all users are there
        run(tx, f"DROP INDEX users_{name}")
    lay(tx, "users", USER, ("env", "id"), (_users(env, page) for page in filter(None, read)))
    for name in FOUND_BY if alone else ():
        reindex(tx, f"users.users_{name}", f"env, {name}")
    if one(tx, "SELECT 1 FROM users WHERE env = :env LIMIT 1", env=env):
        touch(tx, f"users:{env}")
        know(tx, "users")
    return Difference()


def _changed_users(tx: Connection, env: int, read: Pages[UserRow], *, hinted: bool) -> Difference:
    changed = _set_aside(tx, env, read)
    difference = _replace_users(tx, env, changed, set(read.gone), hinted=hinted)
    if difference.ids:
        leaves.doubt(tx, env, leaves.USERS)
    remember(tx, f"token:{env}:users", read.token or "")
    return difference


def _set_aside(tx: Connection, env: int, read: Iterable[Sequence[UserRow]]) -> set[str]:
    """Set users aside in the table `arrived`; of two readings the last stays."""
    texts = ", ".join(f"{name} TEXT" for name in USER[2:9])
    numbers = "candidate INTEGER, disabled INTEGER, pointer TEXT"
    scratch(tx, "arrived", f"env INTEGER, id TEXT PRIMARY KEY, {texts}, {numbers}")
    ids: set[str] = set()
    for page in filter(None, read):
        ids.update(row[0] for row in page)
        upsert(tx, "arrived", USER, ("id",), zip(*_users(env, page), strict=True))
    return ids


def _replace_users(
    tx: Connection, env: int, changed: set[str], gone: set[str], *, hinted: bool
) -> Difference:
    """
    Put what is set aside in the place of what was known, and note whom that concerns.

    Where people are *hinted* at by other columns, that may be anybody.
    """
    difference = Difference(frozenset(changed), frozenset(gone))
    if not difference.ids:
        return difference
    scratch(tx, "gone", "id TEXT PRIMARY KEY")
    bulk(tx, "gone", ("id",), ((ident,) for ident in gone))
    concerned = None if hinted else kin.of_users(tx, env)
    names = ", ".join(USER)
    taken = ", ".join(f"{name} = excluded.{name}" for name in USER[2:])
    run(
        tx,
        f"INSERT INTO users ({names}) SELECT {names} FROM arrived WHERE true ORDER BY id "
        f"ON CONFLICT (env, id) DO UPDATE SET {taken}",
    )
    run(tx, "DELETE FROM users WHERE env = :env AND id IN (SELECT id FROM gone)", env=env)
    if concerned is None or concerned:
        touch(tx, f"users:{env}", concerned)
    know(tx, "users")
    return difference


def _users(env: int, page: Sequence[UserRow]) -> list[Sequence[object]]:
    """Return what to write of some users, in the order of USER, column by column."""
    *given, oid, eid, mail, candidate, disabled, pointer, _ = zip(*page, strict=True)
    return [
        [env] * len(page),
        *given,
        normal_forms(oid, guid),
        normal_forms(eid, text),
        normal_forms(given[2], login),
        normal_forms(mail, login),
        list(map(int, candidate)),
        list(map(int, disabled)),
        pointer,
    ]
