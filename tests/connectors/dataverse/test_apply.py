"""Changes become rows: once each, in the right order, or not at all and told why."""

from __future__ import annotations

import httpx
import pytest

from syncd.core.errors import Stopped
from syncd.core.model import Action
from syncd.core.plan import Fault, Outcome, Result
from syncd.sandbox.faults import Fault as Misbehaviour
from syncd.sandbox.faults import FaultKind, Request
from tests.connectors.dataverse.world import P1, P2, ROWS, World, change, numbered, row_id

BATCH = "POST $batch"


def results(outcomes: list[Outcome]) -> list[Result]:
    """Return only how they ended."""
    return [one.result for one in outcomes]


def test_a_create_makes_the_row_under_its_own_id(world: World) -> None:
    """The id, both lookups, the name and the run's number are those of the plan."""
    user = world.user(1)

    outcomes = world.open().apply(
        [change(Action.CREATE, row_id(1), user=user, after=P1, number=7)], 42
    )

    assert outcomes == [Outcome(7, Result.APPLIED)]
    assert world.rows() == {row_id(1): (user, P1, True, False)}
    shown = world.call("GET", f"{ROWS}({row_id(1)})")
    assert (shown["name"], shown["importsequencenumber"]) == ("Ada | Field Crew", 42)


def test_every_action_does_what_it_says(world: World) -> None:
    """One batch, one request, seven actions."""
    users = [world.user(number) for number in range(1, 8)]
    for number in (1, 2, 3, 4, 5, 6):
        world.row(number, users[number - 1], active=number != 2, flagged=number == 6)
    target = world.open()
    rows = target.fetch([row_id(number) for number in range(1, 7)])
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

    assert results(outcomes) == [Result.APPLIED] * 7
    assert world.sent == [BATCH]
    assert world.rows() == {
        row_id(1): (users[0], P2, True, False),
        row_id(2): (users[1], P1, True, False),
        row_id(4): (users[3], P1, False, False),
        row_id(5): (users[4], P1, True, True),
        row_id(6): (users[5], P1, True, False),
        row_id(7): (users[6], P2, True, False),
    }


def test_what_is_done_already_is_said_to_be(world: World) -> None:
    """A create that meets its own row, a removal that meets none, a move that was made."""
    users = [world.user(number) for number in (1, 2, 3)]
    for number in (1, 2, 3):
        world.row(number, users[number - 1])
    target = world.open()
    rows = target.fetch([row_id(2), row_id(3)])
    world.call("DELETE", f"{ROWS}({row_id(2)})")
    other = {"MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({P2})"}
    world.call("PATCH", f"{ROWS}({row_id(3)})", other)

    outcomes = target.apply(
        numbered(
            [
                change(Action.CREATE, row_id(1), user=users[0], after=P1),
                change(Action.REMOVE, rows[row_id(2)]),
                change(Action.MOVE, rows[row_id(3)], after=P2),
            ]
        ),
        1,
    )

    assert results(outcomes) == [Result.ALREADY] * 3


def test_what_somebody_changed_meanwhile_is_left_alone(world: World) -> None:
    """The version no longer fits, the row is gone, or the id is taken: nothing is done."""
    users = [world.user(number) for number in (1, 2, 3)]
    world.row(1, users[0])
    world.row(2, users[1])
    world.row(3, users[2], P2)
    target = world.open()
    rows = target.fetch([row_id(1), row_id(2)])
    world.call("PATCH", f"{ROWS}({row_id(1)})", {"name": "touched"})
    world.call("DELETE", f"{ROWS}({row_id(2)})")
    before = world.rows()

    outcomes = target.apply(
        numbered(
            [
                change(Action.REMOVE, rows[row_id(1)]),
                change(Action.MOVE, rows[row_id(2)], after=P2),
                change(Action.CREATE, row_id(3), user=users[2], after=P1),
            ]
        ),
        1,
    )

    assert results(outcomes) == [Result.MOVED] * 3
    assert world.rows() == before


def test_a_flag_may_follow_a_move_of_the_same_row(world: World) -> None:
    """The second change carries the version that the first one left."""
    user = world.user(1)
    world.row(1, user)
    target = world.open()
    row = target.fetch([row_id(1)])[row_id(1)]

    outcomes = target.apply(
        numbered([change(Action.MOVE, row, after=P2), change(Action.FLAG, row, after=P2)]), 1
    )

    assert results(outcomes) == [Result.APPLIED] * 2
    assert world.rows() == {row_id(1): (user, P2, True, True)}


