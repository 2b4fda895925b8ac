"""Writes step down to what an environment takes: bulk, batch, single; emptied and pointed anew."""

from __future__ import annotations

import json
from collections.abc import Sequence

import httpx
import pytest

from syncd.core.ledger import Message
from syncd.core.model import Action
from syncd.core.plan import Change, Fault, Outcome, Result
from syncd.sandbox.faults import Fault as Misbehaviour
from syncd.sandbox.faults import FaultKind, Request
from tests.connectors.dataverse.world import P1, P2, ROWS, World, change, numbered, row_id

BATCH = "POST $batch"
CREATES = "POST Microsoft.Dynamics.CRM.CreateMultiple"
UPDATES = "POST Microsoft.Dynamics.CRM.UpdateMultiple"
ALL = ("Create", "Update", "Delete", "Associate", "Disassociate")


def refuse(world: World, *messages: str, **how: object) -> None:
    """Let the environment refuse these messages of the table."""
    order(world, "messages", {"refuse": list(messages), **how})


def order(world: World, what: str, body: object) -> None:
    """Give the sandbox an order."""
    content = json.dumps(body).encode()
    answer = world.sandbox.answer("POST", f"/_sandbox/{what}", "", {}, content)
    assert answer.status == 204, answer.content


def unversioned(world: World) -> None:
    """Let the table compare no versions."""
    order(world, "tables", {"optimistic_concurrency": False})


def results(outcomes: Sequence[Outcome]) -> list[Result]:
    """Return only how they ended."""
    return [one.result for one in outcomes]


def creates(world: World, count: int) -> list[Change]:
    """Plan rows for that many new users."""
    users = [world.user(number) for number in range(1, count + 1)]
    return numbered(
        [change(Action.CREATE, row_id(n), user=user, after=P1) for n, user in enumerate(users, 1)]
    )


def moves(world: World, count: int) -> list[Change]:
    """Plan moves of that many rows that are there."""
    ids = [world.row(n, world.user(n)) for n in range(1, count + 1)]
    rows = world.open().fetch(ids)
    return numbered([change(Action.MOVE, rows[one], after=P2) for one in ids])


# --- bulk calls -------------------------------------------------------------------------


def test_many_new_rows_are_one_bulk_call(world: World) -> None:
    """Twelve rows, one CreateMultiple, under their own ids and with the run's number."""
    planned = creates(world, 12)
    world.sent.clear()

    outcomes = world.open().apply(planned, 42)

    assert results(outcomes) == [Result.APPLIED] * 12
    assert world.sent == [CREATES]
    assert set(world.rows()) == {one.membership for one in planned}
    shown = world.call("GET", f"{ROWS}({row_id(1)})")
    assert (shown["name"], shown["importsequencenumber"]) == ("Ada | Field Crew", 42)


def test_few_new_rows_ride_with_the_batch(world: World) -> None:
    """A bulk call for a handful would be a request more and not faster."""
    outcomes = world.open().apply(creates(world, 9), 1)

    assert results(outcomes) == [Result.APPLIED] * 9
    assert world.sent == [BATCH]


def test_a_bulk_call_that_is_refused_becomes_a_batch(world: World) -> None:
    """The refusal is learned at the first call and not asked for again."""
    refuse(world, "CreateMultiple")
    target = world.open(batch_size=12)
    world.sent.clear()

    outcomes = target.apply(creates(world, 24), 1)

    assert results(outcomes) == [Result.APPLIED] * 24
    assert world.sent == [CREATES, BATCH, BATCH]
    assert list(target.ledger.refused) == [Message.CREATE_MULTIPLE]
    assert "segment" in target.ledger.refused[Message.CREATE_MULTIPLE]


def test_what_was_refused_before_is_not_tried(world: World) -> None:
    """An earlier run learned it; this one goes straight to the batch."""
    target = world.open()
    target.ledger.refuse(Message.CREATE_MULTIPLE, "not here")
    world.sent.clear()

    outcomes = target.apply(creates(world, 12), 1)

    assert results(outcomes) == [Result.APPLIED] * 12
    assert world.sent == [BATCH]


