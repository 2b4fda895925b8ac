"""What operators decide: on record, in force until it ends, and never forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.core.model import Profile
from syncd.state import decisions, lookup, observed, rulings
from syncd.state.database import Database, Tx
from syncd.state.decisions import Verb
from tests.state.desk import FIELD, OFFICE, ONE, TWO, audit, select

NOW = "2026-03-02T08:00:00Z"
LATER = "2026-03-02T09:00:00Z"
PROFILES = {FIELD: Profile(FIELD, "Field", True), OFFICE: Profile(OFFICE, "Office", True)}
KINDS = [
    (Verb.LINK, "E1", ONE),
    (Verb.PROFILE, ONE, FIELD),
    (Verb.HOLD, ONE, None),
    (Verb.ACCEPT, "hr", None),
    (Verb.PASS, "run", "7"),
]


def decide(tx: Tx, verb: Verb, subject: str, **more: Any) -> int | None:
    """Let an operator decide; return the environment it is for."""
    env = None if verb is Verb.ACCEPT else observed.environment(tx, "contoso", "https://x.example")
    given = {"reason": "because", "who": "olga", "now": NOW, **more}
    decisions.add(tx, verb, subject, env=env, **given)
    return env


def history(database: Database) -> list[tuple[Any, ...]]:
    """Return every decision there ever was: subject, value, who, why, and how it ended."""
    return select(
        database, "SELECT subject, value, who, reason, ended, how FROM decisions ORDER BY id"
    )


@pytest.mark.parametrize(("verb", "subject", "value"), KINDS)
def test_a_decision_is_in_force_listed_and_on_record(
    verb: Verb, subject: str, value: str | None, database: Database
) -> None:
    """With who, when and why, also in the audit log."""
    with database.begin() as tx:
        env = decide(tx, verb, subject, value=value)
    with database.read() as tx:
        (standing,) = decisions.standing_rulings(tx, verb, env, NOW)
        listed = lookup.rulings(tx, verb, env)
    (line,) = audit(database)

    assert (standing.subject, standing.value) == (subject, value)
    assert (standing.who, standing.at, standing.reason) == ("olga", NOW, "because")
    assert listed == [standing]
    assert line[1] == NOW
    assert line[4:6] == ("olga", f"{verb} set")
    assert "because" in line[11]


@pytest.mark.parametrize(("verb", "subject", "value"), KINDS[:4])
def test_a_decision_that_is_withdrawn_is_over_and_remembered(
    verb: Verb, subject: str, value: str | None, database: Database
) -> None:
    """Who took it back, and why, stands beside it; there is nothing to take back twice."""
    with database.begin() as tx:
        env = decide(tx, verb, subject, value=value)
        told: dict[str, Any] = {"env": env, "reason": "wrong", "who": "per", "now": LATER}
        first = decisions.withdraw(tx, verb, subject, **told)
        second = decisions.withdraw(tx, verb, subject, **told)
    with database.read() as tx:
        standing = decisions.standing_rulings(tx, verb, env, LATER)

    assert (first, second) == (True, False)
    assert standing == []
    assert history(database) == [
        (subject, value, "olga", "because", LATER, "withdrawn by per: wrong")
    ]
    assert [line[5] for line in audit(database)] == [f"{verb} set", f"{verb} withdrawn"]


def test_a_new_decision_takes_the_place_of_the_old_one(database: Database) -> None:
    """Of the same kind about the same subject one is in force; the others are history."""
    with database.begin() as tx:
        decide(tx, Verb.PROFILE, ONE, value=FIELD)
        decide(tx, Verb.PROFILE, TWO, value=FIELD)
        env = decide(tx, Verb.PROFILE, ONE, value=OFFICE, now=LATER)
    with database.read() as tx:
        standing = decisions.standing_rulings(tx, Verb.PROFILE, env, LATER)

    assert [(each.subject, each.value) for each in standing] == [(TWO, FIELD), (ONE, OFFICE)]
    assert history(database)[0][4:] == (LATER, "replaced")


@pytest.mark.parametrize(
    ("until", "now", "holds"),
    [
        ("2026-03-04", "2026-03-03T23:59:59Z", True),
        ("2026-03-04", "2026-03-04T23:59:59Z", True),
        ("2026-03-04", "2026-03-05T00:00:00Z", False),
        ("2026-03-02T10:00:00Z", "2026-03-02T10:00:00Z", True),
        ("2026-03-02T10:00:00Z", "2026-03-02T10:00:01Z", False),
        (None, "2099-01-01T00:00:00Z", True),
    ],
)
def test_a_decision_holds_until_it_expires(
    *, until: str | None, now: str, holds: bool, database: Database
) -> None:
    """A day counts to its end, a moment to the second; expired ones are still listed."""
    with database.begin() as tx:
        env = decide(tx, Verb.HOLD, ONE, until=until)
    with database.read() as tx:
        standing = decisions.standing_rulings(tx, Verb.HOLD, env, now)
        listed = lookup.rulings(tx, Verb.HOLD, env)

    assert bool(standing) is holds
    assert [each.until for each in listed] == [until]


def test_decisions_are_for_one_environment(database: Database) -> None:
    """The same user elsewhere is not meant; an accepted source is meant everywhere."""
    with database.begin() as tx:
        env = decide(tx, Verb.HOLD, ONE)
        other = observed.environment(tx, "other", "https://other.example")
        decide(tx, Verb.ACCEPT, "hr")
        here = decisions.standing_rulings(tx, Verb.HOLD, env, NOW)
        there = decisions.standing_rulings(tx, Verb.HOLD, other, NOW)
        accepted = decisions.accepted(tx, NOW)

    assert [each.subject for each in here] == [ONE]
    assert there == []
    assert set(accepted) == {"hr"}


def test_what_is_good_for_once_is_used_once(database: Database) -> None:
    """The first use ends it and says how; a second one changes nothing."""
    with database.begin() as tx:
        decide(tx, Verb.ACCEPT, "hr")
        number = decisions.accepted(tx, NOW)["hr"]
        decisions.use(tx, number, LATER, "used")
        decisions.use(tx, number, "2026-03-09T08:00:00Z", "used again")
        after = decisions.accepted(tx, LATER)

    assert after == {}
    assert history(database)[0][4:] == (LATER, "used")


def test_passes_add_up_and_the_largest_counts(database: Database) -> None:
    """Each scope has its own; a profile is meant by name or id; a revoked one is over."""
    with database.begin() as tx:
        env = decide(tx, Verb.PASS, "run", value="5")
        decide(tx, Verb.PASS, "run", value="20")
        decide(tx, Verb.PASS, "profile:Field", value="3")
        decide(tx, Verb.PASS, f"profile:{OFFICE}", value="4")
        decide(tx, Verb.PASS, "profile:Nowhere", value="9")
        assert env is not None
        before = decisions.passes(tx, env, NOW, PROFILES)
        revoked = rulings.revoke(tx, int(before["run"][0]), reason="wrong", who="per", now=LATER)
        again = rulings.revoke(tx, int(before["run"][0]), reason="wrong", who="per", now=LATER)
        after = decisions.passes(tx, env, NOW, PROFILES)

    most = {scope: maximum for scope, (_, maximum) in before.items()}
    assert most == {"run": 20, f"profile:{FIELD}": 3, f"profile:{OFFICE}": 4}
    assert (revoked, again) == ("run", None)
    assert after["run"][1] == 5
    assert audit(database)[-1][5] == "pass withdrawn"


def test_a_decision_that_is_rolled_back_was_never_made(database: Database) -> None:
    """Neither it nor its line in the audit log is there."""
    with database.rehearse() as tx:
        decide(tx, Verb.HOLD, ONE)

    assert history(database) == []
    assert audit(database) == []
