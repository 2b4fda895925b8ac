"""What is the matter with an environment, and what is told of it: once, and not too often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.certificate import Certificate
from syncd.core.conditions import (
    Condition,
    Entry,
    Event,
    Facts,
    Item,
    Matter,
    Phase,
    Quarantine,
    Told,
    differs,
    digest,
    fresh,
    matters,
)
from syncd.core.gates import Gate
from syncd.core.model import iso
from syncd.core.telling import (
    Letter,
    Post,
    choose,
    read_matter,
    read_post,
    read_told,
    write,
)

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
EVERYTHING = frozenset(Event)
ME = "me"
QUIET = Facts((), (Certificate("hr", certified=True, rows=9),), None, (), ())


def gate(scope: str = "run", count: int = 12, allowed: int = 5) -> Gate:
    """Describe what a gate says of one scope."""
    return Gate("removals", scope, count, allowed, tripped=count > allowed)


def only(facts: Facts, event: Event, before: Mapping[Event, Matter] | None = None) -> Matter:
    """Return what is the matter by these facts."""
    found = matters(facts, before or {})[event]
    assert found is not None
    return found


def source(*findings: str, rows: int = 7) -> Facts:
    """Describe a run in which hr was not believed."""
    return replace(
        QUIET, certificates=(Certificate("hr", certified=False, rows=rows, findings=findings),)
    )


def clashes(*marks: int, code: str = "DUPLICATE_PAIR") -> Facts:
    """Describe a run that left these conflicts open."""
    return replace(QUIET, conflicts=[Entry(code, f"{mark:012d}") for mark in marks])


# --- from facts to conditions -------------------------------------------------------------


def test_nothing_is_the_matter_where_all_is_well() -> None:
    """Each event is answered, and each with nothing."""
    assert matters(QUIET, {}) == dict.fromkeys(Event)


def test_what_is_not_known_is_left_as_it_is() -> None:
    """Before the first run, and after one that read nothing, gates and sources say nothing."""
    found = matters(Facts(None, None, None, None, ()), {})

    assert found == {Event.QUARANTINE: None, Event.DEAD_LETTERS: None}


def test_only_gates_that_tripped_are_the_matter() -> None:
    """With their numbers; the others let everything through."""
    found = only(replace(QUIET, gates=[gate(count=3), gate("profile:Field")]), Event.GATE)

    assert [(item.subject, item.count, item.limit) for item in found.items] == [
        ("profile:Field", 12, 5)
    ]


def test_a_source_that_shrank_may_be_accepted() -> None:
    """Its size is the only finding, and the sentence holds nothing but numbers."""
    finding = "the read gave 7 rows where the last certified one gave 90: 92.2 percent fewer"

    (item,) = only(source(finding), Event.CERTIFICATE).items

    assert (item.subject, item.detail, item.certain) == ("hr", finding, True)


def test_findings_that_may_quote_people_are_not_repeated() -> None:
    """A canary is somebody's key, and a damaged row may be part of a finding."""
    found = source("canary E1001 is absent from all sources", "people.csv, line 3: Ada Lovelace")

    (item,) = only(found, Event.CERTIFICATE).items

    assert item.detail == "a canary is absent from all sources; the read has faults"
    assert not item.certain
    assert "E1001" not in write(only(found, Event.CERTIFICATE))
    assert "Ada" not in write(only(found, Event.CERTIFICATE))


@pytest.mark.parametrize(
    ("cause", "said"), [("0x80040217", "0x80040217"), ("ada@x.org", "several causes")]
)
def test_a_quarantine_names_its_cause_if_that_is_a_code(cause: str, said: str) -> None:
    """Whatever else stood there, it is not repeated."""
    (item,) = only(replace(QUIET, quarantine=Quarantine(cause, 40, 90)), Event.QUARANTINE).items

    assert (item.subject, item.count, item.limit) == (said, 40, 90)


# --- what differs -------------------------------------------------------------------------


def test_new_conflicts_are_told_from_those_that_were_there() -> None:
    """One went and two came: there is one more, and two are new."""
    told = only(clashes(1, 2), Event.CONFLICTS)

    now = only(clashes(2, 3, 4), Event.CONFLICTS, {Event.CONFLICTS: told})

    assert differs(told, now)
    assert fresh(told, now) == 2
    assert [item.count for item in now.items] == [3]


def test_fewer_conflicts_are_no_news() -> None:
    """Who works through them is not told of each."""
    told = only(clashes(1, 2, 3), Event.CONFLICTS)
    now = only(clashes(2), Event.CONFLICTS, {Event.CONFLICTS: told})

    assert not differs(told, now)


