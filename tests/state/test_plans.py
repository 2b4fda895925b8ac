"""Plans on record: given out, taken up again, hashed, and shown as the contract's document."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import IO, Any

import pytest

from syncd.core.errors import PlanError
from syncd.core.settings import Limits, Policy
from syncd.engine.parts import RunReport
from syncd.state import archive, documents
from syncd.state.archive import Head
from syncd.state.database import Database
from tests.state.desk import FIELD, ONE, TWO, people, person, select
from tests.world import ROWS, World, number

KEYS = [
    "schema", "plan", "environment", "created_at", "situations", "changes", "adopted", "pending",
    "reports", "saved", "conflicts", "gates", "certificates",
]  # fmt: skip
CHANGE = {
    "action", "person", "user", "user_name", "membership", "profile_before", "profile_after",
    "situation", "reason",
}  # fmt: skip


@pytest.fixture
def busy(world: World) -> World:
    """Give a world where one row is adopted, one row is made, and somebody has no user."""
    bind = {
        "SystemUserId@odata.bind": f"/systemusers({ONE})",
        "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({FIELD})",
    }
    made = {"usermobileofflineprofilemembershipid": number(3, 1), "name": "by hand"}
    assert world.call("POST", ROWS, {**made, **bind}) is not None
    world.says([person("e1"), person("e2", "office"), person("e9")])
    return world


def head_of(world: World, plan: str | None) -> Head:
    """Return what a saved plan says of itself."""
    with world.database.read() as tx:
        head = archive.head(tx, str(plan))
    assert head is not None
    return head


def apply(world: World, plan: str) -> RunReport:
    """Apply a saved plan."""
    with world.target() as target:
        return world.reconciler(target).apply(plan)


def stored(database: Database, plan: str) -> list[list[tuple[Any, ...]]]:
    """Return everything that is stored of a plan."""
    return [
        select(database, f"SELECT * FROM {table} WHERE {key} = :plan ORDER BY 1, 2, 3", plan=plan)  # noqa: S608  # our own tables
        for table, key in (("plans", "id"), ("changes", "plan"), ("items", "plan"))
    ]


def test_a_plan_that_was_only_shown_is_saved_and_nothing_else_is(
    busy: World, database: Database
) -> None:
    """No people, no links, no journal, no audit log, no run."""
    report = busy.plan()
    left = {
        name: select(database, f"SELECT count(*) FROM {name}")  # noqa: S608  # our own tables
        for name in ("links", "journal", "audit", "runs", "memberships", "sightings")
    }

    assert head_of(busy, report.plan).run is None
    assert [len(part) for part in stored(database, str(report.plan))][:2] == [1, 1]
    assert people(database) == {}
    assert set(map(tuple, left.values())) == {((0,),)}


def test_the_same_inputs_give_the_same_hash(busy: World) -> None:
    """Made again, in another order of rows, and at once with its changes sent."""
    first = head_of(busy, busy.plan().plan)
    busy.says(list(reversed(busy.said["hr"])))
    second = head_of(busy, busy.plan().plan)
    sent = head_of(busy, busy.reconcile().plan)
    busy.says([person("e1"), person("e2"), person("e9")])
    other = head_of(busy, busy.plan().plan)

    assert first.id != second.id
    assert first.digest == second.digest == sent.digest
    assert other.digest != first.digest


@contextmanager
def exported(world: World) -> Iterator[tuple[Head, IO[bytes]]]:
    """Give a plan that was made and forgotten, and the file that still has it."""
    saved = head_of(world, world.plan().plan)
    with tempfile.TemporaryFile() as file:
        with world.database.begin() as tx:
            archive.export(tx, saved.id, file)
            for table, key in (("changes", "plan"), ("items", "plan"), ("plans", "id")):
                tx.exec_driver_sql(f"DELETE FROM {table} WHERE {key} = '{saved.id}'")  # noqa: S608  # our own tables
        yield saved, file


@pytest.mark.parametrize("crowd", [0, 1500])
def test_a_plan_that_is_given_out_and_taken_back_hashes_the_same(
    crowd: int, busy: World, database: Database
) -> None:
    """Also one of several pages; nothing of it is another afterwards."""
    busy.says([*busy.said["hr"], *(person(f"x{which}") for which in range(crowd))])
    with exported(busy) as (saved, file):
        gone = stored(database, saved.id)
        with database.begin() as tx:
            archive.restore(tx, file)
            archive.save(tx, saved)
        with database.read() as tx:
            digest = archive.digest(tx, saved.id, saved.env, 0)
            adopted = list(archive.items(tx, saved.id, "adopted"))
        again = stored(database, saved.id)

    assert gone == [[], [], []]
    assert len(again[2]) >= crowd
    assert len(adopted) == 1
    assert digest != saved.digest  # the adopted rows are hashed from the links that a run writes
    assert head_of(busy, saved.id) == saved


@pytest.mark.parametrize("bytes_left", [40, -1])
def test_a_plan_whose_file_is_damaged_is_refused(
    bytes_left: int, busy: World, database: Database
) -> None:
    """A file that ends too soon gives no plan at all."""
    with exported(busy) as (saved, file):
        file.seek(0)
        damaged = BytesIO(file.read()[:bytes_left])
        with pytest.raises(pickle.UnpicklingError), database.begin() as tx:
            archive.restore(tx, damaged)
        left = stored(database, saved.id)

    assert left == [[], [], []]


def test_a_plan_is_found_by_an_unambiguous_beginning(busy: World) -> None:
    """Two that begin alike are not guessed between."""
    first, second = busy.plan().plan, busy.plan().plan
    assert first is not None
    assert second is not None
    with busy.database.read() as tx:
        found = archive.head(tx, first[:-1])
        both = archive.head(tx, first[:8])
        none = archive.head(tx, "nothing")

    assert found is not None
    assert found.id == first
    assert (both, none) == (None, None)


@pytest.mark.parametrize("what", ["unknown", "expired", "configured anew"])
def test_a_plan_that_no_longer_counts_is_refused_in_one_sentence(what: str, busy: World) -> None:
    """Nothing is sent, and the way to a new one is said."""
    plan = str(busy.plan().plan)
    if what == "expired":
        busy.clock.wait(days=400)
    with busy.target() as target:
        reconciler = busy.reconciler(target)
        if what == "configured anew":
            reconciler.environment = replace(reconciler.environment, config_digest="other")
        with pytest.raises(PlanError, match="syncd plan --environment contoso") as told:
            reconciler.apply("nothing" if what == "unknown" else plan)

    assert "\n" not in str(told.value)
    assert len(busy.members()) == 1


def test_a_document_is_as_the_contract_has_it(busy: World) -> None:
    """Every key in its place, profiles by name, situations that sum to everybody."""
    document = busy.document(str(busy.plan().plan))
    (change,), (adopted,) = document["changes"], document["adopted"]

    assert [name for name in document if name in KEYS] == KEYS
    assert document["schema"] == "syncd.plan/1"
    assert document["situations"] == {"FOUND": 1, "ABSENT": 1, "UNRESOLVED_USER": 1}
    assert set(change) == CHANGE
    assert (change["action"], change["user"]) == ("create", TWO)
    assert (change["profile_before"], change["profile_after"]) == (None, "Office")
    assert (adopted["person"], adopted["membership"]) == ("e1", number(3, 1))
    assert adopted["profile"] == "Field"
    assert [each["person"] for each in document["reports"]] == ["e9"]
    assert document["gates"][0]["scope"] == "run"
    assert document["certificates"] == [
        {"source": "hr", "certified": True, "rows": 3, "findings": []}
    ]


def test_a_document_is_the_same_before_and_after_it_was_applied(busy: World) -> None:
    """What became of the changes is told beside them, not in them."""
    plan = str(busy.plan().plan)
    before = busy.document(plan)
    report = apply(busy, plan)
    after = busy.document(plan)
    with busy.database.read() as tx:
        summary = documents.plan_summary(tx, plan)
        (change,) = documents.changes(tx, plan, summary["profiles"])

    assert report.plan == plan
    assert after == before
    assert (change["result"], change["held"]) == ("applied", None)


def test_what_a_gate_holds_is_told_of_each_change(busy: World) -> None:
    """It is among the changes, without a result, and pending with its reason."""
    busy.policy = Policy(removals=Limits(percent=0, absolute=0, floor=0))
    busy.reconcile()
    busy.says([person("e1", status="Gone"), person("e2", "office"), person("e9")])
    report = busy.reconcile()
    plan = str(report.plan)
    with busy.database.read() as tx:
        (change,) = documents.changes(tx, plan, {})
        (pending,) = documents.remarks(tx, plan, "pending")

    assert (change["action"], change["held"], change["result"]) == ("remove", "gate", None)
    assert (pending["person"], pending["reason"], pending["due"]) == ("e1", "gate", None)
    assert json.loads(head_of(busy, plan).document)["gates"][0]["tripped"] is True
