"""
The table `usermapping`: which claims are taken from which column of a user.

A row counts for the whole organization (domain.md section 10). Reading is for the rung of
that name; nothing but `syncd usermappings apply` reaches the calls that write.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Annotated

import msgspec

from syncd.connectors.dataverse.answers import Page
from syncd.connectors.dataverse.pages import pages
from syncd.connectors.http import Channel
from syncd.core.hints import Declared, Hints, glean

__all__ = ["ENTITY_SET", "columns", "hints", "rows"]

ENTITY_SET = "usermappings"
COLUMNS = "usermappingid,partnerapplicationtype,claimtype,systemuserattributename"
ATTRIBUTES = (
    "EntityDefinitions(LogicalName='systemuser')/Attributes"
    "?$select=LogicalName,AttributeType,IsValidForRead"
)
KINDS = frozenset({"String", "Memo", "Uniqueidentifier"})
"""Types of columns that hold text or a GUID."""


class _Row(msgspec.Struct, gc=False):
    etag: Annotated[str, msgspec.Meta(min_length=1)] = msgspec.field(name="@odata.etag")
    id: Annotated[str, msgspec.Meta(min_length=36, max_length=36)] = msgspec.field(
        name="usermappingid"
    )
    application: int | None = msgspec.field(name="partnerapplicationtype", default=None)
    claim: str | None = msgspec.field(name="claimtype", default=None)
    column: str | None = msgspec.field(name="systemuserattributename", default=None)


class _Attribute(msgspec.Struct, gc=False):
    id: str = msgspec.field(name="LogicalName")
    kind: str | None = msgspec.field(name="AttributeType", default=None)
    readable: bool | None = msgspec.field(name="IsValidForRead", default=True)


_row_pages = msgspec.json.Decoder(Page[_Row]).decode
_attribute_pages = msgspec.json.Decoder(Page[_Attribute]).decode


def rows(channel: Channel, size: int) -> list[Declared]:
    """Give every row, in the order of the ids; raises TargetError unless all were read."""
    query = f"{ENTITY_SET}?$select={COLUMNS}"
    found = chain.from_iterable(pages(channel, query, size, _row_pages))
    declared = (
        Declared(row.id.lower(), row.application, row.claim, row.column, row.etag) for row in found
    )
    return sorted(declared, key=lambda each: each.id)


def columns(channel: Channel, size: int) -> frozenset[str]:
    """Give the columns of `systemuser` that can be read and hold text or a GUID."""
    found = chain.from_iterable(pages(channel, ATTRIBUTES, size, _attribute_pages))
    return frozenset(each.id for each in found if each.kind in KINDS and each.readable is not False)


def hints(channel: Channel, size: int, claims: Mapping[str, str]) -> Hints:
    """Give what the table says about users; without a row nothing else is asked."""
    declared = rows(channel, size)
    return glean(declared, columns(channel, size), claims) if declared else Hints()
