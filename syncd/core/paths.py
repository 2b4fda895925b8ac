"""Columns as paths into JSON objects: `name.familyName`, `emails[type eq "work"].value`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["MISSING", "Path", "compile_path"]

MISSING = object()
"""What a path leads to where nothing is."""
_urn = re.compile(r"(urn:[^\[\"]+):([^:\[]+(?:\[.*)?)", re.IGNORECASE | re.DOTALL).fullmatch
_step = re.compile(
    r"""([^.\[\]"]+)
        (?:\[\s*([^.\[\]"\s]+)\s+[eE][qQ]\s+(?:"((?:[^"\\]|\\["\\])*)"|(true|false|-?\d+))\s*\])?
        (?:\.|$)""",
    re.VERBOSE,
).match


@dataclass(frozen=True, slots=True)
class Step:
    """One name, and of the entries of a list only those whose *where* equals *value*."""

    name: str
    where: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """
    The way from an object to a value.

    A name stands for the value under it. From a list the next name takes what each entry
    has, as a list; with `[type eq "work"]` behind its name only the entry that fits, the
    one that is `primary` first. Names are compared exactly, and without regard to case
    where that finds nothing.
    """

    steps: tuple[Step, ...]

    @property
    def first(self) -> str:
        """The name of the value in the object itself."""
        return self.steps[0].name

    def value(self, found: object) -> object:
        """Return what is there, MISSING where nothing is."""
        for step in self.steps:
            found = _follow(found, step)
            if found is MISSING:
                return MISSING
        return found


def compile_path(text: str) -> Path:
    """
    Read a path; an attribute of a SCIM extension begins with the name of its schema.

    Raises ValueError, the end of a sentence.
    """
    schema = _urn(text)
    steps = [Step(schema[1])] if schema else []
    rest = schema[2] if schema else text
    place = 0
    while place < len(rest):
        step = _step(rest, place)
        if step is None or (step.end() == len(rest) and rest.endswith(".")):
            break
        name, where, quoted, plain = step.groups()
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain or ""
        steps.append(Step(name, where or "", value))
        place = step.end()
    if not rest or place < len(rest) or rest.endswith("."):
        raise ValueError(
            'is not a path; write names with dots between, such as "name.familyName" or '
            "'emails[type eq \"work\"].value'"
        )
    return Path(tuple(steps))


def _follow(found: object, step: Step) -> object:
    match found:
        case dict():
            inner = _under(found, step.name)
            if not step.where:
                return inner
            entries = inner if isinstance(inner, list) else [inner]
            fitting = [each for each in entries if isinstance(each, dict) and _fits(each, step)]
            return _chosen(fitting)
        case list():
            inner = [_follow(each, step) for each in found]
            return [each for each in inner if each is not MISSING and each is not None]
        case _:
            return MISSING


def _under(found: Mapping[str, object], name: str) -> object:
    try:
        return found[name]
    except KeyError:
        folded = name.lower()
        return next((each for key, each in found.items() if key.lower() == folded), MISSING)


def _fits(entry: Mapping[str, object], step: Step) -> bool:
    value = _under(entry, step.where)
    if isinstance(value, bool):
        return step.value == ("true" if value else "false")
    return str(value).lower() == step.value.lower() and value is not MISSING


def _chosen(entries: list[dict[str, object]]) -> object:
    primary = [each for each in entries if _under(each, "primary") is True]
    return next(iter(primary or entries), MISSING)
