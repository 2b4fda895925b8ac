"""Rules in order, up to the first match (behaviour.md sections 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.model import Loser, Value
from syncd.core.rules import Answer, Rule, RuleError, judge
from tests.core.builders import TODAY

ADA: Mapping[str, Value] = {"department": "field", "want": "Office", "grade": None}


def yes(name: str, profile: str = "Field") -> Rule:
    """Make a rule that matches everybody."""
    return Rule(name, lambda _, __: True, profile=profile)


def no(name: str) -> Rule:
    """Make a rule that matches nobody."""
    return Rule(name, lambda _, __: False, profile="Field")


def fails(name: str) -> Rule:
    """Make a rule that has no answer."""

    def predicate(_: Mapping[str, Value], __: date) -> bool:
        raise RuleError("grade is null")

    return Rule(name, predicate, profile="Field")


def named(attribute: str) -> Rule:
    """Make a rule whose profile is an attribute of the person."""
    return Rule("named", lambda _, __: True, profile_from=attribute)


@pytest.mark.parametrize(
    ("rules", "answer"),
    [
        ([], Answer()),
        ([no("a")], Answer()),
        ([yes("a")], Answer("Field", "a")),
        ([no("a"), yes("b", "Office")], Answer("Office", "b")),
        (
            [yes("a"), yes("b", "Office"), no("c"), yes("d")],
            Answer("Field", "a", (Loser("b", "Office"), Loser("d", "Field"))),
        ),
        ([fails("a"), yes("b")], Answer(error="rule a: grade is null")),
        ([no("a"), fails("b"), yes("c")], Answer(error="rule b: grade is null")),
        ([no("a"), fails("b")], Answer(error="rule b: grade is null")),
        (
            [yes("a"), fails("b"), yes("c", "Office")],
            Answer("Field", "a", (Loser("b", None, "grade is null"), Loser("c", "Office"))),
        ),
    ],
    ids=[
        "no rule",
        "no match",
        "one match",
        "the first that matches",
        "later matches are losers",
        "an error is no answer",
        "before any match",
        "even without one",
        "after the match it is a note",
    ],
)
def test_the_first_rule_that_matches_decides(rules: list[Rule], answer: Answer) -> None:
    """Sections 1 and 2: losers are kept; an error before the match changes nothing for anybody."""
    assert judge(ADA, TODAY, rules) == answer


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        ("Office", "Office"),
        (" Office ", "Office"),
        ("", None),
        ("  ", None),
        (None, None),
        ((), None),
    ],
)
def test_a_profile_may_be_named_by_the_person(value: Value, reference: str | None) -> None:
    """Section 1: profile_from; empty is no match, and the next rule is asked."""
    person = {"want": value}

    assert judge(person, TODAY, [named("want")]).reference == reference
    assert judge(person, TODAY, [named("want"), yes("else")]).reference == (reference or "Field")
    assert judge({}, TODAY, [named("want")]) == Answer()


@pytest.mark.parametrize("value", [0, 7, False, ("Office",)])
def test_a_name_that_is_no_text_is_an_error(value: Value) -> None:
    """Section 1: then the person is HELD with the rule's name."""
    answer = judge({"want": value}, TODAY, [named("want")])

    assert answer == Answer(error="rule named: want is not a text")


def test_a_rule_sees_the_person_and_the_day() -> None:
    """Section 1: the whole person, and today."""
    seen: list[tuple[Mapping[str, Value], date]] = []

    def predicate(person: Mapping[str, Value], today: date) -> bool:
        seen.append((person, today))
        return True

    judge(ADA, TODAY, [Rule("a", predicate, profile="Field")])

    assert seen == [(ADA, TODAY)]


KINDS = st.lists(st.sampled_from([yes, no, fails]))


@given(KINDS, st.sampled_from([yes, no, fails]))
def test_what_follows_the_match_never_changes_the_answer(kinds: list[object], last: object) -> None:
    """Section 1: rules are tried up to the first match."""
    rules = [kind(str(place)) for place, kind in enumerate(kinds)]  # type: ignore[operator]  # makers
    more = [*rules, last("last")]  # type: ignore[operator]  # a maker, too

    before, after = judge(ADA, TODAY, rules), judge(ADA, TODAY, more)

    if before.reference is not None or before.error is not None:
        assert (after.reference, after.rule, after.error) == (
            before.reference,
            before.rule,
            before.error,
        )
    else:
        assert after.reference is None or after.rule == "last"
