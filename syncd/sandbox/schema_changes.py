"""RetrieveMetadataChanges: definitions by an expression, and since a stamp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from syncd.sandbox import errors
from syncd.sandbox.definitions import Definitions
from syncd.sandbox.documents import Document, Values, show
from syncd.sandbox.documents import Options as Shown

__all__ = ["retrieve_changes"]

STAMP = "5a7d0c00!08/22/2026 08:10:44"
"""The only stamp there is: definitions do not change while a sandbox runs."""
LISTS = (
    "Attributes", "Keys", "OneToManyRelationships", "ManyToOneRelationships",
    "ManyToManyRelationships",
)  # fmt: skip
QUERIES: Mapping[str, str] = {
    "Attributes": "AttributeQuery",
    "Keys": "KeyQuery",
    "OneToManyRelationships": "RelationshipQuery",
    "ManyToOneRelationships": "RelationshipQuery",
    "ManyToManyRelationships": "RelationshipQuery",
}


class Value(msgspec.Struct):
    """The right side of a condition, with the name of its type."""

    value: Any = msgspec.field(name="Value", default=None)


class Condition(msgspec.Struct):
    """One condition."""

    name: str = msgspec.field(name="PropertyName")
    operator: str = msgspec.field(name="ConditionOperator")
    value: Value | None = msgspec.field(name="Value", default=None)


class Criteria(msgspec.Struct):
    """Conditions and further criteria, joined by And or Or."""

    operator: str = msgspec.field(name="FilterOperator", default="And")
    conditions: list[Condition] = msgspec.field(name="Conditions", default_factory=list)
    filters: list[Criteria] = msgspec.field(name="Filters", default_factory=list)


class Properties(msgspec.Struct):
    """Which properties are returned."""

    everything: bool = msgspec.field(name="AllProperties", default=False)
    names: list[str] = msgspec.field(name="PropertyNames", default_factory=list)


class Query(msgspec.Struct):
    """An EntityQueryExpression, or the query for something of an entity inside of it."""

    criteria: Criteria | None = msgspec.field(name="Criteria", default=None)
    properties: Properties | None = msgspec.field(name="Properties", default=None)
    attributes: Query | None = msgspec.field(name="AttributeQuery", default=None)
    relationships: Query | None = msgspec.field(name="RelationshipQuery", default=None)
    keys: Query | None = msgspec.field(name="KeyQuery", default=None)

    def of(self, collection: str) -> Query | None:
        """Return the query for a collection of an entity."""
        match QUERIES[collection]:
            case "AttributeQuery":
                return self.attributes
            case "KeyQuery":
                return self.keys
            case _:
                return self.relationships


def retrieve_changes(definitions: Definitions, given: Mapping[str, str]) -> Mapping[str, Any]:
    """
    Return the response of RetrieveMetadataChanges; with the latest stamp, that nothing changed.

    Raises Refused for a query that cannot be read and for a stamp of somewhere else.
    """
    stamp = given.get("ClientVersionStamp", "").strip("'")
    if stamp not in {"", "null", STAMP}:
        raise errors.Refused(400, "0x80044352", "Version stamp associated with the client has "
                             "expired. Please perform a full sync.")  # fmt: skip
    try:
        query = msgspec.json.decode(given.get("Query", "{}") or "{}", type=Query)
    except msgspec.MsgspecError as error:
        raise errors.query(f"The Query of RetrieveMetadataChanges is wrong: {error}.") from None
    found = [] if stamp == STAMP else _chosen(definitions.entities(), query.criteria)
    return {
        "ServerVersionStamp": STAMP,
        "EntityMetadata": [_entity(each, query) for each in found],
        "DeletedMetadata": None,
    }


def _chosen(documents: Sequence[Document], criteria: Criteria | None) -> list[Document]:
    return [each for each in documents if criteria is None or _meets(each.values, criteria)]


def _meets(values: Values, criteria: Criteria) -> bool:
    results = [_holds(values, each) for each in criteria.conditions]
    results += [_meets(values, each) for each in criteria.filters]
    return (any if criteria.operator == "Or" else all)(results) if results else True


def _holds(values: Values, condition: Condition) -> bool:
    if condition.name not in values:
        raise errors.query(f"Metadata has no property '{condition.name}'.")
    here = values[condition.name]
    wanted = condition.value.value if condition.value else None
    match condition.operator:
        case "Equals":
            return bool(str(here).lower() == str(wanted).lower())
        case "NotEquals":
            return bool(str(here).lower() != str(wanted).lower())
        case "In":
            return here in _several(wanted)
        case "NotIn":
            return here not in _several(wanted)
        case "GreaterThan":
            return bool(here > wanted)
        case "LessThan":
            return bool(here < wanted)
        case _:
            raise errors.query(f"'{condition.operator}' is no operator for metadata.")


def _several(value: Any) -> list[Any]:
    """Return the values of a list, which clients also send as a text that holds one."""
    if isinstance(value, str):
        return list(msgspec.json.decode(value.replace("'", '"')))
    return list(value)


def _entity(document: Document, query: Query) -> dict[str, Any]:
    shown = _document(document, query.properties)
    names = query.properties.names if query.properties else []
    everything = query.properties is None or query.properties.everything
    for collection in LISTS:
        inner = query.of(collection)
        if inner is None and not everything and collection not in names:
            continue
        found = _chosen(document.collections[collection], inner.criteria if inner else None)
        properties = inner.properties if inner else None
        shown[collection] = [_typed(each, properties) for each in found]
    return shown


def _typed(document: Document, properties: Properties | None) -> dict[str, Any]:
    shown: dict[str, Any] = {"@odata.type": f"#Microsoft.Dynamics.CRM.{document.type}"}
    shown |= _document(document, properties)
    if properties is None or properties.everything or "OptionSet" in properties.names:
        for name, single in document.singles.items():
            shown[name] = single.values if single else None
    return shown


def _document(document: Document, properties: Properties | None) -> dict[str, Any]:
    if properties is None or properties.everything:
        return show(document, Shown(), document.type)
    names = tuple(name for name in properties.names if name in document.values)
    shown = show(document, Shown(names), document.type)
    # What was not asked for is null, but for what identifies a definition.
    return {"MetadataId": document.values.get("MetadataId"), "HasChanged": None, **shown}
