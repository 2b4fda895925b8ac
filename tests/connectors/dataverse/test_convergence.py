"""After one trouble of any kind the rows are as planned, and nothing is there twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.model import Action, Membership
from syncd.core.plan import Change, Result
from syncd.sandbox.faults import Fault, FaultKind
from tests.connectors.dataverse.world import P1, P2, Row, World, change, numbered, row_id

SHAPES = ("create", "move", "remove", "swap", "replace", "flag", "state", "settle")
DONE = {Result.APPLIED, Result.ALREADY}

troubles = st.builds(
    Fault,
    kind=st.sampled_from([FaultKind.CUT, FaultKind.ERROR, FaultKind.THROTTLE]),
    method=st.sampled_from([None, "POST", "GET"]),
    skip=st.integers(0, 3),
    count=st.integers(1, 2),
    when=st.sampled_from(["before", "after"]),
    status=st.sampled_from([500, 502, 503, 504]),
    retry_after=st.sampled_from([None, 0, 5]),
) | st.builds(
    Fault,
    kind=st.just(FaultKind.OPERATION),
    skip=st.integers(0, 8),
    count=st.integers(1, 2),
    when=st.sampled_from(["before", "after"]),
    status=st.sampled_from([429, 500, 503]),
    code=st.sampled_from(["", "0x0", "0x80044151", "0x8004ed47"]),
    retry_after=st.sampled_from([None, 5]),
)  # fmt: skip


def settled(trouble: Fault) -> bool:
    """Leave out an untruth: a part that is throttled was never done before."""
    throttled = trouble.kind is FaultKind.THROTTLE or trouble.status == 429
    return not (throttled and trouble.when == "after")


def plan(shape: str, user: str, kept: Membership | None, other: Membership | None) -> list[Change]:
    """Plan what a user of this shape needs; `kept` and `other` are its rows as read."""
    new = change(Action.CREATE, row_id(int(user[-4:], 16) + 5000), user=user, after=P1)
    if kept is None or other is None:
        return [new]
    match shape:
        case "move":
            return [change(Action.MOVE, kept, after=P2)]
        case "remove":
            return [change(Action.REMOVE, kept), change(Action.DEACTIVATE, other)]
        case "swap":
            return [change(Action.MOVE, kept, after=P2), change(Action.REMOVE, other)]
        case "replace":
            return [new, change(Action.REMOVE, kept), change(Action.REMOVE, other)]
        case "flag":
            return [change(Action.MOVE, kept, after=P2), change(Action.FLAG, kept, after=P2)]
        case "state":
            return [change(Action.DEACTIVATE, kept), change(Action.FLAG, other)]
        case _:
            return [
                change(Action.MOVE, kept, after=P2),
                change(Action.REMOVE, other),
                change(Action.UNFLAG, kept, after=P2),
            ]


def model(rows: dict[str, Row], changes: list[Change]) -> dict[str, Row]:
    """Say what the rows are once all of *changes* are made, in the plainest way there is."""
    after = dict(rows)
    for one in changes:
        user, profile, active, flagged = after.get(one.membership, (one.user, None, True, False))
        match one.action:
            case Action.CREATE | Action.MOVE | Action.REACTIVATE:
                after[one.membership] = (user, one.after or profile, True, flagged)
            case Action.REMOVE:
                del after[one.membership]
            case Action.DEACTIVATE:
                after[one.membership] = (user, profile, False, flagged)
            case Action.FLAG | Action.UNFLAG:
                after[one.membership] = (user, profile, active, one.action is Action.FLAG)
    return after


def peopled(shapes: list[str]) -> tuple[World, list[Change]]:
    """Build a world with one user for each shape, and the plan for all of them."""
    world = World()
    for number, shape in enumerate(shapes, 1):
        user = world.user(number)
        if shape != "create":
            world.row(number, user, P1, flagged=shape == "settle")
            world.row(number + 1000, user, P2)
    read = world.open().fetch(list(world.rows()))
    changes: list[Change] = []
    for number, shape in enumerate(shapes, 1):
        kept, other = read.get(row_id(number)), read.get(row_id(number + 1000))
        changes += plan(shape, f"10000000-0000-4000-8000-{number:012x}", kept, other)
    return world, numbered(changes)


@given(
    st.lists(st.sampled_from(SHAPES), min_size=1, max_size=6),
    st.lists(troubles.filter(settled), max_size=1),
    st.integers(1, 20),
)
def test_one_trouble_changes_nothing_about_the_end(
    shapes: list[str], trouble: list[Fault], size: int
) -> None:
    """Throttled, cut off, failed before or after the work: in the end it is as planned."""
    world, changes = peopled(shapes)
    expected = model(world.rows(), changes)
    world.misbehave(*trouble)

    outcomes = world.open(batch_size=size).apply(changes, 1)

    assert [one.number for one in outcomes] == [one.number for one in changes]
    assert {one.result for one in outcomes} <= DONE
    world.misbehave()
    assert world.rows() == expected


@given(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=6))
def test_a_batch_sent_twice_is_a_batch_sent_once(shapes: list[str]) -> None:
    """The second time nothing is made, and nothing that was made is called lost."""
    world, changes = peopled(shapes)
    target = world.open()
    target.apply(changes, 1)
    expected = world.rows()

    outcomes = target.apply(changes, 1)

    assert world.rows() == expected
    assert all(one.result is not Result.APPLIED or one.fault is None for one in outcomes)
    assert not any(one.result is Result.FAILED for one in outcomes)


@given(
    st.lists(st.sampled_from(SHAPES), min_size=1, max_size=6),
    st.builds(
        Fault,
        kind=st.just(FaultKind.OPERATION),
        skip=st.integers(0, 6),
        count=st.integers(1, 3) | st.none(),
        status=st.sampled_from([400, 403, 500]),
        code=st.sampled_from(["", "0x80040265", "0x80040220", "0x80060882"]),
    ),
    st.integers(1, 20),
)
def test_no_failure_leaves_a_user_without_a_profile(
    shapes: list[str], trouble: Fault, size: int
) -> None:
    """Whoever has an active row before, and is to have one after, has one in between."""
    world, changes = peopled(shapes)
    before = world.rows()
    lasting = holders(before) & holders(model(before, changes))
    world.misbehave(trouble)

    world.open(batch_size=size).apply(changes, 1)

    assert lasting <= holders(world.rows())


def holders(rows: dict[str, Row]) -> set[str | None]:
    """Return the users who have an active row."""
    return {user for user, _, active, _ in rows.values() if active}


@given(st.lists(st.sampled_from(SHAPES), min_size=2, max_size=6), st.integers(0, 5))
def test_a_change_that_fits_nothing_hurts_nobody_else(shapes: list[str], bad: int) -> None:
    """A version that is out of date is moved or done already; the others go through."""
    world, changes = peopled(shapes)
    at = bad % len(changes)
    changes[at] = changes[at]._replace(version='W/"1"' if changes[at].version else None)
    others = [one for one in changes if one.user != changes[at].user]

    outcomes = world.open().apply(changes, 1)

    numbers = {one.number for one in others}
    assert {one.result for one in outcomes if one.number in numbers} <= DONE