def test_one_bad_row_of_a_bulk_call_is_found_by_halving(world: World) -> None:
    """All or nothing on the wire; for the plan it is one failure among forty."""
    planned = creates(world, 40)
    world.call("DELETE", f"systemusers({planned[17].user})")

    outcomes = world.open().apply(planned, 1)

    failed = [one for one in outcomes if one.result is Result.FAILED]
    assert [one.number for one in failed] == [18]
    assert failed[0].fault is Fault.ROW
    assert results(outcomes).count(Result.APPLIED) == 39
    assert len(world.rows()) == 39


def test_rows_that_are_there_already_do_not_spoil_a_bulk_call(world: World) -> None:
    """One create meets its own row, another an id that somebody took."""
    planned = creates(world, 20)
    world.row(3, planned[2].user or "")
    world.row(7, planned[0].user or "", P2)

    outcomes = world.open().apply(planned, 1)

    assert results(outcomes).count(Result.APPLIED) == 18
    assert (outcomes[2].result, outcomes[6].result) == (Result.ALREADY, Result.MOVED)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.ERROR])
def test_a_lost_answer_to_a_bulk_call_is_settled_by_reading(
    world: World, kind: FaultKind, when: str
) -> None:
    """Whether it was done before the answer was lost or not: in the end it is, once."""
    planned = creates(world, 12)
    world.sent.clear()
    world.misbehave(
        Misbehaviour(kind=kind, method="POST", status=502, when=when)  # type: ignore[arg-type]  # a parameter is a plain text
    )

    outcomes = world.open().apply(planned, 1)

    assert results(outcomes) == [Result.APPLIED] * 12
    assert len(world.rows()) == 12
    assert world.sent.count(BATCH) == (2 if when == "before" else 0)


def test_new_rows_with_other_ids_than_asked_for_end_it(world: World) -> None:
    """Whoever changes keys there makes lost answers into twins; so nothing more is sent."""
    planned = creates(world, 12)

    class Renaming(httpx.BaseTransport):
        """Answer as if the rows had got other ids."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            world.handle_request(request)
            return httpx.Response(200, json={"Ids": [row_id(900 + n) for n in range(12)]})

    outcomes = world.open(transport=Renaming()).apply(planned, 1)

    assert {(one.result, one.fault) for one in outcomes} == {(Result.FAILED, Fault.CONFIGURATION)}
    assert "other ids" in outcomes[0].detail


def test_a_bulk_call_answered_by_a_web_page_is_settled_by_reading(world: World) -> None:
    """Status 200 of a sign-in page is not success."""
    planned = creates(world, 12)

    class Portal(httpx.BaseTransport):
        """Answer bulk calls with a page, without doing anything."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if b"Multiple" in request.extensions["target"]:
                return httpx.Response(200, html="<html>Sign in</html>")
            return world.handle_request(request)

    outcomes = world.open(transport=Portal()).apply(planned, 1)

    assert results(outcomes) == [Result.APPLIED] * 12
    assert len(world.rows()) == 12


# --- no batch ---------------------------------------------------------------------------


class Unbatched(httpx.BaseTransport):
    """A way to a world on which there is no $batch."""

    def __init__(self, world: World, status: int = 501) -> None:
        self.world, self.status = world, status

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.extensions["target"].endswith(b"$batch"):
            self.world.sent.append(BATCH)
            return httpx.Response(self.status, text="no")
        return self.world.handle_request(request)


