"""Replicas on one database: who works for what, whatever happens to them. Time is moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from syncd.core.errors import StateError
from syncd.service.keeper import Keeper
from syncd.state.database import Database, run
from tests.postgres import Server
from tests.world import opened

LEASE = 1000.0
NAMES = ("a", "b", "c", "d", "e", "f", "g")


@dataclass(slots=True)
class Replica:
    """A keeper, what it was told to work for, and whether it is stopped for the moment."""

    database: Database
    names: list[str]
    works: set[str] = field(default_factory=set)
    taken: list[str] = field(default_factory=list)
    paused: bool = False
    gone: bool = False
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.database, lambda: self.names, LEASE, self.gained, self.lost)

    def gained(self, name: str, silent: bool) -> None:  # noqa: FBT001  # what the keeper says
        assert name not in self.works
        self.works.add(name)
        if silent:
            self.taken.append(name)

    def lost(self, name: str) -> None:
        self.works.remove(name)

    def passes(self, seconds: float) -> None:
        """Let time pass by its own clock; while it is not stopped it looks now and then."""
        self.keeper._heard -= seconds  # noqa: SLF001  # no sleeping
        if not self.paused:
            self.keeper.watch()

    def beat(self) -> None:
        self.keeper.beat()
        assert self.works == self.keeper.kept


@dataclass(slots=True)
class Fleet:
    """Replicas that share a database."""

    databases: list[Database]
    replicas: list[Replica] = field(default_factory=list)

    def comes(self, names: list[str]) -> Replica:
        """Let another replica start."""
        free = {id(d): d for d in self.databases}
        for replica in self.replicas:
            if not replica.gone:
                free.pop(id(replica.database))
        self.replicas.append(Replica(next(iter(free.values())), names))
        return self.replicas[-1]

    def passes(self, seconds: float) -> None:
        """Let time pass, for the server and for everybody."""
        with self.databases[0].begin() as tx:
            run(tx, "UPDATE leases SET until = until - :s", s=seconds)
            run(tx, "UPDATE replicas SET seen = seen - :s", s=seconds)
        for replica in self.replicas:
            replica.passes(seconds)

    def rounds(self, number: int = 3) -> None:
        """Let everybody who is there beat, some times over."""
        for _ in range(number):
            for replica in self.there:
                replica.beat()

    @property
    def there(self) -> list[Replica]:
        """Everybody who works."""
        return [each for each in self.replicas if not (each.paused or each.gone)]

    def clashes(self) -> dict[str, int]:
        """Return what is worked for by several at this moment."""
        counts = Counter(name for replica in self.there for name in replica.works)
        return {name: count for name, count in counts.items() if count > 1}

    def shares(self) -> list[int]:
        """Return how many environments each works for."""
        return [len(replica.works) for replica in self.there]


@pytest.fixture(scope="module")
def url(postgresql_server: Server) -> Iterator[str]:
    """Give the URL of a PostgreSQL database with today's schema."""
    with postgresql_server.database() as url:
        opened(url).close()
        yield url


@pytest.fixture(scope="module")
def databases(url: str) -> Iterator[list[Database]]:
    """Give what three processes have opened."""
    found = [Database(url) for _ in range(3)]
    yield found
    for database in found:
        database.close()


@pytest.fixture
def fleet(databases: list[Database]) -> Fleet:
    """Give nobody yet."""
    return anew(databases)


def anew(databases: list[Database]) -> Fleet:
    """Begin with nobody, and nothing known."""
    with databases[0].begin() as tx:
        run(tx, "DELETE FROM leases")
        run(tx, "DELETE FROM replicas")
    return Fleet(databases)


