"""Conditions of rules: what they read, when they have no answer, and which are refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.config.expressions import ALWAYS, ExpressionError, compile_rule
from syncd.core.model import Value
from syncd.core.rules import RuleError

TYPES = {
    "department": "text",
    "site": "text",
    "grade": "int",
    "weight": "float",
    "mobile": "bool",
    "starts": "date",
    "groups": "list",
    "cost center": "text",
    "mixed": "any",
}
ADA: Mapping[str, Value] = {
    "key": "E1",
    "source": "hr",
    "department": "Field Service",
    "site": None,
    "grade": 3,
    "weight": 61.5,
    "mobile": True,
    "starts": date(2026, 3, 1),
    "groups": ("crew", "driver"),
    "cost center": "4711",
}
TODAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('person.department == "Field Service" && person.grade >= 3', True),
        ('person.department in ["Depot", "Field Service"]', True),
        ("person.site == null", True),
        ("person.site != null && person.site > 'A'", False),
        ("person.mobile", True),
        ('"driver" in person.groups', True),
        ('person.groups.exists(each, each.startsWith("dri"))', True),
        ("size(person.groups) > 2", False),
        ("person.starts < today", True),
        ('today - person.starts == duration("24h")', True),
        ('person.starts == timestamp("2026-03-01T00:00:00Z")', True),
        ('person["cost center"] == "4711"', True),
        ('person.key == "E1" && person.source == "hr" && person.mail == null', True),
        ("person.grade > 2 ? person.mobile : false", True),
        ("int(person['cost center']) == 4711 // as a number", True),
        ("true", True),
    ],
)
def test_a_person_is_judged(text: str, *, answer: bool) -> None:
    """Absent values are null, days are moments at midnight UTC, lists are lists."""
    assert compile_rule(text, TYPES).when(ADA, TODAY) is answer


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("person.site > 'A'", "person.site is null, which cannot be compared or computed with"),
        ("person.site.startsWith('A')", "person.site is null, which has no startsWith()"),
        ("person.mixed", "the answer is null, not true or false"),
        ("int(person.department) > 3", "int() could not be applied to this value"),
        ("person.grade / (person.grade - 3) == 1", "it divides by zero"),
        ('person.groups[7] == "x"', "a list is not that long"),
        ("person.grade * 9223372036854775807 > 1", "a number is too large"),
        ("person.department == 'Depot' || person.department > 3", "values of these types"),
    ],
)
def test_an_expression_without_an_answer_says_why_and_names_no_value(
    text: str, reason: str
) -> None:
    """The person is held with this reason, which goes into reports and the audit log."""
    with pytest.raises(RuleError) as caught:
        compile_rule(text, TYPES).when(ADA, TODAY)

    assert reason in str(caught.value)
    assert "Field Service" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("person.grade >", "does not parse: line 1, column 15"),
        ("true true", "does not parse: line 1, column 6"),
        ("(" * 100 + "true" + ")" * 100, "more than 60 brackets within each other"),
        ("person.departmnt == 'x'", 'no source maps; did you mean "department"?'),
        ('person["nope"] == "x"', "names person.nope, which no source maps"),
        ("has(person.nope)", "names person.nope, which no source maps"),
        (
            "department == 'x'",
            'names department, which is nothing it can see; did you mean "person.',
        ),
        ("todday > person.starts", 'did you mean "today"?'),
        ("user.name == 'x'", "names user, which is nothing it can see; it sees person and today"),
        ("person.department.lowerAscii() == 'x'", "calls lowerAscii(), which does not exist"),
        ("['a'].exists(person, person == 'a')", "gives the name person to something else"),
        ("person.department", "never yields true or false; it yields a text"),
        ("'x'", "never yields true or false; it yields a text"),
        ("1 + 1", "never yields true or false; it yields a number"),
        ("size(person.groups)", "never yields true or false; it yields a number"),
        ("null", "never yields true or false; it yields null"),
        ("person.grade > 2 ? 'x' : person.site", "never yields true or false; it yields a text"),
        ("person.department > 3", "never yields true or false; it fails for every person"),
        ("person.mobile + 1 > 2", "never yields true or false; it fails for every person"),
        (
            '!\n person.site.matches("(")',
            "gives matches() what is no regular expression: line 2, column 22: unclosed group",
        ),
        ("person.site.matches(r'[z-a]')", "column 21: invalid character class range"),
        ("person.site.matches('(?=x)')", "look-behind, is not supported"),
        ("person.site.matches('(a{999}){999}')", "no regular expression: line 1, column 21"),
        ("person.grade / 0 == 1", "divides by zero: line 1, column 14"),
        ("person.grade % 0x00 == 1", "divides by zero: line 1, column 14"),
        ("7u / 0u > 1u", "divides by zero: line 1, column 4"),
    ],
)
def test_an_expression_that_cannot_work_is_refused(text: str, says: str) -> None:
    """Before the first person is judged by it."""
    with pytest.raises(ExpressionError) as caught:
        compile_rule(text, TYPES)

    assert says in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "person.department == 'rare' ? true : 'x'",
        "person.site == 'a' ? 1 : (person.grade == 12345 ? true : 2)",
        "person.mixed",
        "int(person.department) > 3",
        "timestamp(person.department) < today",
        "person.groups[3] == 'x'",
        "person.site.matches('^[A-Z]{2}\\\\d+$') || person.site.matches(r'(?i)^\\d')",
        "person.site.matches(person.department + '(')",
        "person.site == 'matches(\"(\") / 0'",
        "person.weight / 0.0 > 1.0 || person.weight / 0.5 > 1.0",
        "person.grade / (person.grade - 3) == 1",
        "person.site == null || person.site.matches('(')",
        "person.mobile && 1 / 0 == 1",
        "person.grade > 3 ? 1 % 0 == 1 : person.mobile",
        "person.groups.exists(group, group.matches('('))",
        "person.grade / 10 == 1 || person.site == '/' || person.groups[0] == '0'",
    ],
)
def test_an_expression_that_may_yield_a_bool_is_taken(text: str) -> None:
    """Only what is certain is refused; the rest is held person by person."""
    assert compile_rule(text, TYPES).reads


@pytest.mark.parametrize(
    ("text", "reads", "today"),
    [
        ("person.department == 'x'", {"department"}, False),
        ("person . department == 'x' && has(person.site)", {"department", "site"}, False),
        ("person['cost center'] == 'x'", {"cost center"}, False),
        ('person["department"] == """person.site""" // person.grade', {"department"}, False),
        (r"person.department == 'it\'s person.site'", {"department"}, False),
        (r"person.department == r'\' && person.site == 'x'", {"department", "site"}, False),
        ("person.department == 'today'", {"department"}, False),
        ("person.starts < today", {"starts"}, True),
        ("[person.grade].exists(x, x == 3)", {"grade"}, False),
        ("true", set(), False),
    ],
)
def test_what_an_expression_reads_is_found(text: str, reads: set[str], *, today: bool) -> None:
    """Texts and comments are not read for names."""
    expression = compile_rule(text, TYPES)

    assert expression.reads == reads
    assert expression.reads_today is today


@pytest.mark.parametrize("text", ["person.size() > 3", "'site' in person", "person == {}"])
def test_an_expression_over_the_whole_person_reads_everything(text: str) -> None:
    """Where no single attribute is named, any of them may decide."""
    assert compile_rule(text, TYPES).reads >= TYPES.keys() | {"key", "mail", "source"}


def test_the_whole_person_is_the_same_whatever_other_rules_look_at() -> None:
    """Whichever is asked first, also a rule of another configuration."""
    every = (f'person["{name}"] == null' for name in (*ALWAYS, *TYPES, "planet"))
    elsewhere = compile_rule(" || ".join(every), {**TYPES, "planet": "text"}).when
    whole = compile_rule(f"size(person) == {len(ALWAYS) + len(TYPES)}", TYPES).when
    part = compile_rule("person.grade == 3", TYPES).when

    assert [when(ADA, TODAY) for when in (elsewhere, whole, part, elsewhere, whole)] == [True] * 5


@pytest.mark.parametrize(
    "text",
    [
        "person.grade == '3'",
        "'3' == person.grade",
        "person.grade in ['1', '2']",
        "person.department != 3",
        "person.department == true",
        "person.mobile == 'yes'",
        "person.starts == '2026-03-01'",
        "person.groups == 'crew'",
        "person.key == 1001",
        "true && (person.department == -3)",
    ],
)
def test_a_comparison_with_another_type_is_warned_of(text: str) -> None:
    """It is quietly false, for everybody and for ever."""
    warnings = compile_rule(text, TYPES).warnings

    assert warnings
    assert all("CEL converts nothing" in each for each in warnings)


@pytest.mark.parametrize(
    "text",
    [
        "person.grade == 3.0",
        "person.weight > 3",
        "person.mixed == 3",
        "person.site == null",
        "'3' == person.department",
        "person.department == string(3)",
        "person.grade + 1 == size('3')",
        "'crew' in person.groups",
        "person.groups.exists(x, x == 'crew') == true",
        "person.department.size() == 3",
        "person.department in ['a', 'b']",
    ],
)
def test_a_comparison_that_can_be_true_is_not_warned_of(text: str) -> None:
    """A warning that is often wrong is soon read no more."""
    assert compile_rule(text, TYPES).warnings == ()


def test_a_test_for_presence_is_warned_of() -> None:
    """Every mapped attribute is there; an absent value is null."""
    warnings = compile_rule("has(person.site)", TYPES).warnings

    assert warnings == ("has(person.site) is always true; write person.site != null",)


@given(
    name=st.sampled_from(sorted(TYPES)),
    literal=st.text(max_size=12).map(lambda text: "".join(c for c in text if c.isprintable())),
    quote=st.sampled_from(["'", '"', "'''", '"""']),
)
def test_no_text_literal_is_mistaken_for_a_name(name: str, literal: str, quote: str) -> None:
    """Whatever stands in quotes: the expression reads the one attribute, and today is not it."""
    written = literal.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')
    text = f'{quote}person.zzz today {written}{quote} == string(1) || person["{name}"] == null'

    expression = compile_rule(text, TYPES)

    assert expression.reads == {name}
    assert not expression.reads_today


@given(st.text(alphabet="pers.on(today)[]{}&|=!<>?:'\"\\ 123,rR#/", max_size=30))
def test_any_text_is_compiled_or_refused_in_one_sentence(text: str) -> None:
    """Nothing an operator types breaks the program."""
    try:
        says = " ".join(compile_rule(text, TYPES).warnings)
    except ExpressionError as error:
        says = str(error)

    assert "\n" not in says.replace(text, "")
