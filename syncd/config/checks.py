"""
What only several settings together can break.

These checks look at the configuration as it was written, whatever else is wrong with
it, so that all problems are found at once. What is not of the expected kind they pass
over: the models have reported it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncd.config.expressions import ALWAYS, ANY, LIST
from syncd.config.person import FieldSettings
from syncd.config.problems import Place, Problem, show
from syncd.config.shape import nearest
from syncd.config.values import loopback
from syncd.core import identity
from syncd.core.cells import Unfit, cell_reader
from syncd.core.hints import Claim
from syncd.core.mapping import Type

__all__ = [
    "attribute_types",
    "problems",
    "warnings",
]

# Names are sought in tuples, because what stands in the file may not be hashable.
Table = Mapping[str, Any]
MANY = ("common", "organizations", "consumers")
"""Names at Entra ID for more than one directory; an application signs in to one of them."""
FIXED = {"enabled": Type.BOOL, "starts_on": Type.DATE, "leaves_on": Type.DATE}
TYPES = tuple(Type)
IDENTITIES = ("key", "object_id", "employee_id", "user_name", "mail")


def problems(raw: Table) -> list[Problem]:
    """Return everything in which settings contradict each other or name what is not there."""
    return [
        *_doubled_names(raw, "sources"),
        *_doubled_names(raw, "rules"),
        *_deliveries(raw),
        *_rungs(raw),
        *_sign_in(raw),
        *_fields(raw),
        *_bands(raw),
        *_rules(raw),
        *_service(raw),
        *_mappings(raw),
    ]


def warnings(raw: Table) -> list[Problem]:
    """Return what is allowed and hardly meant."""
    found: list[Problem] = []
    seen: dict[str, str] = {}
    for name, environment in _tables(raw, "environments"):
        url = str(environment.get("url", "")).strip().rstrip("/").lower()
        if url in seen:
            says = f"is the address of {seen[url]}, too; the two will undo each other's work"
            found.append(Problem(("environments", name, "url"), says))
        seen.setdefault(url, str(name))
    found += _hints_below(raw)
    kinds: dict[str, str] = {}
    for place, name, kind in _attributes(raw):
        if kinds.setdefault(name, kind) != kind:
            says = f"is mapped as {kind} here and as {kinds[name]} by another source"
            found.append(Problem(place, says))
    return found


def attribute_types(raw: Table) -> dict[str, str]:
    """Return every mapped attribute with its type; `any` where sources differ or it is unclear."""
    types: dict[str, str] = {}
    for _, name, kind in _attributes(raw):
        types[name] = kind if types.get(name, kind) == kind else ANY
    return types


def _attributes(raw: Table) -> Iterator[tuple[Place, str, str]]:
    for place, field in _mapped(raw):
        if place[3] != "attributes":
            continue
        kind = LIST if isinstance(field.get("split"), str) else str(field.get("type", "text"))
        yield place, str(place[4]), kind if kind in (*TYPES, LIST) else ANY


def _tables(raw: Table, name: str) -> Iterator[tuple[str | int, Table]]:
    """Walk the tables of a list or of a table of tables, each with its position or name."""
    whole = raw.get(name)
    each: Any = whole.items() if isinstance(whole, dict) else ()
    if isinstance(whole, list):
        each = enumerate(whole)
    for key, table in each:
        if isinstance(table, dict):
            yield key, table


def _doubled_names(raw: Table, kind: str) -> Iterator[Problem]:
    first: dict[str, str | int] = {}
    for index, table in _tables(raw, kind):
        name = table.get("name")
        if not isinstance(name, str):
            continue
        name = identity.text(name)
        if name in first:
            says = f"{show(name)} is the name of {kind}.{first[name]}, too; each needs its own"
            yield Problem((kind, index, "name"), says)
        first.setdefault(name, index)


def _deliveries(raw: Table) -> Iterator[Problem]:
    for index, source in _tables(raw, "sources"):
        delivery = _table(source, "delivery")
        place: Place = ("sources", index, "delivery")
        if "date" in delivery:
            if delivery.get("newest") == "date" and delivery.get("date_in", "name") != "name":
                says = "is for a date in the name; which file counts is known before it is opened"
                yield Problem((*place, "newest"), says)
        elif delivery.get("newest") == "date" or "date_in" in delivery:
            says = "is required where newest or date_in speaks of it"
            yield Problem((*place, "date"), says)
        if delivery.get("repeated") == "finding" and not _pattern(source.get("path")):
            says = "is for a path with * or ?; one file alone comes after no other"
            yield Problem((*place, "repeated"), says)


def _pattern(path: object) -> bool:
    return isinstance(path, str) and any(mark in path for mark in "*?[")


def _table(table: Table, name: str) -> Table:
    inner = table.get(name)
    return inner if isinstance(inner, dict) else {}


def _policies(raw: Table) -> Iterator[tuple[Place, Table]]:
    yield ("policy",), _table(raw, "policy")
    for name, environment in _tables(raw, "environments"):
        yield ("environments", name, "policy"), _table(environment, "policy")


def _rungs(raw: Table) -> Iterator[Problem]:
    for place, policy in _policies(raw):
        match = policy.get("match")
        seen: list[object] = []
        for index, rung in enumerate(match if isinstance(match, list) else []):
            if rung in seen:
                yield Problem((*place, "match", index), f"{show(rung)} stands here twice")
            seen.append(rung)


def _sign_in(raw: Table) -> Iterator[Problem]:
    for name, environment in _tables(raw, "environments"):
        url, auth = environment.get("url"), _table(environment, "auth")
        if auth.get("method") == "none" and isinstance(url, str) and not loopback(url.strip()):
            says = '"none" is for a sandbox on this machine; this environment is elsewhere'
            yield Problem(("environments", name, "auth", "method"), says)
        yield from _directory(("environments", name, "auth"), auth)
    for index, source in _tables(raw, "sources"):
        # Of a source that names no address the program knows one.
        url, auth = source.get("url", "https://graph"), _table(source, "auth")
        if auth.get("method") == "none" and isinstance(url, str) and not loopback(url.strip()):
            says = '"none" is for a server on this machine; this one is elsewhere'
            yield Problem(("sources", index, "auth", "method"), says)
        if source.get("type") == "graph":
            yield from _directory(("sources", index, "auth"), auth)


def _directory(place: Place, auth: Table) -> Iterator[Problem]:
    """Judge where tokens come from."""
    authority, tenant = auth.get("authority"), auth.get("tenant_id")
    if isinstance(authority, str) and authority.strip().lower().startswith("http://"):
        says = 'must start with "https://"; nobody signs in over anything else'
        yield Problem((*place, "authority"), says)
    if tenant in MANY:
        says = f"{show(tenant)} is no single directory; write its id or its domain"
        yield Problem((*place, "tenant_id"), says)


def _mapped(raw: Table) -> Iterator[tuple[Place, Table]]:
    """Walk all fields of all sources; a column's name alone is a table with that column."""
    for index, source in _tables(raw, "sources"):
        person = _table(source, "person")
        for name, field in person.items():
            if name != "attributes":
                yield ("sources", index, "person", name), _field(field)
        for name, field in _table(person, "attributes").items():
            yield ("sources", index, "person", "attributes", name), _field(field)


