"""Rules' expressions: compiled once, judged before the first person. The only importer of cel."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from types import ModuleType

# The package loads an interactive shell of its own with itself, which nobody here types into:
# half of the time that any command of ours would take to start.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
import cel  # noqa: E402  # after the line above

from syncd.config import tokens  # noqa: E402  # likewise
from syncd.config.shape import nearest  # noqa: E402  # likewise
from syncd.config.tokens import Kind, Token  # noqa: E402  # likewise
from syncd.core.model import Value  # noqa: E402  # likewise
from syncd.core.rules import Predicate, RuleError  # noqa: E402  # likewise

__all__ = ["ALWAYS", "ANY", "LIST", "Expression", "ExpressionError", "compile_rule"]

ALWAYS = ("key", "employee_id", "object_id", "user_name", "mail", "source")
"""What every person has besides the mapped attributes; all of them texts."""
LIST = "list"
ANY = "any"
"""The type of an attribute that several sources map differently, or that is unknown."""

TYPE_NAMES = frozenset(
    {"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"}
)
FUNCTIONS = (
    frozenset(tokens.MACROS)
    | {"has", "size", "contains", "startsWith", "endsWith", "matches", "type", "dyn"}
    | {"int", "uint", "double", "string", "bytes", "timestamp", "duration"}
    | {"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfYear", "getDayOfWeek"}
    | {"getHours", "getMinutes", "getSeconds", "getMilliseconds"}
)
DEEPEST = 60
"""Brackets within brackets that are still tried: the parser's own limit is not far above."""

UNDEFINED = re.compile(r"Undefined variable or function: '([^']*)'")
TODAYS = (date(2026, 1, 1), date(2026, 3, 2), date(2027, 12, 31))
LITERAL_TYPES = {
    "text": "text",
    "int": "number",
    "float": "number",
    "bool": "bool",
    "date": "date",
    LIST: LIST,
}


class ExpressionError(Exception):
    """An expression cannot be used; the text is a sentence that goes on from its name."""


@dataclass(frozen=True, slots=True)
class Expression:
    """
    A rule's condition, ready to be asked.

    `reads` names what of a person it looks at, `reads_today` that its answer can
    change overnight, `warnings` what it says that its author can hardly mean.
    """

    when: Predicate
    reads: frozenset[str]
    reads_today: bool
    warnings: tuple[str, ...]


def compile_rule(text: str, attributes: Mapping[str, str]) -> Expression:
    """
    Compile a condition over the mapped *attributes*, given with their types.

    A type is text, int, float, bool, date, list or any. Raises ExpressionError where
    the expression does not parse, names what does not exist, or never yields a bool.
    """
    types = {**attributes, **dict.fromkeys(ALWAYS, "text")}
    words = tokens.tokens(text)
    program = _parsed(text, words)
    looks = tokens.reading(words)
    _check_names(program, looks, types)
    _check_literals(text, words)
    reads = frozenset(types) if looks.whole else looks.attributes
    today = any(word.text == "today" and word.kind is Kind.NAME for word in words)
    _check_result(text, words, {name: types[name] for name in reads})
    warnings = (*_misfits(words, types), *_tests(looks.tested))
    asked = _predicate(program, reads, whole=looks.whole)
    return Expression(asked, reads, today, warnings)


def _parsed(text: str, words: list[Token]) -> cel.Program:
    deepest = depth = 0
    for word in words:
        if word.kind is Kind.MARK:
            depth += (word.text in tokens.OPENING) - (word.text in tokens.CLOSING)
            deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise ExpressionError(f"has more than {DEEPEST} brackets within each other")
    try:
        return cel.compile(text)
    except ValueError as error:
        raise ExpressionError(f"does not parse{_where(str(error))}") from None


def _where(message: str) -> str:
    """Take from the parser's message the place and the reason, without the expression."""
    found = re.search(r"<input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)", message)
    if found is None:
        return ""
    reason = re.sub(r" expecting \{.*", "", found[3]).replace("<EOF>", "the end")
    return f": line {found[1]}, column {found[2]}: {reason}"


