"""The reference of all settings, written from their models: config/README.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from syncd.config import shape
from syncd.config.models import Settings
from syncd.config.person import FieldSettings
from syncd.config.values import written

__all__ = ["reference_markdown"]

HEAD = """\
# Settings

One TOML file, named by `syncd -c FILE` or `SYNCD_CONFIG`. [reference.toml](reference.toml) shows
every setting with comments, [demo.toml](demo.toml) is what the demo uses, and
[production.toml](production.toml) is a small start for production.

- Only `environments`, `sources` and `rules` must be given; everything else has the default below.
- Unknown keys, wrong types and contradictions are errors, reported all at once:
  `syncd check-config`.
- Any single value can be set by an environment variable instead: `SYNCD_POLICY__LEAD_DAYS=3`,
  `SYNCD_ENVIRONMENTS__CONTOSO__URL=…`; entries of lists by position, `SYNCD_SOURCES__0__PATH=…`.
- A duration is a number with `s`, `m`, `h` or `d`. A path is relative to the configuration file.
- A secret is a reference, `{ env = "NAME" }` or `{ file = "path" }`, never the value itself.
- `syncd check-config --schema` prints a JSON Schema for editors.

This page is written from the program: `python -m syncd.config.reference > config/README.md`.
"""


def reference_markdown() -> str:
    """Write the reference as Markdown: a table for each section of the file."""
    sections = [_section(*each) for each in dict.fromkeys(_sections(Settings, "", listed=False))]
    return "\n".join([HEAD, *sections, _table("A column", "", FieldSettings)])


def _sections(
    model: type[BaseModel], path: str, *, listed: bool
) -> Iterator[tuple[type[BaseModel], str, bool]]:
    """Walk the models as sections of the file; each is described once."""
    if path:
        yield model, path, listed
    for name, info in shape.fields(model).items():
        if name == "policy" and path:
            continue  # the keys of [policy], described there
        for inner, below, many in _inner(info, f"{path}.{name}".lstrip(".")):
            yield from _sections(inner, below, listed=many)


def _inner(info: FieldInfo, path: str) -> Iterator[tuple[type[BaseModel], str, bool]]:
    for kind in shape.variants(info.annotation):
        args = get_args(kind)
        if get_origin(kind) is dict:
            models, path_below, many = shape.variants(args[1]), f"{path}.NAME", False
        elif get_origin(kind) is tuple:
            models, path_below, many = shape.variants(args[0]), path, True
        else:
            models, path_below, many = [kind], path, False
        for each in shape.model_kinds(models):
            if each is not FieldSettings:
                yield each, path_below, many


def _section(model: type[BaseModel], path: str, listed: bool) -> str:  # noqa: FBT001  # from _sections
    tags = ", ".join(f"`{each}`" for each in shape.tags(model))
    brackets = f"`[[{path}]]`" if listed else f"`[{path}]`"
    return _table(brackets, tags, model)


def _table(title: str, tags: str, model: type[BaseModel]) -> str:
    rows = [_row(name, info) for name, info in shape.fields(model).items()]
    return "\n".join(
        [
            f"## {title}" + (f": {tags}" if tags else ""),
            "",
            " ".join(str(model.__doc__).split()),
            "",
            "| key | type | default | meaning |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _row(name: str, info: FieldInfo) -> str:
    cells = (f"`{name}`", _type(info), _default(info), str(info.description))
    return "| " + " | ".join(each.replace("|", "\\|") for each in cells) + " |"


def _type(info: FieldInfo) -> str:
    if _takes_reference_or_text(info):
        return "address or secret"
    kinds = list(dict.fromkeys(_kind(each) for each in shape.variants(info.annotation)))
    return " or ".join(kinds) + _bounds(info)


def _takes_reference_or_text(info: FieldInfo) -> bool:
    inputs = [getattr(each, "json_schema_input_type", None) for each in _metadata(info)]
    secret = SecretStr in shape.variants(info.annotation)
    return secret and any(str in get_args(each) for each in inputs)


def _metadata(info: FieldInfo) -> list[object]:
    """Return what decorates the annotation, also where it is one of several kinds."""
    inner = [
        each for part in get_args(info.annotation) for each in getattr(part, "__metadata__", ())
    ]
    return [*info.metadata, *inner]


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(kind))
    if get_origin(kind) is tuple:
        return "list of " + " or ".join(map(_kind, shape.variants(get_args(kind)[0])))
    if get_origin(kind) is dict:
        return "table"
    if issubclass(kind, Enum):
        return ", ".join(f"`{each.value}`" for each in kind)
    if kind is FieldSettings:
        return "column"
    return "table" if issubclass(kind, BaseModel) else NAMES[kind]


NAMES: dict[type, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    date: "date",
    timedelta: "duration",
    Path: "path",
    SecretStr: "secret",
}


def _bounds(info: FieldInfo) -> str:
    least, most = (
        next((getattr(each, name) for each in _metadata(info) if hasattr(each, name)), None)
        for name in ("ge", "le")
    )
    return f", {least} to {most}" if least is not None and most is not None else ""


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = None if info.default_factory is not None else info.default
    return "" if value is None else f"`{_toml(value)}`"


def _toml(value: object) -> str:
    """Write a value as it stands in the file."""
    match value:
        case bool():
            return "true" if value else "false"
        case timedelta():
            return f'"{written(value)}"'
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case str():
            return f'"{value}"'
    return str(value)


if __name__ == "__main__":
    sys.stdout.write(reference_markdown())
