"""The small shapes that metadata repeats: labels, managed properties, ids."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

__all__ = ["LANGUAGE", "identity", "label", "managed", "option_set", "required"]

LANGUAGE = 1033
"""The language of every label: US English."""


def identity(*names: str) -> str:
    """Return the MetadataId of a definition: the same in every sandbox."""
    return str(uuid5(NAMESPACE_URL, ":".join(("sandbox", "metadata", *names))))


def label(text: str | None) -> dict[str, Any]:
    """Return a Label; None makes an empty one."""
    if text is None:
        return {"LocalizedLabels": [], "UserLocalizedLabel": None}
    localized = {
        "Label": text,
        "LanguageCode": LANGUAGE,
        "IsManaged": True,
        "MetadataId": identity("label", text),
        "HasChanged": None,
    }
    return {"LocalizedLabels": [localized], "UserLocalizedLabel": localized}


def managed(name: str, *, value: bool = True) -> dict[str, Any]:
    """Return a managed property of Boolean type."""
    return {"Value": value, "CanBeChanged": False, "ManagedPropertyLogicalName": name}


def required(level: str) -> dict[str, Any]:
    """Return the requirement level of a column."""
    return {
        "Value": level,
        "CanBeChanged": level != "SystemRequired",
        "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
    }


def option_set(name: str, kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the option set of one column: `options` holds Options, or TrueOption, FalseOption."""
    return {
        "MetadataId": identity("options", name),
        "HasChanged": None,
        "IsCustomOptionSet": False,
        "IsGlobal": False,
        "IsManaged": True,
        "Name": name,
        "ExternalTypeName": None,
        "IntroducedVersion": "9.0.0.0",
        "OptionSetType": kind,
        "ParentOptionSetName": None,
        "DisplayName": label(name),
        "Description": label(None),
        "IsCustomizable": managed("iscustomizable"),
        **options,
    }
