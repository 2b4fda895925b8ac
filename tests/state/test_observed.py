"""What the target showed: read as changes, kept as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.core.errors import TargetIncomplete
from syncd.core.model import Membership
from syncd.core.ports import MembershipRow
from syncd.engine.parts import Silent
from syncd.engine.reading import read_target
from syncd.state import observed
from syncd.state.database import Database, rows, run
from tests.state.desk import (
    BROKEN,
    FIELD,
    OFFICE,
    ONE,
    THREE,
    TWO,
    Shown,
    held,
    husks,
    look,
    row,
    select,
    user,
)
from tests.world import URL, World, number

R1, R2 = number(3, 1), number(3, 2)


def names(database: Database) -> dict[str, str | None]:
    """Return the users in the picture, with their names."""
    return dict(select(database, "SELECT id, user_name FROM users"))


def test_what_is_known_is_not_given_again(world: World, database: Database) -> None:
    """Only a row whose version differs is written; the picture is the same as if all were."""
    look(world, Shown(rows_shown=[[row(1, ONE), row(2, TWO)]]))
    second = Shown(rows_shown=[[row(1, ONE), row(2, TWO, OFFICE, "2", active=False)]])
    look(world, second)

    assert second.given == [R2]
    assert held(database) == [(ONE, R1, FIELD, 1), (TWO, R2, OFFICE, 0)]


def test_a_row_that_is_no_longer_shown_is_gone(world: World, database: Database) -> None:
    """All of them may be."""
    look(world, Shown(rows_shown=[[row(1, ONE), row(2, TWO)]]))
    look(world, Shown(rows_shown=[[row(2, TWO)]]))
    one = held(database)
    look(world, Shown(rows_shown=[[]]))

    assert one == [(TWO, R2, FIELD, 1)]
    assert held(database) == []


@pytest.mark.parametrize("known", [False, True])
def test_a_row_repeated_in_two_pages_is_there_once(
    *, known: bool, world: World, database: Database
) -> None:
    """Pages overlap when rows come and go while they are read."""
    if known:
        look(world, Shown(rows_shown=[[row(1, ONE), row(2, TWO)]]))
    pages = [[row(1, ONE), row(2, TWO)], [row(2, TWO), row(3, THREE)]]
    look(world, Shown(rows_shown=pages))

    assert held(database) == [
        (ONE, R1, FIELD, 1),
        (TWO, R2, FIELD, 1),
        (THREE, number(3, 3), FIELD, 1),
    ]


@pytest.mark.parametrize("known", [False, True])
def test_of_a_row_that_changed_between_two_pages_the_last_reading_counts(
    *, known: bool, world: World, database: Database
) -> None:
    """The later page is the later truth, whichever of the two was known."""
    if known:
        look(world, Shown(rows_shown=[[row(1, ONE)]]))
    look(world, Shown(rows_shown=[[row(1, ONE)], [row(1, ONE, OFFICE, "2")]]))

    assert held(database) == [(ONE, R1, OFFICE, 1)]


def test_a_row_that_changes_its_user_is_there_once(world: World, database: Database) -> None:
    """The old user has it no more."""
    look(world, Shown(rows_shown=[[row(1, ONE), row(2, TWO)]]))
    look(world, Shown(rows_shown=[[row(1, TWO, FIELD, "2"), row(2, TWO)]]))

    assert held(database) == [(TWO, R1, FIELD, 1), (TWO, R2, FIELD, 1)]


@pytest.mark.parametrize("known", [False, True])
def test_a_row_that_changes_its_user_between_two_pages_is_there_once(
    *, known: bool, world: World, database: Database
) -> None:
    """Who had it on the first page has it no more on the second."""
    if known:
        look(world, Shown(rows_shown=[[row(1, ONE)]]))
    look(world, Shown(rows_shown=[[row(1, ONE)], [row(1, TWO, FIELD, "2")]]))

    assert held(database) == [(TWO, R1, FIELD, 1)]


def test_husks_are_kept_apart_and_come_back(world: World, database: Database) -> None:
    """A row that loses a side moves over; given both again it moves back."""
    look(world, Shown(rows_shown=[[row(1, ONE), row(2, None)]]))
    first = held(database), husks(database)
    look(world, Shown(rows_shown=[[row(1, ONE, None, "2"), row(2, TWO, FIELD, "2")]]))
    second = held(database), husks(database)
    look(world, Shown(rows_shown=[[row(2, TWO, FIELD, "2")]]))

    assert first == ([(ONE, R1, FIELD, 1)], [(R2, None, FIELD)])
    assert second == ([(TWO, R2, FIELD, 1)], [(R1, ONE, None)])
    assert (held(database), husks(database)) == ([(TWO, R2, FIELD, 1)], [])


@pytest.mark.parametrize("known", [False, True])
def test_a_row_that_becomes_a_husk_between_two_pages_is_only_that(
    *, known: bool, world: World, database: Database
) -> None:
    """Its user was deleted while the rows were read."""
    if known:
        look(world, Shown(rows_shown=[[row(1, ONE)]]))
    look(world, Shown(rows_shown=[[row(1, ONE)], [row(1, None, FIELD, "2")]]))

    assert (held(database), husks(database)) == ([], [(R1, None, FIELD)])


def test_a_user_that_is_deleted_is_gone_with_what_was_known_of_it(
    world: World, database: Database
) -> None:
    """Its rows are shown without it from then on."""
    look(world, Shown(rows_shown=[[row(1, ONE), row(2, TWO)]]))
    users = [[user(TWO), user(THREE)]]
    look(world, Shown(users, rows_shown=[[row(1, None, FIELD, "2"), row(2, TWO)]]))

    assert set(names(database)) == {TWO, THREE}
    assert held(database) == [(TWO, R2, FIELD, 1)]
    assert husks(database) == [(R1, None, FIELD)]


def test_a_user_that_is_renamed_is_known_by_the_new_name(world: World, database: Database) -> None:
    """Also one that two pages show; the last reading counts."""
    look(world, Shown([[user(ONE, name="a@x.org"), user(TWO, name="b@x.org")]]))
    pages = [[user(ONE, "2", name="c@x.org"), user(TWO, name="b@x.org")]]
    look(world, Shown([*pages, [user(ONE, "3", name="d@x.org")]]))

    assert names(database) == {ONE: "d@x.org", TWO: "b@x.org"}


@pytest.mark.parametrize("what", ["users", "rows"])
def test_a_read_that_breaks_off_leaves_the_old_picture(
    what: str, world: World, database: Database
) -> None:
    """Also of what had been read completely before it."""
    look(world, Shown(rows_shown=[[row(1, ONE), row(2, None)]], teams=[(ONE, FIELD, number(5, 1))]))
    tables = ("users", "profiles", "memberships", "husks", "team_profiles", "meta")
    before = {name: select(database, f"SELECT * FROM {name}") for name in tables}  # noqa: S608  # our own tables
    broken = Shown(
        users_shown=[[user(ONE, "2")], *([BROKEN] if what == "users" else [])],
        rows_shown=[[row(1, TWO, OFFICE, "2")], BROKEN],
    )
    with pytest.raises(TargetIncomplete):
        look(world, broken)

    assert {name: select(database, f"SELECT * FROM {name}") for name in tables} == before  # noqa: S608  # our own tables


def test_what_teams_bring_is_replaced(world: World, database: Database) -> None:
    """Two teams that bring the same count once."""
    team, other = number(5, 1), number(5, 2)
    sql = "SELECT user_id, profile FROM team_profiles ORDER BY 1"
    look(world, Shown(teams=[(ONE, FIELD, team), (ONE, FIELD, other), (TWO, FIELD, team)]))
    first = select(database, sql)
    look(world, Shown(teams=[(TWO, OFFICE, team)]))

    assert first == [(ONE, FIELD), (TWO, FIELD)]
    assert select(database, sql) == [(TWO, OFFICE)]


def test_an_environment_that_moved_is_a_new_one(world: World, database: Database) -> None:
    """Ids of another environment mean nothing there; what was known of it stays under its url."""
    first = look(world, Shown(rows_shown=[[row(1, ONE)]]))
    with database.begin() as tx:
        moved = observed.environment(tx, "contoso", "https://elsewhere.example")
        same = observed.environment(tx, "contoso", "https://elsewhere.example")
    sql = "SELECT user_id FROM memberships WHERE env = :env"

    assert moved == same != first
    assert select(database, sql, env=moved) == []
    assert select(database, sql, env=first) == [(ONE,)]


def test_two_environments_do_not_see_each_other(world: World, database: Database) -> None:
    """The same ids may exist in both: an environment is often copied from another."""
    env = look(world, Shown(rows_shown=[[row(1, ONE)]]))
    with database.begin() as tx:
        other = observed.environment(tx, "test", "https://test.example")
        observed.memberships(tx, other, Shown(rows_shown=[[row(1, TWO, OFFICE)]]))
    with database.begin() as tx:
        observed.memberships(tx, other, Shown(rows_shown=[[]]))
    sql = "SELECT env, user_id FROM memberships"

    assert select(database, sql) == [(env, ONE)]


def test_a_row_that_two_pages_showed_differently_is_not_lost_afterwards(
    world: World, database: Database
) -> None:
    """The next read shows it unchanged, and the picture has it still."""
    look(world, Shown(rows_shown=[[row(1, ONE)], [row(1, TWO, FIELD, "2")]]))
    look(world, Shown(rows_shown=[[row(1, TWO, FIELD, "2")]]))

    assert held(database) == [(TWO, R1, FIELD, 1)]


READINGS = st.lists(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from([None, ONE, TWO])), max_size=4),
    max_size=3,
)
"""Some pages, each with some readings: which row, and whose it is; nobody's is a husk."""