def test_a_second_change_of_a_row_that_somebody_took_is_not_made(world: World) -> None:
    """Between the move and the flag the row went to another profile."""
    user = world.user(1)
    world.row(1, user)
    target = world.open()
    row = target.fetch([row_id(1)])[row_id(1)]
    back: dict[str, object] = {"MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({P1})"}
    request = Request("PATCH", f"{ROWS}({row_id(1)})", back)
    world.misbehave(Misbehaviour(kind=FaultKind.WRITE, method="GET", request=request))

    outcomes = target.apply(
        numbered([change(Action.MOVE, row, after=P2), change(Action.FLAG, row, after=P2)]), 1
    )

    assert results(outcomes) == [Result.APPLIED, Result.MOVED]
    assert world.rows() == {row_id(1): (user, P1, True, False)}


@pytest.mark.parametrize(
    ("code", "fault"), [("0x80040265", Fault.ROW), ("0x80040220", Fault.RIGHTS)]
)
def test_nobody_is_left_without_a_profile(world: World, code: str, fault: Fault) -> None:
    """If the row to keep could not be moved, the user's other row is not removed."""
    user = world.user(1)
    world.row(1, user, P1)
    world.row(2, user, P2)
    target = world.open()
    rows = target.fetch([row_id(1), row_id(2)])
    before = world.rows()
    world.misbehave(
        Misbehaviour(kind=FaultKind.OPERATION, method="PATCH", status=400, code=code, count=None)
    )

    outcomes = target.apply(
        numbered(
            [change(Action.MOVE, rows[row_id(1)], after=P2), change(Action.REMOVE, rows[row_id(2)])]
        ),
        1,
    )

    assert [(one.result, one.fault) for one in outcomes] == [(Result.FAILED, fault)] * 2
    assert "not sent" in outcomes[1].detail
    assert world.rows() == before


def test_a_flag_is_not_cleared_while_its_conflict_stays(world: World) -> None:
    """The other row could not be removed, so the one that is kept stays flagged."""
    user = world.user(1)
    world.row(1, user, P1, flagged=True)
    world.row(2, user, P2)
    target = world.open()
    rows = target.fetch([row_id(1), row_id(2)])
    world.misbehave(
        Misbehaviour(kind=FaultKind.OPERATION, method="DELETE", status=400, code="0x80040265")
    )

    outcomes = target.apply(
        numbered([change(Action.REMOVE, rows[row_id(2)]), change(Action.UNFLAG, rows[row_id(1)])]),
        1,
    )

    assert results(outcomes) == [Result.FAILED] * 2
    assert world.rows()[row_id(1)] == (user, P1, True, True)


def test_one_bad_operation_does_not_stop_the_others(world: World) -> None:
    """Each part of a batch has its own outcome."""
    users = [world.user(number) for number in range(1, 6)]
    world.misbehave(
        Misbehaviour(
            kind=FaultKind.OPERATION,
            position=2,
            status=400,
            code="0x80040265",
            message="No, thanks.",
        )
    )

    outcomes = world.open().apply(
        numbered(
            [change(Action.CREATE, row_id(n), user=user, after=P1) for n, user in enumerate(users)]
        ),
        1,
    )

    assert results(outcomes) == [
        Result.APPLIED, Result.APPLIED, Result.FAILED, Result.APPLIED, Result.APPLIED
    ]  # fmt: skip
    assert outcomes[2].fault is Fault.ROW
    assert outcomes[2].detail == "No, thanks. (0x80040265, status 400)"
    assert row_id(2) not in world.rows()


def test_a_part_that_is_throttled_is_sent_again_alone(world: World) -> None:
    """The server had enough in the middle of a batch: what it did is not sent twice."""
    users = [world.user(number) for number in range(1, 5)]
    world.misbehave(
        Misbehaviour(
            kind=FaultKind.OPERATION, position=3, status=429, code="0x80072321", retry_after=9
        )
    )

    outcomes = world.open().apply(
        numbered(
            [change(Action.CREATE, row_id(n), user=user, after=P1) for n, user in enumerate(users)]
        ),
        1,
    )

    assert results(outcomes) == [Result.APPLIED] * 4
    assert world.clock.naps == [9.0]
    assert world.sent == [BATCH, BATCH]