# --- shares ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("environments", range(1, 8))
def test_replicas_divide_the_environments_evenly(
    fleet: Fleet, number: int, environments: int
) -> None:
    """Within three beats of each, whoever came first; then everything stays as it is."""
    names = list(NAMES[:environments])
    fleet.comes(names)
    fleet.rounds(1)
    for _ in range(number - 1):
        fleet.comes(names)
    fleet.rounds(3)
    works = [set(replica.works) for replica in fleet.there]
    fleet.rounds(2)

    assert sum(fleet.shares()) == environments
    assert max(fleet.shares()) - min(fleet.shares()) <= 1
    assert [replica.works for replica in fleet.there] == works
    assert [replica.taken for replica in fleet.there] == [[]] * number


def test_who_falls_silent_is_replaced_within_a_lease_and_a_beat(fleet: Fleet) -> None:
    """Not sooner; and whoever takes over is told that somebody fell silent."""
    one, two = fleet.comes(["a", "b"]), fleet.comes(["a", "b"])
    fleet.rounds()
    [mine], [others] = one.works, two.works
    one.paused = True
    for _ in range(2):
        fleet.passes(LEASE / 3)
        fleet.rounds(1)
        assert two.works == {others}
    fleet.passes(LEASE / 3)
    fleet.rounds(1)

    assert two.works == {"a", "b"}
    assert two.taken == [mine]


def test_who_was_silent_gives_up_when_it_goes_on(fleet: Fleet) -> None:
    """Whether its clock or the database tells it first; and then it gets its share again."""
    for look in (Keeper.watch, Keeper.beat):
        one, two = fleet.comes(["a", "b"]), fleet.comes(["a", "b"])
        fleet.rounds()
        one.paused = True
        fleet.passes(LEASE + 1)
        fleet.rounds(1)
        one.paused = False
        look(one.keeper)

        assert one.works == set()
        assert two.works == {"a", "b"}
        fleet.rounds()
        assert fleet.shares() == [1, 1]
        for each in (one, two):
            each.keeper.stop()
            each.gone = True


def test_who_leaves_gives_up_at_once(fleet: Fleet) -> None:
    """The next beat of another takes it, and nobody is said to have fallen silent."""
    one, two = fleet.comes(["a", "b"]), fleet.comes(["a", "b"])
    fleet.rounds()
    one.keeper.stop()
    one.gone = True

    assert one.works == set()
    fleet.rounds(1)
    assert two.works == {"a", "b"}
    assert two.taken == []
    assert set(two.keeper.keepers()) == {"a", "b"}


def test_a_new_configuration_is_followed(fleet: Fleet) -> None:
    """What it no longer names is given up with the next beat, what is new is taken."""
    one = fleet.comes(["a", "b"])
    fleet.rounds(1)
    one.names[:] = ["b", "c"]
    fleet.rounds(1)

    assert one.works == {"b", "c"}


MOVE = st.one_of(
    st.tuples(st.just("beat"), st.integers(0, 2)),
    st.tuples(st.just("pause"), st.integers(0, 2)),
    st.tuples(st.just("go on"), st.integers(0, 2)),
    st.tuples(st.just("leave"), st.integers(0, 2)),
    st.tuples(st.just("come"), st.just(0)),
    st.tuples(st.just("pass"), st.sampled_from([100, 334, 600, 1100])),
)


@settings(max_examples=30)
@given(st.integers(1, 7), st.lists(MOVE, max_size=25))
@example(2, [("beat", 0), ("pause", 0), ("pass", 1100), ("beat", 0), ("go on", 0)])
def test_at_no_moment_do_two_work_for_one_environment(
    databases: list[Database], environments: int, moves: list[tuple[str, int]]
) -> None:
    """Whatever the order of beats, pauses and leaves; and in the end everything is shared."""
    fleet, names = anew(databases), list(NAMES[:environments])
    for _ in range(2):
        fleet.comes(names)
    for what, number in moves:
        _move(fleet, names, what, number)
        assert fleet.clashes() == {}
    if not fleet.there:
        if all(each.gone for each in fleet.replicas):
            fleet.comes(names)
        for each in fleet.replicas:
            _go_on(each)
    fleet.passes(LEASE - 1)
    fleet.rounds(1)
    assert fleet.clashes() == {}
    fleet.passes(2)
    fleet.rounds(3)

    assert fleet.clashes() == {}
    assert set().union(*(replica.works for replica in fleet.there)) == set(names)
    assert max(fleet.shares()) - min(fleet.shares()) <= 1