def written(reads: Sequence[Sequence[Sequence[tuple[int, str | None]]]]) -> list[list[list[Any]]]:
    """Return the pages of some reads; a row that is another's has another version by then."""
    whose: dict[int, str | None] = {}
    version = 0
    shown: list[list[list[Any]]] = []
    last: dict[int, MembershipRow] = {}
    for read in reads:
        shown.append([])
        for page in read:
            shown[-1].append([])
            for which, owner in page:
                if which not in last or whose[which] != owner:
                    version += 1
                    whose[which] = owner
                    last[which] = row(which, owner, FIELD, str(version))
                shown[-1][-1].append(last[which])
    return shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reads=st.lists(READINGS, min_size=1, max_size=3))
def test_the_picture_is_the_last_reading_of_every_row(
    reads: list[list[list[tuple[int, str | None]]]], database: Database
) -> None:
    """However pages overlap, and whatever was known: whole rows here, husks there, each once."""
    with database.rehearse() as tx:
        env = observed.environment(tx, "contoso", URL)
        for pages in written(reads):
            observed.memberships(tx, env, Shown(rows_shown=pages))
            last = {each[0]: each[2] for page in pages for each in page}
            found = [
                (each.id, each.user_id)
                for table in ("memberships", "husks")
                for each in rows(tx, f"SELECT id, user_id FROM {table} WHERE env = {env}")  # noqa: S608  # our own tables
            ]
            assert sorted(found, key=str) == sorted(last.items(), key=str)


