"""What holds for every decision, whatever the case (behaviour.md sections 4 to 8)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.case import Case, Context, Decision, Hold, Memory
from syncd.core.classify import classify
from syncd.core.conflicts import BY_ROWS, UNTOUCHED
from syncd.core.decide import GRACEFUL, decide
from syncd.core.gates import check
from syncd.core.model import Action, Membership, Situation
from syncd.core.settings import Limits, Ownership, Policy, Resolve
from tests.core.builders import FIELD, OFFICE, cases, contexts, deeds, link, rights

FLAGS = {Action.FLAG, Action.UNFLAG}
GAINS = {Action.MOVE, Action.CREATE, Action.REACTIVATE}


def left(case: Case, decision: Decision) -> dict[str, Membership]:
    """Return the active rows that the decision leaves."""
    after = rights(case.rows, deeds(decision))
    return {ident: each for ident, each in after.items() if each.active}


def ours_then(case: Case, decision: Decision) -> set[str]:
    """Return the rows that are ours once the decision is carried out."""
    ended = {each.membership for each in decision.ended}
    gone = {step.row.id for step in decision.steps if step.row and step.action.removes}
    gained = {step.row.id if step.row else "new" for step in decision.steps if step.action in GAINS}
    linked = {each.membership for each in case.links}
    return (linked | gained | {each.id for each in decision.adopted}) - ended - gone


def remembered(case: Case, decision: Decision, context: Context) -> Memory:
    """Remember what a run remembers."""
    steps = [(step.action, step.row.id) for step in decision.steps if step.row]
    unflagged = {ident for action, ident in steps if action is Action.UNFLAG}
    lost = decision.situation in GRACEFUL and any(action.removes for action, _ in steps)
    cleared = dict(case.memory.cleared)
    cleared.update({ident: (*cleared.get(ident, ()), context.now) for ident in unflagged})
    return Memory(
        sighting=decision.sighting,
        pending=decision.situation if decision.pending else None,
        marked=(case.memory.marked | {i for a, i in steps if a is Action.FLAG}) - unflagged,
        cleared=cleared,
        losses=(*case.memory.losses, context.now) if lost else case.memory.losses,
    )


def afterwards(case: Case, decision: Decision, context: Context) -> Case:
    """Return the case as the next run finds it."""
    links = tuple(link(ident) for ident in sorted(ours_then(case, decision)))
    return replace(
        case,
        rows=tuple(rights(case.rows, deeds(decision)).values()),
        links=links if case.person else (),
        memory=remembered(case, decision, context),
    )


@given(cases(), contexts())
def test_a_decision_has_the_situation_of_its_case(case: Case, context: Context) -> None:
    """Section 4: only flap damping, which needs the time, turns another one into HELD."""
    decision = decide(case, context)

    damped = decision.situation is Situation.HELD and len(case.memory.losses) >= 2
    assert decision.situation is classify(case) or damped


@given(cases(), contexts())
def test_a_second_run_right_after_a_first_does_nothing(case: Case, context: Context) -> None:
    """Section 8: it plans nothing; what is pending stays pending."""
    decision = decide(case, context)

    again = decide(afterwards(case, decision, context), context)

    assert (deeds(again), again.adopted) == ([], ())
    if decision.situation is Situation.HELD:
        assert (again.situation, again.sighting) == (Situation.HELD, decision.sighting)
    if decision.pending and decision.situation is again.situation:
        assert again.pending == decision.pending


@given(cases(), contexts())
def test_steps_stand_in_the_order_in_which_they_are_applied(case: Case, context: Context) -> None:
    """Section 8: one move, create or reactivate first, then removals, then flags."""
    steps = decide(case, context).steps

    ranks = [0 if s.action in GAINS else 1 if s.action.removes else 2 for s in steps]
    assert ranks == sorted(ranks)
    assert ranks.count(0) <= 1


@given(cases(), contexts())
def test_no_row_is_changed_twice(case: Case, context: Context) -> None:
    """Section 5: in the same run a row never gets both flags, nor is anything removed twice."""
    decision = decide(case, context)

    kinds = Counter((s.row and s.row.id, s.action in FLAGS) for s in decision.steps)
    removed = {s.row.id for s in decision.steps if s.row and s.action.removes}
    flagged = {s.row.id for s in decision.steps if s.row and s.action in FLAGS}
    assert set(kinds.values()) <= {1}
    assert not removed & flagged
    assert not removed & {each.membership for each in decision.pending}


@given(cases(), contexts())
def test_who_is_left_alone_is_left_alone(case: Case, context: Context) -> None:
    """Sections 4 and 5: PROTECTED, HELD and unclear people, with all that is theirs."""
    decision = decide(case, context)

    if decision.situation in UNTOUCHED:
        assert (decision.steps, decision.adopted, decision.pending) == ((), (), ())


@given(cases(), contexts())
def test_a_read_that_is_not_believed_removes_nothing(case: Case, context: Context) -> None:
    """Section 6: for nobody, in any mode; all else is as it would have been."""
    unbelieved = decide(case, replace(context, certified=False))

    assert not any(step.action.removes for step in unbelieved.steps)
    believed = decide(case, replace(context, certified=True))
    gains = [step for step in believed.steps if step.action in GAINS]
    assert [step for step in unbelieved.steps if step.action in GAINS] == gains
    assert unbelieved.adopted == believed.adopted


@given(cases(), contexts())
def test_rows_of_other_profiles_are_never_changed_unless_ours(case: Case, context: Context) -> None:
    """Section 4: in either mode, not even by a flag."""
    for step in decide(case, context).steps:
        if step.row is not None and step.action is not Action.REACTIVATE:
            known = next(each for each in case.rows if each.id == step.row.id)
            adopted = decide(case, context).adopted
            assert known.profile in context.managed or known.id in case.ours or known in adopted


@given(cases(), contexts())
def test_adopt_mode_takes_no_row_of_somebody_else_away(case: Case, context: Context) -> None:
    """Section 4: but twins, and then their user keeps the profile by the row that is left."""
    context = replace(context, policy=replace(context.policy, ownership=Ownership.ADOPT))

    decision = decide(case, context)

    taken = {step.row.id for step in decision.steps if step.row and step.action.risky}
    if strange := taken - case.ours:
        [kept] = left(case, decision).values()
        lost = {each.profile for each in case.rows if each.id in strange}
        assert decision.situation is Situation.DUPLICATE or lost == {kept.profile}


@given(cases(), contexts())
def test_nothing_moves_around_an_unresolved_profile(case: Case, context: Context) -> None:
    """Section 4: nothing is created with it, moved to or from it, or removed from it."""
    for step in decide(case, context).steps:
        if step.action not in FLAGS:
            touched = {step.after, step.row.profile if step.row else None}
            assert not touched & context.unresolved


@given(cases(), contexts())
def test_whoever_is_wanted_never_ends_with_less_than_one_row(case: Case, context: Context) -> None:
    """Section 4: and with exactly the right one, ours, unless something waits or stays disputed."""
    decision = decide(case, context)

    if decision.situation in BY_ROWS:
        after = left(case, decision)
        open_ = any(conflict.open and conflict.code.direct for conflict in decision.conflicts)
        assert bool(after) >= bool(case.active)
        if not decision.pending and not open_ and context.policy.resolve is Resolve.AUTO:
            assert [each.profile for each in after.values()] == [case.target]
            assert set(after) <= ours_then(case, decision)


@given(cases(), contexts())
def test_what_was_read_first_decides_nothing(case: Case, context: Context) -> None:
    """Section 8: the same plan for the same inputs in any order."""
    turned = replace(case, rows=case.rows[::-1], links=case.links[::-1])

    one, other = decide(case, context), decide(turned, context)

    assert replace(one, ended=()) == replace(other, ended=())
    assert set(one.ended) == set(other.ended)


@given(cases(), contexts())
def test_a_hold_stops_what_it_is_added_to(case: Case, context: Context) -> None:
    """Section 11: HELD, whatever the sources say."""
    decision = decide(replace(case, protected=False, hold=Hold("wait")), context)

    assert (decision.situation, decision.steps) == (Situation.HELD, ())
    assert [report.detail for report in decision.reports] == ["wait"]


@given(st.lists(cases(), max_size=8), contexts(), st.integers(0, 3))
def test_situations_and_outcomes_add_up(found: list[Case], context: Context, floor: int) -> None:
    """Section 8: situations sum to the cases, outcomes to the changes, held ones included."""
    decisions = [decide(case, context) for case in found]
    changes = [step for decision in decisions for step in decision.steps]
    counts = Counter((s.action, s.row.profile if s.row else None, s.after) for s in changes)
    policy = Policy(removals=Limits(0, 0, floor), creates=Limits(0, 0, floor))

    verdict = check([(*key, n) for key, n in counts.items()], {FIELD: 9, OFFICE: 9}, policy, {})

    held = [step for step in changes if verdict.holds(step.action)]
    applied = [step for step in changes if not verdict.holds(step.action)]
    assert Counter(decision.situation for decision in decisions).total() == len(found)
    assert len(held) + len(applied) == counts.total()
    assert sum(step.action.risky for step in applied) <= floor
    assert sum(step.action in {Action.CREATE, Action.REACTIVATE} for step in applied) <= floor