def _check_names(program: cel.Program, looks: tokens.Reading, types: Mapping[str, str]) -> None:
    """Raise for the first name that means nothing."""
    hidden = looks.bound & {"person", "today"}
    if hidden:
        raise ExpressionError(f"gives the name {min(hidden)} to something else")
    for name in sorted(looks.attributes - types.keys()):
        near = nearest(name, types)
        raise ExpressionError(f"names person.{name}, which no source maps{near}")
    known = {"person", "today"} | looks.bound | TYPE_NAMES
    for name in sorted(set(program.variables()) - known):
        raise ExpressionError(f"names {name}, which is nothing it can see{_hint(name, types)}")
    for name in sorted(set(program.functions()) - FUNCTIONS):
        if re.fullmatch(r"[A-Za-z]\w*", name):
            near = nearest(name, FUNCTIONS)
            raise ExpressionError(f"calls {name}(), which does not exist{near}")


def _check_literals(text: str, words: list[Token]) -> None:
    """Raise for the first thing that fails whoever it is asked of: by what is written alone."""
    if not tokens.straight(words):
        return  # it may be passed over for some people, who have an answer then
    for sign in tokens.zeros(words):
        raise ExpressionError(f"divides by zero: {_place(text, sign)}")
    for pattern in tokens.patterns(words):
        written = text[pattern.start : pattern.end]
        try:
            cel.compile(f"''.matches({written})").execute({})
        except Exception as error:  # noqa: BLE001  # as in the predicate
            found = re.search(r"error: ([^\n]*)\. Check function", str(error))
            why = f": {found[1]}" if found else ""
            place = _place(text, pattern)
            raise ExpressionError(
                f"gives matches() what is no regular expression: {place}{why}"
            ) from None


def _place(text: str, word: Token) -> str:
    before = text[: word.start]
    line, column = before.count("\n") + 1, word.start - before.rfind("\n")
    return f"line {line}, column {column}"


def _hint(name: str, types: Mapping[str, str]) -> str:
    if name in types:
        return f'; did you mean "person.{name}"?'
    return nearest(name, ("person", "today")) or "; it sees person and today"


@dataclass(frozen=True, slots=True)
class _Scene:
    """A person on a day, as CEL sees them: to build it costs more than to ask ten rules."""

    person: Mapping[str, Value]
    today: date
    names: frozenset[str]
    context: cel.Context


class _Stage(threading.local):
    """
    The scene that was looked at last, in each thread: one rule after the other asks for it.

    It shows of a person what any rule has looked at so far, and so serves them all; what
    nobody looks at is not converted.
    """

    scene: _Scene | None = None
    names: frozenset[str] = frozenset()

    def show(
        self, person: Mapping[str, Value], today: date, names: frozenset[str], *, only: bool
    ) -> _Scene:
        """Set the scene for a person; of whom it shows *only* these *names*, or those at least."""
        if not only:
            names = self.names = self.names | names
        seen = {name: _seen(person.get(name)) for name in names}
        context = cel.Context(variables={"person": seen, "today": _midnight(today)})
        self.scene = _Scene(person, today, names, context)
        return self.scene


_stage = _Stage()


def _predicate(program: cel.Program, reads: frozenset[str], *, whole: bool) -> Predicate:
    """
    Return the question; *reads* is what this rule looks at.

    A rule that looks at the *whole* person must be shown nothing else.
    """
    execute, stage = program.execute, _stage

    def when(person: Mapping[str, Value], today: date) -> bool:
        scene = stage.scene
        if (
            scene is None
            or scene.person is not person
            or scene.today != today
            or not (scene.names == reads if whole else scene.names >= reads)
        ):
            scene = stage.show(person, today, reads, only=whole)
        try:
            answer = execute(scene.context)
        except Exception as error:  # noqa: BLE001  # the library raises a dozen kinds; each means no answer
            seen = {name: _seen(person.get(name)) for name in sorted(reads)}
            raise RuleError(_reason(error, seen)) from None
        if answer is True or answer is False:
            return bool(answer)
        raise RuleError(f"the answer is {_kind(answer)}, not true or false")

    return when


def _seen(value: Value) -> object:
    """Convert a value to what CEL knows: dates are moments; tuples are lists there anyway."""
    return _midnight(value) if isinstance(value, date) else value


@lru_cache(maxsize=4096)
def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _kind(answer: object) -> str:
    if answer is None:
        return "null"
    names = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "a map"}
    return names.get(type(answer), "another kind of value")


