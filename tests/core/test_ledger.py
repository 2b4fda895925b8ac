"""What an environment refuses holds for a day, and what works puts an end to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.free import pair
from syncd.core.ledger import AGAIN, Capability, Ledger, Message, learned, refusing

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
MESSAGES = st.sampled_from(Message)


def test_a_refusal_holds_for_a_day() -> None:
    """Then it is tried again."""
    ledger = Ledger()
    ledger.refuse(Message.DELETE, "not here")
    known = learned({}, ledger, NOW)

    assert known[Message.DELETE] == Capability(Message.DELETE, False, "not here", NOW, NOW + AGAIN)
    assert refusing(known, NOW + AGAIN - timedelta(seconds=1)) == {Message.DELETE: "not here"}
    assert refusing(known, NOW + AGAIN) == {}


def test_a_refusal_that_was_only_recalled_is_not_prolonged() -> None:
    """Nobody asked again, so nothing new was learned."""
    first = Ledger()
    first.refuse(Message.DELETE, "not here")
    known = learned({}, first, NOW)
    later = Ledger()
    later.recall(refusing(known, NOW + timedelta(hours=5)))

    assert not later.allows(Message.DELETE)
    assert learned(known, later, NOW + timedelta(hours=30)) == known


def test_what_was_recalled_is_forgotten_when_its_time_comes() -> None:
    """One target may serve many runs."""
    ledger = Ledger()
    ledger.recall({Message.DELETE: "not here"})
    ledger.recall({})

    assert ledger.allows(Message.DELETE)


def test_what_works_is_refused_no_longer() -> None:
    """Whoever said otherwise spoke of one row."""
    ledger = Ledger()
    ledger.refuse(Message.CREATE, "no")
    known = learned({}, ledger, NOW)
    ledger.work(Message.CREATE)
    after = learned(known, ledger, NOW)

    assert ledger.allows(Message.CREATE)
    assert refusing(after, NOW) == {}
    assert after[Message.CREATE].works


def test_spending_is_counted_once() -> None:
    """What was put on record is not put there again."""
    ledger = Ledger(requests=3, operations=120)
    first = ledger.unkept()
    ledger.requests += 1

    assert (first, ledger.unkept(), ledger.unkept()) == ((3, 120), (1, 0), (0, 0))


@given(
    st.lists(st.sampled_from("abcdefgh"), unique=True),
    st.lists(st.sampled_from("123456"), unique=True),
    st.dictionaries(st.sampled_from("abxy"), st.sampled_from("12789"), max_size=3),
)
def test_no_row_is_given_twice(users: list[str], free: list[str], bound: dict[str, str]) -> None:
    """A row that somebody tried before goes to nobody else; first come, first served."""
    bound = {user: row for user, row in bound.items() if list(bound.values()).count(row) == 1}
    joiners = list(enumerate(users, 1))

    given_ = pair(joiners, free, bound)

    assert len(set(given_.values())) == len(given_)
    assert set(given_.values()) <= set(free)
    for number, row in given_.items():
        holder = next((user for user, kept in bound.items() if kept == row), None)
        assert holder in (None, users[number - 1])
    left = set(free) - set(given_.values()) - set(bound.values())
    assert not left or len(given_) == len(users)
