"""From what pydantic found to one sentence for each problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from syncd.config import shape
from syncd.config.models import Settings

__all__ = ["Place", "Problem", "dotted", "problems", "show"]

SHOWN = 60
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where in the configuration."""

    place: Place
    says: str


def dotted(place: Place) -> str:
    """Write a place as `sources.0.path`."""
    return ".".join(str(each) for each in place)


def show(value: object) -> str:
    """Show a value in a sentence: texts quoted and cut, tables and lists by kind only."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"' if len(value) <= SHOWN else f'"{value[:SHOWN]}…"'
        case dict():
            return "a table"
        case list():
            return "a list"
        case None:
            return "nothing"
        case _:
            return str(value)


def _kind(value: object) -> str:
    """Say what a value is without showing it: a text in place of a table may be a secret."""
    return "a text" if isinstance(value, str) else show(value)


def problems(errors: Sequence[ErrorDetails], raw: dict[str, Any]) -> list[Problem]:
    """Translate everything that pydantic found, each place once."""
    found: dict[Place, Problem] = {}
    for error in errors:
        place = _place(error, raw)
        if error["type"] == "too_short" and error["input"]:
            continue  # entries that are wrong were dropped; each has its own problem
        found.setdefault(place, Problem(place, _sentence(error, place, raw)))
    return list(found.values())


def _place(error: ErrorDetails, raw: dict[str, Any]) -> Place:
    """Return where the error is in the file: without the tags that pydantic inserts."""
    place: list[str | int] = []
    kinds: list[Any] = [Settings]
    here: object = raw
    for step in error["loc"]:
        if step == "[key]":
            continue
        below = shape.below(kinds, str(step), here)
        if not below and any(step in shape.tags(each) for each in shape.model_kinds(kinds)):
            continue
        place.append(step)
        kinds, here = below, shape.child(here, step)
    if error["type"].startswith("union_tag"):
        place.append(error["ctx"]["discriminator"].strip("'"))
    return tuple(place)


def _sentence(error: ErrorDetails, place: Place, raw: dict[str, Any]) -> str:
    kind = error["type"]
    if kind == "value_error":
        return _own(error)
    if kind == "extra_forbidden":
        return _unknown(place, raw)
    if kind in OPTIONS:
        return _options(error)
    if kind in TABLES:
        return f"{_kind(error['input'])} is not a table"
    wanted = WANTED.get(kind)
    if wanted is not None:
        return f"{show(error['input'])} is not {wanted}{_quotes(kind, error['input'])}"
    speak = BOUNDS.get(kind)
    if speak is not None:
        return speak(error)
    return "this value cannot be used here"


def _own(error: ErrorDetails) -> str:
    """Use a sentence of ours; those that begin with "is" go on from the value."""
    says = str(error["ctx"]["error"])
    return f"{show(error['input'])} {says}" if says.startswith(("is ", "does ")) else says


def _unknown(place: Place, raw: dict[str, Any]) -> str:
    kinds, table = shape.at(Settings, place[:-1], raw)
    word = str(place[-1])
    free = [each for each in shape.keys(kinds) if each not in _present(table)]
    near = shape.nearest(word, free) or shape.nearest(word, shape.keys(kinds))
    if not near:
        elsewhere = [path for path in shape.paths(Settings) if path[-1] == word]
        shortest = min(elsewhere, key=len, default=())
        near = f'; did you mean "{".".join(shortest)}"?' if shortest else ""
    return f"there is no such setting here{near}"


def _present(table: object) -> set[str]:
    return set(table) if isinstance(table, dict) else set()


OPTIONS = {"enum": "expected", "literal_error": "expected", "union_tag_invalid": "expected_tags"}


def _options(error: ErrorDetails) -> str:
    context = error["ctx"]
    known = re.findall(r"'([^']*)'", str(context[OPTIONS[error["type"]]]))
    value = context["tag"] if error["type"] == "union_tag_invalid" else error["input"]
    near = shape.nearest(value, known) if isinstance(value, str) else ""
    return f"{show(value)} is not one of {', '.join(known)}{near}"


def _quotes(kind: str, value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return "; write it in quotes" if kind == "string_type" and number else ""


WANTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
}
TABLES = frozenset({"dict_type", "model_type", "model_attributes_type"})

BOUNDS: dict[str, Callable[[ErrorDetails], str]] = {
    "missing": lambda _: "is required",
    "union_tag_not_found": lambda _: "is required",
    "too_short": lambda _: "needs at least one entry",
    "string_too_short": lambda _: "must not be empty",
    "too_long": lambda e: f"is too long; at most {e['ctx']['max_length']} characters",
    "greater_than_equal": lambda e: (
        f"{show(e['input'])} is too small; the least is {e['ctx']['ge']:g}"
    ),
    "less_than_equal": lambda e: f"{show(e['input'])} is too large; the most is {e['ctx']['le']:g}",
    "string_pattern_mismatch": lambda e: (
        f"{show(e['input'])} is not a name; use letters, digits, - and _"
    ),
}
