"""Days to come, lived through for the people whose days they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from syncd.core.model import iso
from syncd.core.rules import Rule
from syncd.core.settings import Grace, Ownership, Policy
from syncd.engine.planning import Order
from syncd.engine.upcoming import Coming, foresee
from syncd.state import decisions, observed
from syncd.state.circle import apart
from syncd.state.database import Tx
from syncd.state.decisions import Verb
from tests.company import profile, user
from tests.world import NOW, ROWS, RULES, URL, World, number, opened, picture

FIELD, OFFICE = number(2, 1), number(2, 2)
SETS: Mapping[str, Sequence[Mapping[str, object]]] = {
    "systemusers": [user(number(1, n), f"u{n}", f"{n}") for n in range(1, 6)],
    "mobileofflineprofiles": [profile(FIELD, "Field"), profile(OFFICE, "Office")],
}
MEMORY = ("links", "sightings", "pendings", "losses", "standing", "stranded", "finds")


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    """Give an empty environment with five users; today is the second of March."""
    with closing(opened(database_url)) as database:
        yield World(tmp_path, database, rows=SETS)


def hold(tx: Tx, which: int, until: str | None = None) -> None:
    """Let an operator hold a user."""
    env = observed.environment(tx, "contoso", URL)
    decisions.add(
        tx, Verb.HOLD, number(1, which), env=env, reason="away", who="olga", now=iso(NOW),
        until=until,
    )  # fmt: skip


def link(tx: Tx, person: str, which: int) -> None:
    """Let an operator say whose user somebody is."""
    env = observed.environment(tx, "contoso", URL)
    decisions.add(
        tx, Verb.LINK, person, env=env, reason="known", who="olga", now=iso(NOW),
        value=number(1, which),
    )  # fmt: skip


def somebody(
    which: int, first: str = "", last: str = "", *, key: str = "", department: str = "field"
) -> tuple[str, ...]:
    """Say of a person what HR does, with a first and a last day in March."""
    days = [f"2026-03-{day}" if day else "" for day in (first, last)]
    return (key or f"E{which}", "", f"{which}", "", "", "Active", *days, department, "9", "")


def by_hand(world: World, which: int) -> None:
    """Let somebody else give a user a row."""
    world.call("POST", ROWS, {
        "usermobileofflineprofilemembershipid": number(3, 1), "name": "by hand",
        "SystemUserId@odata.bind": f"/systemusers({number(1, which)})",
        "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({FIELD})",
    })  # fmt: skip


def ahead(world: World, days: int = 20, **more: Any) -> Coming:
    """Look ahead by what was last read."""
    with apart(world.database) as tx:
        return looked(tx, world, days, **more)


def looked(tx: Tx, world: World, days: int = 20, **more: Any) -> Coming:
    """Look ahead in a transaction."""
    env = observed.environment(tx, "contoso", URL)
    return foresee(tx, Order(world.environment, env, world.clock(), 0, "", ()), days, **more)


def short(coming: Coming) -> list[tuple[Any, ...]]:
    """Return day, action and person of all entries."""
    return [(e["day"][-2:], e["action"], e["person"]) for e in coming.entries]


def test_somebody_who_comes_for_a_few_days_gains_and_loses(world: World) -> None:
    """The row that is lost is the one that would have been made before; it has no id yet."""
    world.says([somebody(1, "04", "06")])
    world.reconcile()

    coming = ahead(world)

    assert short(coming) == [("04", "create", "E1"), ("07", "remove", "E1")]
    assert [entry["membership"] for entry in coming.entries] == [None, None]
    assert coming.entries[1]["profile_before"] == "Field"


def test_lead_days_and_grace_move_the_days(world: World) -> None:
    """A first day counts earlier, and a row stays for its grace after the last."""
    world.policy = Policy(lead_days=2, grace=Grace(left=3))
    world.says([somebody(1, "08"), somebody(2, last="05")])
    world.reconcile()

    assert short(ahead(world)) == [("06", "create", "E1"), ("09", "remove", "E2")]
    assert short(ahead(world, 6)) == [("06", "create", "E1")]


def test_a_grace_that_has_begun_ends_on_its_day(world: World) -> None:
    """Whoever is pending is listed on the day that was promised, with the day it began."""
    world.policy = Policy(grace=Grace(left=5))
    world.says([somebody(1, last="02"), somebody(2)])
    world.reconcile()
    world.clock.wait(days=1)
    world.reconcile()

    coming = ahead(world)

    assert short(coming) == [("08", "remove", "E1")]
    assert coming.entries[0]["since"] == "2026-03-03"


@pytest.mark.parametrize("set_by_hand", [False, True])
def test_a_row_passes_to_the_new_key_of_somebody_who_comes_back(
    world: World, *, set_by_hand: bool
) -> None:
    """On the day on which one key leaves and the next one starts nobody loses a row."""
    world.says([somebody(1, last="04")])
    if set_by_hand:
        with world.database.begin() as tx:
            link(tx, "E1", 1)
    world.reconcile()
    world.says([somebody(1, last="04"), somebody(1, "05", key="N1", department="office")])
    world.reconcile()

    coming = ahead(world)

    assert short(coming) == [("05", "move", "N1")]
    assert (coming.entries[0]["user"], coming.entries[0]["profile_after"]) == (
        number(1, 1),
        "Office",
    )


def test_a_day_of_one_person_can_be_the_day_of_another(world: World) -> None:
    """Two claim one user; when the first leaves, the other has nobody to argue with."""
    world.says([somebody(1, last="04"), somebody(1, key="N2")])
    world.reconcile()

    assert short(ahead(world)) == [("05", "create", "N2")]


def test_whoever_vanished_once_is_seen_a_second_time_tomorrow(world: World) -> None:
    """A second certified day without somebody is what takes the row."""
    world.says([somebody(n) for n in range(1, 6)])
    world.reconcile()
    world.says([somebody(n) for n in range(2, 6)])
    world.reconcile()

    assert short(ahead(world)) == [("03", "remove", "E1")]


def test_a_hold_ends_and_what_was_put_off_follows(world: World) -> None:
    """The day after a hold is the day of whoever was held."""
    world.says([somebody(1)])
    with world.database.begin() as tx:
        hold(tx, 1, "2026-03-05")
    world.reconcile()

    assert short(ahead(world)) == [("06", "create", "E1")]


def test_users_whom_nobody_explains_any_more_lose_rows_in_exclusive_mode(world: World) -> None:
    """Of such rows there is no person; they are listed by their user."""
    world.policy = Policy(ownership=Ownership.EXCLUSIVE, grace=Grace(vanished=2))
    by_hand(world, 3)
    world.says([somebody(1)])
    world.reconcile()

    coming = ahead(world)

    assert short(coming) == [("05", "remove", None)]
    assert (coming.entries[0]["user"], coming.entries[0]["membership"]) == (
        number(1, 3),
        number(3, 1),
    )


def test_whoever_gives_way_to_a_newcomer_explains_nobody_from_that_day_on(world: World) -> None:
    """Until then both may be meant by the user, so that all are explained whom either finds."""
    world.policy = Policy(ownership=Ownership.EXCLUSIVE)
    by_hand(world, 3)
    key, oid, eid, name, _, *rest = somebody(4, last="01", key="E3")
    world.says([(key, oid, eid, name, "u3@contoso.com", *rest), somebody(4, "04")])
    world.reconcile()

    assert short(ahead(world)) == [("04", "create", "E4"), ("05", "remove", None)]


def test_who_starts_without_a_user_is_told_once(world: World) -> None:
    """They would be given something, and something must be done for it."""
    world.says([somebody(9, "04"), somebody(8)])
    world.reconcile()

    coming = ahead(world)

    assert short(coming) == [("04", None, "E9")]
    assert coming.entries[0]["situation"] == "UNRESOLVED_USER"
    assert coming.entries[0]["profile_after"] == "Field"


def test_rules_that_look_at_the_day_are_asked_on_that_day(world: World) -> None:
    """Whoever starts gets what the rules give then, not what they would give today."""
    night = Rule("after the tenth", lambda _, d: d >= date(2026, 3, 10), profile="Office",
                 reads_today=True)  # fmt: skip
    world.rules = (night, *RULES)
    world.says([somebody(1, "05"), somebody(2, "11")])
    world.reconcile()

    coming = ahead(world)

    assert coming.by_day
    given = [(e["day"][-2:], e["person"], e["profile_after"]) for e in coming.entries]
    assert given == [("05", "E1", "Field"), ("11", "E2", "Office")]


def test_people_without_any_claim_are_left_aside(world: World) -> None:
    """Dates of those whom no rule gives anything, and who have nothing, are nobody's news."""
    world.says([somebody(1, "04", department=""), somebody(2, "04")])
    world.reconcile()

    assert ahead(world).people == 1


