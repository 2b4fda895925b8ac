"""`$metadata`: the tables and what can be called, as CSDL 4.0 XML; and the service document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec

from syncd.sandbox.catalog import FACTS
from syncd.sandbox.columns import Column, Kind, Table
from syncd.sandbox.definitions import Definitions
from syncd.sandbox.functions import BOUND, UNBOUND
from syncd.sandbox.relationships import Link, Pairing, links, pairings
from syncd.sandbox.switches import BULK, Switches
from syncd.sandbox.tables import TABLES

__all__ = ["document", "service_document"]

EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
EDM = "http://docs.oasis-open.org/odata/ns/edm"
VOCABULARY = "https://vocabularies.odata.org/Org.OData.Capabilities.V1.xml"
NAMESPACE = "Microsoft.Dynamics.CRM"
TYPES: Mapping[Kind, str] = {
    Kind.GUID: "Edm.Guid",
    Kind.LOOKUP: "Edm.Guid",
    Kind.TEXT: "Edm.String",
    Kind.MEMO: "Edm.String",
    Kind.TABLE: "Edm.String",
    Kind.INTEGER: "Edm.Int32",
    Kind.CHOICE: "Edm.Int32",
    Kind.STATE: "Edm.Int32",
    Kind.STATUS: "Edm.Int32",
    Kind.VERSION: "Edm.Int64",
    Kind.DECIMAL: "Edm.Decimal",
    Kind.BOOLEAN: "Edm.Boolean",
    Kind.DATETIME: "Edm.DateTimeOffset",
    Kind.DATE: "Edm.Date",
}
RESPONSES: Mapping[str, Mapping[str, str]] = {
    "WhoAmI": {
        "BusinessUnitId": "Edm.Guid", "UserId": "Edm.Guid", "OrganizationId": "Edm.Guid",
    },
    "RetrieveAvailableLanguages": {"LocaleIds": "Collection(Edm.Int32)"},
    "RetrieveProvisionedLanguages": {"RetrieveProvisionedLanguages": "Collection(Edm.Int32)"},
    "RetrieveVersion": {"Version": "Edm.String"},
    "RetrieveCurrentOrganization": {"Detail": "mscrm.OrganizationDetail"},
    "RetrieveTotalRecordCount": {
        "EntityRecordCountCollection": "mscrm.EntityRecordCountCollection",
    },
    "RetrieveMetadataChanges": {
        "EntityMetadata": "Collection(mscrm.ComplexEntityMetadata)",
        "ServerVersionStamp": "Edm.String",
        "DeletedMetadata": "mscrm.DeletedMetadataCollection",
    },
    "RetrieveUserPrivileges": {"RolePrivileges": "Collection(mscrm.RolePrivilege)"},
    "RetrievePrincipalAccess": {"AccessRights": "Edm.String"},
    "CreateMultiple": {"Ids": "Collection(Edm.Guid)"},
    "BulkDelete": {"JobId": "Edm.Guid"},
}  # fmt: skip
PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "RetrieveCurrentOrganization": {"AccessType": "Edm.String"},
    "RetrieveTotalRecordCount": {"EntityNames": "Collection(Edm.String)"},
    "RetrieveMetadataChanges": {"Query": "Edm.String", "ClientVersionStamp": "Edm.String"},
    "RetrievePrincipalAccess": {"Target": "mscrm.crmbaseentity"},
}
OPEN = (
    "OrganizationDetail", "EntityRecordCountCollection", "ComplexEntityMetadata",
    "DeletedMetadataCollection", "RolePrivilege",
)  # fmt: skip
"""Complex types whose properties are not spelled out."""


def service_document(base: str) -> bytes:
    """Return the JSON list of entity sets that the root answers."""
    names = [table.set_name for table in TABLES.values()]
    names += ["EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions"]
    sets = [{"name": name, "kind": "EntitySet", "url": name} for name in sorted(names)]
    return msgspec.json.encode({"@odata.context": f"{base}/$metadata", "value": sets})


def document(definitions: Definitions, switches: Switches, *, annotations: bool) -> bytes:
    """Return `$metadata`; with `annotations` it says which tables keep track of changes."""
    root = Element("edmx:Edmx", {"Version": "4.0", "xmlns:edmx": EDMX})
    if annotations:
        reference = SubElement(root, "edmx:Reference", {"Uri": VOCABULARY})
        SubElement(reference, "edmx:Include", {"Namespace": "Org.OData.Capabilities.V1"})
    services = SubElement(root, "edmx:DataServices")
    schema = SubElement(
        services, "Schema", {"xmlns": EDM, "Namespace": NAMESPACE, "Alias": "mscrm"}
    )
    SubElement(schema, "EntityType", {"Name": "crmbaseentity", "Abstract": "true"})
    for table in TABLES.values():
        _entity_type(schema, table)
    _metadata_types(schema, definitions)
    _responses(schema)
    for name in UNBOUND:
        _function(schema, name)
    for name in BOUND:
        _function(schema, name, bound_to="mscrm.systemuser")
    _actions(schema)
    container = SubElement(schema, "EntityContainer", {"Name": "System"})
    for table in TABLES.values():
        tracked = table.name not in switches.untracked
        _entity_set(container, table, tracked=tracked if annotations else None)
    for name, kind in METADATA_SETS.items():
        SubElement(container, "EntitySet", {"Name": name, "EntityType": f"mscrm.{kind}"})
    for name in UNBOUND:
        SubElement(container, "FunctionImport", {"Name": name, "Function": f"mscrm.{name}"})
    SubElement(container, "ActionImport", {"Name": "BulkDelete", "Action": "mscrm.BulkDelete"})
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root)


def _entity_type(schema: Element, table: Table) -> None:
    kind = SubElement(schema, "EntityType", {"Name": table.name, "BaseType": "mscrm.crmbaseentity"})
    SubElement(SubElement(kind, "Key"), "PropertyRef", {"Name": table.key})
    for column in table.columns:
        _property(kind, column)
    for name, target, many, partner, lookup in _navigations(table.name):
        of = f"Collection(mscrm.{target})" if many else f"mscrm.{target}"
        given = {"Name": name, "Type": of, "Partner": partner}
        if not many:
            given["Nullable"] = "true"
        nav = SubElement(kind, "NavigationProperty", given)
        if lookup is not None:
            key = TABLES[target].key
            pair = {"Property": lookup.read, "ReferencedProperty": key}
            SubElement(nav, "ReferentialConstraint", pair)


def _property(kind: Element, column: Column) -> None:
    given = {"Name": column.read, "Type": TYPES[column.kind]}
    if column.max_length:
        given |= {"MaxLength": str(column.max_length), "Unicode": "true"}
    if column.kind is Kind.DECIMAL:
        given["Scale"] = "variable"
    if column.required:
        given["Nullable"] = "false"
    SubElement(kind, "Property", given)


Navigation = tuple[str, str, bool, str, Column | None]


def _navigations(table: str) -> Iterator[Navigation]:
    """Yield name, target, whether it is many, partner and lookup of each navigation property."""
    for link in links():
        if link.child == table:
            yield link.nav, link.parent, False, link.collection, link.column
        if link.parent == table:
            yield link.collection, link.child, True, link.nav, None
    for pairing in pairings():
        if table in pairing.tables:
            there = pairing.other(table)
            yield pairing.navs[1 - there], pairing.tables[there], True, pairing.navs[there], None


def _bindings(table: str) -> Iterator[tuple[str, str]]:
    relations: tuple[Link | Pairing, ...] = (*links(), *pairings())
    for each in relations:
        if isinstance(each, Pairing):
            if table in each.tables:
                there = each.other(table)
                yield each.navs[1 - there], each.tables[there]
            continue
        if each.child == table:
            yield each.nav, each.parent
        if each.parent == table:
            yield each.collection, each.child


def _entity_set(container: Element, table: Table, *, tracked: bool | None) -> None:
    given = {"Name": table.set_name, "EntityType": f"mscrm.{table.name}"}
    entity_set = SubElement(container, "EntitySet", given)
    for path, target in _bindings(table.name):
        pair = {"Path": path, "Target": TABLES[target].set_name}
        SubElement(entity_set, "NavigationPropertyBinding", pair)
    if tracked is None:
        return
    note = SubElement(
        entity_set, "Annotation", {"Term": "Org.OData.Capabilities.V1.ChangeTracking"}
    )
    value = {"Property": "Supported", "Bool": str(tracked).lower()}
    SubElement(SubElement(note, "Record"), "PropertyValue", value)


METADATA_SETS: Mapping[str, str] = {
    "EntityDefinitions": "EntityMetadata",
    "RelationshipDefinitions": "RelationshipMetadataBase",
    "GlobalOptionSetDefinitions": "OptionSetMetadataBase",
}
LISTS: Mapping[str, str] = {
    "Attributes": "AttributeMetadata",
    "Keys": "EntityKeyMetadata",
    "OneToManyRelationships": "OneToManyRelationshipMetadata",
    "ManyToOneRelationships": "OneToManyRelationshipMetadata",
    "ManyToManyRelationships": "ManyToManyRelationshipMetadata",
}


def _metadata_types(schema: Element, definitions: Definitions) -> None:
    """Declare the types of definitions; they are open, so that not all has to be spelled out."""
    base = {"Name": "MetadataBase", "Abstract": "true", "OpenType": "true"}
    kind = SubElement(schema, "EntityType", base)
    SubElement(SubElement(kind, "Key"), "PropertyRef", {"Name": "MetadataId"})
    SubElement(kind, "Property", {"Name": "MetadataId", "Type": "Edm.Guid", "Nullable": "false"})
    entity = definitions.entities()[0]
    made = _open_type(schema, "EntityMetadata", "MetadataBase", entity.values)
    for name, target in LISTS.items():
        given = {"Name": name, "Type": f"Collection(mscrm.{target})", "ContainsTarget": "true"}
        SubElement(made, "NavigationProperty", given)
    attributes = [
        each for table in definitions.entities() for each in table.collections["Attributes"]
    ]
    common = set.intersection(*({*each.values} for each in attributes))
    values = {name: attributes[0].values[name] for name in sorted(common)}
    _open_type(schema, "AttributeMetadata", "MetadataBase", values)
    for name in sorted({each.type for each in attributes}):
        first = next(each for each in attributes if each.type == name)
        own = {key: value for key, value in first.values.items() if key not in common}
        made = _open_type(schema, name, "AttributeMetadata", own)
        if any("OptionSet" in each.singles for each in attributes if each.type == name):
            given = {"Name": "OptionSet", "Type": "mscrm.OptionSetMetadataBase"}
            SubElement(made, "NavigationProperty", given | {"ContainsTarget": "true"})
    _open_type(schema, "EntityKeyMetadata", "MetadataBase", {})
    _open_type(schema, "OptionSetMetadataBase", "MetadataBase", {"Name": ""})
    _open_type(schema, "RelationshipMetadataBase", "MetadataBase", {"SchemaName": ""})
    for name in ("OneToManyRelationshipMetadata", "ManyToManyRelationshipMetadata"):
        link = next(each for each in definitions.relationships() if each.type == name)
        own = {key: value for key, value in link.values.items() if key != "SchemaName"}
        _open_type(schema, name, "RelationshipMetadataBase", own)


def _open_type(schema: Element, name: str, base: str, values: Mapping[str, Any]) -> Element:
    kind = SubElement(
        schema, "EntityType", {"Name": name, "BaseType": f"mscrm.{base}", "OpenType": "true"}
    )
    simple = {bool: "Edm.Boolean", int: "Edm.Int32", str: "Edm.String"}
    for each, value in values.items():
        if type(value) in simple and each != "MetadataId":
            SubElement(kind, "Property", {"Name": each, "Type": simple[type(value)]})
    return kind


def _responses(schema: Element) -> None:
    for name in OPEN:
        SubElement(schema, "ComplexType", {"Name": name, "OpenType": "true"})
    for name, properties in RESPONSES.items():
        kind = SubElement(schema, "ComplexType", {"Name": f"{name}Response"})
        for each, of in properties.items():
            SubElement(kind, "Property", {"Name": each, "Type": of})


def _function(schema: Element, name: str, bound_to: str | None = None) -> None:
    given = {"Name": name} | ({"IsBound": "true"} if bound_to else {})
    function = SubElement(schema, "Function", given)
    if bound_to:
        SubElement(function, "Parameter", {"Name": "entity", "Type": bound_to})
    for each, of in PARAMETERS.get(name, {}).items():
        SubElement(function, "Parameter", {"Name": each, "Type": of})
    returned = {"Type": f"mscrm.{name}Response", "Nullable": "false"}
    SubElement(function, "ReturnType", returned)


def _actions(schema: Element) -> None:
    for name in sorted(BULK):
        for table in TABLES.values():
            if not FACTS[table.name].bulk:
                continue
            action = SubElement(schema, "Action", {"Name": name, "IsBound": "true"})
            of = f"Collection(mscrm.{table.name})"
            SubElement(action, "Parameter", {"Name": "entityset", "Type": of})
            SubElement(action, "Parameter", {"Name": "Targets", "Type": of})
            if name == "CreateMultiple":
                SubElement(action, "ReturnType", {"Type": "mscrm.CreateMultipleResponse"})
    action = SubElement(schema, "Action", {"Name": "BulkDelete"})
    for each, of in BULK_DELETE.items():
        SubElement(action, "Parameter", {"Name": each, "Type": of})
    SubElement(action, "ReturnType", {"Type": "mscrm.BulkDeleteResponse"})


BULK_DELETE: Mapping[str, str] = {
    "QuerySet": "Collection(Edm.Untyped)",
    "JobName": "Edm.String",
    "SendEmailNotification": "Edm.Boolean",
    "ToRecipients": "Collection(Edm.Untyped)",
    "CCRecipients": "Collection(Edm.Untyped)",
    "RecurrencePattern": "Edm.String",
    "StartDateTime": "Edm.DateTimeOffset",
}
