"""`$apply`: groups and sums."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.sandbox.door import ADA, BO, CREW, DEPOT, ROWS, Door, refused, sandbox_of


def many(number: int) -> Door:
    """Return a sandbox with so many rows: every third of Ada, none of a profile but two."""
    return Door(
        sandbox_of({
            ROWS: [
                {
                    "_systemuserid_value": ADA if at % 3 == 0 else BO,
                    "_mobileofflineprofileid_value": (CREW, DEPOT, None)[at % 3],
                    "importsequencenumber": at,
                }
                for at in range(number)
            ]
        })
    )  # fmt: skip


def applied(door: Door, text: str, more: str = "") -> list[dict[str, Any]]:
    """Return the result of `$apply`."""
    return list(door.get(f"{ROWS}?$apply={quote(text)}{more}")["value"])


def test_rows_are_counted_by_group() -> None:
    """The query of section 1.4; an empty lookup is a group of its own."""
    found = applied(many(10), "groupby((_mobileofflineprofileid_value),aggregate($count as n))")

    assert {row["_mobileofflineprofileid_value"]: row["n"] for row in found} == {
        CREW: 4,
        DEPOT: 3,
        None: 3,
    }


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("aggregate($count as n)", {"n": 10}),
        ("aggregate(importsequencenumber with sum as total)", {"total": 45}),
        ("aggregate(importsequencenumber with max as top,importsequencenumber with min as low)",
         {"top": 9, "low": 0}),
        ("aggregate(importsequencenumber with average as mean)", {"mean": 4.5}),
        ("aggregate(_systemuserid_value with countdistinct as users)", {"users": 2}),
        ("filter(importsequencenumber lt 4)/aggregate($count as n)", {"n": 4}),
    ],
)  # fmt: skip
def test_values_are_computed(text: str, row: dict[str, object]) -> None:
    """Over all rows, or over those that pass a filter."""
    assert applied(many(10), text) == [row]


def test_groups_without_measures_are_distinct_values() -> None:
    """And they can be ordered and cut."""
    groups = "groupby((_systemuserid_value,_mobileofflineprofileid_value),aggregate($count as n))"
    door = many(10)

    first = applied(door, groups, "&$orderby=n%20desc&$top=1")

    assert len(applied(door, "groupby((_systemuserid_value))")) == 2
    assert first == [{"_systemuserid_value": ADA, "_mobileofflineprofileid_value": CREW, "n": 4}]


def test_no_aggregate_is_made_of_more_than_fifty_thousand_rows() -> None:
    """It is refused with its code; a filter brings it below."""
    door = many(50_001)
    count = "aggregate($count as n)"

    answer = door.send("GET", f"{ROWS}?$apply={quote(count)}")

    assert refused(answer) == (400, "0x8004e023")
    assert applied(door, f"filter(importsequencenumber lt 50000)/{count}") == [{"n": 50_000}]


@pytest.mark.parametrize(
    "query",
    [
        "$apply=groupby(name)",
        "$apply=groupby((nope))",
        "$apply=aggregate(name with sum as)",
        "$apply=sort(name)",
        "$apply=",
        "$apply=aggregate($count as n)&$select=name",
        "$apply=groupby((name))&$orderby=nope",
        "$apply=groupby((name))&$top=x",
    ],
)
def test_what_cannot_be_applied_is_an_error(query: str) -> None:
    """Syntax, columns, options."""
    door = many(3)

    assert refused(door.send("GET", f"{ROWS}?{query.replace(' ', '%20')}")) == (400, "0x80060888")