def test_changes_are_laid_over_the_picture(world: World, database: Database) -> None:
    """Rows that were deleted go, rows that are emptied become husks, the others stay."""
    rows = [row(1, ONE), row(2, TWO), row(3, THREE)]
    look(world, Shown(rows_shown=[rows], token="one"))
    world.delta = True
    emptied = row(3, None, version="2")
    look(world, Shown(rows_since=[[emptied]], gone=[R2], token="one", next_token="two"))

    assert held(database) == [(ONE, R1, FIELD, 1)]
    assert husks(database) == [(number(3, 3), None, FIELD)]


def test_the_next_changes_go_on_from_there(world: World, database: Database) -> None:
    """A token is kept with what it covers."""
    look(world, Shown(rows_shown=[[row(1, ONE)]], token="one"))
    world.delta = True
    look(world, Shown(rows_since=[[]], token="one", next_token="two"))
    look(world, Shown(rows_since=[[row(2, TWO)]], token="two", next_token="three"))

    assert [held_row[1] for held_row in held(database)] == [R1, R2]


@pytest.mark.parametrize("token", ["another", None])
def test_without_a_token_that_is_good_everything_is_read(
    token: str | None, world: World, database: Database
) -> None:
    """Too old, from before a copy of the environment, or never given."""
    look(world, Shown(rows_shown=[[row(1, ONE), row(2, TWO)]], token="one"))
    world.delta = True
    look(world, Shown(rows_shown=[[row(2, TWO)]], rows_since=[[]], token=token))

    assert [held_row[1] for held_row in held(database)] == [R2]


