"""Definitions over the Web API: EntityDefinitions and its like (dataverse-web-api.md section 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

import msgspec

from syncd.sandbox import errors
from syncd.sandbox.answers import JSON, Answer, Call
from syncd.sandbox.definitions import Definitions
from syncd.sandbox.documents import Document, Options, filtered, read, show
from syncd.sandbox.values import guid

__all__ = ["SETS", "Metadata", "query_options"]

SETS = ("EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions")
SEGMENT = re.compile(r"(?P<name>[\w.$]+)(?:\((?P<key>(?:[^()']|'[^']*')*)\))?(?:/|$)")
NAMED_KEY = re.compile(r"(?P<name>\w+)='(?P<value>[^']*)'")
NAMESPACE = "Microsoft.Dynamics.CRM."
BASES: Mapping[str, frozenset[str]] = {
    "AttributeMetadata": frozenset(),
    "RelationshipMetadataBase": frozenset(),
    "EnumAttributeMetadata": frozenset({
        "PicklistAttributeMetadata", "StateAttributeMetadata", "StatusAttributeMetadata",
    }),
    "OptionSetMetadataBase": frozenset(),
}  # fmt: skip
"""Types that stand for others; for an empty set, all that the address can hold."""
DECLARED: Mapping[str, str] = {
    "EntityDefinitions": "EntityMetadata",
    "RelationshipDefinitions": "RelationshipMetadataBase",
    "Attributes": "AttributeMetadata",
    "Keys": "EntityKeyMetadata",
    "OneToManyRelationships": "OneToManyRelationshipMetadata",
    "ManyToOneRelationships": "OneToManyRelationshipMetadata",
    "ManyToManyRelationships": "ManyToManyRelationshipMetadata",
}
OPTIONS = frozenset({"$select", "$filter", "$expand", "$count", "$top", "LabelLanguages"})


@dataclass(frozen=True, slots=True)
class Found:
    """Where a path leads: documents, one document, or a value; and the type it promises."""

    many: Sequence[Document] | None
    one: Document | None
    value: object
    declared: str


class Metadata:
    """Answers reads of definitions."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions

    def answer(self, call: Call) -> Answer:
        """Answer one read. Raises Refused for what is not there or not offered."""
        if call.method != "GET":
            raise errors.Refused(405, "0x8006088a", f"{call.method} is not allowed on definitions.")
        options = query_options(call.query)
        strange = [name for name in options if name not in OPTIONS and not name.startswith("@")]
        if strange:
            raise errors.query(f"The query option '{strange[0]}' is not supported on definitions.")
        found = self._find(call.path, options)
        context = f"{call.base}/$metadata#{_plain(call.path)}"
        if found.many is not None:
            shown: dict[str, object] = _list(found, options)
        elif found.one is not None:
            context += _columns(read(options)) + "/$entity"
            shown = show(found.one, read(options), found.declared)
        elif isinstance(found.value, bytes):
            headers = {"OData-Version": "4.0", "Content-Type": "text/plain"}
            return Answer(200, headers, found.value)
        else:
            shown = {"value": found.value}
        content = msgspec.json.encode({"@odata.context": context, **shown})
        return Answer(200, {"OData-Version": "4.0", "Content-Type": JSON}, content)

    def _find(self, path: str, options: Mapping[str, str]) -> Found:
        segments = _segments(path)
        name, key = segments[0]
        everything: Mapping[str, Sequence[Document]] = {
            "EntityDefinitions": self._definitions.entities(),
            "RelationshipDefinitions": self._definitions.relationships(),
        }
        found = _keyed(Found(everything.get(name, ()), None, None, DECLARED.get(name, "")), key)
        for segment, its_key in segments[1:]:
            found = _keyed(_step(found, segment, options), its_key)
        return found


def query_options(query: str) -> dict[str, str]:
    """Return the options of a query string by name, decoded."""
    options: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        options[unquote_plus(name)] = unquote_plus(value)
    return options


def _segments(path: str) -> list[tuple[str, str | None]]:
    found, at = [], 0
    while at < len(path):
        match = SEGMENT.match(path, at)
        if match is None:
            raise errors.segment(path[at:])
        found.append((match["name"], match["key"]))
        at = match.end()
    return found


def _step(found: Found, segment: str, options: Mapping[str, str]) -> Found:
    if segment.startswith(NAMESPACE):
        return _cast(found, segment.removeprefix(NAMESPACE))
    if found.many is not None and segment == "$count":
        passing = filtered(found.many, options.get("$filter"), options)
        return Found(None, None, f"\ufeff{len(passing)}".encode(), "")
    if found.one is not None and segment in found.one.collections:
        return Found(found.one.collections[segment], None, None, DECLARED[segment])
    if found.one is not None and segment in found.one.singles:
        single = found.one.singles[segment]
        return Found(None, single, None, single.type if single else "")
    if found.one is not None and segment in found.one.values:
        return Found(None, None, found.one.values[segment], "")
    raise errors.segment(segment)


def _cast(found: Found, wanted: str) -> Found:
    if found.many is not None:
        fitting = [each for each in found.many if _is(each, wanted)]
        return Found(fitting, None, None, wanted)
    if found.one is not None and _is(found.one, wanted):
        return Found(None, found.one, None, wanted)
    raise errors.segment(NAMESPACE + wanted)


def _is(document: Document, wanted: str) -> bool:
    return document.type == wanted or (
        wanted in BASES and (not BASES[wanted] or document.type in BASES[wanted])
    )


def _keyed(found: Found, key: str | None) -> Found:
    """Choose the document that a key names. Raises Refused if none is there."""
    if key is None:
        return found
    named = NAMED_KEY.fullmatch(key)
    name, value = (named["name"], named["value"]) if named else ("MetadataId", guid(key))
    if name == "MetadataId" and not named and value is None and key.startswith("MetadataId="):
        value = guid(key.partition("=")[2])
    if name not in {"LogicalName", "SchemaName", "MetadataId", "Name"} or value is None:
        raise errors.query(f"'{key[:80]}' is no key of a definition.")
    for each in found.many or ():
        if each.values.get(name) == value:
            return Found(None, each, None, found.declared)
    raise errors.Refused(
        404,
        "0x80040217",
        f"The definition with {name} = '{value}' was not found in the MetadataCache.",
    )


def _list(found: Found, options: Mapping[str, str]) -> dict[str, object]:
    passing = filtered(found.many or (), options.get("$filter"), options)
    asked = read(options)
    count = {"@odata.count": len(passing)} if options.get("$count") == "true" else {}
    top = options.get("$top", str(len(passing)))
    if not top.isdigit():
        raise errors.query(f"Invalid value '{top}' for $top: a whole number is expected.")
    shown = [show(each, asked, found.declared) for each in passing[: int(top)]]
    return {**count, "value": shown}


def _plain(path: str) -> str:
    return re.sub(r"\(LogicalName='(\w+)'\)", r"('\1')", path)


def _columns(asked: Options) -> str:
    return "" if asked.select is None else f"({','.join(asked.select)})"
