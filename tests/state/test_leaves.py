"""Pages of the target that come as they came before are known, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from syncd.core.hints import Hint
from syncd.core.model import Rung
from syncd.core.ports import MembershipRow, Pages, Remembered, UserRow
from syncd.engine.parts import Silent
from syncd.engine.reading import read_target
from syncd.sandbox.faults import Fault, FaultKind
from syncd.state import leaves, observed, purge
from syncd.state.database import Database, one, run
from syncd.state.revisions import touch
from tests.state.desk import ONE, Shown, held, person, select
from tests.state.desk import look as stored
from tests.state.desk import row as row_shown
from tests.world import URL, World, number

TABLE = "usermobileofflineprofilemembership"
ROWS = f"{TABLE}s"
FIELD, OFFICE = number(2, 1), number(2, 2)
USERS = [number(1, each) for each in range(1, 6)]


def row(which: int, profile: str = FIELD) -> dict[str, object]:
    """Describe a row as an administrator would make it, of the user with this number."""
    return {
        "usermobileofflineprofilemembershipid": number(3, which),
        "name": f"row {which}",
        "SystemUserId@odata.bind": f"/systemusers({USERS[which - 1]})",
        "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({profile})",
    }


def add_user(world: World, user: str, name: str) -> None:
    """Add a user, unless there is one with that id."""
    told = {"systemuserid": user, "domainname": name, "internalemailaddress": name}
    world.call("POST", "systemusers", told)


class Watched:
    """
    The real target; it notes what was given, and of which tables all marks were asked for.

    What changed of users is what it is told, *wrong* or not.
    """

    def __init__(self, target: Any, wrong: UserRow | None = None) -> None:
        self.target = target
        self.wrong = wrong
        self.given: list[str] = []
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)

    def users(
        self, known: set[str], hints: Sequence[Hint] = (), memory: Remembered | None = None
    ) -> Pages[UserRow]:
        return self._noted(self.target.users(known, hints, self._watched("users", memory)))

    def memberships(
        self, known: set[str], memory: Remembered | None = None
    ) -> Pages[MembershipRow]:
        return self._noted(self.target.memberships(known, self._watched("rows", memory)))

    def users_since(self, token: str, hints: Sequence[Hint] = ()) -> Pages[UserRow]:
        if self.wrong is None:
            return cast("Pages[UserRow]", self.target.users_since(token, hints))
        return Pages(iter([[self.wrong]]), token)

    def _watched(self, what: str, memory: Remembered | None) -> Remembered | None:
        if memory is None:
            return None
        inner = memory.known

        def known() -> Iterable[str]:
            self.asked.append(what)
            return inner()

        return replace(memory, known=known, came=memory.came)

    def _noted(self, read: Pages[Any]) -> Pages[Any]:
        def pages(inner: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
            for page in inner:
                self.given += [each[0] for each in page]
                yield page

        read.pages = pages(read.pages)
        return read


def look(
    world: World, *, delta: bool = False, size: int = 2, wrong: UserRow | None = None
) -> tuple[list[str], list[str]]:
    """Read the environment; return which rows were given, and of which tables it asked for all."""
    with world.database.begin() as tx, world.target(page_size=size) as target:
        env = observed.environment(tx, "contoso", URL)
        watched = Watched(target, wrong)
        read_target(tx, world.environment, env, watched, Silent(), delta=delta)
    return watched.given, watched.asked


@pytest.fixture
def known(world: World) -> World:
    """Read users and rows, three pages of each, often enough to know them again."""
    for which, user in enumerate(USERS, 1):
        add_user(world, user, f"user{which}@contoso.com")
        world.call("POST", ROWS, row(which))
    look(world)
    assert look(world) == ([], ["users", "rows"])
    assert look(world) == ([], [])
    return world


def test_what_did_not_change_is_not_looked_at(known: World, database: Database) -> None:
    """Neither the pages nor what is stored; and a read of changes that brings none is none."""
    assert look(known, delta=True) == ([], [])
    assert look(known) == ([], [])
    assert len(held(database)) == len(USERS)


@pytest.mark.parametrize("which", range(1, 6))
def test_a_row_that_changed_on_a_page_that_did_not_is_seen(
    which: int, known: World, database: Database
) -> None:
    """Wherever it stands; afterwards its page is known, too."""
    bound = {"MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({OFFICE})"}
    known.call("PATCH", f"{ROWS}({number(3, which)})", bound)

    assert look(known) == ([number(3, which)], ["rows"])
    assert [each[2] for each in held(database)].index(OFFICE) == which - 1
    assert look(known) == ([], [])


@pytest.mark.parametrize("which", range(1, 6))
def test_a_row_that_is_gone_is_seen(which: int, known: World, database: Database) -> None:
    """All rows behind it then stand elsewhere, and are news to nobody."""
    known.call("DELETE", f"{ROWS}({number(3, which)})")

    assert look(known) == ([], ["rows"])
    assert number(3, which) not in [each[1] for each in held(database)]
    assert look(known) == ([], [])


def test_a_user_who_came_or_changed_is_seen(known: World, database: Database) -> None:
    """Of the other users nobody is read again."""
    new = number(1, 9)
    add_user(known, new, "new@contoso.com")
    known.call("PATCH", f"systemusers({USERS[2]})", {"domainname": "changed@contoso.com"})
    given, asked = look(known)

    assert (sorted(given), asked) == ([USERS[2], new], ["users"])
    assert ("changed@contoso.com",) in select(database, "SELECT user_name FROM users")
    assert look(known) == ([], [])


def test_a_table_that_is_read_in_parts_is_known_likewise(world: World, database: Database) -> None:
    """Its parts come by profile, and the row that changed last comes once more at the end."""
    world.sandbox.switches.set_features(TABLE, None, False)
    for which, user in enumerate(USERS, 1):
        add_user(world, user, f"user{which}@contoso.com")
        world.call("POST", ROWS, row(which, FIELD if which % 2 else OFFICE))
    assert sorted(set(look(world)[0]) - set(USERS)) == [number(3, n) for n in range(1, 6)]
    look(world)
    look(world)
    assert look(world) == ([], [])
    bound = {"MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({OFFICE})"}
    world.call("PATCH", f"{ROWS}({number(3, 1)})", bound)
    world.call("DELETE", f"{ROWS}({number(3, 4)})")

    assert look(world)[1] == ["rows"]
    assert [(each[1], each[2]) for each in held(database)] == [
        (number(3, n), OFFICE if n < 3 else FIELD) for n in (1, 2, 3, 5)
    ]
    news = select(database, "SELECT revision, subject FROM news WHERE what LIKE 'rows:%'")
    newest = {subject for number, subject in news if number == max(news)[0]}
    assert newest == {f"u:{USERS[0]}", f"u:{USERS[3]}"}
    look(world)
    assert look(world) == ([], [])


def test_pages_of_another_size_are_other_pages(known: World, database: Database) -> None:
    """Nothing is news, and the next time they are known."""
    assert look(known, size=3) == ([], ["users", "rows"])
    assert look(known, size=3) == ([], [])
    assert select(database, "SELECT number FROM pages ORDER BY number") == [(2,), (2,), (3,), (3,)]


def test_with_other_columns_all_users_are_news(known: World, database: Database) -> None:
    """Their pages are forgotten with them; rows have nothing to do with it."""
    known.policy = replace(known.policy, match=(Rung.OBJECT_ID,))
    pages = "SELECT count(*) FROM pages WHERE what = 'users'"
    given, asked = look(known)

    assert set(given) >= set(USERS)
    assert asked == []
    assert select(database, pages) == [(0,)]
    look(known)
    assert look(known) == ([], [])


def test_what_was_read_as_a_change_is_known_afterwards(known: World, database: Database) -> None:
    """A read of everything then finds what is stored already, on pages that it does not know."""
    known.call("PATCH", f"systemusers({USERS[0]})", {"domainname": "changed@contoso.com"})
    known.call("DELETE", f"{ROWS}({number(3, 1)})")
    look(known, delta=True)
    names = select(database, "SELECT user_name FROM users ORDER BY id")

    assert look(known) == ([], ["users", "rows"])
    assert select(database, "SELECT user_name FROM users ORDER BY id") == names
    assert look(known) == ([], [])


@pytest.mark.parametrize(
    "written",
    [
        "UPDATE memberships SET profile = 'x', version = '' WHERE env = :env AND id = :id",
        "DELETE FROM memberships WHERE env = :env AND id = :id",
    ],
)
def test_a_page_does_not_say_what_is_stored(written: str, known: World, database: Database) -> None:
    """Where rows were written otherwise, they are read again though their page is the same."""
    one_row = number(3, 3)
    before = held(database)
    with database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        run(tx, written, env=env, id=one_row)
        touch(tx, f"rows:{env}", [f"u:{USERS[2]}"])

    assert look(known) == ([one_row], ["rows"])
    assert held(database) == before


def test_pages_do_not_vouch_for_users_that_were_read_as_changes(
    known: World, database: Database
) -> None:
    """Whatever that read said, a read of everything says what the pages say."""
    names = select(database, "SELECT user_name FROM users ORDER BY id")
    told: UserRow = (USERS[1], "x", "wrong", None, None, None, None, True, False, None, ())
    look(known, delta=True, wrong=told)
    assert select(database, "SELECT user_name FROM users ORDER BY id") != names

    assert look(known) == ([USERS[1]], ["users"])
    assert select(database, "SELECT user_name FROM users ORDER BY id") == names


@pytest.mark.parametrize(("version", "whole"), [("1", True), ("2", False)])
def test_a_row_on_two_pages_is_known_if_both_show_the_same(
    version: str, whole: object, world: World, database: Database
) -> None:
    """Where they do not, nothing says which of them is stored."""
    env = stored(world, Shown(rows_shown=[[row_shown(1, ONE)]]))
    key = number(3, 1)
    with database.begin() as tx:
        memory = leaves.recollect(tx, env, leaves.MEMBERSHIPS)
        assert memory is not None
        memory.keep(b"one", [f"{key}1"])
        memory.keep(b"two", [f"{key}{version}"])
        leaves.settle(tx, env, leaves.MEMBERSHIPS, memory)
        again = leaves.recollect(tx, env, leaves.MEMBERSHIPS)

    assert again is not None
    assert again.pages == {b"one", b"two"}
    assert again.whole is whole


def test_what_syncd_did_is_read_again(known: World, database: Database) -> None:
    """Of rows that it wrote it does not know the version."""
    known.settings = {"page_size": 2}
    known.says([person("e1", "office", grade="5"), person("e2"), person("e3")])
    outcomes = known.reconcile().outcomes or {}
    assert sum(outcomes.values()) > 0
    assert look(known)[1] == ["rows"]
    assert {each[1]: (each[0], each[2], bool(each[3])) for each in held(database)} == {
        key: (user, profile, active) for key, (user, profile, active, _) in known.members().items()
    }
    assert look(known) == ([], [])


def test_a_read_that_breaks_off_leaves_the_pages_as_they_were(
    known: World, database: Database
) -> None:
    """What was kept of it goes with all else."""
    pages = "SELECT env, what, digest, marks FROM pages ORDER BY 2, 3"
    before = select(database, pages)
    known.call("DELETE", f"systemusers({USERS[0]})")
    known.sandbox.misbehave([Fault(kind=FaultKind.ERROR, status=400, path=ROWS, skip=1)])
    with pytest.raises(Exception, match="turned down"):
        look(known)
    known.sandbox.misbehave([])

    assert select(database, pages) == before
    assert "users" in look(known)[1]


def test_a_purge_forgets_the_pages(known: World, database: Database) -> None:
    """An environment that is forgotten leaves none."""
    with known.database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        assert one(tx, "SELECT 1 FROM pages WHERE env = :env LIMIT 1", env=env)
        purge.forget_environment(tx, env)

    assert select(database, "SELECT 1 FROM pages") == []
    assert select(database, "SELECT 1 FROM meta WHERE name LIKE 'whole:%'") == []
