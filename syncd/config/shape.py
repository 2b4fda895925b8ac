"""What may stand where in a configuration, read off the settings models."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = [
    "at",
    "at_table",
    "below",
    "child",
    "fields",
    "keys",
    "model_kinds",
    "nearest",
    "paths",
    "tags",
    "variants",
]

TAGS = ("type", "method")
"""The keys by which a table says which of several models it is."""


def variants(annotation: Any) -> list[Any]:
    """Return what a value of this annotation may be, without None and decoration."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return variants(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [kind for each in get_args(annotation) for kind in variants(each)]
    return [] if annotation is type(None) else [annotation]


def model_kinds(kinds: Iterable[Any]) -> list[type[BaseModel]]:
    """Return those of the kinds that are tables with known keys."""
    return [each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)]


def fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by the name that stands in the file."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def tags(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the values of `type` or `method` that choose this model."""
    for name in TAGS:
        info = model.model_fields.get(name)
        if info is not None and get_origin(info.annotation) is Literal:
            return get_args(info.annotation)
    return ()


def below(kinds: Sequence[Any], key: str, raw: object = None) -> list[Any]:
    """Return what may stand under a key; *raw*, the table itself, narrows a choice of models."""
    found: list[Any] = []
    for kind in at_table(kinds, raw):
        args = get_args(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            info = fields(kind).get(key)
            found += variants(info.annotation) if info is not None else []
        elif get_origin(kind) is dict:
            found += variants(args[1])
        elif get_origin(kind) is tuple and key.isdecimal():
            found += variants(args[0])
    return found


def at(root: type[BaseModel], path: Sequence[str | int], raw: object) -> tuple[list[Any], object]:
    """Return what may stand at a path of a configuration, and what does."""
    kinds: list[Any] = [root]
    for key in path:
        kinds = below(kinds, str(key), raw)
        raw = child(raw, key)
    return at_table(kinds, raw), raw


def child(raw: object, key: str | int) -> object:
    """Return what stands under a key or a position, None if nothing does."""
    if isinstance(raw, dict):
        return raw.get(key)
    if isinstance(raw, list) and str(key).isdecimal() and int(key) < len(raw):
        return raw[int(key)]
    return None


def keys(kinds: Iterable[Any]) -> list[str]:
    """Return the keys that tables of these kinds have."""
    return list(dict.fromkeys(name for model in model_kinds(kinds) for name in fields(model)))


def paths(kind: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Walk all settings of a kind; NAME and N stand for what the operator chooses."""
    for model in model_kinds(variants(kind)):
        for name, info in fields(model).items():
            yield (*path, name)
            for each in variants(info.annotation):
                inner = get_args(each)
                if get_origin(each) is dict:
                    yield from paths(inner[1], (*path, name, "NAME"))
                elif get_origin(each) is tuple:
                    yield from paths(inner[0], (*path, name, "N"))
                else:
                    yield from paths(each, (*path, name))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a suggestion to add to a sentence, empty where nothing is near."""
    by_fold = {each.lower(): each for each in known}
    found = get_close_matches(word.lower(), by_fold, n=1)
    return f'; did you mean "{by_fold[found[0]]}"?' if found else ""


def at_table(kinds: Sequence[Any], raw: object) -> list[Any]:
    """Return those of the kinds that a table can be, going by its `type` or `method`."""
    if not isinstance(raw, dict):
        return list(kinds)
    chosen = [raw.get(name) for name in TAGS]
    fitting = [each for each in model_kinds(kinds) if set(tags(each)) & {*map(str, chosen)}]
    return fitting or list(kinds)