@pytest.mark.parametrize("status", [404, 405, 415, 501])
def test_without_batches_each_change_is_a_request(world: World, status: int) -> None:
    """Every action is done, with its precondition, one by one."""
    users = [world.user(number) for number in range(1, 8)]
    for number in (1, 2, 3, 4, 5, 6):
        world.row(number, users[number - 1], active=number != 2, flagged=number == 6)
    target = world.open(transport=Unbatched(world, status))
    rows = target.fetch([row_id(number) for number in range(1, 7)])
    world.call("PATCH", f"{ROWS}({row_id(5)})", {"name": "touched"})
    world.sent.clear()

    outcomes = target.apply(
        numbered(
            [
                change(Action.MOVE, rows[row_id(1)], after=P2),
                change(Action.REACTIVATE, rows[row_id(2)], after=P1),
                change(Action.REMOVE, rows[row_id(3)]),
                change(Action.DEACTIVATE, rows[row_id(4)]),
                change(Action.FLAG, rows[row_id(5)]),
                change(Action.UNFLAG, rows[row_id(6)]),
                change(Action.CREATE, row_id(7), user=users[6], after=P2),
            ]
        ),
        1,
    )

    assert results(outcomes) == [
        Result.APPLIED, Result.APPLIED, Result.APPLIED, Result.APPLIED, Result.MOVED,
        Result.APPLIED, Result.APPLIED,
    ]  # fmt: skip
    assert world.sent.count(BATCH) == 1
    assert list(target.ledger.refused) == [Message.BATCH]
    assert world.rows() == {
        row_id(1): (users[0], P2, True, False),
        row_id(2): (users[1], P1, True, False),
        row_id(4): (users[3], P1, False, False),
        row_id(5): (users[4], P1, True, False),
        row_id(6): (users[5], P1, True, False),
        row_id(7): (users[6], P2, True, False),
    }


def test_a_single_404_without_a_code_is_no_deletion(world: World) -> None:
    """A gateway that lost its way says 404, too; the row is looked at."""
    row = world.open().fetch([world.row(1, world.user(1))])[row_id(1)]

    class Astray(Unbatched):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "DELETE":
                return httpx.Response(404, text="nothing here")
            return super().handle_request(request)

    (outcome,) = world.open(transport=Astray(world)).apply([change(Action.REMOVE, row)], 1)

    assert (outcome.result, outcome.fault) == (Result.FAILED, Fault.TRANSIENT)
    assert list(world.rows()) == [row_id(1)]


def test_single_requests_end_where_a_right_is_missing(world: World) -> None:
    """The first one that is forbidden speaks for all."""
    planned = creates(world, 5)
    world.sent.clear()
    world.misbehave(
        Misbehaviour(kind=FaultKind.ERROR, path=ROWS, status=403, code="0x80040220", count=None)
    )

    outcomes = world.open(transport=Unbatched(world)).apply(planned, 1)

    assert {(one.result, one.fault) for one in outcomes} == {(Result.FAILED, Fault.RIGHTS)}
    assert world.sent == [BATCH, f"POST {ROWS}"]


# --- no versions ------------------------------------------------------------------------


def test_without_optimistic_concurrency_rows_are_read_right_before(world: World) -> None:
    """What somebody changed is left alone all the same, and what is as it was is changed."""
    unversioned(world)
    planned = moves(world, 3)
    world.call("PATCH", f"{ROWS}({row_id(2)})", {"name": "touched"})
    target = world.open()
    world.sent.clear()

    outcomes = target.apply(planned, 1)

    assert results(outcomes) == [Result.APPLIED, Result.MOVED, Result.APPLIED]
    assert world.sent == [BATCH, f"GET {ROWS}", BATCH]
    assert [row[1] for row in world.rows().values()] == [P2, P1, P2]
    assert list(target.ledger.refused) == [Message.VERSIONS]


def test_without_optimistic_concurrency_a_row_that_is_gone_is_not_made_anew(world: World) -> None:
    """An update without a version would be an upsert; it is sent for rows that are there only."""
    planned = moves(world, 1)
    unversioned(world)
    target = world.open()
    target.ledger.refuse(Message.VERSIONS, "off")
    request = Request("DELETE", f"{ROWS}({row_id(1)})")
    # Between the look and the batch: the second request of the two.
    world.misbehave(Misbehaviour(kind=FaultKind.WRITE, method="POST", request=request))

    outcomes = target.apply(planned, 1)

    assert results(outcomes) == [Result.MOVED]
    assert world.rows() == {}