def test_only_the_first_are_told_where_that_is_asked(world: World) -> None:
    """All are counted; those with the next days come first."""
    world.says([somebody(1, "09"), somebody(2, "04"), somebody(3, "06")])
    world.reconcile()

    coming = ahead(world, most=2)

    assert coming.people == 3
    assert short(coming) == [("04", "create", "E2"), ("06", "create", "E3")]


def test_looking_ahead_leaves_everything_as_it_is(world: World) -> None:
    """Also in the middle of a transaction: what was there before is there again."""
    world.policy = Policy(grace=Grace(left=5))
    world.says([somebody(1, last="03"), somebody(2, "04", "06"), somebody(3)])
    world.reconcile()
    with world.database.rehearse() as tx:
        before = picture(tx, *MEMORY)
        coming = looked(tx, world)

        assert len(coming.entries) == 3
        assert picture(tx, *MEMORY) == before
        assert short(looked(tx, world)) == short(coming)


def test_nobody_who_writes_is_waited_for(world: World) -> None:
    """A run that takes long hides nothing: what the one before it read is there."""
    world.says([somebody(1, "04")])
    world.reconcile()

    with world.database.begin() as tx:
        hold(tx, 1)
        coming = ahead(world)

    assert short(coming) == [("04", "create", "E1")]
