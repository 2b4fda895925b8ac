"""What metadata says of columns: AttributeMetadata and the types that are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.sandbox.catalog import FACTS
from syncd.sandbox.columns import Column, Kind, Table
from syncd.sandbox.documents import Document
from syncd.sandbox.labels import identity, label, managed, option_set, required
from syncd.sandbox.tables import STATUS_STATES

__all__ = ["attribute", "attribute_type"]

SPECIAL: Mapping[str, str] = {"ownerid": "Owner", "statecode": "State", "statuscode": "Status"}
TYPES: Mapping[str, str] = {
    "Uniqueidentifier": "UniqueIdentifierAttributeMetadata",
    "Owner": "LookupAttributeMetadata",
}
"""Where the type of the document does not begin with the type of the column."""
CHOICES = frozenset({"Picklist", "State", "Status"})


def attribute_type(column: Column) -> str:
    """Return the AttributeType of a column: a member of AttributeTypeCode."""
    if column.name in SPECIAL and column.kind is not Kind.TEXT:
        return SPECIAL[column.name]
    if column.kind is Kind.LOOKUP and column.nav is None and not column.targets:
        return Kind.GUID.value  # the ids of an intersection
    return Kind.DATETIME.value if column.kind is Kind.DATE else column.kind.value


def attribute(table: Table, at: int) -> Document:
    """Return the definition of one column."""
    column = table.columns[at]
    kind = attribute_type(column)
    values = _common(table, at, kind) | _limits(column, kind)
    document = TYPES.get(kind, f"{kind}AttributeMetadata")
    if kind not in CHOICES and kind != "Boolean":
        return Document(document, values)
    name = f"{table.name}_{column.name}"
    options = Document(
        "BooleanOptionSetMetadata" if kind == "Boolean" else "OptionSetMetadata",
        option_set(name, kind, _options(column, kind)),
    )
    return Document(document, values, {}, {"OptionSet": options, "GlobalOptionSet": None})


def _common(table: Table, at: int, kind: str) -> dict[str, Any]:
    column, facts = table.columns[at], FACTS[table.name]
    writable = column.name not in facts.read_only
    level = "None"
    if column.required:
        level = "SystemRequired"
    elif column.name in facts.recommended:
        level = "ApplicationRequired"
    schema = facts.column_schema(column)
    return {
        "MetadataId": identity("column", table.name, column.name),
        "HasChanged": None,
        "AttributeOf": None,
        "AttributeType": kind,
        "AttributeTypeName": {"Value": f"{kind}Type"},
        "ColumnNumber": at + 1,
        "CanBeSecuredForCreate": False,
        "CanBeSecuredForRead": False,
        "CanBeSecuredForUpdate": False,
        "CanModifyAdditionalSettings": managed("canmodifyadditionalsettings"),
        "DeprecatedVersion": None,
        "Description": label(None),
        "DisplayName": label(schema),
        "EntityLogicalName": table.name,
        "ExternalName": None,
        "InheritsFrom": None,
        "IntroducedVersion": "9.0.0.0",
        "IsAuditEnabled": managed("canmodifyauditsettings", value=False),
        "IsCustomAttribute": False,
        "IsCustomizable": managed("iscustomizable"),
        "IsDataSourceSecret": False,
        "IsFilterable": False,
        "IsGlobalFilterEnabled": managed("canmodifyglobalfiltersettings", value=False),
        "IsLogical": False,
        "IsManaged": True,
        "IsPrimaryId": at == 0,
        "IsPrimaryName": column.name == facts.primary_name,
        "IsRenameable": managed("isrenameable"),
        "IsRequiredForForm": level != "None",
        "IsRetrievable": True,
        "IsSearchable": False,
        "IsSecured": False,
        "IsSortableEnabled": managed("canmodifyissortablesettings", value=False),
        "IsValidForAdvancedFind": managed("canmodifysearchsettings"),
        "IsValidForCreate": column.create and writable,
        "IsValidForForm": column.create or column.update,
        "IsValidForGrid": True,
        "IsValidForRead": True,
        "IsValidForUpdate": column.update and writable and at > 0,
        "IsValidODataAttribute": True,
        "LinkedAttributeId": None,
        "LogicalName": column.name,
        "RequiredLevel": required(level),
        "SchemaName": schema,
        "SourceType": 0,
    }


def _limits(column: Column, kind: str) -> dict[str, Any]:
    match kind:
        case "String" | "Memo":
            format_name = "Text" if kind == "String" else "TextArea"
            return {
                "MaxLength": column.max_length,
                "DatabaseLength": column.max_length * 2,
                "Format": format_name,
                "FormatName": {"Value": format_name},
                "ImeMode": "Auto",
                "IsLocalizable": False,
            }
        case "Integer" | "BigInt":
            return {"MinValue": column.low, "MaxValue": column.high} | (
                {"Format": "None"} if kind == "Integer" else {}
            )
        case "Decimal":
            return {"MinValue": 1e-12, "MaxValue": 1e11, "Precision": 12, "ImeMode": "Auto"}
        case "DateTime":
            shown = "DateOnly" if column.kind is Kind.DATE else "DateAndTime"
            behavior = {"Value": "UserLocal"}
            return {"Format": shown, "DateTimeBehavior": behavior, "ImeMode": "Inactive"}
        case "Lookup":
            return {"Targets": list(column.targets or [column.target]), "Format": "None"}
        case "Owner":
            return {"Targets": ["systemuser", "team"], "Format": "None"}
        case "Boolean":
            return {"DefaultValue": bool(column.default)}
        case "Picklist" | "State" | "Status":
            default = column.default if kind == "Picklist" else None
            return {"DefaultFormValue": default, "ParentPicklistLogicalName": None}
        case _:
            return {}


def _options(column: Column, kind: str) -> dict[str, Any]:
    if kind == "Boolean":
        no, yes = (_option(value, column.options[value]) for value in (0, 1))
        return {"TrueOption": yes, "FalseOption": no}
    shown = []
    for value, text in column.options.items():
        option = _option(value, text)
        if kind == "State":
            status = next((s for s, state in STATUS_STATES.items() if state == value), None)
            option |= {
                "@odata.type": "#Microsoft.Dynamics.CRM.StateOptionMetadata",
                "DefaultStatus": status,
                "InvariantName": text,
            }
        elif kind == "Status":
            option |= {
                "@odata.type": "#Microsoft.Dynamics.CRM.StatusOptionMetadata",
                "State": STATUS_STATES.get(value, value // 10),
                "TransitionData": None,
            }
        shown.append(option)
    return {"Options": shown}


def _option(value: int, text: str) -> dict[str, Any]:
    return {
        "Value": value,
        "Color": None,
        "IsManaged": True,
        "ExternalValue": None,
        "ParentValues": [],
        "Tag": None,
        "IsHidden": False,
        "MetadataId": None,
        "HasChanged": None,
        "Label": label(text),
        "Description": label(None),
    }
