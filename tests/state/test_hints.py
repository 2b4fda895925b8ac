"""The rung `usermapping`: columns that rows of the environment name, as set-based statements."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from syncd.core.exits import ExitCode
from syncd.core.hints import Hint, Hints
from syncd.state.database import Database
from tests.state.desk import ONE, TWO, Shown, look, person, select, user
from tests.strategies import HINTED
from tests.world import Door, World, number

MAIL = Hints((Hint("mail", "personalemailaddress", "windowsliveid"),))
SMTP = {
    "usermappingid": number(8, 1),
    "partnerapplicationtype": 0,
    "claimtype": "smtp",
    "systemuserattributename": "personalemailaddress",
}


@pytest.fixture
def hinted(world: World) -> World:
    """Give a world whose ladder has the rung, with one mapping."""
    world.policy = replace(world.policy, match=HINTED)
    assert world.call("POST", "usermappings", SMTP) is not None
    return world


def found(database: Database) -> dict[str, list[str | None]]:
    """Return everybody with finding, rung and user."""
    sql = (
        "SELECT person, finding, rung, user_id FROM standing UNION ALL "
        "SELECT person, finding, NULL, NULL FROM stranded"
    )
    return {key: rest for key, *rest in select(database, sql)}


def mailed(key: str, mail: str) -> tuple[str, ...]:
    """Describe somebody of whom nothing but a key and an address is known."""
    return (key, "", "", "", mail, "Active", "", "", "field", "3", "")


def test_a_user_is_found_by_the_column_that_the_mapping_names(
    hinted: World, database: Database
) -> None:
    """In any case, and by the built-in claim's column where that one is empty."""
    hinted.call("PATCH", f"systemusers({ONE})", {"personalemailaddress": "Ada@Home.org"})
    hinted.call("PATCH", f"systemusers({TWO})", {"windowsliveid": "bo@live.org"})
    hinted.says([mailed("K1", "ada@home.org"), mailed("K2", "BO@live.org"), mailed("K3", "x@y")])
    report = hinted.reconcile()

    assert report.exit_code == 0
    assert found(database) == {
        "K1": ["decided", "usermapping", ONE],
        "K2": ["decided", "usermapping", TWO],
        "K3": ["none", None, None],
    }


def test_the_built_in_column_does_not_count_where_the_named_one_is_filled(
    hinted: World, database: Database
) -> None:
    """The platform sends one claim for a user."""
    both = {"personalemailaddress": "ada@home.org", "windowsliveid": "ada@live.org"}
    hinted.call("PATCH", f"systemusers({ONE})", both)
    hinted.says([mailed("K1", "ada@live.org")])
    hinted.reconcile()

    assert found(database) == {"K1": ["none", None, None]}


def test_a_mail_below_decides_where_no_hint_answers(hinted: World, database: Database) -> None:
    """A rung without a candidate is passed over, by the statements too."""
    hinted.call("PATCH", f"systemusers({ONE})", {"internalemailaddress": "ada@x.org"})
    hinted.says([mailed("K1", "ada@x.org")])
    hinted.reconcile()

    assert found(database) == {"K1": ["decided", "mail", ONE]}


def test_two_users_with_one_hint_make_the_person_ambiguous(
    hinted: World, database: Database
) -> None:
    """Nothing is guessed."""
    for each in (ONE, TWO):
        hinted.call("PATCH", f"systemusers({each})", {"personalemailaddress": "ada@home.org"})
    hinted.says([mailed("K1", "ada@home.org")])
    hinted.reconcile()

    assert found(database)["K1"][0] == "ambiguous"


def test_a_link_that_mail_made_is_contradicted_by_a_hint(hinted: World, database: Database) -> None:
    """The rung stands above the one that made the link."""
    hinted.call("PATCH", f"systemusers({ONE})", {"internalemailaddress": "ada@x.org"})
    hinted.says([mailed("K1", "ada@x.org")])
    hinted.reconcile()
    hinted.call("PATCH", f"systemusers({TWO})", {"personalemailaddress": "ada@x.org"})
    hinted.clock.wait(hours=1)
    hinted.reconcile()

    assert found(database) == {"K1": ["ambiguous", "mail", ONE]}


def test_a_link_that_a_hint_made_stands_when_the_hint_is_gone(
    hinted: World, database: Database
) -> None:
    """Renames do not matter."""
    hinted.call("PATCH", f"systemusers({ONE})", {"personalemailaddress": "ada@home.org"})
    hinted.says([mailed("K1", "ada@home.org")])
    hinted.reconcile()
    hinted.call("DELETE", f"usermappings({number(8, 1)})")
    hinted.clock.wait(hours=1)
    hinted.reconcile()

    assert found(database) == {"K1": ["linked", "usermapping", ONE]}
    assert select(database, "SELECT * FROM hints") == []


