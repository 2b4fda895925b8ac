"""The people whose user is not plain: load them, let the core decide, write down what it said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from syncd.core.correlation import Claim, Claimant, contend, find
from syncd.core.model import Finding, Presence, Rung
from syncd.core.settings import Policy
from syncd.state.database import bulk, rows, run, scratch, stream
from syncd.state.presence import ANSWER, days, presence
from syncd.state.revisions import touch
from syncd.state.seeking import seek_too

__all__ = ["settle"]

MODEST = ("env", "person", "finding", "detail", "combo", "first_day", "last_day", "quiet")
FULL = (
    "env",
    "user_id",
    "person",
    "finding",
    "rung",
    "detail",
    "combo",
    "first_day",
    "last_day",
    "wanted",
    "pointer",
    "quiet",
)


def settle(
    tx: Connection,
    env: int,
    policy: Policy,
    today: date,
    hinted: Sequence[str],
    *,
    certified: bool,
) -> bool:
    """
    Decide about everybody in `placeless`. Those whom no rung finds need no second look.

    *hinted* are the fields of people that hints of users are compared with.

    Returns whether a link was passed on: then people are considered for the last time.
    """
    _strand(tx, env, policy)
    people = {c.person: c for c in _claimants(tx, env, policy, today, certified=certified)}
    held = _held_users(tx, env, today)
    claims = [_claim(claimant, policy, held) for claimant in people.values()]
    _join(tx, env, hinted, {claim.user for claim in claims if claim.user is not None})
    claims += _joined(tx, env, policy, today, certified=certified)
    named: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        if claim.user is not None:
            named[claim.user].append(claim)
    final = [claim for claim in claims if claim.user is None]
    yielded = []
    for user, group in sorted(named.items()):
        settled = contend(group) if len(group) > 1 else group
        yielded += [(env, user, claim.claimant.person) for claim in settled if claim.user is None]
        final += settled
    bulk(tx, "yields", ("env", "user_id", "person"), yielded)
    _write(tx, env, policy, today, final)
    heirs = [claim for claim in final if claim.passed_from is not None]
    return sum(_pass(tx, env, claim) for claim in heirs) > 0


def _claim(claimant: Claimant, policy: Policy, held: set[str]) -> Claim:
    """Look for one person's user; whoever's user an operator holds is held."""
    claim = find(claimant, policy.match)
    return replace(claim, claimant=replace(claimant, held=True)) if claim.user in held else claim


def _strand(tx: Connection, env: int, policy: Policy) -> None:
    """Write down at once whom no rung finds, who has no link, and about whom nothing is special."""
    first, last, _ = days(policy)
    run(
        tx,
        f"INSERT INTO stranded ({', '.join(MODEST)}) SELECT :env, p.key, 'none', NULL, p.combo, "
        f"{first}, {last}, 1 "
        "FROM placeless x CROSS JOIN people p WHERE p.key = x.person "
        "AND p.key NOT IN (SELECT person FROM unclear) "
        "AND NOT EXISTS (SELECT 1 FROM hits h WHERE h.person = p.key) "
        "AND NOT EXISTS (SELECT 1 FROM links l "
        "WHERE l.env = :env AND l.person = p.key AND l.ended IS NULL)",
        env=env,
    )


def _claimants(
    tx: Connection, env: int, policy: Policy, today: date, *, certified: bool
) -> Iterator[Claimant]:
    scratch(tx, "claiming", "person TEXT PRIMARY KEY")
    run(
        tx,
        "INSERT INTO claiming SELECT x.person FROM placeless x WHERE NOT EXISTS "
        "(SELECT 1 FROM stranded t WHERE t.env = :env AND t.person = x.person)",
        env=env,
    )
    run(
        tx,
        "INSERT INTO claiming SELECT k.person "
        "FROM (SELECT DISTINCT person FROM links WHERE env = :env) k "
        "WHERE NOT EXISTS (SELECT 1 FROM people p WHERE p.key = k.person) AND EXISTS (SELECT 1 "
        "FROM links l WHERE l.env = :env AND l.person = k.person AND l.ended IS NULL) "
        "ON CONFLICT DO NOTHING",
        env=env,
    )
    yield from _load(tx, env, policy, today, certified=certified, table="claiming")


def _load(
    tx: Connection, env: int, policy: Policy, today: date, *, certified: bool, table: str
) -> Iterator[Claimant]:
    """Build the claimants whose keys stand in a temporary table."""
    hits = _hits(tx, table)
    links = _links(tx, env, table)
    by_hand = _by_hand(tx, env)
    protected = _protected_users(tx, env, policy)
    for row in stream(tx, PEOPLE.format(table=table), env=env):
        here = presence(row, today.toordinal(), policy.lead_days)
        link = by_hand.get(row.person) or links.get(row.person)
        found = hits.get(row.person, {})
        everyone = {user for users in found.values() for user in users}
        everyone |= {link[0]} if link else set()
        broken = row.problem or row.doubled or (row.error and here is Presence.PRESENT)
        yield Claimant(
            person=row.person,
            hits=found,
            link=link,
            presence=here,
            mute=bool(row.doubled),
            wanted=here is Presence.PRESENT and row.reference is not None,
            held=bool(broken),
            protected=row.user_name in policy.protected or row.object_id in policy.protected,
            shielded=frozenset(everyone & protected),
            leaving=here is Presence.LEFT or _vanished_twice(row, here, today, certified=certified),
        )


PEOPLE = """
SELECT c.person, p.user_name, p.object_id, p.combo, p.enabled, p.starts_on, p.leaves_on,
       p.problem, p.doubled,
       a.reference, a.error, s.first, s.due