def _move(fleet: Fleet, names: list[str], what: str, number: int) -> None:
    living = [each for each in fleet.replicas if not each.gone]
    if what == "pass":
        fleet.passes(number)
    elif what == "come" and len(living) < len(fleet.databases):
        fleet.comes(names)
    elif what == "go on":
        for each in fleet.replicas[number : number + 1]:
            _go_on(each)
    elif number < len(fleet.there):
        replica = fleet.there[number]
        if what == "beat":
            replica.beat()
        elif what == "pause":
            replica.paused = True
        elif what == "leave":
            replica.keeper.stop()
            replica.gone = True


def _go_on(replica: Replica) -> None:
    """End a pause: the first thing that anybody does is to look at the clock."""
    replica.paused = False
    replica.keeper.watch()


# --- a database that is away ----------------------------------------------------------------


@contextmanager
def away(url: str) -> Iterator[None]:
    """Let a database accept nobody."""
    name = make_url(url).database
    place = make_url(url).set(drivername="postgresql", database="postgres")
    admin = psycopg.connect(place.render_as_string(), autocommit=True)
    with admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_without_a_database_everything_is_given_up_after_a_lease(fleet: Fleet, url: str) -> None:
    """Not sooner: a database that was restarted costs nothing. And then it is taken up again."""
    one = fleet.comes(["a", "b"])
    fleet.rounds(1)
    with away(url):
        with pytest.raises(StateError):
            one.keeper.beat()
        one.passes(LEASE - 10)
        assert one.works == {"a", "b"}
        one.passes(10)
        assert one.works == set()
        with pytest.raises(StateError):
            one.keeper.beat()
    fleet.rounds(1)

    assert one.works == {"a", "b"}
    assert one.taken == []


def until(what: Callable[[], object]) -> bool:
    """Ask until the answer is yes, or for too long."""
    return any(what() or Event().wait(0.02) for _ in range(1500))


def given_up(keeper: Keeper) -> bool:
    """Let a keeper look at the clock, and tell whether it works for nothing."""
    keeper.watch()
    return not keeper.kept


def test_the_thread_of_a_keeper_outlives_its_database(fleet: Fleet, url: str) -> None:
    """It says what is wrong, gives everything up, and comes back by itself."""
    works: set[str] = set()
    keeper = Keeper(
        fleet.databases[0], lambda: ["a"], 0.6, lambda name, _: works.add(name), works.discard
    )
    with ExitStack() as stack:
        keeper.start()
        stack.callback(keeper.stop)
        assert works == {"a"}
        with away(url):
            assert until(lambda: keeper.problem)
            assert until(lambda: given_up(keeper))
            assert keeper.alive()
        assert until(lambda: works == {"a"} and keeper.problem is None)
    assert works == set()
    assert not keeper.alive()


def test_a_keeper_does_not_start_without_a_database(fleet: Fleet, url: str) -> None:
    """Whoever starts it is told, and no thread is left."""
    one = fleet.comes(["a"])
    with away(url), pytest.raises(StateError):
        one.keeper.start()

    assert not one.keeper.alive()
    assert one.works == set()


# --- one process ----------------------------------------------------------------------------


def test_on_sqlite_one_keeps_everything(tmp_path: Path) -> None:
    """Nobody else can be there: time takes nothing away, and a new configuration is followed."""
    database = opened(f"sqlite:///{tmp_path / 'state.db'}")
    one = Replica(database, ["a", "b"])
    one.beat()
    assert one.works == {"a", "b"}
    one.passes(10 * LEASE)
    assert one.works == {"a", "b"}
    assert set(one.keeper.keepers()) == {"a", "b"}
    one.names.append("c")
    one.beat()
    assert one.works == {"a", "b", "c"}
    one.keeper.stop()
    assert one.works == set()
    assert one.taken == []
    database.close()
