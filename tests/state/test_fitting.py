"""Whoever finds one user only is placed by statements, though not all evidence answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from syncd.core.model import Rung, iso
from syncd.state import decisions, observed
from syncd.state.database import bulk, rows
from syncd.state.decisions import Verb
from tests.state.desk import FIELD, ONE, THREE, TWO, USERS
from tests.strategies import HINTED
from tests.world import URL, World, number

OBJECTS = {key: number(4, which) for which, key in enumerate(USERS, 1)}
"""What each person has in the directory, and the user of the same number."""
MAILS = {"e1": "one@x.org", "e2": "two@x.org", "e3": "three@x.org"}
LINK = ("env", "user_id", "membership", "person", "rung", "origin", "profile", "run", "since")
NAMELESS = ("", "", "", "Active", "", "", "field", "3", "")


def somebody(key: str, *, eid: str = "", oid: str = "", mail: str = "") -> tuple[str, ...]:
    """Describe somebody with a number at work, unless told otherwise, and a name to sign in."""
    return (key, oid, eid or f"n{key}", f"{key}@x.org", mail, "Active", "", "", "field", "3", "")


@pytest.fixture
def bare(world: World) -> World:
    """Give a world with three people whose users have no number; they have ids and names."""
    for key, user in USERS.items():
        known = {
            "employeeid": None,
            "azureactivedirectoryobjectid": OBJECTS[key],
            "internalemailaddress": MAILS[key],
        }
        assert world.call("PATCH", f"systemusers({user})", known) is not None
    world.says([somebody("e1"), somebody("e2", oid=OBJECTS["e2"]), somebody("e3")])
    return world


def correlated(world: World) -> tuple[set[str], dict[str, list[Any]]]:
    """Correlate; return who was loaded, and everybody's finding, rung and user."""
    with world.database.rehearse() as tx:
        world.judge(tx)
        loaded = {row.person for row in rows(tx, "SELECT person FROM claiming")}
        loaded |= {row.person for row in rows(tx, "SELECT person FROM joined")}
        sql = (
            "SELECT person, finding, rung, user_id FROM standing UNION ALL "
            "SELECT person, finding, NULL, NULL FROM stranded"
        )
        return loaded, {key: rest for key, *rest in rows(tx, sql)}


def link(world: World, person: str, user: str, rung: Rung, *, row: int, run: int = 1) -> None:
    """Remember that a row of a user is ours, for a person."""
    with world.database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        bulk(tx, "links", LINK, [
            (env, user, number(3, row), person, str(rung), "created", FIELD, run, "2026-03-01"),
        ])  # fmt: skip


def decide(world: World, verb: Verb, subject: str, value: str | None = None) -> None:
    """Let an operator decide."""
    with world.database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        decisions.add(
            tx, verb, subject, env=env, reason="because", who="op",
            now=iso(world.clock.now), value=value,
        )  # fmt: skip


def test_nobody_is_loaded_where_no_user_has_a_number(bare: World) -> None:
    """One is found by an id and a name, two by the name alone; one is new there."""
    bare.says([*bare.said["hr"], somebody("e4")])

    assert correlated(bare) == (
        set(),
        {
            "e1": ["decided", "user_name", ONE],
            "e2": ["decided", "object_id", TWO],
            "e3": ["decided", "user_name", THREE],
            "e4": ["none", None, None],
        },
    )


def test_nobody_is_loaded_whose_link_the_evidence_confirms(bare: World) -> None:
    """Their rung is the one that made the link, also by several rows and where none has a place."""
    link(bare, "e1", ONE, Rung.EMPLOYEE_ID, row=1)
    link(bare, "e1", ONE, Rung.EMPLOYEE_ID, row=2, run=2)
    link(bare, "e2", TWO, Rung.HAND, row=3)
    link(bare, "e3", THREE, Rung.USERMAPPING, row=4)

    assert correlated(bare) == (
        set(),
        {
            "e1": ["linked", "employee_id", ONE],
            "e2": ["linked", "hand", TWO],
            "e3": ["linked", "usermapping", THREE],
        },
    )


