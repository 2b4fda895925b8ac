"""Sharing environments out among replicas, told in beats; time is moved in the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.errors import StateError
from syncd.state import keeping
from syncd.state.database import Database, Tx, one, rows, run
from syncd.state.keeping import Kept, moves

LEASE = 1000.0
NAMES = ("a", "b", "c", "d", "e", "f", "g")


@pytest.fixture
def database(postgresql_ready: str) -> Iterator[Database]:
    """Give a PostgreSQL; nobody shares a SQLite."""
    database = Database(postgresql_ready)
    yield database
    database.close()


def beat(database: Database, who: str, names: Sequence[str], seconds: float = LEASE) -> Kept:
    """Let a replica beat."""
    with database.begin() as tx:
        return keeping.beat(tx, f"{who} token", names, seconds)


def later(database: Database, seconds: float) -> None:
    """Let time pass."""
    with database.begin() as tx:
        run(tx, "UPDATE leases SET until = until - :s", s=seconds)
        run(tx, "UPDATE replicas SET seen = seen - :s", s=seconds)


def keepers(database: Database) -> dict[str, str]:
    """Return who keeps what."""
    with database.read() as tx:
        return keeping.keepers(tx)


def leave(database: Database, who: str) -> None:
    """Let a replica leave."""
    with database.begin() as tx:
        keeping.leave(tx, f"{who} token")


def test_who_is_alone_keeps_everything(database: Database) -> None:
    """From its first beat on, and nothing was taken from anybody."""
    assert beat(database, "one", NAMES) == Kept(frozenset(NAMES), frozenset())
    assert beat(database, "one", NAMES) == Kept(frozenset(NAMES), frozenset())
    assert keepers(database) == dict.fromkeys(NAMES, "one")


def test_a_handover_is_no_takeover(database: Database) -> None:
    """What one gives up because another came is not counted as taken from somebody silent."""
    beat(database, "one", NAMES[:4])
    assert beat(database, "two", NAMES[:4]).names == frozenset()
    given_up = beat(database, "one", NAMES[:4])
    got = beat(database, "two", NAMES[:4])

    assert given_up.names == {"c", "d"}
    assert got == Kept(frozenset({"a", "b"}), frozenset())
    assert beat(database, "one", NAMES[:4]).names == {"c", "d"}


def test_who_leaves_is_followed_at_once(database: Database) -> None:
    """No lease has to run out, and it is no takeover."""
    beat(database, "one", NAMES[:2])
    beat(database, "two", NAMES[:2])
    leave(database, "one")

    assert keepers(database) == {}
    assert beat(database, "two", NAMES[:2]) == Kept(frozenset(NAMES[:2]), frozenset())


def test_who_falls_silent_keeps_for_a_lease_and_no_longer(database: Database) -> None:
    """Then the next beat of another takes everything, and says from whom it was taken."""
    beat(database, "one", NAMES[:2])
    later(database, LEASE - 10)
    assert beat(database, "two", NAMES[:2]).names == frozenset()
    later(database, 10)

    assert keepers(database) == {}
    assert beat(database, "two", NAMES[:2]) == Kept(frozenset({"a", "b"}), frozenset({"a", "b"}))


def test_who_was_paused_and_replaced_by_nobody_goes_on(database: Database) -> None:
    """It takes up again what it had; that is no takeover either."""
    beat(database, "one", NAMES[:2])
    later(database, 50 * LEASE)

    assert beat(database, "one", NAMES[:2]) == Kept(frozenset({"a", "b"}), frozenset())


def test_each_holder_has_a_number_of_its_own(database: Database) -> None:
    """It stays while the holder stays, and grows with the next."""
    fences = []
    for who, pause in (("one", 0), ("one", 0), ("two", 2 * LEASE), ("two", 0), ("one", 2 * LEASE)):
        later(database, pause)
        beat(database, who, ["a"])
        with database.read() as tx:
            fences.append(int(one(tx, "SELECT fence FROM leases WHERE name = 'keeper:a'")))

    assert fences[0] == fences[1]
    assert fences[2] == fences[3]
    assert fences[0] < fences[2] < fences[4]


def test_an_environment_that_is_configured_no_longer_is_let_go(database: Database) -> None:
    """It runs out by itself, and one that is new is taken."""
    beat(database, "one", ["a", "b"])

    assert beat(database, "one", ["b", "c"]).names == {"b", "c"}
    later(database, LEASE / 2)
    beat(database, "one", ["b", "c"])
    later(database, LEASE / 2 + 1)
    assert keepers(database) == {"b": "one", "c": "one"}


def test_an_environment_that_others_do_not_know_yet_is_kept(database: Database) -> None:
    """As while replicas get a new configuration one by one: no later than after a lease."""
    beat(database, "new", ["a", "b"])
    beat(database, "old", ["a", "b"])
    for _ in range(5):
        beat(database, "new", ["a", "b", "c"])
        beat(database, "old", ["a", "b"])
        later(database, LEASE / 3)
    beat(database, "new", ["a", "b", "c"])
    beat(database, "old", ["a", "b"])

    assert keepers(database) == {"a": "old", "b": "new", "c": "new"}


def test_who_stops_in_the_middle_of_a_beat_does_not_stop_the_others(
    database: Database, postgresql_ready: str
) -> None:
    """The server ends its transaction, and nothing of it stays."""
    other, found = Database(postgresql_ready), list[Kept]()

    def stops(tx: Tx) -> None:
        keeping.beat(tx, "paused token", NAMES, 0.3)
        with other.begin() as meanwhile:
            run(meanwhile, "SET LOCAL statement_timeout = '20s'")
            found.append(keeping.beat(meanwhile, "other token", NAMES, 0.3))
        run(tx, "SELECT 1")

    with pytest.raises(StateError), database.begin() as tx:
        stops(tx)
    other.close()
    with database.read() as tx:
        seen = [row.name for row in rows(tx, "SELECT name FROM replicas")]

    assert found == [Kept(frozenset(NAMES), frozenset())]
    assert seen == ["other token"]


@given(
    st.integers(1, 9),
    st.lists(st.integers(0, 9), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
    st.lists(st.integers(0, 5), max_size=20),
)
def test_in_the_end_all_have_as_many(
    total: int, first: list[int], chance: object, some: list[int]
) -> None:
    """From any start and after any beats: three rounds later nobody has two more than another."""
    has = [0] * len(first)
    for which, wanted in enumerate(first):
        has[which] = min(wanted, total - sum(has))

    def one_beats(which: int) -> int:
        others = has[:which] + has[which + 1 :]
        number = moves(total, has[which], total - sum(has), others)
        assert -has[which] <= number <= total - sum(has)
        has[which] += number
        return number

    for each in some:
        one_beats(each % len(has))
    order = list(range(len(has)))
    for _ in range(3):
        chance.shuffle(order)  # type: ignore[attr-defined]  # Hypothesis gives a Random
        for each in order:
            one_beats(each)

    assert sum(has) == total
    assert max(has) - min(has) <= 1
    assert [one_beats(each) for each in order] == [0] * len(has)


def test_replicas_share_seven_environments_evenly(database: Database) -> None:
    """Also where the number does not divide, and one comes when all is taken."""
    for number in range(1, 8):
        names, there = NAMES[:number], list[str]()
        for who in ("one", "two", "three"):
            there.append(who)
            for each in 3 * there:
                beat(database, each, names)
        share = Counter(keepers(database).values())
        counts = [share[who] for who in there]

        assert sum(counts) == number
        assert max(counts) - min(counts) <= 1
        for who in there:
            leave(database, who)
