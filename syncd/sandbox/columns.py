"""What a column and a table are: names, types, limits and relations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "INT_HIGH",
    "TEXTUAL",
    "Column",
    "Kind",
    "OnDelete",
    "Table",
    "link",
    "regarding",
    "table",
]

INT_LOW = -(2**31)
INT_HIGH = 2**31 - 1


class Kind(StrEnum):
    """The types that the tables of this sandbox use."""

    GUID = "Uniqueidentifier"
    TEXT = "String"
    MEMO = "Memo"
    TABLE = "EntityName"
    INTEGER = "Integer"
    VERSION = "BigInt"
    DECIMAL = "Decimal"
    BOOLEAN = "Boolean"
    CHOICE = "Picklist"
    STATE = "State"
    STATUS = "Status"
    DATETIME = "DateTime"
    DATE = "Date"
    LOOKUP = "Lookup"


TEXTUAL = frozenset({Kind.TEXT, Kind.MEMO, Kind.TABLE})
"""The kinds whose values are texts."""


class OnDelete(StrEnum):
    """What happens to a row when the row that it points at is deleted."""

    NO_CASCADE = "NoCascade"
    REMOVE_LINK = "RemoveLink"
    CASCADE = "Cascade"


@dataclass(frozen=True, slots=True)
class Column:
    """
    One column.

    `read` is its name in answers, filters and world files; `aliases` are further names that are
    understood there. `nav` is the name in `@odata.bind`, `collection` the parent's name for the
    children. `required` means SystemRequired: never null once the row is there. A lookup that may
    name rows of several tables has `targets` instead of `target`, and for each of them a
    navigation property `<name>_<target>`.
    """

    name: str
    kind: Kind
    read: str
    create: bool = True
    update: bool = True
    required: bool = False
    default: object = None
    max_length: int = 0
    low: int = INT_LOW
    high: int = INT_HIGH
    options: Mapping[int, str] = field(default_factory=dict)
    target: str | None = None
    nav: str | None = None
    collection: str | None = None
    on_delete: OnDelete = OnDelete.NO_CASCADE
    aliases: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One table. Rows are tuples in the order of `columns`; the position 0 holds the key."""

    name: str
    set_name: str
    key: str
    columns: tuple[Column, ...]
    positions: Mapping[str, int]
    """Position by the name in answers and filters, aliases included."""
    plain: Mapping[str, int]
    """Position by the name in a request's body, for columns that are not bound."""
    navs: Mapping[str, int]
    """Position of a lookup by its navigation property."""
    defaults: tuple[object, ...]
    version: int
    """Position of versionnumber, as those below: -1 where the table has no such column."""
    created_on: int
    modified_on: int
    created_by: int
    modified_by: int
    state: int
    status: int
    unique: tuple[int, ...] = ()
    """Positions that together are unique: the pair of an intersection."""
    derived: bool = False
    """Its rows follow from what the sandbox is: no world holds them, and nobody keeps them."""

    @property
    def key_column(self) -> Column:
        """The primary key's column."""
        return self.columns[0]


def link(
    name: str,
    target: str,
    nav: str,
    on_delete: OnDelete = OnDelete.NO_CASCADE,
    *,
    writable: bool = True,
    collection: str | None = None,
    default: object = None,
) -> Column:
    """Describe a lookup, which is read as `_<name>_value`."""
    return Column(
        name,
        Kind.LOOKUP,
        f"_{name}_value",
        create=writable,
        update=writable,
        target=target,
        nav=nav,
        on_delete=on_delete,
        collection=collection,
        default=default,
    )


def regarding(
    name: str,
    targets: tuple[str, ...],
    collection: str,
    on_delete: OnDelete = OnDelete.NO_CASCADE,
) -> Column:
    """Describe a lookup to rows of several tables, whose children are `<target>_<collection>`."""
    return Column(
        name,
        Kind.LOOKUP,
        f"_{name}_value",
        on_delete=on_delete,
        collection=collection,
        targets=targets,
    )


def table(
    name: str,
    set_name: str,
    columns: tuple[Column, ...],
    *,
    unique: tuple[str, ...] = (),
    derived: bool = False,
) -> Table:
    """Put a table together; its first column is the primary key."""
    positions = {column.read: at for at, column in enumerate(columns)}
    for at, column in enumerate(columns):
        positions |= dict.fromkeys(column.aliases, at)
    names = {column.name: at for at, column in enumerate(columns)}
    navs = {c.nav: at for at, c in enumerate(columns) if c.nav is not None}
    for at, column in enumerate(columns):
        navs |= {f"{column.name}_{target}": at for target in column.targets}
    has_state = any(column.kind is Kind.STATE for column in columns)
    return Table(
        name,
        set_name,
        columns[0].name,
        columns,
        positions,
        {c.name: at for at, c in enumerate(columns) if c.nav is None and not c.targets},
        navs,
        tuple(column.default for column in columns),
        names["versionnumber"],
        names.get("createdon", -1),
        names.get("modifiedon", -1),
        names.get("createdby", -1),
        names.get("modifiedby", -1),
        names["statecode"] if has_state else -1,
        names["statuscode"] if has_state else -1,
        tuple(names[part] for part in unique),
        derived=derived,
    )
