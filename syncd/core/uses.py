"""What syncd uses of an environment's tables, and what metadata says is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Column", "ColumnFound", "KeyFound", "Lookup", "Right", "TableFound", "TableUse"]


@dataclass(frozen=True, slots=True)
class Column:
    """
    A column that syncd reads or writes, by its logical name.

    `types` are the members of AttributeTypeCode that it can work with; `created` and
    `updated` say that it is written then; `length` is how many characters it writes at most.
    """

    name: str
    types: frozenset[str]
    created: bool = False
    updated: bool = False
    length: int = 0


@dataclass(frozen=True, slots=True)
class Lookup:
    """A lookup that syncd sets: `nav` is its case-sensitive name in `@odata.bind` and `$ref`."""

    column: str
    nav: str
    target: str


@dataclass(frozen=True, slots=True)
class Right:
    """
    A privilege on the rows of a table: its type as metadata names it, and what is lost without.

    Less than organization-wide is a failure where it must reach `everywhere`, else a warning.
    """

    kind: str
    loss: str
    everywhere: bool = True


@dataclass(frozen=True, slots=True)
class TableUse:
    """
    A table that syncd uses, by its logical name.

    `versions` says that changes rely on optimistic concurrency, `tracked` that reads gain
    from change tracking. Where a table is not `vital`, what is wrong with it is a warning.
    """

    name: str
    entity_set: str
    key: str
    columns: tuple[Column, ...]
    lookups: tuple[Lookup, ...] = ()
    rights: tuple[Right, ...] = ()
    versions: bool = False
    tracked: bool = False
    vital: bool = True


@dataclass(frozen=True, slots=True)
class ColumnFound:
    """A column as metadata describes it; `length` only of texts."""

    name: str
    type: str
    create: bool = True
    update: bool = True
    read: bool = True
    length: int | None = None


@dataclass(frozen=True, slots=True)
class KeyFound:
    """An alternate key: the columns that together are unique once its index is Active."""

    columns: tuple[str, ...]
    status: str


@dataclass(frozen=True, slots=True)
class TableFound:
    """
    A table as metadata describes it.

    `navs` maps a lookup's column to its navigation names, each with the table that it leads
    to; `privileges` a privilege's type to its name, `privilege_ids` that name to its id.
    """

    name: str
    display: str
    entity_set: str
    key: str
    type: str
    versions: bool
    tracked: bool
    columns: Mapping[str, ColumnFound]
    navs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    keys: tuple[KeyFound, ...] = ()
    privileges: Mapping[str, str] = field(default_factory=dict)
    privilege_ids: Mapping[str, str] = field(default_factory=dict)

    def depth(self, kind: str, held: Mapping[str, str]) -> str | None:
        """
        Return how far a privilege on this table reaches, None if it is not *held*.

        It is looked for by its id, too: what is held may come without names.
        """
        name = self.privileges[kind]
        return held.get(name.lower()) or held.get(self.privilege_ids.get(name, ""))
