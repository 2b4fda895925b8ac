"""
What the values of an entry say, as cells.

A column is the name of an attribute. Some have a meaning of their own and are written so
that a rule or a person can read them; a suffix after a dot asks for something else:

    dn                           the entry's distinguished name
    objectGUID, objectSid        as people write them; objectGUID.base64 as Entra ID does
    accountExpires               the last day on which the account holds; empty for never
    lastLogonTimestamp, …        a day; empty for never
    whenCreated, hireDate, …     a day, wherever a value is a time of LDAP (20260301080000Z)
    groups                       the names of all groups, nested ones too, where these are read
    userAccountControl.enabled   true unless the account is disabled
    manager.name                 of a distinguished name the first value
    mail.first                   of several values the first in order
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self
from uuid import UUID

from ldap import DECODING_ERROR
from ldap.dn import str2dn

from syncd.core.identity import text
from syncd.core.mapping import PersonMapping

__all__ = ["Columns", "Values", "guid", "own_id", "sid"]

Values = Mapping[str, Sequence[bytes]]
"""The values of an entry by the attributes' names in lower case."""
Decode = Callable[[bytes], object]

TIME = re.compile(rb"(\d{4})(\d{2})(\d{2})\d{6}(?:[.,]\d+)?Z")
"""A time in UTC as LDAP writes it (RFC 4517, Generalized Time)."""
DISABLED = 0x2
"""The bit of userAccountControl ([MS-ADTS])."""
OURS = frozenset({"dn", "groups"})
"""Columns that are no attributes."""
NEVER = (0, 2**63 - 1)
BEGIN = datetime(1601, 1, 1, tzinfo=UTC)
IDS = ("objectguid", "entryuuid", "nsuniqueid", "ibm-entryuuid", "ipauniqueid")
"""Where servers keep an id that stays when an entry is renamed."""


def guid(value: bytes) -> str:
    """Write 16 bytes as a GUID; the first three fields have their low byte first ([MS-DTYP])."""
    return str(UUID(bytes_le=value))


def sid(value: bytes) -> str:
    """Write a security identifier: S-1-5-21-… ([MS-DTYP])."""
    count = value[1]
    if len(value) != 8 + 4 * count:
        raise ValueError("not a security identifier")
    parts = [int.from_bytes(value[at : at + 4], "little") for at in range(8, len(value), 4)]
    return "-".join(map(str, ("S", value[0], int.from_bytes(value[2:8], "big"), *parts)))


def _last_day(value: bytes) -> object:
    """Return the last day of an account that expires at this moment; it holds until then."""
    return _filetime(int(value) - 1) if int(value) not in NEVER else ""


def _day(value: bytes) -> object:
    return _filetime(int(value)) if int(value) not in NEVER else ""


def _filetime(ticks: int) -> str:
    """Return the day of a time in units of 100 ns since 1601 ([MS-DTYP])."""
    return (BEGIN + timedelta(microseconds=ticks // 10)).date().isoformat()


def _plain(value: bytes) -> object:
    """Return a text; a time becomes a day, and what is no text something that fits nowhere."""
    if TIME.fullmatch(value):
        return _time(value)
    return _text(value)


def _time(value: bytes) -> str:
    return date(int(value[:4]), int(value[4:6]), int(value[6:8])).isoformat()


def _text(value: bytes) -> object:
    found = value.decode()
    # A text column of PostgreSQL takes no NUL, and no name of anything holds one.
    if "\0" in found:
        raise ValueError("a NUL character")
    return found


def _enabled(value: bytes) -> object:
    return not int(value) & DISABLED


def _base64(value: bytes) -> object:
    return base64.b64encode(value).decode()


def _name(value: bytes) -> object:
    try:
        return str2dn(value.decode())[0][0][1]
    except (DECODING_ERROR, IndexError):
        raise ValueError("not a distinguished name") from None


BY_ATTRIBUTE: Mapping[str, Decode] = {
    "objectguid": guid,
    "ms-ds-consistencyguid": guid,
    "objectsid": sid,
    "accountexpires": _last_day,
    "lastlogon": _day,
    "lastlogontimestamp": _day,
    "pwdlastset": _day,
    "lockouttime": _day,
}
BY_SUFFIX: Mapping[str, Decode] = {
    "enabled": _enabled,
    "base64": _base64,
    "name": _name,
    "first": _plain,
}


@dataclass(frozen=True, slots=True)
class _Column:
    """One mapped column: where it is, what it means, and whether a list is wanted."""

    name: str
    attribute: str
    decode: Decode
    many: bool
    first: bool

    def cell(self, values: Sequence[bytes]) -> object:
        """Return a value, or a list where one is wanted or there are several; None for nothing."""
        try:
            # In order, because a directory keeps none.
            cells = sorted({each for each in map(self.decode, values) if each != ""}, key=str)
        except (ValueError, OverflowError):
            return {}  # fits no column: whoever has it is held, and the column named
        if self.many:
            return cells
        if len(cells) > 1 and not self.first:
            return cells
        return cells[0] if cells else None


@dataclass(frozen=True, slots=True)
class Columns:
    """Makes the cells of all mapped columns."""

    columns: tuple[_Column, ...]

    @classmethod
    def of(cls, mapping: PersonMapping) -> Self:
        """Read what the columns of a mapping ask for."""
        fields = [
            each for each in (*mapping.standing(), *mapping.attributes.values()) if each is not None
        ]
        many = {text(each.column) for each in fields if each.split is not None}
        raw = {text(each.column) for each in fields if each.format is not None}
        return cls(
            tuple(_column(each, many=each in many, raw=each in raw) for each in mapping.columns())
        )

    def attributes(self) -> list[str]:
        """Return what to ask the directory for; ids always."""
        named = dict.fromkeys(each.attribute for each in self.columns)
        return [*(each for each in named if each not in OURS), *IDS]

    def present(self, known: Collection[str], *, groups: bool) -> list[str]:
        """Return the columns whose attribute the directory knows, or that are made here."""
        there = {*known, "dn", *(["groups"] if groups else [])}
        return [each.name for each in self.columns if each.attribute in there]

    def row(
        self, dn: str, values: Values, groups: Sequence[str] | None = None
    ) -> dict[str, object]:
        """Return the cells of an entry by the columns' names."""
        row: dict[str, object] = {}
        for column in self.columns:
            match column.attribute:
                case "dn":
                    row[column.name] = dn
                case "groups":
                    if groups is not None:
                        row[column.name] = list(groups)
                case name:
                    row[column.name] = column.cell(values.get(name, ()))
        return row


def _column(name: str, *, many: bool, raw: bool) -> _Column:
    attribute, _, suffix = name.lower().partition(".")
    decode = BY_SUFFIX.get(suffix)
    if suffix and decode is None:
        attribute, decode = name.lower(), _text  # there is no such attribute
    if decode is None:
        decode = BY_ATTRIBUTE.get(attribute, _text if raw else _plain)
    return _Column(name, attribute, decode, many, suffix == "first")


def own_id(dn: str, values: Values) -> str:
    """Return the id that an entry keeps when it is renamed; its name where there is none."""
    for name in IDS:
        found = values.get(name)
        if found:
            return guid(found[0]) if name == "objectguid" else found[0].decode(errors="replace")
    return dn.casefold()
