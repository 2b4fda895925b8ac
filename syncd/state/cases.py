"""Gather what is known about the cases that need attention, a thousand at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection

from syncd.core.case import WINDOW, Case, Choice, Context, Hold, Memory, Sighting
from syncd.core.model import (
    Finding,
    Membership,
    Presence,
    Rung,
    Situation,
    User,
    Wanted,
    iso,
)
from syncd.state.answers import losers
from syncd.state.bonds import (
    CHOSEN,
    INHERITED,
    LINKS,
    MADE_OURS,
    ROW,
    RUNGS,
    UNLINKED,
    Bonds,
    as_membership,
    bonds,
)
from syncd.state.database import rows, scratch
from syncd.state.presence import presence

__all__ = ["Subject", "cases", "lay_attention", "membership", "subject"]

CHUNK = 1000
PRESENT = Presence.PRESENT
FINDINGS = {str(finding): finding for finding in Finding}
"""Looked up, because making a member of a text takes longer."""


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


def lay_attention(tx: Connection) -> None:
    """Make the table `attention`, which numbers the cases that `cases` gathers; it has none yet."""
    scratch(
        tx, "attention", "seq INTEGER PRIMARY KEY, kind TEXT, person TEXT, user_id TEXT, husk TEXT"
    )


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


class _Head(NamedTuple):
    """A case with its person, what the rules say of that person, and its user."""

    seq: int
    kind: str
    person: str | None
    user_id: str | None
    husk: str | None
    combo: int | None
    person_name: str | None
    person_object: str | None
    enabled: int | None
    starts_on: int | None
    leaves_on: int | None
    problem: str | None
    doubled: int | None
    finding: str | None
    detail: str | None
    rung: str | None
    reference: str | None
    profile: str | None
    rule: str | None
    losers: str | None
    error: str | None
    user_name: str | None
    full_name: str | None
    disabled: int | None
    pointer: str | None
    login: str | None
    object_id: str | None


NOTHING = Memory()


class _Gather:
    """The queries of one run; each asks about one chunk of `attention`."""

    def __init__(self, tx: Connection, env: int, context: Context) -> None:
        self.tx, self.env, self.context = tx, env, context
        self.day, self.today = context.today.toordinal(), context.today.isoformat()
        self.holds = self._decisions("hold")
        self.choices = self._decisions("profile")

    def chunk(self, start: int, end: int) -> list[Subject]:
        self._range = {"start": start, "end": end}
        heads = list(map(_Head._make, self._rows(HEADS)))
        if not heads:
            return []
        members = self._members()
        links = bonds(self._rows(LINKS), self._shielded)
        inherited = self._grouped(INHERITED)
        memories = self._memories()
        teams = self._grouped(TEAMS)
        husks = {row.seq: row for row in self._rows(HUSKS)}
        return [
            self._subject(
                head,
                members.get(head.seq, ()),
                links.get(head.seq, UNLINKED),
                inherited.get(head.seq, ()),
                memories.get(head.seq, NOTHING),
                teams.get(head.seq, ()),
                husks.get(head.seq),
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

    def _members(self) -> dict[int, list[Membership]]:
        found: dict[int, list[Membership]] = defaultdict(list)
        for seq, *row in self._rows(MEMBERS):
            found[seq].append(as_membership(*row))
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
        return {
            seq: Memory(
                sighting=_sighting(sightings.get(seq)),
                pending=Situation(pendings[seq].situation) if seq in pendings else None,
                marked=_marked(flags.get(seq, ())),
                cleared=_cleared(flags.get(seq, ())),
                losses=tuple([_moment(row.at) for row in losses.get(seq, ())]),
            )
            for seq in {*sightings, *pendings, *flags, *losses}
        }

    def _subject(
        self,
        head: _Head,
        members: Sequence[Membership],
        links: Bonds,
        inherited: Sequence[Any],
        memory: Memory,
        teams: Sequence[Any],
        husk: Any,
    ) -> Subject:
        here = presence(head, self.day, self.context.policy.lead_days)
        # What an unreadable record leaves empty says nothing, not even that somebody is wanted.
        legible = here is PRESENT and not (head.doubled or head.problem)
        case = Case(
            person=head.person,
            user=_user(head),
            presence=here,
            finding=FINDINGS[head.finding] if head.finding else Finding.NONE,
            protected=self._protected(head),
            hold=self._hold(head, here),
            wanted=_wanted(head.reference, head.profile, head.rule, head.losers)
            if legible
            else None,
            rows=tuple(members) if head.kind != "husk" else (),
            links=tuple(links.links),
            elsewhere=tuple(links.elsewhere),
            others=tuple(links.others),
            spared=frozenset(links.spared),
            inherited=frozenset([row.membership for row in inherited]),
            teams=tuple([row.profile for row in teams]),
            chosen=self._choice(head.user_id),
            memory=memory,
            husk=membership(husk) if husk else None,
            husk_ours=bool(husk and husk.ours),
            detail=head.detail or "",
        )
        rung = RUNGS[head.rung] if head.rung else None
        return Subject(head.kind, subject(head.person, head.user_id), case, rung)

    def _protected(self, head: _Head) -> bool:
        return self._listed((head.person_name, head.person_object, head.login, head.object_id))

    def _listed(self, names: Sequence[str | None]) -> bool:
        protected = self.context.policy.protected
        return bool(protected) and not protected.isdisjoint(names)

    def _shielded(self, user: str, names: Sequence[str | None]) -> bool:
        return self._held(user) is not None or self._listed(names)

    def _held(self, user: str | None) -> Any:
        """Return the hold on a user, if there is one today."""
        held = self.holds.get(user or "")
        return held if held and (held.until is None or held.until >= self.today) else None

    def _hold(self, head: _Head, here: Presence) -> Hold | None:
        if head.kind == "note":
            return Hold("explained by somebody who is not decided about")
        held = self._held(head.user_id)
        if held:
            until = date.fromisoformat(held.until) if held.until else None
            return Hold(f"held by {held.who}: {held.reason}", until)
        if head.doubled:
            return Hold("two rows of one source have this key")
        if head.problem:
            return Hold(head.problem)
        if head.error and here is PRESENT:
            return Hold(head.error)
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


def _user(head: _Head) -> User | None:
    """Return the case's user; of one whom the target has no more only the id is known."""
    if head.user_id is None:
        return None
    return User(head.user_id, head.user_name, head.full_name, bool(head.disabled), head.pointer)