def test_changes_that_break_off_leave_the_picture_alone(world: World, database: Database) -> None:
    """Only a complete read is believed."""
    look(world, Shown(rows_shown=[[row(1, ONE), row(2, TWO)]], token="one"))
    world.delta = True
    with pytest.raises(TargetIncomplete):
        look(world, Shown(rows_since=[[row(1, ONE, OFFICE, "2")], BROKEN], token="one"))

    assert held(database) == [(ONE, R1, FIELD, 1), (TWO, R2, FIELD, 1)]


def test_what_changed_without_a_word_is_named(world: World, database: Database) -> None:
    """A full read counts what the reads of changes before it had missed, and nothing else."""
    look(world, Shown(rows_shown=[[row(1, ONE), row(2, TWO), row(3, THREE)]], token="one"))
    changed = [row(1, ONE, OFFICE, "2"), row(2, TWO, OFFICE, "2")]
    target = Shown(rows_shown=[changed], rows_since=[[changed[1]]], token="one", next_token="two")
    with database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        missed = read_target(tx, world.environment, env, target, Silent())

    assert missed == [R1, number(3, 3)]


def test_what_syncd_wrote_itself_was_not_missed(world: World, database: Database) -> None:
    """Of its own rows it does not know the version; reads of changes look at them by their ids."""
    env = look(world, Shown(rows_shown=[[row(1, ONE), row(2, TWO)]], token="one"))
    with database.begin() as tx:
        run(tx, "UPDATE memberships SET version = '' WHERE env = :env", env=env)
    now = Membership(R1, ONE, OFFICE, True, False, "7", "2026-01-01T00:00:00Z")
    with database.rehearse() as tx:
        rows_shown = [[row(1, ONE, OFFICE, "7"), row(2, TWO)]]
        target = Shown(rows_shown=rows_shown, rows_since=[[]], token="one")
        assert read_target(tx, world.environment, env, target, Silent()) == []
    world.delta = True
    look(world, Shown(rows_since=[[]], token="one", next_token="two", now={R1: now}))

    assert held(database) == [(ONE, R1, OFFICE, 1)]
    assert select(database, "SELECT version FROM memberships") == [("7",)]


def test_rows_of_users_who_left_are_looked_at(world: World, database: Database) -> None:
    """A target may empty them without calling that a change of the row."""
    look(world, Shown(rows_shown=[[row(1, ONE), row(2, TWO), row(3, TWO)]], token="one"))
    world.delta = True
    emptied = Membership(R2, None, FIELD, True, False, "7", "2026-01-01T00:00:00Z")
    left = Shown(
        users_shown=[[user(ONE), user(THREE)]], rows_since=[[]], token="one", now={R2: emptied}
    )
    look(world, left)

    assert held(database) == [(ONE, R1, FIELD, 1)]
    assert husks(database) == [(R2, None, FIELD)]
