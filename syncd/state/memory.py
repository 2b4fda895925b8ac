"""Write down what a run decided to remember: links, sightings, pending removals, conflicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from syncd.core.case import Conflict, Decision
from syncd.core.model import Origin, Rung
from syncd.state.cases import Subject
from syncd.state.database import bulk, know, rows, run, scratch, upsert
from syncd.state.revisions import gather, known, numbers, recall, remember, touch

__all__ = ["LINK", "Notebook", "end_links_of_deleted_users"]

LINK = ("env", "user_id", "membership", "person", "rung", "origin", "profile", "run", "since")
SIGHTING = ("env", "subject", "situation", "first", "second", "due")
ENCODE = msgspec.json.Encoder().encode
SAVEABLE = ("LEFT", "OUT_OF_SCOPE", "VANISHED", "USER_DISABLED")

# A flag only says that there is a conflict, and clearing it ends no other than the flag's own.
ACTED = (
    "EXISTS (SELECT 1 FROM audit a WHERE a.env = conflicts.env AND a.user_id = conflicts.user_id "
    "AND a.run >= conflicts.run AND a.result LIKE 'applied%' AND a.what <> 'flag' "
    "AND (a.what <> 'unflag' OR conflicts.code = 'SERVER_FLAG_ONLY'))"
)
"""Whether syncd did something to the user's rows that can have ended the conflict."""

CHOSE = (
    "(SELECT d.who FROM decisions d WHERE d.env = conflicts.env AND d.kind = 'profile' "
    "AND d.subject = conflicts.user_id AND d.at >= conflicts.first "
    "AND (d.ended IS NULL OR d.ended > conflicts.last) "
    "AND conflicts.code IN ('DUPLICATE_PAIR', 'MULTI_PROFILE_DIRECT', 'MULTI_PROFILE_WANTED') "
    "ORDER BY d.id DESC LIMIT 1)"
)
"""Who chose the winning profile while there was the conflict."""