def test_bulk_updates_are_for_tables_without_versions_only(world: World) -> None:
    """A bulk update has no preconditions, so that a batch is better wherever versions count."""
    planned = moves(world, 12)
    world.sent.clear()
    careful = world.open().apply(planned[:11], 1)
    sent = list(world.sent)
    unversioned(world)
    target = world.open()
    target.ledger.refuse(Message.VERSIONS, "off")
    rows = target.fetch([row_id(n) for n in range(1, 13)])
    world.sent.clear()

    outcomes = target.apply(
        numbered([change(Action.MOVE, row, after=P1) for row in rows.values()]), 1
    )

    assert results(careful) == [Result.APPLIED] * 11
    assert sent == [BATCH]
    # Row 12 is where it should be, which the look has shown.
    assert sorted(results(outcomes)) == [Result.ALREADY, *[Result.APPLIED] * 11]
    assert world.sent == [f"GET {ROWS}", UPDATES]
    assert {row[1] for row in world.rows().values()} == {P1}


# --- no Create, Update, Delete ----------------------------------------------------------


def test_a_row_that_may_not_be_deleted_is_emptied(world: World) -> None:
    """Its user has it no longer, and it says why it is still there."""
    row = world.open().fetch([world.row(1, world.user(1))])[row_id(1)]
    refuse(world, "Delete")
    target = world.open()

    (outcome,) = target.apply([change(Action.REMOVE, row)], 1)

    assert outcome.result is Result.APPLIED
    assert outcome.detail == "emptied instead of deleted: this environment refuses Delete"
    assert world.rows() == {row_id(1): (None, P1, True, False)}
    assert list(target.ledger.refused) == [Message.DELETE]


def test_where_only_references_are_taken_rows_are_moved_and_emptied_by_them(world: World) -> None:
    """The messages of the current reference page: Associate and Disassociate."""
    planned = moves(world, 2)
    removed = change(Action.REMOVE, world.open().fetch([row_id(2)])[row_id(2)], number=2)
    refuse(world, "Create", "Update", "Delete", "CreateMultiple", "UpdateMultiple")

    outcomes = world.open().apply([planned[0], removed], 1)

    assert results(outcomes) == [Result.APPLIED] * 2
    assert [row[:2] for row in world.rows().values()] == [(planned[0].user, P2), (None, P1)]


def test_a_reference_is_set_only_on_a_row_that_is_as_it_was(world: World) -> None:
    """$ref knows no precondition, so the row is read right before."""
    planned = moves(world, 2)
    refuse(world, "Update")
    world.call("PUT", f"{ROWS}({row_id(1)})/SystemUserId/$ref", reference(world.user(7)))

    outcomes = world.open().apply(planned, 1)

    assert results(outcomes) == [Result.MOVED, Result.APPLIED]
    assert [row[1] for row in world.rows().values()] == [P1, P2]


def reference(user: str) -> dict[str, object]:
    """Write what Associate takes."""
    return {"@odata.id": f"http://127.0.0.1:5000/api/data/v9.2/systemusers({user})"}


@pytest.mark.parametrize("refused", [["Create"], ["Create", "Update"]])
def test_a_joiner_takes_an_emptied_row(world: World, refused: list[str]) -> None:
    """By one update, or by two references: first the profile, then the user."""
    user = world.user(2)
    world.row(1, world.user(1))
    world.call("DELETE", f"{ROWS}({row_id(1)})/SystemUserId/$ref")
    row = world.open().fetch([row_id(1)])[row_id(1)]
    refuse(world, *refused)

    (outcome,) = world.open().apply([joining(row.id, row.version, user)], 1)

    assert outcome.result is Result.APPLIED
    assert world.rows() == {row_id(1): (user, P2, True, False)}


