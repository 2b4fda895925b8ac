"""What metadata says of tables and relationships, as documents that lead to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from syncd.sandbox.attributes import attribute
from syncd.sandbox.catalog import FACTS, PRIVILEGE_TYPES
from syncd.sandbox.columns import Table
from syncd.sandbox.documents import Document
from syncd.sandbox.labels import identity, label, managed
from syncd.sandbox.registrations import privilege_id
from syncd.sandbox.relationships import Link, Pairing, links, pairings
from syncd.sandbox.switches import Switches
from syncd.sandbox.tables import TABLES

__all__ = ["Definitions"]

FALSE = (
    "AutoCreateAccessTeams", "AutoRouteToOwnerQueue", "EnforceStateTransitions",
    "EntityHelpUrlEnabled", "HasActivities", "HasEmailAddresses", "HasFeedback", "HasNotes",
    "IsAIRUpdated", "IsActivity", "IsActivityParty", "IsArchivalEnabled",
    "IsAvailableOffline", "IsBPFEntity", "IsBusinessProcessEnabled", "IsChildEntity",
    "IsDocumentManagementEnabled", "IsDocumentRecommendationsEnabled", "IsEnabledForCharts",
    "IsEnabledForExternalChannels", "IsEnabledForTrace", "IsInteractionCentricEnabled",
    "IsKnowledgeManagementEnabled", "IsLogicalEntity", "IsMSTeamsIntegrationEnabled",
    "IsOneNoteIntegrationEnabled", "IsPrivate", "IsQuickCreateEnabled",
    "IsReadingPaneEnabled", "IsRetentionEnabled", "IsSLAEnabled", "IsSolutionAware",
    "IsStateModelAware", "SyncToExternalSearchIndex", "UsesBusinessDataLabelTable",
)  # fmt: skip
MANAGED = (
    "CanBeInCustomEntityAssociation", "CanBeInManyToMany", "CanBePrimaryEntityInRelationship",
    "CanBeRelatedEntityInRelationship", "CanChangeHierarchicalRelationship",
    "CanChangeTrackingBeEnabled", "CanCreateAttributes", "CanCreateCharts", "CanCreateForms",
    "CanCreateViews", "CanEnableSyncToExternalSearchIndex", "CanModifyAdditionalSettings",
    "IsAuditEnabled", "IsConnectionsEnabled", "IsCustomizable", "IsDuplicateDetectionEnabled",
    "IsMailMergeEnabled", "IsMappable", "IsOfflineInMobileClient", "IsReadOnlyInMobileClient",
    "IsRenameable", "IsValidForQueue", "IsVisibleInMobile", "IsVisibleInMobileClient",
)  # fmt: skip
"""The names of flags that no table here has set, and of managed properties that all have."""
CASCADES = ("Assign", "Archive", "Merge", "Reparent", "RollupView", "Share", "Unshare")
Alterations = Mapping[str, Any]


class Definitions:
    """The definitions of one sandbox. What the switches say of a table is what these say."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._altered: dict[tuple[str, str], Alterations | None] = {}
        self._relationships = _relationships()
        self._attributes = dict(_attributes())

    def alter(self, table: str, column: str, change: Alterations | None) -> None:
        """
        Tell a drifted schema: other properties of a column, or with None that it is not there.

        The rows stay as they are; it is what metadata says of them that changes.
        """
        self._altered[table, column] = change
        self._attributes[table] = self._columns(TABLES[table])

    def entities(self) -> Sequence[Document]:
        """Return the definitions of all tables."""
        return [self.entity(name) for name in TABLES]

    def relationships(self) -> Sequence[Document]:
        """Return the definitions of all relationships."""
        return self._relationships

    def entity(self, name: str) -> Document:
        """Return the definition of a table that is there."""
        lists = {
            "Attributes": self._attributes[name],
            "Keys": (),
            "OneToManyRelationships": self._related("ReferencedEntity", name),
            "ManyToOneRelationships": self._related("ReferencingEntity", name),
            "ManyToManyRelationships": tuple(
                each
                for each in self._relationships
                if name in {each.values.get(f"Entity{side}LogicalName") for side in (1, 2)}
            ),
        }
        tracked = name not in self._switches.untracked
        versions = name not in self._switches.unversioned
        values = _entity(TABLES[name]) | {
            "ChangeTrackingEnabled": tracked,
            "IsOptimisticConcurrencyEnabled": versions,
        }
        return Document("EntityMetadata", values, lists)

    def _columns(self, table: Table) -> tuple[Document, ...]:
        found = []
        for column, document in zip(table.columns, _attributes()[table.name], strict=True):
            change = self._altered.get((table.name, column.name), {})
            if change is not None:
                values = {**document.values, **change}
                found.append(Document(document.type, values, {}, document.singles))
        return tuple(found)

    def _related(self, side: str, name: str) -> tuple[Document, ...]:
        return tuple(each for each in self._relationships if each.values.get(side) == name)


@cache
def _relationships() -> tuple[Document, ...]:
    found = [_one_to_many(link) for link in links()]
    return (*found, *(_many_to_many(pairing) for pairing in pairings()))


@cache
def _attributes() -> Mapping[str, tuple[Document, ...]]:
    return {
        name: tuple(attribute(table, at) for at in range(len(table.columns)))
        for name, table in TABLES.items()
    }