def test_two_mappings_for_one_claim_are_reported_and_not_used(
    hinted: World, database: Database
) -> None:
    """The report is for the whole environment, and names columns only."""
    other = {**SMTP, "usermappingid": number(8, 2), "systemuserattributename": "windowsliveid"}
    hinted.call("POST", "usermappings", other)
    hinted.call("PATCH", f"systemusers({ONE})", {"personalemailaddress": "ada@home.org"})
    hinted.says([mailed("K1", "ada@home.org")])
    hinted.reconcile()

    sql = "SELECT body FROM items WHERE kind = 'reports' AND body LIKE '%usermapping names 2%'"
    assert found(database) == {"K1": ["none", None, None]}
    assert len(select(database, sql)) == 1


def test_hints_follow_their_users(world: World, database: Database) -> None:
    """Read anew they are replaced, and of users who are gone nothing is kept."""
    world.policy = replace(world.policy, match=HINTED)

    def told(*rows: tuple[str, str, str]) -> list[tuple[Any, ...]]:
        page = [(*user(key, version)[:10], (("mail", mail),)) for key, version, mail in rows]
        look(world, Shown(users_shown=[page], declared=MAIL))
        return select(database, "SELECT user_id, value FROM hints ORDER BY 1, 2")

    assert told((ONE, "1", "A@x"), (TWO, "1", "b@x")) == [(ONE, "a@x"), (TWO, "b@x")]
    assert told((ONE, "2", "c@x"), (TWO, "1", "never read")) == [(ONE, "c@x"), (TWO, "b@x")]
    assert told((ONE, "2", "c@x")) == [(ONE, "c@x")]
    assert told((ONE, "3", " ")) == []


def test_another_column_means_reading_users_anew(world: World) -> None:
    """What is known of users was read with the columns of that time."""
    world.policy = replace(world.policy, match=HINTED)
    pages = [[user(ONE), user(TWO)]]
    look(world, Shown(users_shown=pages, declared=MAIL))
    same, other = (
        Shown(users_shown=pages, declared=MAIL),
        Shown(users_shown=pages, declared=Hints()),
    )
    look(world, same)
    look(world, other)

    assert (same.given, same.asked) == ([], list(MAIL.used))
    assert (other.given, other.asked) == ([ONE, TWO], [])


def test_without_the_rung_the_table_is_never_touched(world: World, database: Database) -> None:
    """Neither in Dataverse nor in the state database, whatever is in it."""
    world.call("POST", "usermappings", SMTP)
    world.says([person("e1"), person("e2")])
    door = Door(world.sandbox)
    with world.target(transport=door) as target:
        world.reconciler(target).reconcile()

    assert door.sent
    assert not [each for each in door.sent if "usermapping" in each or "Attributes" in each]
    assert select(database, "SELECT * FROM hints") == []


def test_with_the_rung_a_run_only_reads_the_table(hinted: World) -> None:
    """Whatever is in it; a row changes what a whole organization signs in with."""
    hinted.says([person("e1"), person("e2")])
    door = Door(hinted.sandbox)
    with hinted.target(transport=door) as target:
        hinted.reconciler(target).reconcile()

    touching = [each for each in door.sent if "usermapping" in each]
    assert touching == ["GET usermappings"]
    assert "POST $batch" in door.sent


def test_a_table_that_may_not_be_read_stops_the_run(hinted: World, database: Database) -> None:
    """A lower rung might find somebody else, so that nothing is decided without it."""
    hinted.says([person("e1")])
    door = Door(hinted.sandbox)

    def answer(request: httpx.Request) -> httpx.Response:
        if "usermappings" in request.url.path:
            error = {"code": "0x80040220", "message": "prvReadUserMapping is missing"}
            return httpx.Response(403, json={"error": error})
        return door.handle_request(request)

    with hinted.target(transport=httpx.MockTransport(answer)) as target:
        report = hinted.reconciler(target).reconcile()

    assert report.exit_code == ExitCode.TARGET
    assert "prvReadUserMapping" in str(report.problem)
    assert select(database, "SELECT * FROM changes") == []


def test_two_users_on_one_rung_are_no_answer_whatever_a_lower_one_says(
    world: World, database: Database
) -> None:
    """The deciding rung has two candidates, so that the person is AMBIGUOUS (section 3)."""
    for each in (ONE, TWO):
        world.call("PATCH", f"systemusers({each})", {"employeeid": "e7"})
    world.says([("K7", "", "e7", "e1@x.org", "", "Active", "", "", "field", "3", "")])
    world.reconcile()

    assert found(database) == {"K7": ["ambiguous", None, None]}
