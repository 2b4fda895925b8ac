"""What documents of metadata say, in the core's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncd.core.preflight import Organization
from syncd.core.uses import ColumnFound, KeyFound, TableFound

__all__ = ["described", "messages", "organization"]

Document = Mapping[str, Any]
SITE = "WebApplication"


def described(found: Document, lengths: Mapping[str, int]) -> TableFound:
    """Return a table as its EntityMetadata describes it; raises KeyError if that is none."""
    navs: dict[str, dict[str, str]] = {}
    for each in found["ManyToOneRelationships"]:
        names = navs.setdefault(each["ReferencingAttribute"], {})
        names[each["ReferencingEntityNavigationPropertyName"]] = each["ReferencedEntity"]
    return TableFound(
        name=found["LogicalName"],
        display=_label(found.get("DisplayName")) or found["LogicalName"],
        entity_set=found["EntitySetName"],
        key=found["PrimaryIdAttribute"],
        type=found.get("TableType") or "",
        versions=bool(found.get("IsOptimisticConcurrencyEnabled")),
        tracked=bool(found.get("ChangeTrackingEnabled")),
        columns={
            each["LogicalName"]: _column(each, lengths.get(each["LogicalName"]))
            for each in found["Attributes"]
        },
        navs=navs,
        keys=tuple(
            KeyFound(tuple(each["KeyAttributes"]), str(each.get("EntityKeyIndexStatus")))
            for each in found["Keys"]
        ),
        privileges={each["PrivilegeType"]: each["Name"] for each in found["Privileges"]},
        privilege_ids={
            each["Name"]: str(each.get("PrivilegeId", "")).lower() for each in found["Privileges"]
        },
    )


def _column(found: Document, length: int | None) -> ColumnFound:
    return ColumnFound(
        found["LogicalName"],
        found["AttributeType"],
        create=bool(found.get("IsValidForCreate")),
        update=bool(found.get("IsValidForUpdate")),
        read=bool(found.get("IsValidForRead")),
        length=length,
    )


def _label(found: Document | None) -> str:
    label = (found or {}).get("UserLocalizedLabel") or {}
    return str(label.get("Label") or "")


def organization(found: Document) -> Organization:
    """Return the environment as RetrieveCurrentOrganization describes it."""
    detail = found["Detail"]
    endpoints = detail.get("Endpoints") or {}
    places = dict(zip(endpoints.get("Keys", ()), endpoints.get("Values", ()), strict=False))
    return Organization(
        id=detail["OrganizationId"],
        name=detail.get("FriendlyName") or detail.get("UniqueName") or "",
        version=detail.get("OrganizationVersion") or "unknown",
        state=detail.get("State") or "Enabled",
        url=places.get(SITE),
    )


def messages(found: Sequence[Document]) -> frozenset[str]:
    """Return the names of registered messages; private ones are not for us."""
    joined = [each["sdkmessageid"] for each in found if each.get("sdkmessageid")]
    return frozenset(each["name"] for each in joined if not each.get("isprivate"))