def test_conflicts_that_were_settled_and_come_back_are_new() -> None:
    """Their numbers are old, but there are more than were left."""
    told = only(clashes(5), Event.CONFLICTS)
    now = only(clashes(3, 4, 5), Event.CONFLICTS, {Event.CONFLICTS: told})

    assert fresh(told, now) == 2


@given(st.lists(st.lists(st.integers(1, 30), min_size=1, unique=True), min_size=1, max_size=8))
def test_whoever_was_told_late_hears_of_everything_that_came(looks: list[list[int]]) -> None:
    """What is new adds up, however many looks lie between two messages."""
    before: dict[Event, Matter] = {}
    seen = []
    for look in looks:
        before = {Event.CONFLICTS: only(clashes(*look), Event.CONFLICTS, before)}
        seen.append(before[Event.CONFLICTS])

    steps = [fresh(old, new) for old, new in pairwise(seen)]
    greatest = [0, *accumulate(map(max, looks), max)]
    later = [sum(mark > top for mark in look) for top, look in zip(greatest, looks, strict=False)]

    assert fresh(seen[0], seen[-1]) == sum(steps)
    assert seen[-1].seen >= sum(later)


@pytest.mark.parametrize(
    ("count", "scope", "news"),
    [(13, "run", False), (23, "run", False), (24, "run", True), (12, "profile:Field", True)],
)
def test_a_gate_is_news_again_when_it_holds_twice_as_much_or_elsewhere(
    count: int, scope: str, *, news: bool
) -> None:
    """Numbers that go up and down a little are no news."""
    told = only(replace(QUIET, gates=[gate()]), Event.GATE)
    now = only(replace(QUIET, gates=[gate(scope, count)]), Event.GATE)

    assert differs(told, now) is news
    assert (digest(told) != digest(now)) is (scope != "run")


def test_a_source_is_news_again_when_it_fails_by_something_else() -> None:
    """A row more or less is the same failure."""
    told = only(source("the read gave 7 rows, fewer than min_rows = 9"), Event.CERTIFICATE)
    same = only(source("the read gave 6 rows, fewer than min_rows = 9"), Event.CERTIFICATE)
    other = only(source("no row was read, and a source without rows"), Event.CERTIFICATE)

    assert not differs(told, same)
    assert differs(told, other)


def test_what_is_written_down_is_read_again() -> None:
    """Conditions outlive the process."""
    matter = only(clashes(1, 2), Event.CONFLICTS)
    told = {"a": Told(iso(NOW), 2, matter), "b": Told(iso(NOW), 3, None)}
    post = Post(iso(NOW), (iso(NOW),), iso(NOW), 3, iso(NOW))

    assert read_matter(write(matter)) == matter
    assert read_told(write(told)) == told
    assert read_post(write(post), NOW) == post


# --- what is told next --------------------------------------------------------------------


def condition(
    number: int = 1,
    *,
    count: int = 12,
    told: Told | None = None,
    since: timedelta = timedelta(0),
    ended: timedelta | None = None,
) -> Condition:
    """Describe a gate that tripped *since* before now."""
    at = iso(NOW - since)
    end = None if ended is None else iso(NOW - ended)
    knows = {} if told is None else {ME: told}
    return Condition(number, 1, held(count), at, at, end, knows)


def held(count: int) -> Matter:
    """Describe what a gate holds."""
    return Matter(Event.GATE, (Item("removals run", "run", count, 5, "removals"),))


def knows(count: int | None, ago: timedelta = timedelta(hours=2)) -> Told:
    """Say what the receiver was told: so many, or that it is over."""
    return Told(iso(NOW - ago), 1, None if count is None else held(count))


def next_for(
    *conditions: Condition, post: Post | None = None, on: Iterable[str] = EVERYTHING
) -> list[tuple[int, Phase]] | datetime | None:
    """Choose what a receiver, known for a day, is told next."""
    known = post or Post(iso(NOW - timedelta(days=1)))
    letter = choose(conditions, ME, frozenset(on), known, NOW)
    return [(c.id, phase) for c, phase in letter.about] if isinstance(letter, Letter) else letter


def test_a_condition_is_told_when_it_begins_and_when_it_ends() -> None:
    """And in between nothing, as long as it stays what it is."""
    assert next_for(condition()) == [(1, Phase.ENTERED)]
    assert next_for(condition(told=knows(12))) is None
    assert next_for(condition(told=knows(12), ended=timedelta(0))) == [(1, Phase.ENDED)]
    assert next_for(condition(told=knows(None), ended=timedelta(0))) is None


