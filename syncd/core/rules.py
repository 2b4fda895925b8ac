"""Rules: from what a person is to the profile they should have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from syncd.core.model import Loser, Value

__all__ = ["Answer", "Predicate", "Rule", "RuleError", "judge"]

Predicate = Callable[[Mapping[str, Value], date], bool]
"""Whether a rule matches a person on a day. Raises RuleError where it has no answer."""


class RuleError(Exception):
    """An expression has no answer for this person; the text says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One rule. Either `profile` (an id or a published name) or `profile_from` (an attribute) is set.

    `reads` names what of the person the rule looks at; `reads_today` that its answer
    can change from one day to the next.
    """

    name: str
    when: Predicate
    profile: str | None = None
    profile_from: str | None = None
    reads: frozenset[str] = frozenset()
    reads_today: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the rules say: a profile's reference and the rule, nothing, or why not."""

    reference: str | None = None
    rule: str | None = None
    losers: tuple[Loser, ...] = ()
    error: str | None = None


def judge(person: Mapping[str, Value], today: date, rules: Sequence[Rule]) -> Answer:
    """
    Ask the rules in order; the first that matches decides.

    An error before a match means that there is no answer. Rules after the match are
    only asked to name the losers, and an error among them is a note.
    """
    won: tuple[str, str] | None = None
    losers: list[Loser] = []
    for rule in rules:
        try:
            if not rule.when(person, today):
                continue
            reference = _reference(rule, person)
        except RuleError as error:
            if won is None:
                return Answer(error=f"rule {rule.name}: {error}")
            losers.append(Loser(rule.name, None, str(error)))
            continue
        if reference is None:
            continue
        if won is None:
            won = reference, rule.name
        else:
            losers.append(Loser(rule.name, reference))
    return Answer(won[0], won[1], tuple(losers)) if won else Answer()


def _reference(rule: Rule, person: Mapping[str, Value]) -> str | None:
    if rule.profile_from is None:
        return rule.profile
    value = person.get(rule.profile_from)
    if value in (None, "", ()):
        return None
    if not isinstance(value, str):
        raise RuleError(f"{rule.profile_from} is not a text")
    return value.strip() or None
