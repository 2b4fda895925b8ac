"""Gather what is known about the cases that need attention, a thousand at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from syncd.core.case import WINDOW, Case, Choice, Context, Hold, Memory, Sighting
from syncd.core.model import (
    Finding,
    Link,
    Membership,
    Origin,
    Presence,
    Rung,
    Situation,
    User,
    Wanted,
    iso,
)
from syncd.state.answers import losers
from syncd.state.database import rows
from syncd.state.presence import presence

__all__ = ["Subject", "cases", "membership", "subject"]

CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Subject:
    """A case: its kind, the key of its sightings, the rung that found the user."""

    kind: str
    key: str
    case: Case
    rung: Rung | None = None


def subject(person: str | None, user: str | None) -> str:
    """Return the key under which sightings of a person or an unexplained user are kept."""
    return f"p:{person}" if person is not None else f"u:{user}"


def cases(tx: Connection, env: int, context: Context) -> Iterator[list[Subject]]:
    """Give the cases in the order of `attention`, in lists of a thousand."""
    gather = _Gather(tx, env, context)
    start = 1
    while True:
        found = gather.chunk(start, start + CHUNK)
        if not found:
            return
        yield found
        start += CHUNK


class _Gather:
    """The queries of one run; each asks about one chunk of `attention`."""

    def __init__(self, tx: Connection, env: int, context: Context) -> None:
        self.tx, self.env, self.context = tx, env, context
        self.today = context.today
        self.holds = self._decisions("hold")
        self.choices = self._decisions("profile")

    def chunk(self, start: int, end: int) -> list[Subject]:
        self._range = {"start": start, "end": end}
        heads = self._rows(HEADS)
        if not heads:
            return []
        people = {row.seq: row for row in self._rows(PEOPLE)}
        users = {row.seq: row for row in self._rows(USERS)}
        husks = {row.seq: row for row in self._rows(HUSKS)}
        members = self._grouped(MEMBERS)
        links = self._grouped(LINKS)
        elsewhere = self._grouped(ELSEWHERE)
        teams = self._grouped(TEAMS)
        memories = self._memories()
        return [
            self._subject(
                head,
                people.get(head.seq),
                users.get(head.seq),
                husks.get(head.seq),
                members[head.seq],
                links[head.seq],
                elsewhere[head.seq],
                teams[head.seq],
                memories[head.seq],
            )
            for head in heads
        ]

    def _rows(self, sql: str, **more: object) -> Sequence[Any]:
        values = {**self._range, "env": self.env, **more}
        return rows(self.tx, sql, **{k: v for k, v in values.items() if f":{k}" in sql})

    def _grouped(self, sql: str, **more: object) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = defaultdict(list)
        for row in self._rows(sql, **more):
            found[row.seq].append(row)
        return found

    def _decisions(self, kind: str) -> dict[str, Any]:
        sql = (
            "SELECT subject, value, against, until, reason, who FROM decisions "
            "WHERE env = :env AND kind = :kind AND ended IS NULL ORDER BY id"
        )
        return {row.subject: row for row in rows(self.tx, sql, env=self.env, kind=kind)}

    def _memories(self) -> dict[int, Memory]:
        since = iso(self.context.now - WINDOW)
        sightings = {row.seq: row for row in self._rows(SIGHTINGS)}
        pendings = {row.seq: row for row in self._rows(PENDINGS)}
        flags = self._grouped(FLAGS)
        losses = self._grouped(LOSSES, since=since)
        return defaultdict(
            Memory,
            {
                seq: Memory(
                    sighting=_sighting(sightings.get(seq)),
                    pending=Situation(pendings[seq].situation) if seq in pendings else None,
                    marked=_marked(flags[seq]),
                    cleared=_cleared(flags[seq]),
                    losses=tuple(_moment(row.at) for row in losses[seq]),
                )
                for seq in {*sightings, *pendings, *flags, *losses}
            },
        )

    def _subject(
        self,
        head: Any,
        person: Any,
        user: Any,
        husk: Any,
        members: list[Any],
        links: list[Any],
        elsewhere: list[Any],
        teams: list[Any],
        memory: Memory,
    ) -> Subject:
        policy = self.context.policy
        known = _user(head.user_id, user)
        here = presence(person, self.today.toordinal(), policy.lead_days) if person else None
        # What an unreadable record leaves empty says nothing, not even that somebody is wanted.
        legible = person is not None and not person.doubled and not person.problem
        case = Case(
            person=head.person,
            user=known,
            presence=here or Presence.GONE,
            finding=Finding(person.finding) if person else Finding.NONE,
            protected=self._protected(person, user),
            hold=self._hold(head, person, here),
            wanted=_wanted(person) if legible and here is Presence.PRESENT else None,
            rows=tuple(membership(row) for row in members) if head.kind != "husk" else (),
            links=tuple(_link(row) for row in links),
            elsewhere=tuple(membership(row) for row in elsewhere),
            others=tuple(User(row.user_id, row.user_name, row.full_name) for row in elsewhere),
            teams=tuple(row.profile for row in teams),
            chosen=self._choice(head.user_id),
            memory=memory,
            husk=membership(husk) if husk else None,
            husk_ours=bool(husk and husk.ours),
            detail=(person.detail if person else None) or "",
        )
        rung = Rung(person.rung) if person and person.rung else None
        return Subject(head.kind, subject(head.person, head.user_id), case, rung)

    def _protected(self, person: Any, user: Any) -> bool:
        names = {person.user_name, person.object_id} if person else set()
        if user:
            names |= {user.login, user.object_id}
        return bool(names & self.context.policy.protected)

    def _hold(self, head: Any, person: Any, here: Presence | None) -> Hold | None:
        if head.kind == "note":
            return Hold("explained by somebody who is not decided about")
        held = self.holds.get(head.user_id)
        if held and (held.until is None or held.until >= self.today.isoformat()):
            until = date.fromisoformat(held.until) if held.until else None
            return Hold(f"held by {held.who}: {held.reason}", until)
        if person is None:
            return None
        if person.doubled:
            return Hold("two rows of one source have this key")
        if person.problem:
            return Hold(person.problem)
        if person.error and here is Presence.PRESENT:
            return Hold(person.error)
        return None

    def _choice(self, user: str | None) -> Choice | None:
        row = self.choices.get(user or "")
        if row is None or row.value not in self.context.profiles:
            return None
        if not self.context.profiles[row.value].published:
            return None
        return Choice(row.value, row.against)


def _sighting(row: Any) -> Sighting | None:
    if row is None:
        return None
    return Sighting(
        Situation(row.situation),
        date.fromisoformat(row.first),
        date.fromisoformat(row.second) if row.second else None,
        date.fromisoformat(row.due) if row.due else None,
    )


def _marked(flags: Sequence[Any]) -> frozenset[str]:
    """Return the rows whose flag syncd set last; flags come in the order of time."""
    last = {row.membership: row.action for row in flags}
    return frozenset(row for row, action in last.items() if action == "flag")


def _cleared(flags: Sequence[Any]) -> dict[str, tuple[datetime, ...]]:
    times: dict[str, list[datetime]] = defaultdict(list)
    for row in flags:
        if row.action == "unflag":
            times[row.membership].append(_moment(row.at))
    return {row: tuple(found) for row, found in times.items()}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _user(ident: str | None, row: Any) -> User | None:
    if ident is None:
        return None
    if row is None:
        return User(ident, None, None)
    return User(ident, row.user_name, row.full_name, bool(row.disabled), row.pointer)


def _wanted(person: Any) -> Wanted | None:
    if person.reference is None:
        return None
    return Wanted(person.reference, person.profile, person.rule, losers(person.losers))


def membership(row: Any) -> Membership:
    """Return a row of `memberships` or `husks` as the core knows it."""
    return Membership(
        row.id,
        row.user_id,
        row.profile,
        bool(row.active),
        bool(row.flagged),
        row.version,
        row.created_on,
    )


def _link(row: Any) -> Link:
    return Link(row.membership, row.user_id, Rung(row.rung), Origin(row.origin), row.profile)


CHOSEN = "t.seq >= :start AND t.seq < :end"
HEADS = f"SELECT t.* FROM attention t WHERE {CHOSEN} ORDER BY t.seq"
PEOPLE = f"""
SELECT t.seq, p.user_name, p.object_id, p.enabled, p.starts_on, p.leaves_on, p.combo, p.problem,
       p.doubled, COALESCE(s.finding, n.finding) AS finding, COALESCE(s.detail, n.detail) AS detail,
       s.rung,
       a.reference, a.profile, a.rule, a.losers, a.error