def _reason(error: Exception, seen: Mapping[str, object]) -> str:
    """Say why there is no answer, naming attributes and never their values."""
    nulls = [f"person.{name}" for name, value in seen.items() if value is None]
    missing = UNDEFINED.search(str(error))
    if nulls and (missing or isinstance(error, TypeError)):
        subject = f"{', '.join(nulls)} {'is' if len(nulls) == 1 else 'are'} null"
        what = f"has no {missing[1]}()" if missing else "cannot be compared or computed with"
        return f"{subject}, which {what}"
    if missing:
        return f"{missing[1]}() does not apply to this kind of value"
    function = re.search(r"Function '(\w+)' error", str(error))
    if function:
        return f"{function[1]}() could not be applied to this value"
    return REASONS.get(type(error), "it cannot be evaluated")


REASONS: Mapping[type[Exception], str] = {
    TypeError: "values of these types cannot be compared or computed with each other",
    ZeroDivisionError: "it divides by zero",
    OverflowError: "a number is too large",
    IndexError: "a list is not that long",
    KeyError: "there is no such entry",
}


def _check_result(text: str, words: list[Token], types: Mapping[str, str]) -> None:
    """
    Raise where no person could ever get a bool.

    Each expression that can be the result is tried with made-up people of the mapped
    types, with the texts and numbers that the rule itself names among their values.
    """
    people = list(_samples(types, words))
    answers: list[object] = []
    doubtful = False
    for branch in tokens.branches(text):
        program = cel.compile(branch)
        for person in people:
            for today in TODAYS:
                try:
                    answer = program.execute({"person": person, "today": _midnight(today)})
                except Exception as error:  # noqa: BLE001  # as in the predicate
                    doubtful |= not (isinstance(error, TypeError) or UNDEFINED.search(str(error)))
                    continue
                if isinstance(answer, bool):
                    return
                answers.append(answer)
    if answers:
        kinds = sorted({_kind(each) for each in answers if each is not None}) or ["null"]
        raise ExpressionError(f"never yields true or false; it yields {' or '.join(kinds)}")
    if not doubtful:
        raise ExpressionError("never yields true or false; it fails for every person")


def _samples(types: Mapping[str, str], words: list[Token]) -> Iterable[dict[str, object]]:
    """Make up people: the n-th values of all attributes together, some with each one null."""
    texts = [word.text for word in words if word.kind is Kind.TEXT][:40]
    numbers = [_number(word.text) for word in words if word.kind is Kind.NUMBER][:40]
    values: dict[str, list[object]] = {
        "text": [*texts, "1", "a", "true", "2026-01-01T00:00:00Z", "1h", "", None],
        "int": [*(int(each) for each in numbers), 0, 1, 7, -3, None],
        "float": [*numbers, 0.0, 1.5, -3.25, None],
        "bool": [True, False, None],
        "date": [*map(_midnight, TODAYS), None],
        LIST: [texts, ["a", "b", "c", "d"], ["1"], []],
    }
    values[ANY] = [each for several in values.values() for each in several]
    rounds = max((len(values[kind]) for kind in types.values()), default=1)
    for turn in range(rounds):
        yield {name: values[kind][turn % len(values[kind])] for name, kind in types.items()}


def _number(written: str) -> float:
    try:
        return float(int(written.rstrip("uU"), 0))
    except ValueError:
        return _float(written)


def _float(written: str) -> float:
    try:
        value = float(written)
    except ValueError:
        return 0.0
    return value if abs(value) < 2**62 else 0.0


def _misfits(words: list[Token], types: Mapping[str, str]) -> Iterable[str]:
    expected = {name: LITERAL_TYPES[kind] for name, kind in types.items() if kind != ANY}
    for name, literal in tokens.misfits(words, expected):
        written = f'"{literal.text}"' if literal.kind is Kind.TEXT else literal.text
        kind = "list of texts" if types[name] == LIST else types[name]
        yield (
            f"compares person.{name}, which is mapped as {kind}, with {written}; "
            "CEL converts nothing, so they are never equal"
        )


def _tests(tested: Iterable[str]) -> Iterable[str]:
    for name in sorted(tested):
        yield f"has(person.{name}) is always true; write person.{name} != null"
