"""Rows on their way into a table, column by column."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from syncd.state.columns import ascending, filled, insert, lay, octets
from syncd.state.database import Database, rows, scratch

NAMES = ("env", "id", "name", "published")


def laid(database: Database, *pages: Sequence[tuple[int, str, str, int]]) -> list[tuple[str, str]]:
    """Return the profiles, by id, after these pages were laid over one that was there."""
    with database.rehearse() as tx:
        lay(tx, "profiles", NAMES, ("env", "id"), [[(1,), ("b",), ("before",), (1,)]])
        lay(tx, "profiles", NAMES, ("env", "id"), [list(zip(*p, strict=True)) for p in pages])
        return [(row.id, row.name) for row in rows(tx, "SELECT * FROM profiles ORDER BY id")]


@pytest.mark.parametrize("ids", ["abc", "cba", "bac"])
def test_a_row_takes_the_place_of_the_one_with_its_key(database: Database, ids: str) -> None:
    """In whichever order they come."""
    found = laid(database, [(1, each, "now", 1) for each in ids])

    assert found == [("a", "now"), ("b", "now"), ("c", "now")]


@pytest.mark.parametrize("first", ["ac", "ca"])
def test_of_two_rows_with_one_key_the_last_stays(database: Database, first: str) -> None:
    """On one page or on two, and whether or not the first page is in order."""
    pages = [[(1, each, "first", 1) for each in first], [(1, "a", "late", 1), (1, "a", "last", 1)]]

    assert laid(database, *pages) == [("a", "last"), ("b", "before"), ("c", "first")]


def test_nothing_is_laid_where_there_is_nothing(database: Database) -> None:
    """Then what was there stays."""
    assert laid(database) == [("b", "before")]


def test_a_column_without_values_is_left_out() -> None:
    """One with a single value is not."""
    names, values = filled(("a", "b", "c"), [(1, 2), (None, None), (None, 3)])

    assert names == ["a", "c"]
    assert list(values) == [(1, None), (2, 3)]


WORDS = [("a", None, "c"), ("", None, "c"), (None, "b", "a")]
NUMBERS = [(1, None, 3), (-1, None, 0), (None, 5, 5)]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("numbers", NUMBERS)
def test_nothing_stays_nothing_among_values(
    database: Database, words: tuple[str | None, ...], numbers: tuple[int | None, ...]
) -> None:
    """Also among those that could stand in for it."""
    with database.rehearse() as tx:
        scratch(tx, "several", "place INTEGER, word TEXT, number INTEGER, octets BLOB")
        columns = [(1, 2, 3), words, numbers, (None, b"", b"o")]
        insert(tx, "several", ("place", "word", "number", "octets"), columns)
        found = rows(tx, "SELECT word, number, octets FROM several ORDER BY place")

    assert [tuple(row) for row in found] == list(zip(*columns[1:], strict=True))


def test_octets_stay_what_they_are(database: Database) -> None:
    """What is nothing is nothing."""
    with database.read() as tx:
        found = octets(tx, [b"one", None])

    assert list(found) == [b"one", None]


@pytest.mark.parametrize("keys", ["", "a", "abc"])
def test_keys_ascend_if_each_is_after_the_one_before(keys: str) -> None:
    """One alone does."""
    assert ascending(keys)


@pytest.mark.parametrize("keys", ["aba", "aa"])
def test_keys_do_not_ascend_if_one_comes_again_or_too_late(keys: str) -> None:
    """Two that are alike do not."""
    assert not ascending(keys)