@dataclass(frozen=True, slots=True)
class Notebook:
    """
    The memory of one run. Nothing that is read while judging changes before `close`.

    `shown` limits adoptions to these rows, where a plan is applied that lists them.
    """

    tx: Connection
    env: int
    run: int
    now: str
    shown: frozenset[str] | None = None

    def open(self) -> None:
        """Prepare to take notes."""
        scratch(
            self.tx,
            "next_sightings",
            "env INTEGER, subject TEXT, situation TEXT, first TEXT, second TEXT, due TEXT",
        )
        scratch(self.tx, "next_pendings", "env INTEGER, person TEXT, situation TEXT")
        whole = "profiles TEXT, members TEXT"
        scratch(self.tx, "seen", f"user_id TEXT, code TEXT, subject TEXT, {whole}")
        if self.shown is not None:
            scratch(self.tx, "shown", "membership TEXT PRIMARY KEY")
            bulk(self.tx, "shown", ("membership",), ((row,) for row in self.shown))

    def take(self, decided: Sequence[tuple[Subject, Decision]]) -> None:
        """Note what was decided about some cases."""
        self._sightings(decided)
        bulk(
            self.tx,
            "next_pendings",
            ("env", "person", "situation"),
            (
                (self.env, subject.case.person, str(decision.situation))
                for subject, decision in decided
                if subject.case.person is not None
                and decision.pending
                and decision.situation in SAVEABLE
            ),
        )
        bulk(
            self.tx,
            "seen",
            ("user_id", "code", "subject", "profiles", "members"),
            (_conflict(conflict) for _, decision in decided for conflict in decision.conflicts),
        )
        self._links(decided)
        self._choices(decided)

    def _choices(self, decided: Sequence[tuple[Subject, Decision]]) -> None:
        """End choices of a profile whose rules want another by now: they never come back."""
        for subject, _ in decided:
            case = subject.case
            if case.chosen is None or case.user is None or case.wanted is None or case.decided:
                continue
            if case.wanted.profile is None:
                continue
            run(
                self.tx,
                "UPDATE decisions SET ended = :now, how = 'the rules want another profile now' "
                "WHERE env = :env AND kind = 'profile' AND subject = :user AND ended IS NULL",
                now=self.now,
                env=self.env,
                user=case.user.id,
            )
            touch(self.tx, "decisions")

    def _sightings(self, decided: Sequence[tuple[Subject, Decision]]) -> None:
        bulk(
            self.tx,
            "next_sightings",
            SIGHTING,
            (
                (
                    self.env,
                    subject.key,
                    str(s.situation),
                    s.first.isoformat(),
                    _day(s.second),
                    _day(s.due),
                )
                for subject, decision in decided
                if (s := decision.sighting) is not None
            ),
        )

    def _links(self, decided: Sequence[tuple[Subject, Decision]]) -> None:
        adopted = [
            self._link(subject, row.id, row.profile)
            for subject, decision in decided
            for row in decision.adopted
            if self.shown is None or row.id in self.shown
        ]
        ended = [(link.user, link.membership) for _, decision in decided for link in decision.ended]
        if adopted or ended:
            touch(self.tx, f"links:{self.env}", _concerned(decided))
        self.end(ended, "its row is gone or no longer wanted")
        upsert(self.tx, "links", LINK, ("env", "user_id", "membership"), adopted)

    def _link(self, subject: Subject, membership: str, profile: str | None) -> Sequence[object]:
        user = subject.case.user.id if subject.case.user else ""
        rung = subject.rung or Rung.HAND
        person = subject.case.person
        return (
            self.env, user, membership, person, str(rung), str(Origin.ADOPTED), profile, self.run,
            self.now,
        )  # fmt: skip

    def end(self, links: Iterable[tuple[str, str]], why: str) -> None:
        """End links, given as (user, membership)."""
        for user, membership in links:
            run(
                self.tx,
                "UPDATE links SET ended = :now, why = :why WHERE env = :env AND user_id = :user "
                "AND membership = :membership AND ended IS NULL",
                now=self.now, why=why, env=self.env, user=user, membership=membership,
            )  # fmt: skip

    def close(self, plan: str) -> None:
        """
        Put the notes in place of what was remembered before; *plan* says what gates hold.

        The temporary table `forgotten` then has the people of whom something is no longer noted.
        """
        self._index()
        self._held(plan)
        self._forget()
        for table, columns in (
            ("sightings", SIGHTING),
            ("pendings", ("env", "person", "situation")),
        ):
            names = ", ".join(columns)
            run(self.tx, f"DELETE FROM {table} WHERE env = :env", env=self.env)
            run(self.tx, f"INSERT INTO {table} ({names}) SELECT DISTINCT {names} FROM next_{table}")
        self._history()
        end_links_of_deleted_users(self.tx, self.env, self.run, self.now)

    def _index(self) -> None:
        """Let each note be found among the others: there may be as many as people."""
        for table, column in (
            ("next_sightings", "subject"),
            ("next_pendings", "person"),
            ("seen", "user_id"),
        ):
            run(self.tx, f"CREATE INDEX {table}_{column} ON {table} ({column})")
            know(self.tx, table)

    def _forget(self) -> None:
        """List those of whom something was noted before and is not now."""
        scratch(self.tx, "forgotten", "person TEXT")
        for sql in (
            "SELECT substr(o.subject, 3) FROM sightings o WHERE o.env = :env "
            "AND o.subject LIKE 'p:%' AND NOT EXISTS "
            "(SELECT 1 FROM next_sightings n WHERE n.subject = o.subject)",
            "SELECT o.person FROM pendings o WHERE o.env = :env AND NOT EXISTS "
            "(SELECT 1 FROM next_pendings n WHERE n.person = o.person)",
        ):
            run(self.tx, f"INSERT INTO forgotten {sql}", env=self.env)

    def _held(self, plan: str) -> None:
        """Removals that a gate holds are pending, too."""
        situations = ", ".join(f"'{situation}'" for situation in SAVEABLE)
        run(
            self.tx,
            "INSERT INTO next_pendings SELECT :env, c.person, c.situation FROM changes c "
            "WHERE c.plan = :plan AND c.held IS NOT NULL AND c.person IS NOT NULL "
            f"AND c.situation IN ({situations}) AND c.action IN ('remove', 'deactivate') "
            "AND NOT EXISTS (SELECT 1 FROM next_pendings n WHERE n.person = c.person)",
            env=self.env, plan=plan,
        )  # fmt: skip

    def _history(self) -> None:
        """Keep the history of conflicts: begun, still there, ended and by whom."""
        same = (
            "conflicts.env = :env AND conflicts.ended IS NULL AND conflicts.user_id = s.user_id "
            "AND conflicts.code = s.code AND conflicts.subject = s.subject"
        )
        values = {"env": self.env, "run": self.run, "now": self.now}
        run(
            self.tx,
            "UPDATE conflicts SET last = :now, run = :run, profiles = s.profiles, rows = s.members "
            f"FROM seen s WHERE {same}",
            **values,
        )
        run(
            self.tx,
            "INSERT INTO conflicts (env, user_id, code, subject, profiles, rows, first, last, run) "
            "SELECT :env, s.user_id, s.code, s.subject, s.profiles, s.members, :now, :now, :run "
            f"FROM seen s WHERE NOT EXISTS (SELECT 1 FROM conflicts WHERE {same})",
            **values,
        )
        run(
            self.tx,
            f"UPDATE conflicts SET ended = :now, how = CASE WHEN {ACTED} "
            f"THEN COALESCE({CHOSE}, 'syncd') ELSE 'somebody else' END "
            "WHERE env = :env AND ended IS NULL AND run <> :run",
            **values,
        )


