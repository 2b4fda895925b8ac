"""Settings from environment variables: `SYNCD_POLICY__LEAD_DAYS=3` is `policy.lead_days = 3`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, SecretStr

from syncd.config import shape
from syncd.config.models import Settings
from syncd.config.person import FieldSettings
from syncd.config.problems import Place, Problem, show

__all__ = ["Overridden", "apply"]

PREFIX = "SYNCD_"
PROGRAM = frozenset({"SYNCD_CONFIG", "SYNCD_NOW"})
"""Variables that the program reads and that are no settings."""

Overridden = tuple[dict[str, Any], dict[Place, str], list[Problem]]
"""The changed configuration, which variable set what, and what could not be set."""


def apply(raw: dict[str, Any], environ: Mapping[str, str]) -> Overridden:
    """
    Lay the environment's settings over those of the file.

    A variable that a secret refers to is not an override. A secret that is set in
    this way becomes a reference to its variable.
    """
    changed = deepcopy(raw)
    origins: dict[Place, str] = {}
    problems: list[Problem] = []
    spoken_for = set(_references(raw))
    for variable in sorted(environ):
        name = variable.upper()
        if not name.startswith(PREFIX) or name in PROGRAM or variable in spoken_for:
            continue
        names = variable[len(PREFIX) :].split("__")
        if len(names) == 1:
            problems += _stray(variable)
            continue
        attempt = deepcopy(changed)
        try:
            place = _set(attempt, names, variable, environ[variable])
        except ValueError as error:
            problems.append(Problem((variable,), str(error)))
        else:
            changed, origins[place] = attempt, variable
    return changed, origins, problems


def _references(raw: object) -> Iterator[str]:
    """Find the names of all variables that secrets refer to."""
    if isinstance(raw, dict):
        if set(raw) == {"env"} and isinstance(raw["env"], str):
            yield raw["env"]
        for each in raw.values():
            yield from _references(each)
    elif isinstance(raw, list):
        for each in raw:
            yield from _references(each)


def _stray(variable: str) -> list[Problem]:
    """Report a variable that looks like a setting's but lacks the double underscore."""
    word = variable.upper()
    if word.removeprefix(PREFIX).lower() in Settings.model_fields:
        return [Problem((variable,), "this is a table; set one of its keys, joined by __")]
    near = get_close_matches(word, _known(), n=1, cutoff=0.9)
    says = f'names no setting; did you mean "{near[0]}"?' if near else ""
    return [Problem((variable,), says)] if near else []


def _known() -> list[str]:
    return [PREFIX + "__".join(path).upper() for path in shape.paths(Settings)]


def _set(raw: dict[str, Any], names: list[str], variable: str, text: str) -> Place:
    """Set one value. Raises ValueError, a sentence, where the names lead to none."""
    kinds: list[Any] = [Settings]
    table: Any = raw
    place: list[str | int] = []
    for depth, name in enumerate(names):
        key = _key(kinds, table, name)
        if key is None:
            raise ValueError(_nowhere(names, depth, kinds, table))
        kinds = shape.below(kinds, str(key), table)
        place.append(key)
        if depth < len(names) - 1:
            if isinstance(table, list) and key == len(table):
                raise ValueError(_nowhere(names, depth, kinds, table))
            table = _entered(table, key, kinds)
    value = _converted(kinds, variable, text)
    if isinstance(table, list) and key == len(table):
        table.append(value)
    else:
        table[key] = value
    return tuple(place)


def _key(kinds: list[Any], table: object, name: str) -> str | int | None:
    """Find the key of a table, or the position in a list, that a part of a variable means."""
    if isinstance(table, list):
        return int(name) if name.isdecimal() and int(name) <= len(table) else None
    if not isinstance(table, dict):
        return None
    chosen = shape.keys(shape.at_table(kinds, table)) or list(table)
    folded = name.lower().replace("-", "_")
    return next((key for key in chosen if key.lower().replace("-", "_") == folded), None)


def _entered(table: Any, key: str | int, kinds: list[Any]) -> Any:
    """Go into a table or list, which is made where the file has none."""
    inner = shape.child(table, key)
    if inner is None:
        lists = shape.model_kinds(kinds) == [] and any(_is_list(each) for each in kinds)
        inner = [] if lists else {}
    elif isinstance(inner, str) and FieldSettings in kinds:
        inner = {"column": inner}
    table[key] = inner
    return inner


def _is_list(kind: object) -> bool:
    return getattr(kind, "__origin__", None) is tuple


def _nowhere(names: list[str], depth: int, kinds: list[Any], table: object) -> str:
    """Say that a part of a variable leads nowhere, and what may have been meant."""
    if isinstance(table, list):
        return f"names no setting; this list has {len(table)} entries, counted from 0"
    known = shape.keys(kinds) or (list(table) if isinstance(table, dict) else [])
    near = get_close_matches(names[depth].upper(), [each.upper() for each in known], n=1)
    word = PREFIX + "__".join([*names[:depth], *near, *names[depth + 1 :]]).upper()
    if near:
        return f'names no setting; did you mean "{word}"?'
    near = get_close_matches(word, _known(), n=1, cutoff=0.75)
    return "names no setting" + (f'; did you mean "{near[0]}"?' if near else "")


def _converted(kinds: list[Any], variable: str, text: str) -> object:
    """Read a text as the setting's type. What is not a text there is read strictly."""
    if SecretStr in kinds:
        return {"env": variable}
    if str in kinds or FieldSettings in kinds:
        return text
    if any(_is_table(each) for each in kinds):
        raise ValueError("names a table or a list; set one of its entries, joined by __")
    if bool in kinds:
        return _bool(text)
    if int in kinds or float in kinds:
        return _number(kinds, text)
    return text


def _is_table(kind: object) -> bool:
    model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return model or getattr(kind, "__origin__", None) in (dict, tuple)


def _bool(text: str) -> bool:
    word = text.strip().lower()
    if word not in {"true", "false"}:
        raise ValueError(f"{show(text)} is not true or false")
    return word == "true"


def _number(kinds: list[Any], text: str) -> int | float:
    try:
        return int(text) if int in kinds or text.strip().lstrip("+-").isdecimal() else float(text)
    except ValueError:
        wanted = "a whole number" if int in kinds else "a number"
        raise ValueError(f"{show(text)} is not {wanted}") from None