def _field(field: object) -> Table:
    if isinstance(field, dict):
        return field
    return {"column": field} if isinstance(field, str) else {}


def _fields(raw: Table) -> Iterator[Problem]:
    for place, field in _mapped(raw):
        name = str(place[-1])
        if place[3] == "attributes" and name in ALWAYS:
            yield Problem(place, "every person has this name already; choose another one")
        yield from _field_problems(place, field)


def _field_problems(place: Place, field: Table) -> Iterator[Problem]:
    """Judge the keys of one field against each other and against its place."""
    name = str(place[-1]) if place[3] != "attributes" else ""
    usual = FIXED.get(name, Type.TEXT)
    kind = field.get("type", usual.value)
    if (name in FIXED or name in IDENTITIES) and kind in TYPES and kind != usual:
        yield Problem((*place, "type"), f"{name} is always {usual}; leave this out")
        return
    for key, fits in (("format", "date"), ("true_values", "bool"), ("split", "text")):
        if key in field and kind in TYPES and kind != fits:
            yield Problem((*place, key), f"is for type {fits}, and this is {kind}")
            return
    if "split" in field and (name in FIXED or name in IDENTITIES):
        yield Problem((*place, "split"), f"{name} is one value and no list")
    elif "default" in field:
        yield from _default_problems((*place, "default"), field, usual, is_key=name == "key")


def _default_problems(
    place: Place, field: Table, usual: Type, *, is_key: bool
) -> Iterator[Problem]:
    if is_key:
        yield Problem(place, "a key has no default: it would be the same for everybody")
        return
    try:
        cell = FieldSettings.model_validate(field).cell(usual)
    except ValueError:
        return  # the models report what is wrong with the field itself
    try:
        cell_reader(cell)(None)
    except Unfit:
        yield Problem(place, f"{show(field['default'])} does not fit type {cell.type}")