def end_links_of_deleted_users(tx: Connection, env: int, run_number: int, now: str) -> None:
    """End links of users that the target no longer has. Whom this run linked it just saw there."""
    basis, before = numbers(tx, f"users:{env}"), recall(tx, f"ended:{env}")
    if before == basis:
        return
    among = ""
    if before and gather(tx, known(before)):
        among = "AND user_id IN (SELECT substr(subject, 3) FROM concerned WHERE subject LIKE 'u:%')"
    ended = rows(
        tx,
        "UPDATE links SET ended = :now, why = 'its user was deleted' WHERE env = :env "
        f"AND ended IS NULL AND run <> :run {among} AND NOT EXISTS (SELECT 1 FROM users u "
        "WHERE u.env = :env AND u.id = links.user_id) RETURNING user_id, person",
        env=env,
        run=run_number,
        now=now,
    )
    if ended:
        users, people = (f"u:{row.user_id}" for row in ended), (f"p:{row.person}" for row in ended)
        touch(tx, f"links:{env}", [*users, *people])
    remember(tx, f"ended:{env}", basis)


def _concerned(decided: Sequence[tuple[Subject, Decision]]) -> Iterator[str]:
    """Name everybody whose links a decision changes."""
    for subject, decision in decided:
        users = [*(link.user for link in decision.ended), *(row.user for row in decision.adopted)]
        yield from (f"u:{user}" for user in users if user is not None)
        if users and subject.case.person is not None:
            yield f"p:{subject.case.person}"


def _conflict(conflict: Conflict) -> Sequence[object]:
    subject = conflict.profiles[0] if conflict.code == "DUPLICATE_PAIR" else ""
    profiles, members = ENCODE(conflict.profiles).decode(), ENCODE(conflict.rows).decode()
    return conflict.user, str(conflict.code), subject, profiles, members


def _day(day: object) -> str | None:
    return None if day is None else str(day)