FROM attention t
LEFT JOIN people p ON p.key = t.person
LEFT JOIN standing s ON s.env = :env AND s.user_id = t.user_id AND s.person = t.person
LEFT JOIN stranded n ON n.env = :env AND n.person = t.person
LEFT JOIN answers a ON a.env = :env AND a.combo = p.combo
WHERE {CHOSEN} AND t.person IS NOT NULL
"""
USERS = f"""
SELECT t.seq, u.* FROM attention t JOIN users u ON u.env = :env AND u.id = t.user_id WHERE {CHOSEN}
"""
MEMBERS = f"""
SELECT t.seq, m.* FROM attention t
JOIN memberships m ON m.env = :env AND m.user_id = t.user_id
WHERE {CHOSEN} ORDER BY t.seq, m.id
"""
LINKS = f"""
SELECT t.seq, l.* FROM attention t
JOIN links l ON l.env = :env AND l.person = t.person AND l.ended IS NULL
JOIN users u ON u.env = :env AND u.id = l.user_id
WHERE {CHOSEN} ORDER BY t.seq, l.membership
"""
ELSEWHERE = f"""
SELECT t.seq, m.*, u.user_name, u.full_name FROM attention t
JOIN links l ON l.env = :env AND l.person = t.person AND l.ended IS NULL
JOIN users u ON u.env = :env AND u.id = l.user_id
JOIN memberships m ON m.env = :env AND m.user_id = l.user_id AND m.id = l.membership
WHERE {CHOSEN} AND l.user_id IS DISTINCT FROM t.user_id ORDER BY t.seq, m.id
"""
TEAMS = f"""
SELECT t.seq, p.profile FROM attention t
JOIN team_profiles p ON p.env = :env AND p.user_id = t.user_id
WHERE {CHOSEN} ORDER BY t.seq, p.profile
"""
HUSKS = f"""
SELECT t.seq, h.*, EXISTS (SELECT 1 FROM links l WHERE l.env = :env AND l.membership = h.id) AS ours
FROM attention t JOIN husks h ON h.env = :env AND h.id = t.husk WHERE {CHOSEN}
"""
SIGHTINGS = f"""
SELECT t.seq, s.* FROM attention t JOIN sightings s ON s.env = :env AND s.subject =
  CASE WHEN t.person IS NOT NULL THEN 'p:' || t.person ELSE 'u:' || t.user_id END
WHERE {CHOSEN}
"""
PENDINGS = f"""
SELECT t.seq, p.situation FROM attention t
JOIN pendings p ON p.env = :env AND p.person = t.person WHERE {CHOSEN}
"""
FLAGS = f"""
SELECT t.seq, f.membership, f.action, f.at FROM attention t
JOIN memberships m ON m.env = :env AND m.user_id = t.user_id
JOIN flags f ON f.env = :env AND f.membership = m.id
WHERE {CHOSEN} ORDER BY t.seq, f.id
"""
LOSSES = f"""
SELECT t.seq, l.at FROM attention t JOIN losses l ON l.env = :env AND l.person = t.person
WHERE {CHOSEN} AND l.at > :since ORDER BY t.seq, l.at
"""