FROM {table} c
LEFT JOIN people p ON p.key = c.person
LEFT JOIN answers a ON a.env = :env AND a.combo = p.combo
LEFT JOIN sightings s ON s.env = :env AND s.subject = 'p:' || c.person AND s.situation = 'VANISHED'
ORDER BY c.person
"""


def _vanished_twice(row: Any, here: Presence, today: date, *, certified: bool) -> bool:
    if here is not Presence.GONE or row.first is None:
        return False
    return row.due is not None or (certified and row.first < today.isoformat())


def _hits(tx: Connection, table: str) -> dict[str, dict[Rung, tuple[str, ...]]]:
    sql = (
        f"SELECT h.person, h.rung, h.user_id FROM hits h JOIN {table} c ON c.person = h.person "
        "ORDER BY h.person, h.rung, h.user_id"
    )
    found: dict[str, dict[Rung, tuple[str, ...]]] = defaultdict(dict)
    for (person, rung), group in groupby(rows(tx, sql), key=lambda r: (r.person, r.rung)):
        found[person][Rung(rung)] = tuple(row.user_id for row in group)
    return found


def _links(tx: Connection, env: int, table: str) -> dict[str, tuple[str, Rung]]:
    """Return the standing links of people in *table*: those whose user is a candidate."""
    sql = (
        "SELECT l.person, l.user_id, l.rung FROM links l "
        f"JOIN {table} c ON c.person = l.person "
        "JOIN users u ON u.env = :env AND u.id = l.user_id AND u.candidate = 1 "
        "WHERE l.env = :env AND l.ended IS NULL ORDER BY l.person, l.run, l.membership"
    )
    return {row.person: (row.user_id, Rung(row.rung)) for row in rows(tx, sql, env=env)}


def _by_hand(tx: Connection, env: int) -> dict[str, tuple[str, Rung]]:
    sql = (
        "SELECT d.subject, d.value FROM decisions d "
        "JOIN users u ON u.env = :env AND u.id = d.value AND u.candidate = 1 "
        "WHERE d.env = :env AND d.kind = 'link' AND d.ended IS NULL ORDER BY d.id"
    )
    return {row.subject: (row.value, Rung.HAND) for row in rows(tx, sql, env=env)}


def _held_users(tx: Connection, env: int, today: date) -> set[str]:
    sql = (
        "SELECT subject FROM decisions WHERE kind = 'hold' AND ended IS NULL AND env = :env "
        "AND (until IS NULL OR until >= :today)"
    )
    return {row.subject for row in rows(tx, sql, env=env, today=today.isoformat())}


def _protected_users(tx: Connection, env: int, policy: Policy) -> set[str]:
    if not policy.protected:
        return set()
    sql = (
        "SELECT id FROM users WHERE env = :env AND (login IN (SELECT value FROM protected) "
        "OR object_id IN (SELECT value FROM protected))"
    )
    return {row.id for row in rows(tx, sql, env=env)}


def _join(tx: Connection, env: int, hinted: Sequence[str], named: Collection[str]) -> None:
    """Take those out of their place who were given a user whom somebody else names, too."""
    scratch(tx, "named", "user_id TEXT PRIMARY KEY")
    bulk(tx, "named", ("user_id",), ((user,) for user in named))
    scratch(tx, "joined", "person TEXT PRIMARY KEY, user_id TEXT, finding TEXT, rung TEXT")
    run(
        tx,
        "INSERT INTO joined SELECT s.person, s.user_id, s.finding, s.rung FROM standing s "
        "WHERE s.env = :env AND s.user_id IN (SELECT user_id FROM named)",
        env=env,
    )
    # A place says whose user it is. Whom else somebody finds, it does not say.
    seek_too(tx, env, "joined", hinted)
    sql = "DELETE FROM standing WHERE env = :env AND person IN (SELECT person FROM joined)"
    run(tx, sql, env=env)


def _joined(
    tx: Connection, env: int, policy: Policy, today: date, *, certified: bool
) -> Iterator[Claim]:
    """Let those who were placed contend with whoever names their user."""
    placed = {row.person: row for row in rows(tx, "SELECT * FROM joined")}
    for claimant in _load(tx, env, policy, today, certified=certified, table="joined"):
        row = placed[claimant.person]
        yield Claim(claimant, Finding(row.finding), row.user_id, Rung(row.rung))


def _write(tx: Connection, env: int, policy: Policy, today: date, claims: Sequence[Claim]) -> None:
    whole = "finding TEXT, rung TEXT, detail TEXT, loud INTEGER"
    scratch(tx, "settled", f"person TEXT PRIMARY KEY, user_id TEXT, {whole}")
    bulk(
        tx,
        "settled",
        ("person", "user_id", "finding", "rung", "detail", "loud"),
        (_settled(claim) for claim in claims),
    )
    first, last, wanted = days(policy)
    quiet = (
        "CASE WHEN t.loud = 1 OR p.key IS NULL OR u.disabled = 1 OR u.id IN "
        "(SELECT user_id FROM team_profiles WHERE env = :env) OR u.id IN (SELECT subject "
        "FROM decisions WHERE kind = 'profile' AND ended IS NULL AND env = :env) THEN 0 ELSE 1 END"
    )
    run(
        tx,
        f"INSERT INTO standing ({', '.join(FULL)}) SELECT :env, u.id, t.person, t.finding, t.rung, "
        f"t.detail, p.combo, {first}, {last}, {wanted}, u.pointer, {quiet} FROM settled t "
        "JOIN users u ON u.env = :env AND u.id = t.user_id "
        f"LEFT JOIN people p ON p.key = t.person {ANSWER}",
        env=env,
        today=today.toordinal(),
    )
    run(
        tx,
        f"INSERT INTO stranded ({', '.join(MODEST)}) SELECT :env, t.person, t.finding, t.detail, "
        f"p.combo, {first}, {last}, 0 FROM settled t LEFT JOIN people p ON p.key = t.person "
        "WHERE t.user_id IS NULL",
        env=env,
    )
    explained = {
        (env, user, claim.claimant.person)
        for claim in claims
        if _explains(claim)
        for user in claim.claimant.everyone
    }
    bulk(tx, "finds", ("env", "user_id", "person"), sorted(explained))


def _settled(claim: Claim) -> Sequence[object]:
    stands = claim.finding in (Finding.LINKED, Finding.DECIDED) or claim.claimant.link is not None
    user = claim.user if stands else None
    claimant = claim.claimant
    plain = claim.finding in (Finding.LINKED, Finding.DECIDED) and not claim.detail
    loud = not plain or claimant.held or claimant.protected or claimant.shielded
    return (claimant.person, user, claim.finding, claim.rung, claim.detail or None, int(bool(loud)))


def _explains(claim: Claim) -> bool:
    """Whether all whom somebody finds are explained; who only finds somebody protected is not."""
    unclear = claim.finding in (Finding.AMBIGUOUS, Finding.ALREADY_LINKED)
    claimant = claim.claimant
    return unclear or claimant.held or claimant.protected or claim.user in claimant.shielded


def _pass(tx: Connection, env: int, claim: Claim) -> int:
    """Give the links of somebody who left to whom else claims the user, and count them."""
    links = run(
        tx,
        "UPDATE links SET person = :heir, rung = :rung "
        "WHERE env = :env AND user_id = :user AND person = :holder AND ended IS NULL",
        env=env, user=claim.user, rung=claim.rung,
        heir=claim.claimant.person, holder=claim.passed_from,
    )  # fmt: skip
    people = (claim.claimant.person, claim.passed_from)
    if links:
        touch(tx, f"links:{env}", [f"u:{claim.user}", *(f"p:{person}" for person in people)])
    return links