def test_a_link_that_is_over_does_not_count(bare: World) -> None:
    """Neither to the same user nor to another."""
    link(bare, "e1", ONE, Rung.EMPLOYEE_ID, row=1)
    link(bare, "e2", THREE, Rung.HAND, row=2)
    with bare.database.begin() as tx:
        tx.exec_driver_sql("UPDATE links SET ended = '2026-03-01T00:00:00Z'")

    loaded, found = correlated(bare)

    assert loaded == set()
    assert found["e1"] == ["decided", "user_name", ONE]
    assert found["e2"] == ["decided", "object_id", TWO]


def test_nobody_is_loaded_whom_hints_find_where_no_user_has_a_number(bare: World) -> None:
    """Also where the rung stands between others that find nobody."""
    mapping = {"usermappingid": number(8, 1), "partnerapplicationtype": 0, "claimtype": "smtp"}
    bare.call("POST", "usermappings", {**mapping, "systemuserattributename": "windowsliveid"})
    bare.call("PATCH", f"systemusers({ONE})", {"windowsliveid": "ada@home.org"})
    bare.policy = replace(bare.policy, match=HINTED)
    bare.says([("K1", "", "7", "nobody@x.org", "ada@home.org", *somebody("K1")[5:])])

    assert correlated(bare) == (set(), {"K1": ["decided", "usermapping", ONE]})


def test_a_rung_that_is_not_on_the_ladder_places_nobody(bare: World) -> None:
    """Whom it finds is known, and does not count."""
    bare.policy = replace(bare.policy, match=(Rung.EMPLOYEE_ID, Rung.MAIL))

    assert correlated(bare)[1] == {key: ["none", None, None] for key in USERS}


def test_the_latest_of_several_links_counts_where_rungs_differ(bare: World) -> None:
    """The core says which."""
    link(bare, "e1", ONE, Rung.EMPLOYEE_ID, row=1, run=2)
    link(bare, "e1", ONE, Rung.USER_NAME, row=2, run=3)

    loaded, found = correlated(bare)

    assert loaded == {"e1"}
    assert found["e1"] == ["linked", "user_name", ONE]


CONTENDED: Mapping[str, Callable[[World], object]] = {
    "a user who is held": lambda w: decide(w, Verb.HOLD, ONE),
    "a link by an operator's word": lambda w: decide(w, Verb.LINK, "e1", ONE),
    "an operator's word for somebody else": lambda w: decide(w, Verb.LINK, "e3", ONE),
    "a link of somebody who is gone": lambda w: link(w, "e9", ONE, Rung.USER_NAME, row=1),
    "a link to a user who is gone": lambda w: link(w, "e1", number(1, 9), Rung.USER_NAME, row=1),
    "a link to another user": lambda w: link(w, "e1", THREE, Rung.USER_NAME, row=1),
    "another who finds the user": lambda w: _say(w, somebody("K9", mail="one@x.org")),
    "another who has the user": lambda w: _say(w, ("K9", OBJECTS["e1"], *NAMELESS)),
    "a second user by mail": lambda w: _say(w, somebody("e1", mail="two@x.org")),
    "a second user by id": lambda w: _say(w, somebody("e1", oid=OBJECTS["e2"])),
    "a key that two have": lambda w: _say(w, somebody("e1"), somebody("e1")),
    "a protected name": lambda w: _protect(w, "e1@x.org"),
    "a protected user": lambda w: _protect(w, OBJECTS["e1"]),
}


def _say(world: World, *said: tuple[str, ...]) -> None:
    """Let the source say this of some, and the same as before of all others."""
    keys = {row[0] for row in said}
    world.says([*said, *(row for row in world.said["hr"] if row[0] not in keys)])


def _protect(world: World, value: str) -> None:
    world.policy = replace(world.policy, protected=frozenset({value}))


@pytest.mark.parametrize("case", CONTENDED)
def test_those_about_whom_more_must_be_known_are_loaded(bare: World, case: str) -> None:
    """One user is found, or one of two; the core says what is to be made of it."""
    CONTENDED[case](bare)

    assert "e1" in correlated(bare)[0]


def test_somebody_who_is_not_wanted_is_placed_likewise(bare: World) -> None:
    """Whether somebody is wanted matters only where two claim one user."""
    bare.says([(*somebody("e1")[:8], "", "", "")])

    assert correlated(bare) == (set(), {"e1": ["decided", "user_name", ONE]})
