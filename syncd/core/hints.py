"""
What rows of `usermapping` say about which user column is somebody's identity.

A row maps no single user. It says for the whole organization: claims of this type are
taken from that column of the user row (domain.md section 10). Read so, it is one more
way to find a person's user; where rows leave open which column is meant, none is used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from syncd.core.identity import guid, login, text

__all__ = ["FIELDS", "FORMS", "SHAREPOINT", "Claim", "Declared", "Hint", "Hints", "Usable", "glean"]

SHAREPOINT = 0
"""The partner application whose rows count; the other one, Exchange, is internal."""


class Claim(StrEnum):
    """Types of claims that are known by several names."""

    EMAIL = "email"
    UPN = "upn"
    PUID = "puid"

    @classmethod
    def of(cls, claim: str) -> str:
        """Return the one name of a claim type; an unknown one is its own, whatever its case."""
        name = text(claim).casefold()
        for each, names, ending in NAMES:
            if name in names or name.endswith(ending):
                return each
        return name


NAMES = (
    (Claim.EMAIL, frozenset({"smtp", "email"}), "/emailaddress"),
    (Claim.UPN, frozenset({"upn"}), "/upn"),
    (Claim.PUID, frozenset({"puid", "nameid", "nameidentifier"}), "/nameidentifier"),
)
FIELDS: Mapping[str, str] = MappingProxyType({Claim.EMAIL: "mail", Claim.UPN: "user_name"})
"""What a person says for a claim, where the configuration names nothing else."""
BUILT_IN: Mapping[str, str] = MappingProxyType(
    {Claim.EMAIL: "windowsliveid", Claim.PUID: "userpuid"}
)
"""The column of the claim that the platform sends for a user whose named column is empty."""
FORMS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"object_id": guid, "employee_id": text, "user_name": login, "mail": login}
)
"""The normal form in which a person has each field (behaviour.md section 3)."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A row as it was read; its columns are free text and may be misspelt or empty."""

    id: str
    application: int | None
    claim: str | None
    column: str | None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """What a person says as *field* stands in *column* of the user, or else in *instead*."""

    field: str
    column: str
    instead: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the user that are read for it."""
        return (self.column,) if self.instead is None else (self.column, self.instead)

    def __str__(self) -> str:
        return f"{self.field}={'/'.join(self.columns)}"


@dataclass(frozen=True, slots=True)
class Hints:
    """The hints that may be used, and a sentence for every row or pair of rows that may not."""

    used: tuple[Hint, ...] = ()
    remarks: tuple[str, ...] = ()


Usable = Collection[str]
"""Logical names of the user columns that can be read and hold text or a GUID."""


def glean(rows: Iterable[Declared], usable: Usable, fields: Mapping[str, str]) -> Hints:
    """
    Return what *rows* say; *fields* names what a person says for further types of claims.

    Two columns for one claim are no answer, and neither is a column that is not there.
    """
    known = {**FIELDS, **{Claim.of(claim): field for claim, field in fields.items()}}
    columns: dict[str, set[str]] = {}
    for row in rows:
        claim, column = text(row.claim or ""), text(row.column or "")
        if row.application == SHAREPOINT and claim and column:
            columns.setdefault(Claim.of(claim), set()).add(column)
    used: list[Hint] = []
    remarks: list[str] = []
    for claim, named in sorted(columns.items()):
        why = _unusable(claim, named, usable, known)
        if why:
            remarks.append(why)
        else:
            used += [_hint(claim, column, known[claim], usable) for column in named]
    return Hints(tuple(dict.fromkeys(used)), tuple(remarks))


def _unusable(claim: str, named: set[str], usable: Usable, known: Mapping[str, str]) -> str:
    """Say why the columns *named* for a claim are not used; empty where there is one that is."""
    columns = ", ".join(sorted(named))
    if len(named) > 1:
        return (
            f"usermapping names {len(named)} columns for the claim {claim} ({columns}); none is "
            "used, so that nothing is guessed: leave one of the rows"
        )
    if claim not in known:
        return (
            f"usermapping declares the claim {claim}, and nothing says what people have for it; "
            "name their field in [usermapping] claims, or leave it unused"
        )
    if not named & set(usable):
        return (
            f"usermapping takes the claim {claim} from {columns}, which is no column of systemuser "
            "that can be read and holds text or a GUID; the row is not used"
        )
    return ""


def _hint(claim: str, column: str, field: str, usable: Usable) -> Hint:
    instead = BUILT_IN.get(claim)
    other = instead if instead in usable and instead != column else None
    return Hint(field, column, other)
