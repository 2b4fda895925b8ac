"""Which properties of users are asked for, and how a user becomes a row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncd.core.cells import Field, Type
from syncd.core.identity import text
from syncd.core.mapping import PersonMapping

__all__ = ["GROUPS", "Columns", "columns_of"]

GROUPS = "groups"
"""The column with the groups that somebody is in."""
PARTS = {
    "employeeOrgData": ("costCenter", "division"),
    "onPremisesExtensionAttributes": tuple(f"extensionAttribute{n}" for n in range(1, 16)),
}
"""Properties that are objects: a column is one of their parts (identity-and-sources.md 2.4)."""
NEVER = "0001-01-01"
"""What stands for no day in some properties."""
_moment = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z").fullmatch


@dataclass(frozen=True, slots=True)
class Columns:
    """
    What is asked for. `names` are the mapped columns that users can have.

    `absent` says that some mapped column cannot be, and `days` are columns in which a
    moment stands for its day.
    """

    names: tuple[str, ...]
    select: tuple[str, ...]
    days: frozenset[str]
    groups: bool

    def row(self, user: Mapping[str, object], groups: Sequence[str]) -> dict[str, object]:
        """Return what a user has in each column."""
        row: dict[str, object] = {}
        for name in self.names:
            whole, _, part = name.partition(".")
            cell = user.get(whole)
            if part:
                cell = cell.get(part) if isinstance(cell, dict) else None
            row[name] = _day(cell) if name in self.days else cell
        if self.groups:
            row[GROUPS] = list(groups)
        return row

    def present(self) -> list[str]:
        """Return every column that there can be, parts of objects too."""
        parts = [f"{whole}.{part}" for whole in PARTS for part in PARTS[whole]]
        return [*self.names, *parts, *([GROUPS] if self.groups else [])]


def columns_of(mapping: PersonMapping, *, groups: bool) -> Columns:
    """Return the columns of a mapping; *groups* says whether some are asked about."""
    mapped = mapping.columns()
    names = tuple(name for name in mapped if name != GROUPS and _possible(name))
    wholes = [name.partition(".")[0] for name in names]
    return Columns(
        names=names,
        select=tuple(dict.fromkeys(["id", "userType", *wholes])),
        days=_days(mapping),
        groups=groups and GROUPS in mapped,
    )


def _possible(name: str) -> bool:
    whole, dot, part = name.partition(".")
    return part in PARTS.get(whole, ()) if dot else whole not in PARTS


def _days(mapping: PersonMapping) -> frozenset[str]:
    """Return the columns that are read as days only, and for which no format is given."""
    fields = [each for each in mapping.standing() if each is not None]
    fields += mapping.attributes.values()
    others = {text(each.column) for each in fields if not _plain_day(each)}
    return frozenset(text(each.column) for each in fields if _plain_day(each)) - others


def _plain_day(field: Field) -> bool:
    return field.type is Type.DATE and field.format is None


def _day(cell: object) -> object:
    """Cut a moment to its day, in UTC as all days are."""
    if not isinstance(cell, str) or _moment(cell) is None:
        return cell
    day = cell[:10]
    return None if day == NEVER else day
