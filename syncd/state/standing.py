"""
Find out who is whose user.

Statements place everybody whose evidence agrees: one link or one deciding rung, no rung
that contradicts, nobody else who claims the user. All others become `Claimant`s, and
`core.correlation` decides about each.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection

from syncd.core.model import Rung
from syncd.core.settings import Policy
from syncd.state import hints
from syncd.state.advice import reindex
from syncd.state.claims import settle
from syncd.state.database import bulk, know, one, run, scratch
from syncd.state.fitting import fit
from syncd.state.kin import RUNGS
from syncd.state.presence import ANSWER, days
from syncd.state.revisions import numbers, recall, remember
from syncd.state.seeking import seek

__all__ = ["basis", "correlate", "place"]

DOUBT = "doubt"
"""Marks for a moment who was found by a rung that a lower one contradicts."""
FIRST_LINK = (
    "NOT EXISTS (SELECT 1 FROM links o WHERE o.env = l.env AND o.user_id = l.user_id "
    "AND o.person || '' = l.person AND o.ended IS NULL "
    "AND (o.rung < l.rung OR o.rung = l.rung AND o.membership < l.membership))"
)
"""
One link `l` of a person to a user: there is one for each row. The empty text keeps SQLite from
looking for the others by person: they stand beside this one.
"""
TELLING = (Rung.OBJECT_ID, Rung.EMPLOYEE_ID, Rung.USER_NAME)

COLUMNS = "env, user_id, person, finding, rung, combo, first_day, last_day, wanted, pointer, quiet"


def correlate(tx: Connection, env: int, policy: Policy, today: date, *, certified: bool) -> None:
    """Bring `standing`, `stranded` and `finds` up to date, if anything they follow from changed."""
    now = basis(tx, env, policy, today, certified=certified)
    if recall(tx, f"standing:{env}") == now:
        return
    passed = place(tx, env, policy, today, certified=certified)
    # Whoever passed a link on may have been considered for it alone: look again next time.
    remember(tx, f"standing:{env}", "" if passed else now)


def place(tx: Connection, env: int, policy: Policy, today: date, *, certified: bool) -> bool:
    """Find out anew who is whose user. Returns whether a link was passed on."""
    _clear(tx, env)
    run(tx, "DROP INDEX IF EXISTS standing_person")
    scratch(tx, "unclear", "person TEXT PRIMARY KEY")
    _special(tx, env, policy, today)
    hinted = hints.fields(tx, env, policy.match)
    _by_links(tx, env, policy, today, hinted)
    _by_rungs(tx, env, policy, today, hinted)
    reindex(tx, "standing.standing_person", "env, person")
    know(tx, "standing")
    _doubtful(tx, env, policy)
    _seek(tx, env, hinted)
    _by_hits(tx, env, policy, today)
    return settle(tx, env, policy, today, hinted, certified=certified)


def basis(tx: Connection, env: int, policy: Policy, today: date, *, certified: bool) -> str:
    """Return what it depends on: the numbers of inputs, and behind a semicolon all else."""
    inputs = numbers(tx, "people", f"users:{env}", f"answers:{env}", f"links:{env}", "decisions")
    match = ",".join(policy.match)
    protected = ",".join(sorted(policy.protected))
    return f"{inputs};{match};{protected};{policy.lead_days};{today};{certified}"


def _clear(tx: Connection, env: int) -> None:
    for table in ("standing", "stranded", "finds", "yields"):
        run(tx, f"DELETE FROM {table} WHERE env = :env", env=env)


def _special(tx: Connection, env: int, policy: Policy, today: date) -> None:
    """Set aside people about whom more must be known than their user."""
    scratch(tx, "protected", "value TEXT PRIMARY KEY")
    bulk(tx, "protected", ("value",), ((value,) for value in sorted(policy.protected)))
    statements = [
        "SELECT key FROM people WHERE problem IS NOT NULL OR doubled = 1",
        "SELECT p.key FROM people p JOIN answers a ON a.env = :env AND a.combo = p.combo "
        "WHERE a.error IS NOT NULL AND COALESCE(p.enabled, 1) = 1 "
        "AND COALESCE(p.starts_on, 0) - :lead <= :today "
        "AND :today <= COALESCE(p.leaves_on, :today)",
        "SELECT subject FROM decisions WHERE kind = 'link' AND ended IS NULL AND env = :env",
    ]
    if policy.protected:
        statements.append(
            "SELECT key FROM people WHERE user_name IN (SELECT value FROM protected) "
            "OR object_id IN (SELECT value FROM protected)"
        )
    for statement in statements:
        sql = f"INSERT INTO unclear {statement} ON CONFLICT DO NOTHING"
        if "WHERE" not in statement:
            sql = f"INSERT INTO unclear {statement} WHERE true ON CONFLICT DO NOTHING"
        values = {"env": env, "lead": policy.lead_days, "today": today.toordinal()}
        run(tx, sql, **{name: value for name, value in values.items() if f":{name}" in sql})


def _placed(finding: str, rung: str, days: tuple[str, str, str]) -> str:
    """Return the columns that a placed person gets; everything given is SQL."""
    loud = (
        "u.disabled = 1 OR u.id IN (SELECT user_id FROM team_profiles WHERE env = :env) "
        "OR u.id IN (SELECT subject FROM decisions "
        "WHERE kind = 'profile' AND ended IS NULL AND env = :env)"
    )
    quiet = f"CASE WHEN {loud} THEN 0 ELSE 1 END"
    return f":env, u.id, p.key, {finding}, {rung}, p.combo, {', '.join(days)}, u.pointer, {quiet}"


def _agrees(rungs: Sequence[Rung]) -> str:
    """Return a condition: on these rungs the person says nothing, or what the user says."""
    parts = [f"(p.{r} IS NULL OR p.{r} = u.{RUNGS[r]})" for r in rungs]
    return " AND ".join(parts) or "true"


def _by_links(tx: Connection, env: int, policy: Policy, today: date, hinted: Sequence[str]) -> None:
    """Place everybody whose link nothing contradicts."""
    telling = [rung for rung in policy.match if rung in TELLING]
    above = _hints_above(policy.match, hinted)
    run(
        tx,
        f"INSERT INTO standing ({COLUMNS}) "
        f"SELECT {_placed(repr('linked'), 'l.rung', days(policy))} "
        "FROM links l JOIN users u ON u.env = :env AND u.id = l.user_id "
        f"JOIN people p ON p.key = l.person {ANSWER} "
        f"WHERE l.env = :env AND l.ended IS NULL AND {FIRST_LINK} "
        f"AND u.candidate = 1 AND {_agrees(telling)} {above}"
        "AND p.key NOT IN (SELECT person FROM unclear) ORDER BY l.user_id",
        env=env,
        today=today.toordinal(),
    )


def _hints_above(match: Sequence[Rung], hinted: Sequence[str]) -> str:
    """Return a further condition: hints agree, for a link that a rung below them made."""
    if not hinted:
        return ""
    upper = match[: match.index(Rung.USERMAPPING) + 1]
    names = ", ".join(f"'{rung}'" for rung in upper)
    return f"AND (l.rung IN ({names}) OR {hints.agrees(hinted)}) "


def _by_rungs(tx: Connection, env: int, policy: Policy, today: date, hinted: Sequence[str]) -> None:
    """Place everybody without a link whose first rung with a value finds a user."""
    pool = "people p"
    if one(tx, "SELECT 1 FROM links WHERE env = :env AND ended IS NULL LIMIT 1", env=env):
        reindex(tx, "standing.standing_person", "env, person")
        scratch(tx, "unplaced", "person TEXT PRIMARY KEY")
        run(
            tx,
            "INSERT INTO unplaced SELECT p.key FROM people p WHERE NOT EXISTS "
            "(SELECT 1 FROM standing s WHERE s.env = :env AND s.person = p.key) "
            "AND NOT EXISTS (SELECT 1 FROM links l "
            "WHERE l.env = :env AND l.person = p.key AND l.ended IS NULL)",
            env=env,
        )
        run(tx, "DROP INDEX standing_person")
        pool = "unplaced x JOIN people p ON p.key = x.person"
    ladder = [rung for rung in policy.match if rung in RUNGS or hinted]
    for place in range(len(ladder)):
        _climb(tx, env, policy, today, pool, ladder[: place + 1], ladder[place + 1 :], hinted)


def _climb(
    tx: Connection,
    env: int,
    policy: Policy,
    today: date,
    pool: str,
    ladder: Sequence[Rung],
    lower: Sequence[Rung],
    hinted: Sequence[str],
) -> None:
    """
    Place those for whom the last rung of *ladder* is the first on which they have a value.

    They are set aside in the order of that value: the users are then read once, in the
    order in which `standing` is stored. Hints pass over also whomever they do not find.
    """
    *higher, rung = ladder
    above = "".join(
        f"AND p.{each} IS NULL " if each in RUNGS else f"AND NOT ({hints.answered(hinted)}) "
        for each in higher
    )
    columns = [str(rung)] if rung in RUNGS else hinted
    below = [each for each in lower if each in TELLING]
    said = list(dict.fromkeys([*columns, *map(str, below)]))
    says = " OR ".join(f"p.{column} IS NOT NULL" for column in columns)
    whence = f"FROM {pool} {ANSWER} WHERE ({says}) {above}"
    if not _set_aside(tx, env, policy, today, whence, said, clustered=rung in RUNGS):
        return
    if rung in RUNGS:
        found = f"users u CROSS JOIN climbers p WHERE p.{rung} = u.{RUNGS[rung]} "
    else:
        hints.write_hits(tx, env, "climbers", "key", hinted)
        found = (
            "hinted x JOIN users u ON u.id = x.user_id JOIN climbers p ON p.key = x.person "
            "WHERE true "
        )
    # Whoever is contradicted is found all the same: two users on one rung must not look like one.
    finding = f"CASE WHEN {_agrees(below)} THEN 'decided' ELSE '{DOUBT}' END"
    known = ("p.first_day", "p.last_day", "p.wanted")
    run(
        tx,
        f"INSERT INTO standing ({COLUMNS}) "
        f"SELECT {_placed(finding, repr(str(rung)), known)} FROM {found}"
        "AND u.env = :env AND u.candidate = 1 ORDER BY u.id",
        env=env,
    )


def _set_aside(
    tx: Connection,
    env: int,
    policy: Policy,
    today: date,
    whence: str,
    said: Sequence[str],
    *,
    clustered: bool,
) -> bool:
    """
    Set people aside with what they say of themselves; tell whether there are any.

    *clustered* by the first thing they say, or with an index for each.
    """
    texts = "".join(f"{name} TEXT, " for name in said)
    cluster = f", PRIMARY KEY ({said[0]}, key)" if clustered else ""
    numbers = "combo INTEGER, first_day INTEGER, last_day INTEGER, wanted INTEGER"
    scratch(tx, "climbers", f"key TEXT, {texts}{numbers}{cluster}")
    columns = ", ".join(f"p.{name}" for name in ("key", *said, "combo"))
    run(
        tx,
        f"INSERT INTO climbers SELECT {columns}, {', '.join(days(policy))} {whence}"
        f"AND p.key NOT IN (SELECT person FROM unclear) ORDER BY p.{said[0]}",
        env=env,
        today=today.toordinal(),
    )
    if not one(tx, "SELECT 1 FROM climbers LIMIT 1"):
        return False
    for column in () if clustered else said:
        run(tx, f"CREATE INDEX climbers_{column} ON climbers ({column})")
    know(tx, "climbers")
    return True


def _by_hits(tx: Connection, env: int, policy: Policy, today: date) -> None:
    """Place those who find one user only, though not by all that they say of themselves."""
    fit(tx, env, policy)
    run(
        tx,
        f"INSERT INTO standing ({COLUMNS}) SELECT {_placed('f.finding', 'f.rung', days(policy))} "
        "FROM fitting f JOIN users u ON u.env = :env AND u.id = f.user_id AND u.candidate = 1 "
        f"JOIN people p ON p.key = f.person {ANSWER} ORDER BY u.id",
        env=env,
        today=today.toordinal(),
    )


def _doubtful(tx: Connection, env: int, policy: Policy) -> None:
    """Take out again whoever was placed twice, shares a user, or has a user who is special."""
    doubtful = [
        "SELECT person FROM standing WHERE env = :env GROUP BY person HAVING count(*) > 1",
        f"SELECT person FROM standing WHERE env = :env AND finding = '{DOUBT}'",
        "SELECT person FROM standing WHERE env = :env AND user_id IN "
        "(SELECT user_id FROM standing WHERE env = :env GROUP BY user_id HAVING count(*) > 1)",
        "SELECT s.person FROM standing s JOIN decisions d ON d.subject = s.user_id "
        "WHERE s.env = :env AND d.env = :env AND d.kind = 'hold' AND d.ended IS NULL",
    ]
    if policy.protected:
        doubtful.append(
            "SELECT s.person FROM standing s JOIN users u ON u.env = :env AND u.id = s.user_id "
            "WHERE s.env = :env AND (u.login IN (SELECT value FROM protected) "
            "OR u.object_id IN (SELECT value FROM protected))"
        )
    scratch(tx, "doubtful", "person TEXT")
    for statement in doubtful:
        run(tx, f"INSERT INTO doubtful {statement}", env=env)
    if one(tx, "SELECT 1 FROM doubtful LIMIT 1"):
        run(
            tx,
            "INSERT INTO unclear SELECT DISTINCT person FROM doubtful WHERE true "
            "ON CONFLICT DO NOTHING",
        )
        sql = "DELETE FROM standing WHERE env = :env AND person IN (SELECT person FROM unclear)"
        run(tx, sql, env=env)


def _seek(tx: Connection, env: int, hinted: Sequence[str]) -> None:
    """List everybody without a place in `placeless`, and in `hits` whom each rung finds."""
    scratch(tx, "placeless", "person TEXT PRIMARY KEY")
    run(
        tx,
        "INSERT INTO placeless SELECT p.key FROM people p WHERE NOT EXISTS "
        "(SELECT 1 FROM standing s WHERE s.env = :env AND s.person = p.key)",
        env=env,
    )
    know(tx, "placeless")
    seek(tx, env, hinted)