def test_a_throttled_batch_waits_as_long_as_it_is_told(world: World) -> None:
    """Retry-After is obeyed to the second, and then the batch goes out again."""
    user = world.user(1)
    world.misbehave(Misbehaviour(kind=FaultKind.THROTTLE, retry_after=37, count=2))

    outcomes = world.open().apply([change(Action.CREATE, row_id(1), user=user, after=P1)], 1)

    assert results(outcomes) == [Result.APPLIED]
    assert world.clock.naps == [37.0, 37.0]


def test_without_retry_after_the_pauses_grow(world: World) -> None:
    """A server that does not say how long gets twice as much peace each time."""
    user = world.user(1)
    world.misbehave(Misbehaviour(kind=FaultKind.THROTTLE, count=4))

    outcomes = world.open().apply([change(Action.CREATE, row_id(1), user=user, after=P1)], 1)

    assert results(outcomes) == [Result.APPLIED]
    assert world.clock.naps == [0.5, 1.0, 2.0, 4.0]


def test_patience_ends(world: World) -> None:
    """Throttled out: said in the outcome, and nothing is sent during the pause."""
    user = world.user(1)
    world.misbehave(Misbehaviour(kind=FaultKind.THROTTLE, retry_after=3600, count=None))

    (outcome,) = world.open().apply([change(Action.CREATE, row_id(1), user=user, after=P1)], 1)

    assert (outcome.result, outcome.fault) == (Result.FAILED, Fault.THROTTLED)
    assert world.sent == [BATCH]
    assert world.clock.naps == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.ERROR])
def test_a_lost_reply_is_settled_by_reading(world: World, kind: FaultKind, when: str) -> None:
    """Whether the work was done or not before the answer was lost: in the end it is, once."""
    users = [world.user(number) for number in (1, 2, 3)]
    world.row(1, users[0])
    world.row(2, users[1])
    target = world.open()
    rows = target.fetch([row_id(1), row_id(2)])
    world.sent.clear()
    world.misbehave(
        Misbehaviour(kind=kind, method="POST", status=502, when=when)  # type: ignore[arg-type]  # a parameter is a plain text
    )

    outcomes = target.apply(
        numbered(
            [
                change(Action.REMOVE, rows[row_id(1)]),
                change(Action.MOVE, rows[row_id(2)], after=P2),
                change(Action.CREATE, row_id(3), user=users[2], after=P2),
            ]
        ),
        1,
    )

    assert results(outcomes) == [Result.APPLIED] * 3
    assert world.rows() == {
        row_id(2): (users[1], P2, True, False),
        row_id(3): (users[2], P2, True, False),
    }
    # In halves where it was not done; not at all where it was.
    assert world.sent.count(BATCH) == (3 if when == "before" else 1)
    assert world.sent[1] == f"GET {ROWS}"


def test_a_row_that_somebody_else_changed_while_the_reply_was_lost(world: World) -> None:
    """Not done, and not as it was either: it is theirs now."""
    user = world.user(1)
    world.row(1, user)
    target = world.open()
    row = target.fetch([row_id(1)])[row_id(1)]
    request = Request("PATCH", f"{ROWS}({row_id(1)})", {"name": "theirs"})
    world.misbehave(
        Misbehaviour(kind=FaultKind.CUT, method="POST"),
        Misbehaviour(kind=FaultKind.WRITE, method="GET", request=request),
    )

    outcomes = target.apply([change(Action.REMOVE, row)], 1)

    assert results(outcomes) == [Result.MOVED]
    assert list(world.rows()) == [row_id(1)]


def test_where_reading_fails_too_the_outcome_is_unknown(world: World) -> None:
    """Nothing is claimed and nothing is repeated blindly."""
    user = world.user(1)
    world.misbehave(Misbehaviour(kind=FaultKind.CUT, count=None, when="after"))

    (outcome,) = world.open().apply([change(Action.CREATE, row_id(1), user=user, after=P1)], 1)

    assert (outcome.result, outcome.fault) == (Result.FAILED, Fault.TRANSIENT)
    assert outcome.detail.startswith("outcome unknown")
    assert world.sent.count(BATCH) == 1


def test_an_error_that_does_not_pass_is_tried_three_times(world: World) -> None:
    """Gateway errors before the work: read and sent again twice, then it waits for another run."""
    user = world.user(1)
    world.misbehave(Misbehaviour(kind=FaultKind.ERROR, method="POST", status=503, count=None))

    (outcome,) = world.open().apply([change(Action.CREATE, row_id(1), user=user, after=P1)], 1)

    assert (outcome.result, outcome.fault) == (Result.FAILED, Fault.TRANSIENT)
    assert world.sent.count(BATCH) == 3
    assert world.rows() == {}


