"""The words of a CEL expression: enough to see which attributes it reads and what it compares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

__all__ = [
    "Kind",
    "Reading",
    "Token",
    "branches",
    "misfits",
    "patterns",
    "reading",
    "straight",
    "tokens",
    "zeros",
]

WORD = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
    | (?P<bytes>[rR]?[bB][rR]?(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
    | (?P<raw>[rR](?:\"\"\".*?\"\"\"|'''.*?'''|"[^"\n]*"|'[^'\n]*'))
    | (?P<text>\"\"\"(?:\\.|.)*?\"\"\"|'''(?:\\.|.)*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    | (?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?)
    | (?P<name>[A-Za-z_]\w*)
    | (?P<mark>==|!=|<=|>=|&&|\|\||.)
    """,
    re.VERBOSE | re.DOTALL,
)
NOTHING = re.compile(r"0(?:[xX]0+|0*)[uU]?")
PASSING = frozenset({"&&", "||", "?"})
COMPARED = frozenset({"==", "!=", "<", "<=", ">", ">="})
JOINED = frozenset({"+", "-", "*", "/", "%", ".", "[", "("})
OPENING, CLOSING = frozenset("([{"), frozenset(")]}")
MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})


class Kind(StrEnum):
    """What a word of an expression is."""

    TEXT = "text"
    BYTES = "bytes"
    NUMBER = "number"
    NAME = "name"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Token:
    """One word; `text` is a text literal's content where it is plain, else as written."""

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def literal(self) -> str | None:
        """Return which type of value this word writes down: text, number, bool; else None."""
        if self.kind in (Kind.TEXT, Kind.NUMBER):
            return self.kind.value
        return "bool" if self.kind is Kind.NAME and self.text in {"true", "false"} else None


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What an expression looks at.

    `whole` says that it uses `person` other than by one named attribute; `bound` are
    the variables of its macros, `tested` the attributes it asks `has()` of.
    """

    attributes: frozenset[str]
    whole: bool
    bound: frozenset[str]
    tested: frozenset[str]


def tokens(expression: str) -> list[Token]:
    """Take an expression apart, without spaces and comments."""
    found = []
    for match in WORD.finditer(expression):
        name = str(match.lastgroup)
        if name == "space":
            continue
        kind = Kind.TEXT if name == "raw" else Kind(name)
        found.append(Token(kind, _content(match.group(), kind), *match.span()))
    return found


def _content(written: str, kind: Kind) -> str:
    """Strip a text's quotes. Escapes of letters are left: no attribute needs one."""
    if kind is not Kind.TEXT:
        return written
    body = written.lstrip("rR")
    width = 3 if body[:3] in ('"""', "'''") and len(body) >= 6 else 1
    body = body[width:-width]
    return body if written[0] in "rR" else re.sub(r"""\\(["'\\])""", r"\1", body)


def reading(words: Sequence[Token]) -> Reading:
    """Find which attributes of `person` an expression names."""
    attributes: set[str] = set()
    tested: set[str] = set()
    whole = False
    for index in range(len(words)):
        if not _is_variable(words, index, "person"):
            continue
        name, _ = _attribute(words, index)
        if name is None:
            whole = True
            continue
        attributes.add(name)
        if [each.text for each in words[max(0, index - 2) : index]] == ["has", "("]:
            tested.add(name)
    return Reading(frozenset(attributes), whole, frozenset(_bound(words)), frozenset(tested))


def _is_variable(words: Sequence[Token], index: int, name: str) -> bool:
    """Whether a word is the variable itself: not a member, not a key of a map literal."""
    word = words[index]
    return (
        word.kind is Kind.NAME
        and word.text == name
        and (index == 0 or words[index - 1].text != "." or words[index - 1].kind is not Kind.MARK)
    )


def _attribute(words: Sequence[Token], index: int) -> tuple[str | None, int]:
    """Return the attribute that `person` at *index* is followed by, and where the words go on."""
    after = words[index + 1 : index + 4]
    if len(after) >= 2 and after[0].text == "." and after[1].kind is Kind.NAME:
        called = len(after) > 2 and after[2].text == "(" and after[2].kind is Kind.MARK
        return (None, index + 1) if called else (after[1].text, index + 3)
    if (
        len(after) == 3
        and after[0].text == "["
        and after[0].kind is Kind.MARK
        and after[1].kind is Kind.TEXT
        and after[2].text == "]"
    ):
        return after[1].text, index + 4
    return None, index + 1


def _bound(words: Sequence[Token]) -> Iterator[str]:
    """Find the variables that macros such as `exists(x, …)` bring in."""
    for macro, opening, name, comma in zip(words, words[1:], words[2:], words[3:], strict=False):
        if macro.text in MACROS and (opening.text, comma.text) == ("(", ","):
            yield name.text