@lru_cache(maxsize=1024)  # many people are wanted by the same few answers
def _wanted(
    reference: str | None, profile: str | None, rule: str, said: str | None
) -> Wanted | None:
    return None if reference is None else Wanted(reference, profile, rule, losers(said))


def membership(row: Any) -> Membership:
    """Return a row of `memberships` or `husks` as the core knows it."""
    return as_membership(
        row.id, row.user_id, row.profile, row.active, row.flagged, row.version, row.created_on
    )


HEADS = f"""
SELECT t.seq, t.kind, t.person, t.user_id, t.husk,
       p.combo, p.user_name, p.object_id, p.enabled, p.starts_on, p.leaves_on, p.problem, p.doubled,
       COALESCE(s.finding, n.finding), COALESCE(s.detail, n.detail), s.rung,
       a.reference, a.profile, a.rule, a.losers, a.error,
       u.user_name, u.full_name, u.disabled, u.pointer, u.login, u.object_id
FROM attention t
LEFT JOIN people p ON p.key = t.person
LEFT JOIN standing s ON s.env = :env AND s.user_id = t.user_id AND s.person = t.person
LEFT JOIN stranded n ON n.env = :env AND n.person = t.person
LEFT JOIN answers a ON a.env = :env AND a.combo = p.combo
LEFT JOIN users u ON u.env = :env AND u.id = t.user_id
WHERE {CHOSEN} ORDER BY t.seq
"""
MEMBERS = f"""
SELECT t.seq, {ROW} FROM attention t
JOIN memberships m ON m.env = :env AND m.user_id = t.user_id
WHERE {CHOSEN} ORDER BY t.seq, m.id
"""
TEAMS = f"""
SELECT t.seq, p.profile FROM attention t
JOIN team_profiles p ON p.env = :env AND p.user_id = t.user_id
WHERE {CHOSEN} ORDER BY t.seq, p.profile
"""
HUSKS = f"""
SELECT t.seq, h.*, {MADE_OURS} AS ours
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
WHERE {CHOSEN} AND EXISTS (SELECT 1 FROM flags WHERE env = :env) ORDER BY t.seq, f.id
"""
LOSSES = f"""
SELECT t.seq, l.at FROM attention t JOIN losses l ON l.env = :env AND l.person = t.person
WHERE {CHOSEN} AND l.at > :since ORDER BY t.seq, l.at
"""
