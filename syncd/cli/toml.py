"""Write settings as TOML: values first, then tables, each under its dotted name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["written"]

BARE = re.compile(r"[A-Za-z0-9_-]+")


def written(document: Mapping[str, Any]) -> str:
    """Return a document, which has no nulls, as the text of a TOML file."""
    return "\n".join(_table(document, ())).strip() + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    for key, value in table.items():
        if not _is_section(value):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in table.items():
        name = ".".join(_key(part) for part in (*path, key))
        if isinstance(value, Mapping):
            if not value or any(not _is_section(each) for each in value.values()):
                yield from ("", f"[{name}]")
            yield from _table(value, (*path, key))
        elif _is_section(value):
            for entry in value:
                yield from ("", f"[[{name}]]")
                yield from _table(entry, (*path, key))


def _is_section(value: Any) -> bool:
    """Whether a value has a heading of its own: a table, or a list of nothing but tables."""
    listed = isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value)
    return isinstance(value, Mapping) or bool(listed)


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case Mapping():
            inner = ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items())
            return f"{{ {inner} }}"
    return str(value)


def _text(text: str) -> str:
    # JSON writes everything that TOML wants escaped in the way TOML wants it, but for this one.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