def misfits(words: Sequence[Token], types: Mapping[str, str]) -> Iterator[tuple[str, Token]]:
    """
    Find literals that are compared with an attribute of another type.

    CEL answers such a comparison with "unequal" or an error, and never with a
    conversion. `null` fits everything.
    """
    for index in range(len(words)):
        if not _is_variable(words, index, "person"):
            continue
        name, after = _attribute(words, index)
        expected = types.get(name or "")
        if name is None or expected is None:
            continue
        before = words[index - 1].text if index else ""
        for literal in _opposite(words, index, after, before):
            if literal.literal != expected:
                yield name, literal


def _opposite(words: Sequence[Token], index: int, after: int, before: str) -> Iterator[Token]:
    """Find the literals on the other side of a comparison of the words from *index* to *after*."""
    sign = words[after].text if after < len(words) else ""
    if sign in COMPARED and before not in JOINED - {"("}:
        right = after + 2 if after + 1 < len(words) and words[after + 1].text == "-" else after + 1
        follows = words[right + 1].text if right + 1 < len(words) else ""
        if right < len(words) and words[right].literal and follows not in JOINED:
            yield words[right]
    if sign == "in":
        yield from _entries(words, after + 1)
    if before in COMPARED and index > 1 and sign not in JOINED:
        left = words[index - 2]
        if left.literal and (index == 2 or words[index - 3].text not in JOINED - {"(", "["}):
            yield left


def _entries(words: Sequence[Token], start: int) -> Iterator[Token]:
    """Find the literals of a list that stands at *start*."""
    if start >= len(words) or words[start].text != "[":
        return
    for word in words[start + 1 :]:
        if word.text == "]" and word.kind is Kind.MARK:
            return
        if word.literal:
            yield word
        elif word.text not in {",", "-", "null"}:
            return


def straight(words: Sequence[Token]) -> bool:
    """Tell whether every part is computed for everybody, whatever another part yields."""
    return not any(
        (word.kind is Kind.MARK and word.text in PASSING)
        or (word.kind is Kind.NAME and word.text in MACROS)
        for word in words
    )


def patterns(words: Sequence[Token]) -> Iterator[Token]:
    """Find the texts that `matches()` is given as they stand."""
    for call in zip(words, words[1:], words[2:], words[3:], strict=False):
        named, opening, pattern, closing = call
        if (
            (named.kind, named.text) == (Kind.NAME, "matches")
            and pattern.kind is Kind.TEXT
            and all(mark.kind is Kind.MARK for mark in (opening, closing))
            and (opening.text, closing.text) == ("(", ")")
        ):
            yield pattern


def zeros(words: Sequence[Token]) -> Iterator[Token]:
    """Find divisions by a whole number that is written down as zero; by 0.0 is another matter."""
    for sign, divisor in pairwise(words):
        kinds = (sign.kind, divisor.kind) == (Kind.MARK, Kind.NUMBER)
        if kinds and sign.text in {"/", "%"} and NOTHING.fullmatch(divisor.text):
            yield sign


def branches(expression: str) -> list[str]:
    """Return the expressions of which one is the result: both sides of an outermost `?:`."""
    words = tokens(expression)
    while _wrapped(words):
        words = words[1:-1]
    question = _outermost(words, "?", 0)
    if question is None:
        return [expression]
    colon = _colon(words, question)
    if colon is None:
        return [expression]
    parts = words[question + 1 : colon], words[colon + 1 :]
    return [
        each
        for part in parts
        if part
        for each in branches(expression[part[0].start : part[-1].end])
    ]


def _wrapped(words: Sequence[Token]) -> bool:
    if len(words) < 3 or words[0].text != "(" or words[-1].text != ")":
        return False
    depths = list(_depths(words))
    return all(depth > 0 for depth in depths[:-1])


def _depths(words: Sequence[Token]) -> Iterator[int]:
    """Count the brackets that are open after each word."""
    depth = 0
    for word in words:
        if word.kind is Kind.MARK:
            depth += (word.text in OPENING) - (word.text in CLOSING)
        yield depth


def _outermost(words: Sequence[Token], mark: str, start: int) -> int | None:
    for index, (word, depth) in enumerate(zip(words, _depths(words), strict=True)):
        if index >= start and depth == 0 and word.kind is Kind.MARK and word.text == mark:
            return index
    return None


def _colon(words: Sequence[Token], question: int) -> int | None:
    """Find the colon that belongs to a question mark."""
    open_questions = 0
    for index, (word, depth) in enumerate(zip(words, _depths(words), strict=True)):
        if index <= question or depth or word.kind is not Kind.MARK:
            continue
        if word.text == "?":
            open_questions += 1
        elif word.text == ":":
            if not open_questions:
                return index
            open_questions -= 1
    return None