def _bands(raw: Table) -> Iterator[Problem]:
    """Judge the attributes whose groups are compared: of the source itself, and no lists."""
    for index, source in _tables(raw, "sources"):
        named = _table(source, "certificate").get("bands")
        types = {name: kind for _, name, kind in _attributes({"sources": [source]})}
        for at, name in enumerate(named if isinstance(named, list) else []):
            if not isinstance(name, str) or name.strip() == "enabled":
                continue
            kind = types.get(name.strip())
            says = None
            if kind is None:
                says = f"this source maps no attribute {show(name)}{nearest(name, types)}"
            elif kind not in ("text", "int", "bool", ANY) or '"' in name:
                says = f"{show(name)} is mapped as {kind}; groups are of texts, numbers and bools"
            if says:
                yield Problem(("sources", index, "certificate", "bands", at), says)


def _rules(raw: Table) -> Iterator[Problem]:
    types = attribute_types(raw)
    environments = raw.get("environments")
    known = set(environments) if isinstance(environments, dict) else set()
    for index, rule in _tables(raw, "rules"):
        place: Place = ("rules", index)
        if ("profile" in rule) == ("profile_from" in rule):
            yield Problem(place, "needs either profile or profile_from, and not both")
        source = rule.get("profile_from")
        if isinstance(source, str) and source.strip():
            yield from _profile_from((*place, "profile_from"), source.strip(), types)
        named = rule.get("environments")
        for at, name in enumerate(named if isinstance(named, list) else []):
            if isinstance(name, str) and known and name.strip() not in known:
                says = f"there is no environment {show(name)}{nearest(name, known)}"
                yield Problem((*place, "environments", at), says)


def _profile_from(place: Place, name: str, types: Mapping[str, str]) -> Iterator[Problem]:
    if name not in types:
        yield Problem(place, f"no source maps the attribute {show(name)}{nearest(name, types)}")
    elif types[name] not in {"text", ANY}:
        yield Problem(place, f"{name} is mapped as {types[name]}; a profile's name is a text")


def _mappings(raw: Table) -> Iterator[Problem]:
    """Judge declared mappings: there may be one for each application and claim in a place."""
    everywhere = _names(raw)
    seen: dict[tuple[str, str, str], str | int] = {}
    for index, mapping in _tables(raw, "usermappings"):
        place: Place = ("usermappings", index)
        if mapping.get("present", True) is True and "attribute" not in mapping:
            yield Problem((*place, "attribute"), "is required")
        named = mapping.get("environments")
        listed = named if isinstance(named, list) else []
        where = [name.strip() for name in listed if isinstance(name, str)]
        for name in where:
            if everywhere and name not in everywhere:
                says = f"there is no environment {show(name)}{nearest(name, everywhere)}"
                yield Problem((*place, "environments"), says)
        claim, application = mapping.get("claim_type"), mapping.get("application", "sharepoint")
        if isinstance(claim, str) and isinstance(application, str):
            keys = [(name, application, Claim.of(claim)) for name in where or everywhere]
            first = next((seen[key] for key in keys if key in seen), None)
            if first is not None:
                says = f"{show(claim)} is declared by usermappings.{first}, too; keep one of them"
                yield Problem((*place, "claim_type"), says)
            seen |= dict.fromkeys(keys, index)


def _hints_below(raw: Table) -> Iterator[Problem]:
    """Find ladders in which an address decides before what the organization declares about it."""
    for place, policy in _policies(raw):
        match = policy.get("match")
        if not isinstance(match, list) or not {"usermapping", "mail"} <= set(map(str, match)):
            continue
        at = match.index("usermapping")
        if match.index("mail") < at:
            says = "stands below mail; what it finds is hardly ever asked for: put it above"
            yield Problem((*place, "match", at), says)


def _names(raw: Table) -> list[str]:
    environments = raw.get("environments")
    return list(environments) if isinstance(environments, dict) else []


def _service(raw: Table) -> Iterator[Problem]:
    admin = _table(raw, "admin")
    if "token" in admin and "entra" in admin:
        yield Problem(("admin",), "has both token and entra; keep one of them")
    for index, receiver in _tables(raw, "notifications"):
        if "password" in receiver and "user" not in receiver and receiver.get("type") == "smtp":
            yield Problem(("notifications", index, "user"), "is required with a password")
    for index, blackout in _tables(_table(raw, "daemon"), "blackouts"):
        if "from" in blackout and blackout["from"] == blackout.get("to"):
            place = ("daemon", "blackouts", index, "to")
            yield Problem(place, "is the same time as from; a blackout has a length")
