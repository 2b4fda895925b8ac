"""`$apply`: groups and sums, over no more rows than the platform takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from syncd.sandbox import errors
from syncd.sandbox.columns import Table
from syncd.sandbox.expansion import pieces
from syncd.sandbox.filters import parse
from syncd.sandbox.literals import position
from syncd.sandbox.metadata import query_options
from syncd.sandbox.ordering import rank
from syncd.sandbox.store import Row, Rows, Store

__all__ = ["MOST", "limited", "page"]

MOST = 50_000
"""Rows that an aggregate may be made of (dataverse-web-api.md section 1.4)."""
STEP = re.compile(r"(filter|groupby|aggregate)\((.*)\)", re.DOTALL)
GROUPS = re.compile(r"\(([^()]*)\)(?:,(aggregate\(.*\)))?", re.DOTALL)
COUNT = re.compile(r"\$count as (\w+)")
MEASURE = re.compile(r"(\w+) with (sum|min|max|average|countdistinct) as (\w+)")
OPTIONS = frozenset({"$apply", "$filter", "$orderby", "$top"})


@dataclass(frozen=True, slots=True)
class Measure:
    """A value computed from the rows of a group, and what it is called."""

    alias: str
    compute: Callable[[Sequence[Row]], Any]


def page(store: Store, rows: Rows, query: str, base: str) -> bytes:
    """Return the JSON of an aggregate. Raises Refused: syntax, columns, more than 50,000 rows."""
    options = query_options(query)
    for name in options:
        if name not in OPTIONS and not name.startswith("@"):
            raise errors.query(f"The query option '{name}' does not go with $apply.")
    tests = [options["$filter"]] if "$filter" in options else []
    groups: list[int] = []
    measures: list[Measure] = []
    for step in pieces(options.get("$apply", ""), "/"):
        match = STEP.fullmatch(step.strip())
        if match is None:
            raise errors.query(f"Syntax error in $apply near '{step[:80]}'.")
        if match[1] == "filter":
            tests.append(match[2])
        elif match[1] == "aggregate":
            measures = _measures(rows.table, match[2])
        else:
            groups, measures = _grouped(rows.table, match[2])
    found = limited(store, rows, tests, options)
    value = _sorted(_computed(rows.table, found, groups, measures), options.get("$orderby"))
    names = [rows.table.columns[at].read for at in groups] + [each.alias for each in measures]
    context = f"{base}/$metadata#{rows.table.set_name}({','.join(names)})"
    top = options.get("$top", str(len(value)))
    if not top.isdigit():
        raise errors.query(f"Invalid value '{top}' for $top: a whole number is expected.")
    return msgspec.json.encode({"@odata.context": context, "value": value[: int(top)]})


def limited(store: Store, rows: Rows, tests: Sequence[str], aliases: dict[str, str]) -> list[Row]:
    """Return the rows that pass all filters. Raises Refused for more than 50,000."""
    passing = rows.index.after(None)
    for text in tests:
        passing = filter(parse(store, rows, text, aliases).test, passing)
    found = list(islice(passing, MOST + 1))
    if len(found) > MOST:
        raise errors.Refused(
            400,
            "0x8004e023",
            "The maximum record limit is exceeded. Reduce the number of records.",
        )
    return found


def _grouped(table: Table, text: str) -> tuple[list[int], list[Measure]]:
    match = GROUPS.fullmatch(text.strip())
    if match is None:
        raise errors.query(f"Syntax error in groupby near '{text[:80]}'.")
    groups = [position(table, name.strip()) for name in match[1].split(",")]
    inner = match[2]
    return groups, _measures(table, inner[len("aggregate(") : -1]) if inner else []


def _measures(table: Table, text: str) -> list[Measure]:
    return [_measure(table, piece.strip()) for piece in pieces(text, ",")]


def _measure(table: Table, text: str) -> Measure:
    count, measure = COUNT.fullmatch(text), MEASURE.fullmatch(text)
    if count is not None:
        return Measure(count[1], len)
    if measure is None:
        raise errors.query(f"Syntax error in aggregate near '{text[:80]}'.")
    return Measure(measure[3], _computation(position(table, measure[1]), measure[2]))


def _computation(at: int, kind: str) -> Callable[[Sequence[Row]], Any]:
    def compute(rows: Sequence[Row]) -> Any:
        values: list[Any] = [row[at] for row in rows if row[at] is not None]
        match kind:
            case "countdistinct":
                return len(set(values))
            case "sum":
                return sum(values)
            case "average":
                return sum(values) / len(values) if values else None
            case "min":
                return min(values, key=rank, default=None)
            case _:
                return max(values, key=rank, default=None)

    return compute


def _computed(
    table: Table, rows: Sequence[Row], groups: Sequence[int], measures: Sequence[Measure]
) -> list[dict[str, Any]]:
    if not groups:
        return [{each.alias: each.compute(rows) for each in measures}]
    members: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        members.setdefault(tuple(row[at] for at in groups), []).append(row)
    names = [table.columns[at].read for at in groups]
    return [
        dict(zip(names, values, strict=True))
        | {each.alias: each.compute(found) for each in measures}
        for values, found in members.items()
    ]


def _sorted(value: list[dict[str, Any]], text: str | None) -> list[dict[str, Any]]:
    for part in reversed((text or "").split(",")):
        name, *direction = part.split() or [""]
        if name and value and name not in value[0]:
            raise errors.query(f"'{name}' is not in the result and cannot order it.")
        if name:
            value.sort(key=_by(name), reverse=direction == ["desc"])
    return value


def _by(name: str) -> Callable[[dict[str, Any]], tuple[bool, str]]:
    return lambda row: rank(row[name])