def _entity(table: Table) -> dict[str, Any]:
    facts = FACTS[table.name]
    collection = table.set_name if facts.schema.islower() else f"{facts.schema}s"
    return {
        "MetadataId": identity("table", table.name),
        "HasChanged": None,
        "ActivityTypeMask": 0,
        **dict.fromkeys(FALSE, False),
        **{name: managed(name.lower()) for name in MANAGED},
        "CanTriggerWorkflow": True,
        "CollectionSchemaName": collection,
        "DataProviderId": None,
        "DataSourceId": None,
        "DaysSinceRecordLastModified": 0,
        "Description": label(None),
        "DisplayCollectionName": label(f"{facts.display}s"),
        "DisplayName": label(facts.display),
        "EntityColor": None,
        "EntityHelpUrl": None,
        "EntitySetName": table.set_name,
        "ExternalCollectionName": None,
        "ExternalName": None,
        "IconLargeName": None,
        "IconMediumName": None,
        "IconSmallName": None,
        "IconVectorName": None,
        "IntroducedVersion": "9.0.0.0",
        "IsCustomEntity": facts.custom,
        "IsEnabledForTrace": False,
        "IsImportable": False,
        "IsIntersect": facts.intersect,
        "IsManaged": True,
        "IsValidForAdvancedFind": True,
        "LogicalCollectionName": table.set_name,
        "LogicalName": table.name,
        "MobileOfflineFilters": None,
        "ObjectTypeCode": facts.type_code,
        "OwnerId": None,
        "OwnerIdType": None,
        "OwningBusinessUnit": None,
        "OwnershipType": facts.ownership,
        "PrimaryIdAttribute": table.key,
        "PrimaryImageAttribute": None,
        "PrimaryNameAttribute": facts.primary_name,
        "Privileges": [_privilege(table.name, kind) for kind in PRIVILEGE_TYPES],
        "RecurrenceBaseEntityLogicalName": None,
        "ReportViewName": f"Filtered{facts.schema}",
        "SchemaName": facts.schema,
        "SettingOf": None,
        "Settings": [],
        "TableType": "Standard",
    }


def _privilege(table: str, kind: str) -> dict[str, Any]:
    facts = FACTS[table]
    owned = facts.ownership == "UserOwned"
    name = facts.privilege(kind)
    return {
        "CanBeBasic": owned,
        "CanBeDeep": owned,
        "CanBeEntityReference": False,
        "CanBeGlobal": True,
        "CanBeLocal": owned,
        "CanBeParentEntityReference": False,
        "CanBeRecordFilter": False,
        "Name": name,
        "PrivilegeId": privilege_id(name),
        "PrivilegeType": kind,
    }


def _relationship(schema: str, kind: str) -> dict[str, Any]:
    return {
        "MetadataId": identity("relationship", schema),
        "HasChanged": None,
        "IsCustomRelationship": False,
        "IsCustomizable": managed("iscustomizable"),
        "IsManaged": True,
        "IsValidForAdvancedFind": True,
        "IntroducedVersion": "9.0.0.0",
        "RelationshipType": f"{kind}Relationship",
        "SchemaName": schema,
        "SecurityTypes": "None",
    }


def _menu(behavior: str = "UseCollectionName") -> dict[str, Any]:
    return {
        "AvailableOffline": True, "Behavior": behavior, "Group": "Details", "Icon": None,
        "IsCustomizable": True, "Label": label(None), "MenuId": None, "Order": None,
        "QueryApi": None, "ViewId": "00000000-0000-0000-0000-000000000000",
    }  # fmt: skip


def _one_to_many(link: Link) -> Document:
    menu = "DoNotDisplay" if link.column.targets else "UseCollectionName"
    values = _relationship(link.schema, "OneToMany") | {
        "AssociatedMenuConfiguration": _menu(menu),
        "CascadeConfiguration": dict.fromkeys(CASCADES, "NoCascade") | {"Delete": link.on_delete},
        "DenormalizedAttributeName": None,
        "EntityKey": None,
        "IsHierarchical": False,
        "IsRelationshipAttributeDenormalized": False,
        "ReferencedAttribute": TABLES[link.parent].key,
        "ReferencedEntity": link.parent,
        "ReferencedEntityNavigationPropertyName": link.collection,
        "ReferencingAttribute": link.column.name,
        "ReferencingEntity": link.child,
        "ReferencingEntityNavigationPropertyName": link.nav,
        "RelationshipAttributes": [],
        "RelationshipBehavior": 0,
    }
    return Document("OneToManyRelationshipMetadata", values)


def _many_to_many(pairing: Pairing) -> Document:
    values = _relationship(pairing.schema, "ManyToMany") | {
        "IntersectEntityName": pairing.intersect,
    }
    intersection = TABLES[pairing.intersect]
    for number in (1, 2):
        values |= {
            f"Entity{number}AssociatedMenuConfiguration": _menu(),
            f"Entity{number}IntersectAttribute": intersection.columns[pairing.at[number - 1]].name,
            f"Entity{number}LogicalName": pairing.tables[number - 1],
            f"Entity{number}NavigationPropertyName": pairing.navs[number - 1],
        }
    return Document("ManyToManyRelationshipMetadata", values)
