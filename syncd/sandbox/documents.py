"""Definitions as a tree of documents, and the query options that metadata takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.sandbox import errors
from syncd.sandbox.expansion import Expansion, read_expansions

__all__ = ["Document", "Options", "Values", "filtered", "read", "show"]

TOKEN = re.compile(
    r"\s*(?:(?:[A-Za-z_][\w.]*)?'(?P<text>(?:[^']|'')*)'"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>@?[A-Za-z_][\w./]*)|(?P<sign>[(),]))"
)
CONSTANTS: Mapping[str, object] = {"null": None, "true": True, "false": False}
FUNCTIONS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda value, part: part in value,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: bool(left == right),
    "ne": lambda left, right: bool(left != right),
    "gt": lambda left, right: left is not None and bool(left > right),
    "ge": lambda left, right: left is not None and bool(left >= right),
    "lt": lambda left, right: left is not None and bool(left < right),
    "le": lambda left, right: left is not None and bool(left <= right),
}
Values = Mapping[str, Any]
Test = Callable[[Values], bool]


@dataclass(frozen=True, slots=True)
class Document:
    """
    One definition: its type without namespace, its properties, and what it leads to.

    `collections` are lists of further documents, `singles` one or none; both are shown only where
    they are expanded or asked for.
    """

    type: str
    values: Values
    collections: Mapping[str, Sequence[Document]] = field(default_factory=dict)
    singles: Mapping[str, Document | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """What of a document is shown: the properties named (None: all), and what is expanded."""

    select: tuple[str, ...] | None = None
    expand: tuple[Expansion, ...] = ()


def read(options: Mapping[str, str]) -> Options:
    """Read `$select` and `$expand`. Raises Refused for their syntax."""
    text = options.get("$select")
    select = None if text in {None, "*"} else tuple(map(str.strip, str(text).split(",")))
    return Options(select, read_expansions(options.get("$expand")))


def show(document: Document, asked: Options, declared: str) -> dict[str, Any]:
    """
    Return a document as JSON.

    `declared` is the type that the address promises: a document of another type names its own.
    Raises Refused for a property or a navigation property that its type does not have.
    """
    shown: dict[str, Any] = {}
    if document.type != declared:
        shown["@odata.type"] = f"#Microsoft.Dynamics.CRM.{document.type}"
    if asked.select is None:
        shown |= document.values
    else:
        for name in asked.select:
            if name in document.values:
                shown[name] = document.values[name]
            elif document.type == declared:
                raise unknown(document, name)
        if "MetadataId" in document.values:
            shown["MetadataId"] = document.values["MetadataId"]
    for expansion in asked.expand:
        shown[expansion.nav] = _expanded(document, expansion)
    return shown


def _expanded(document: Document, expansion: Expansion) -> object:
    nav, inner = expansion.nav, read(expansion.options)
    if nav in document.singles:
        single = document.singles[nav]
        return None if single is None else show(single, inner, single.type)
    if nav not in document.collections:
        raise unknown(document, nav)
    found = filtered(document.collections[nav], expansion.options.get("$filter"), {})
    declared = {"Attributes": "AttributeMetadata"}.get(nav) or (found[0].type if found else "")
    return [show(each, inner, declared) for each in found]


def unknown(document: Document, name: str) -> errors.Refused:
    """Refuse a name that the type of a document does not have."""
    return errors.query(
        f"Could not find a property named '{name}' on type "
        f"'Microsoft.Dynamics.CRM.{document.type}'."
    )


def filtered(
    documents: Sequence[Document], text: str | None, aliases: Mapping[str, str]
) -> Sequence[Document]:
    """Return the documents that pass a `$filter`. Raises Refused for its syntax."""
    if text is None:
        return documents
    parser = _Parser(text, aliases)
    test = parser.whole()
    return [each for each in documents if test(each.values)]


class _Parser:
    """Recursive descent: or, and, not, parentheses, comparisons, three functions."""

    def __init__(self, text: str, aliases: Mapping[str, str]) -> None:
        self._aliases = aliases
        self._tokens = _tokens(text)
        self._at = 0

    def whole(self) -> Test:
        test = self._any_of()
        if self._ahead() is not None:
            raise errors.query(f"Syntax error in $filter near '{self._ahead()}'.")
        return test

    def _ahead(self) -> object:
        kind, value = self._tokens[self._at] if self._at < len(self._tokens) else ("", None)
        return None if kind == "text" else value

    def _next(self) -> tuple[str, Any]:
        if self._at >= len(self._tokens):
            raise errors.query("Expression expected at the end of $filter.")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, sign: str) -> None:
        if self._next()[1] != sign:
            raise errors.query(f"'{sign}' expected in $filter.")

    def _any_of(self) -> Test:
        tests = [self._all_of()]
        while self._ahead() == "or":
            self._next()
            tests.append(self._all_of())
        return lambda values: any(test(values) for test in tests)

    def _all_of(self) -> Test:
        tests = [self._single()]
        while self._ahead() == "and":
            self._next()
            tests.append(self._single())
        return lambda values: all(test(values) for test in tests)

    def _single(self) -> Test:
        kind, word = self._next()
        if word == "not" and kind == "name":
            inner = self._single()
            return lambda values: not inner(values)
        if word == "(" and kind == "sign":
            test = self._any_of()
            self._expect(")")
            return test
        if kind != "name":
            raise errors.query(f"A property is expected in $filter, not '{word}'.")
        if word in FUNCTIONS and self._ahead() == "(":
            return self._function(FUNCTIONS[word])
        compare = COMPARISONS.get(str(self._next()[1]))
        if compare is None:
            raise errors.query("A comparison is expected in $filter.")
        wanted = self._constant()
        return lambda values: compare(_folded(_follow(values, word)), wanted)

    def _function(self, test: Callable[[str, str], bool]) -> Test:
        self._expect("(")
        path = str(self._next()[1])
        self._expect(",")
        part = str(self._constant())
        self._expect(")")
        return lambda values: test(str(_folded(_follow(values, path))), part)

    def _constant(self) -> object:
        kind, value = self._next()
        if kind == "name":
            if value in self._aliases:
                kind, value = _tokens(self._aliases[value])[0]
            elif value in CONSTANTS:
                return CONSTANTS[value]
            else:
                raise errors.query(f"'{value}' is no value in $filter.")
        return _folded(value)


def _tokens(text: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    at, stripped = 0, text.rstrip()
    while at < len(stripped):
        match = TOKEN.match(stripped, at)
        if match is None or match.lastgroup is None:
            raise errors.query(f"Syntax error at position {at} in $filter.")
        value: Any = match[match.lastgroup]
        if match.lastgroup == "number":
            value = float(value) if "." in value else int(value)
        elif match.lastgroup == "text":
            value = value.replace("''", "'")
        found.append((match.lastgroup, value))
        at = match.end()
    return found


def _folded(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value


def _follow(values: Values, path: str) -> object:
    found: Any = values
    for name in path.split("/"):
        if not isinstance(found, Mapping) or name not in found:
            raise errors.query(f"Could not find a property named '{path}' in $filter.")
        found = found[name]
    return found