def test_a_refused_envelope_is_halved_until_the_bad_row_stands_alone(world: World) -> None:
    """One row that makes the whole batch unreadable costs nobody else anything."""
    users = [world.user(number) for number in range(1, 9)]

    class Proxy(httpx.BaseTransport):
        """Refuse every batch that names one certain row."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if user_five in request.read():
                error = {"error": {"code": "0x80048d19", "message": "Stream was not readable."}}
                return httpx.Response(400, json=error)
            return world.handle_request(request)

    user_five = b'"/systemusers(' + users[4].encode()
    target = world.open(transport=Proxy())

    outcomes = target.apply(
        numbered(
            [change(Action.CREATE, row_id(n), user=user, after=P1) for n, user in enumerate(users)]
        ),
        1,
    )

    assert [one.number for one in outcomes if one.result is not Result.APPLIED] == [5]
    assert outcomes[4].fault is Fault.ROW
    assert len(world.rows()) == 7


def test_rights_that_are_missing_are_told_apart(world: World) -> None:
    """A batch that is forbidden as a whole fails as a matter of rights, and is not sent again."""
    user = world.user(1)
    world.misbehave(
        Misbehaviour(
            kind=FaultKind.ERROR, status=403, code="0x80040220", message="prvCreate", count=None
        )
    )

    (outcome,) = world.open().apply([change(Action.CREATE, row_id(1), user=user, after=P1)], 1)

    assert (outcome.result, outcome.fault) == (Result.FAILED, Fault.RIGHTS)
    assert "prvCreate" in outcome.detail
    assert world.sent == [BATCH]


def test_a_create_for_somebody_who_is_gone_is_a_matter_of_that_row(world: World) -> None:
    """The user was deleted since: no row, and no talk of a row that moved."""
    (outcome,) = world.open().apply(
        [change(Action.CREATE, row_id(1), user="10000000-0000-4000-8000-00000000dead", after=P1)], 1
    )

    assert (outcome.result, outcome.fault) == (Result.FAILED, Fault.ROW)
    assert world.rows() == {}


def test_foreign_text_never_enters_a_request(world: World) -> None:
    """An id that is no GUID is not sent, the others are."""
    user = world.user(1)
    evil = f"{row_id(9)})\r\nIf-Match: *"

    outcomes = world.open().apply(
        numbered(
            [
                change(Action.CREATE, evil, user=user, after=P1),
                change(Action.CREATE, row_id(1), user=user, after=P1),
            ]
        ),
        1,
    )

    assert results(outcomes) == [Result.FAILED, Result.APPLIED]
    assert outcomes[0].fault is Fault.ROW


def test_stopping_ends_a_pause_at_once(world: World) -> None:
    """Asked to stop before anything was done: Stopped, and no outcome is made up."""
    user = world.user(1)
    world.misbehave(Misbehaviour(kind=FaultKind.THROTTLE, retry_after=30, count=None))
    target = world.open(sleep=lambda _: world.stop.set())

    with pytest.raises(Stopped):
        target.apply([change(Action.CREATE, row_id(1), user=user, after=P1)], 1)

    assert world.sent == [BATCH]


def test_stopping_keeps_what_is_known(world: World) -> None:
    """One of two batches was done: it says so, the other one was not sent."""
    users = [world.user(1), world.user(2)]
    world.misbehave(Misbehaviour(kind=FaultKind.THROTTLE, retry_after=30, skip=1))
    target = world.open(sleep=lambda _: world.stop.set(), batch_size=1)

    outcomes = target.apply(
        numbered(
            [change(Action.CREATE, row_id(n), user=user, after=P1) for n, user in enumerate(users)]
        ),
        1,
    )

    assert results(outcomes) == [Result.APPLIED, Result.FAILED]
    assert "not sent" in outcomes[1].detail


def test_no_batch_is_larger_than_it_may_be(world: World) -> None:
    """What is too much for one batch goes out in several."""
    users = [world.user(number) for number in range(1, 8)]

    outcomes = world.open(batch_size=3).apply(
        numbered(
            [change(Action.CREATE, row_id(n), user=user, after=P1) for n, user in enumerate(users)]
        ),
        1,
    )

    assert results(outcomes) == [Result.APPLIED] * 7
    assert world.sent == [BATCH] * 3
