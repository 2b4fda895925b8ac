"""The order of rows: empty values first, texts without regard to case, equals by their keys."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cmp_to_key
from typing import Any

from syncd.sandbox.index import Row
from syncd.sandbox.query import Cookie, Order
from syncd.sandbox.store import Rows

__all__ = ["rank", "sort_keys", "sort_rows", "start"]


def sort_keys(keys: list[str], rows: Rows, order: Sequence[Order]) -> None:
    """Sort by the last column first: each later pass keeps the order of equals."""
    for each in reversed(order):
        keys.sort(key=_place(rows, each.at), reverse=each.descending)


def sort_rows(found: list[Row], order: Sequence[Order]) -> None:
    """Sort rows that are in the order of their keys."""

    def by(at: int) -> Callable[[Row], tuple[bool, str]]:
        return lambda row: rank(row[at])

    for each in reversed(order):
        found.sort(key=by(each.at), reverse=each.descending)


def _place(rows: Rows, at: int) -> Callable[[str], tuple[bool, str]]:
    by_key = rows.by_key
    return lambda key: rank(by_key[key][at])


def rank(value: object) -> tuple[bool, str]:
    """Put an empty value before all others, and texts without regard to case."""
    folded = value.casefold() if isinstance(value, str) else value
    return value is not None, folded  # type: ignore[return-value]  # a number compares likewise


def start(keys: list[str], rows: Rows, order: Sequence[Order], cookie: Cookie) -> int:
    """Find where the page after the cookie begins, though the table may have moved since."""

    def compare(left: tuple[list[object], str], right: tuple[list[object], str]) -> int:
        for each, one, other in zip(order, left[0], right[0], strict=True):
            first, second = rank(one), rank(other)
            if first != second:
                return -1 if (first < second) is not each.descending else 1
        return (left[1] > right[1]) - (left[1] < right[1])

    ranked = cmp_to_key(compare)

    def place(key: str) -> Any:
        row = rows.by_key[key]
        return ranked(([row[each.at] for each in order], key))

    return bisect_right(keys, ranked((cookie.values, cookie.key)), key=place)