def test_a_change_waits_until_a_quarter_of_an_hour_has_passed() -> None:
    """Counted from the last message about this condition; an end does not wait."""
    early = knows(5, timedelta(minutes=10))

    assert next_for(condition(told=early)) == NOW + timedelta(minutes=5)
    assert next_for(condition(told=knows(5, timedelta(minutes=15)))) == [(1, Phase.CHANGED)]
    assert next_for(condition(told=early, ended=timedelta(0))) == [(1, Phase.ENDED)]


def test_a_receiver_hears_only_of_what_it_asked_for() -> None:
    """The setting `on` names events."""
    assert next_for(condition(), on=[Event.CONFLICTS]) is None


def test_what_came_and_went_untold_is_told_once() -> None:
    """But not after a day, nor to whom was not there yet."""
    new = Post(iso(NOW))
    past = condition(since=timedelta(hours=2), ended=timedelta(hours=1))

    assert next_for(past) == [(1, Phase.ENDED)]
    assert next_for(past, post=new) is None
    assert next_for(condition(since=timedelta(days=3), ended=timedelta(days=1))) is None
    assert next_for(condition(since=timedelta(days=3)), post=new) == [(1, Phase.ENTERED)]


def test_nothing_is_sent_before_the_receiver_is_due() -> None:
    """It failed, or somebody else is sending to it."""
    due = NOW + timedelta(minutes=1)

    assert next_for(condition(), post=Post(iso(NOW), due=iso(due))) == due


def test_the_oldest_is_told_first() -> None:
    """Whatever its number is."""
    old, new = condition(2, since=timedelta(hours=1)), condition(1)

    assert next_for(new, old) == [(2, Phase.ENTERED)]


def test_more_than_ten_within_an_hour_become_one_message() -> None:
    """That one also comes only once an hour; then there is room again."""
    sent = tuple(iso(NOW - timedelta(minutes=minute)) for minute in range(50, 40, -1))
    full = Post(iso(NOW - timedelta(days=1)), sent)
    two = [condition(1), condition(2)]

    assert next_for(*two, post=replace(full, sent=sent[1:])) == [(1, Phase.ENTERED)]
    assert next_for(*two, post=full) == [(1, Phase.ENTERED), (2, Phase.ENTERED)]
    again = replace(full, more=iso(NOW - timedelta(minutes=30)))
    assert next_for(*two, post=again) == NOW + timedelta(minutes=10)


STEPS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 4), st.booleans()), min_size=1, max_size=120
)


@given(STEPS)
def test_no_flood_of_conditions_becomes_a_flood_of_messages(
    steps: Sequence[tuple[int, int, bool]],
) -> None:
    """Ten and one in any hour, whatever begins and ends, and at last everything is told."""
    now, post, number = NOW, Post(iso(NOW)), 0
    standing: dict[int, Condition] = {}
    gone: list[Condition] = []
    sent: list[tuple[datetime, bool]] = []

    def deliver() -> None:
        nonlocal post
        while isinstance(
            letter := choose([*standing.values(), *gone], ME, EVERYTHING, post, now), Letter
        ):
            sent.append((now, letter.more))
            recent = (*post.sent, *([] if letter.more else [iso(now)]))
            post = replace(post, sent=recent, more=iso(now) if letter.more else post.more)
            for about, phase in letter.about:
                told = Told(iso(now), 1, None if phase is Phase.ENDED else about.matter)
                fresh_one = replace(about, told={ME: told})
                place = next((k for k, c in standing.items() if c.id == about.id), None)
                if place is not None:
                    standing[place] = fresh_one
                else:
                    gone[gone.index(about)] = fresh_one

    for env, minutes, begins in steps:
        now += timedelta(minutes=minutes)
        if begins and env not in standing:
            number += 1
            standing[env] = Condition(number, env, held(12), iso(now), iso(now))
        elif not begins and env in standing:
            gone.append(replace(standing.pop(env), ended=iso(now)))
        deliver()
    last = now
    now += timedelta(hours=1)
    deliver()

    single = [at for at, more in sent if not more]
    assert all(
        after - at >= timedelta(hours=1) for at, after in zip(single, single[10:], strict=False)
    )
    many = [at for at, more in sent if more]
    assert all(after - at >= timedelta(hours=1) for at, after in pairwise(many))
    assert (
        choose([*standing.values(), *gone], ME, EVERYTHING, post, last + timedelta(hours=1)) is None
    )
