"""Users read with further columns: those that `usermapping` names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from syncd.core.hints import Hint

__all__ = ["with_hints"]

User = TypeVar("User", bound=msgspec.Struct)
Pairs = tuple[tuple[str, str], ...]


def with_hints(
    base: type[User], hints: Sequence[Hint]
) -> tuple[type[User], list[str], Callable[[User], Pairs]]:
    """
    Return *base* with the columns of *hints*, their names, and what tells a row's hints.

    A hint's value is that of its first column that is not empty.
    """
    columns = list(dict.fromkeys(column for hint in hints for column in hint.columns))
    names = {each.encode_name: each.name for each in msgspec.structs.fields(base)}
    further = {c: f"further_{n}" for n, c in enumerate(columns) if c not in names}
    empty: Any = [
        (name, str | None, msgspec.field(name=column, default=None))
        for column, name in further.items()
    ]
    kind: Any = msgspec.defstruct("User", empty, bases=(base,), gc=False)
    names |= further
    places = [(hint.field, [names[column] for column in hint.columns]) for hint in hints]

    def pairs(row: User) -> Pairs:
        found = ((field, _first(row, attributes)) for field, attributes in places)
        return tuple((field, value) for field, value in found if value)

    return kind, columns, pairs


def _first(row: msgspec.Struct, names: Sequence[str]) -> str:
    return next((str(value) for name in names if (value := getattr(row, name))), "")
