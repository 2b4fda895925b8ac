"""Where little is new only those are judged anew whom that can concern."""

from __future__ import annotations

from datetime import timedelta

from syncd.core.model import iso
from syncd.state import decisions, observed
from syncd.state.database import one, rows, run
from syncd.state.decisions import Verb
from tests.engine.crew import FIELD, OFFICE, person
from tests.world import ROWS, URL, World, number

EVERYBODY = {"E1", "E2", "E3", "E4"}
MARK = "as it was"


def judged(world: World) -> set[str]:
    """Plan, and return about whom it was found out anew who their user is."""
    world.delta = True
    with world.database.rehearse() as tx:
        before = {row.person for row in rows(tx, "SELECT person FROM standing")}
        run(tx, "UPDATE standing SET detail = :mark", mark=MARK)
        world.judge(tx)
        sql = "SELECT person FROM standing WHERE detail = :mark"
        return before - {row.person for row in rows(tx, sql, mark=MARK)}


def settle(world: World) -> None:
    """Let everybody have what they should, and let that be known."""
    world.delta = True
    for _ in range(3):
        world.reconcile()
    assert judged(world) == set()


def test_who_moved_is_judged_anew_and_nobody_else(world: World) -> None:
    """Also in a department in which nobody was before."""
    settle(world)
    world.says([person(1), person(2, department="harbour"), person(3), person(4)])

    assert judged(world) == {"E2"}


def test_the_run_after_a_change_judges_those_whom_it_was_made_for(world: World) -> None:
    """Links and rows are others than before."""
    settle(world)
    world.says([person(1), person(2, department="office"), person(3, "Left"), person(4)])
    world.reconcile()

    assert judged(world) == {"E2", "E3"}
    world.reconcile()
    assert judged(world) == set()


def test_a_row_that_somebody_changed_concerns_its_user(world: World) -> None:
    """The one before, too, where it changed hands."""
    settle(world)
    row = next(row for row, (owner, *_) in world.members().items() if owner == number(1, 2))
    world.call(
        "PATCH",
        f"{ROWS}({row})",
        {"MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({OFFICE})"},
    )
    assert judged(world) == {"E2"}

    world.call(
        "PATCH", f"{ROWS}({row})", {"SystemUserId@odata.bind": f"/systemusers({number(1, 4)})"}
    )
    assert judged(world) == {"E2", "E4"}


def test_a_user_concerns_whom_it_answers_to_and_whom_it_answered_to(world: World) -> None:
    """Another name of the same account concerns nobody else."""
    settle(world)
    world.call("PATCH", f"systemusers({number(1, 2)})", {"employeeid": "4"})
    assert judged(world) == {"E2", "E4"}

    world.call("PATCH", f"systemusers({number(1, 2)})", {"employeeid": "2"})
    assert judged(world) == set()
    world.call("PATCH", f"systemusers({number(1, 2)})", {"fullname": "Somebody Else"})
    assert judged(world) == set()
    world.call("DELETE", f"systemusers({number(1, 3)})")
    assert judged(world) == {"E3"}


def test_a_user_concerns_whom_it_answered_to_beside_others(world: World) -> None:
    """Two users answer to a name, which says nothing; when one of them no longer does it does."""
    for which in (3, 4):
        world.call("PATCH", f"systemusers({number(1, which)})", {"domainname": "u1@contoso.com"})
    world.call("PATCH", f"systemusers({number(1, 1)})", {"domainname": "other@contoso.com"})
    world.says([person(1, department=""), person(2), person(3), person(4)])
    settle(world)
    world.call("PATCH", f"systemusers({number(1, 4)})", {"domainname": "u4@contoso.com"})

    assert judged(world) == {"E1", "E3", "E4"}
    world.reconcile()
    assert stranded(world, "E1") == "ambiguous"


def test_whoever_gave_way_is_judged_when_the_other_one_goes(world: World) -> None:
    """Two people are one user's; the second gives way for as long as the first one is there."""
    second = ("E9", *person(1)[1:8], "", "9", "")
    world.says([person(1), person(2), person(3), person(4), second])
    settle(world)
    assert stranded(world, "E9") == "none"

    world.says([person(1, "Left"), person(2), person(3), person(4), second])
    world.reconcile()
    assert stranded(world, "E9") == "none"
    assert judged(world) == {"E1"}
    world.reconcile()

    assert stranded(world, "E9") == "ambiguous"


def stranded(world: World, person: str) -> str:
    """Return why somebody has no user."""
    with world.database.read() as tx:
        sql = "SELECT finding FROM stranded WHERE person = :person"
        return str(one(tx, sql, person=person))


def test_what_may_concern_anybody_lets_everybody_be_judged(world: World) -> None:
    """Other rules, another day, an operator's word, a profile that is published or not."""
    settle(world)
    world.rules_digest = "other rules"
    assert judged(world) == EVERYBODY
    world.rules_digest = "rules"
    assert judged(world) == set()

    world.call("PATCH", f"mobileofflineprofiles({number(2, 1)})", {"publishedon": None})
    assert judged(world) == EVERYBODY
    world.call(
        "PATCH", f"mobileofflineprofiles({number(2, 1)})", {"publishedon": iso(world.clock())}
    )
    assert judged(world) == set()

    with world.database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        decisions.add(
            tx, Verb.HOLD, number(1, 2), env=env, reason="because", who="op",
            now=iso(world.clock()),
        )  # fmt: skip
    assert judged(world) == EVERYBODY
    settle(world)
    world.says([person(1, department="office"), person(2), person(3), person(4)])
    world.clock.now += timedelta(days=1)
    assert judged(world) == EVERYBODY


def test_a_run_that_reads_everything_judges_everybody(world: World) -> None:
    """It is there to find what runs of changes missed; where nothing is new nobody is judged."""
    settle(world)
    world.says([person(1, department="office"), person(2), person(3), person(4)])
    before = judged(world)
    world.reconcile()
    settle(world)
    world.says([person(1), person(2), person(3), person(4)])
    world.delta = False
    with world.database.rehearse() as tx:
        run(tx, "UPDATE standing SET detail = :mark", mark=MARK)
        world.judge(tx)
        kept = rows(tx, "SELECT person FROM standing WHERE detail = :mark", mark=MARK)

    assert before == {"E1"}
    assert kept == []


def test_somebody_new_is_found_among_all_users(world: World) -> None:
    """Though nobody else is looked at."""
    world.says([person(1), person(2), person(3)])
    settle(world)
    world.says([person(1), person(2), person(3), person(4)])

    assert judged(world) == set()
    assert world.reconcile().situations == {"ABSENT": 1, "CONFIRMED": 3}


def test_a_row_that_is_as_wanted_is_adopted_all_the_same(world: World) -> None:
    """Whoever is new and has it already is linked to it for good."""
    world.says([person(1), person(2), person(3)])
    world.call(
        "POST",
        ROWS,
        {
            "usermobileofflineprofilemembershipid": number(3, 4),
            "name": "by hand",
            "SystemUserId@odata.bind": f"/systemusers({number(1, 4)})",
            "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({FIELD})",
        },
    )
    settle(world)
    world.says([person(1), person(2), person(3), person(4)])

    assert world.reconcile().situations == {"CONFIRMED": 3, "FOUND": 1}
    assert world.reconcile().situations == {"CONFIRMED": 4}
    assert (number(1, 4), number(3, 4), "E4", "employee_id", "adopted") in world.links()