def joining(row: str, version: str, user: str) -> Change:
    """Plan that somebody takes an emptied row."""
    plain = change(Action.CREATE, row, user=user, after=P2)
    return Change(
        plain.action, plain.membership, plain.user, None, P2, version, plain.situation,
        plain.reason, title=plain.title, number=1,
    )  # fmt: skip


def test_an_emptied_row_that_somebody_took_is_not_taken(world: World) -> None:
    """It is no longer as it was read."""
    owner = world.user(1)
    world.row(1, owner)
    row = world.open().fetch([row_id(1)])[row_id(1)]
    world.call("PATCH", f"{ROWS}({row_id(1)})", {"name": "touched"})

    (outcome,) = world.open().apply([joining(row.id, row.version, world.user(2))], 1)

    assert outcome.result is Result.MOVED
    assert world.rows() == {row_id(1): (owner, P1, True, False)}


@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_between_two_references_is_settled_by_reading(
    world: World, when: str, skip: int
) -> None:
    """Whichever of the two it was: the joiner has the right profile or nothing."""
    user = world.user(2)
    world.row(1, world.user(1))
    world.call("DELETE", f"{ROWS}({row_id(1)})/SystemUserId/$ref")
    row = world.open().fetch([row_id(1)])[row_id(1)]
    refuse(world, "Create", "Update")
    target = world.open()
    target.ledger.refuse(Message.UPDATE, "no")
    world.misbehave(
        Misbehaviour(kind=FaultKind.CUT, method="POST", when=when, skip=skip)  # type: ignore[arg-type]  # a parameter is a plain text
    )

    (outcome,) = target.apply([joining(row.id, row.version, user)], 1)

    first_lost = skip == 0 and when == "after"
    assert outcome.result is (Result.MOVED if first_lost else Result.APPLIED)
    assert world.rows() == {row_id(1): (None if first_lost else user, P2, True, False)}


def test_where_nothing_can_be_made_no_row_is_deleted(world: World) -> None:
    """A row that could not be made again is emptied, for the next joiner."""
    row = world.open().fetch([world.row(1, world.user(1))])[row_id(1)]
    refuse(world, "Create")
    target = world.open()
    target.ledger.refuse(Message.CREATE, "no")

    (outcome,) = target.apply([change(Action.REMOVE, row)], 1)

    assert outcome.result is Result.APPLIED
    assert world.rows() == {row_id(1): (None, P1, True, False)}


def test_a_create_that_is_refused_waits_for_the_next_run(world: World) -> None:
    """It is no failure of the row: the next run looks for an emptied one."""
    refuse(world, "Create", "CreateMultiple")
    target = world.open()

    outcomes = target.apply(creates(world, 3), 1)

    assert results(outcomes) == [Result.MOVED] * 3
    assert "refuses Create" in outcomes[0].detail
    assert Message.CREATE in target.ledger.refused


def test_where_all_is_refused_it_is_a_matter_of_configuration(world: World) -> None:
    """There is nothing left to try; flags are told apart, for they are only advice."""
    planned = moves(world, 1)
    flag = change(Action.FLAG, world.open().fetch([world.row(2, world.user(2))])[row_id(2)])
    refuse(world, *ALL)

    outcomes = world.open().apply(numbered([*planned, flag]), 1)

    assert [(one.result, one.fault) for one in outcomes] == [
        (Result.FAILED, Fault.CONFIGURATION),
        (Result.FAILED, Fault.ROW),
    ]
    assert "Update, Associate" in outcomes[0].detail


def test_a_refusal_of_one_row_is_not_learned(world: World) -> None:
    """A plug-in that says "not supported" of one row has not switched off Create."""
    planned = creates(world, 4)
    world.misbehave(
        Misbehaviour(kind=FaultKind.OPERATION, position=0, status=400, code="0x80040315")
    )
    target = world.open()

    outcomes = target.apply(planned, 1)

    assert results(outcomes) == [Result.FAILED, *[Result.APPLIED] * 3]
    assert outcomes[0].fault is Fault.ROW
    assert target.ledger.refused == {}
