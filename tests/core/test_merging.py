"""Several sources describe one person (behaviour.md section 2)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.merging import IDENTITY, By, Combined, combine, origins

NOTHING = Combined(None, None, None, None, None, None, None, "{}", None)


def says(**fields: Any) -> Combined:
    """Describe what one source says; attributes as a dictionary."""
    attributes = json.dumps(fields.pop("attributes", {}))
    return replace(NOTHING, attributes=attributes, **fields)


@pytest.mark.parametrize("field", ["object_id", "employee_id", "user_name", "mail"])
def test_the_lowest_rank_with_a_value_wins(field: str) -> None:
    """Section 2: field by field, so that one source may know what another does not."""
    first, second, third = says(), says(**{field: "second"}), says(**{field: "third"})

    assert getattr(combine([first, second, third]), field) == "second"


def test_each_field_is_decided_for_itself() -> None:
    """Section 2: a person is put together from several sources."""
    whole = combine([says(mail="a@x"), says(mail="b@x", user_name="b"), says(object_id="c")])

    assert (whole.mail, whole.user_name, whole.object_id) == ("a@x", "b", "c")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([None, None], None),
        ([None, 1], 1),
        ([1, 0], 0),
        ([0, 1], 0),
        ([None, 0], 0),
        ([1, 1], 1),
    ],
)
def test_one_source_is_enough_to_disable(said: list[int | None], expected: int | None) -> None:
    """Section 2: enabled is false as soon as any source says so, whatever its rank."""
    assert combine([says(enabled=each) for each in said]).enabled == expected


@pytest.mark.parametrize(
    ("field", "said", "expected"),
    [
        ("starts_on", [5, None, 7, 6], 7),
        ("starts_on", [None, None], None),
        ("leaves_on", [5, None, 7, 4], 4),
        ("leaves_on", [None, 3], 3),
    ],
)
def test_the_latest_start_and_the_earliest_end_count(
    field: str, said: list[int | None], expected: int | None
) -> None:
    """Section 2: of all the days that any source names."""
    assert getattr(combine([says(**{field: each}) for each in said]), field) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("Lyon", "Hamburg", "Lyon"),
        (None, "Hamburg", "Hamburg"),
        ([], ["a"], ["a"]),
        (["a"], ["b"], ["a"]),
        (0, 7, 0),
        (False, True, False),
        (None, None, None),
        (None, [], None),
    ],
)
def test_an_attribute_is_taken_from_the_lowest_rank_that_has_it(
    first: object, second: object, expected: object
) -> None:
    """Section 2: an empty cell is no value, zero and false are."""
    whole = combine([says(attributes={"it": first}), says(attributes={"it": second, "other": 1})])

    assert json.loads(whole.attributes) == {"it": expected, "other": 1}


def test_a_problem_in_any_record_is_a_problem_of_the_person() -> None:
    """Section 1: a cell that does not fit makes the person HELD, whatever another source says."""
    whole = combine([says(mail="a@x"), says(problem="column b"), says(problem="column c")])

    assert whole.problem == "column b; column c"


def test_an_identity_that_rules_see_is_the_merged_one() -> None:
    """Section 1: an expression sees the person's user name, not that of one source."""
    first = says(attributes={"user_name": None, "site": "Lyon"})
    second = says(user_name="ada@x", attributes={"user_name": "ada@x"})

    assert json.loads(combine([first, second]).attributes) == {"site": "Lyon", "user_name": "ada@x"}


DAYS = st.none() | st.integers(0, 9)
SAID = st.builds(
    lambda enabled, starts, leaves: says(enabled=enabled, starts_on=starts, leaves_on=leaves),
    st.sampled_from([None, 0, 1]),
    DAYS,
    DAYS,
)


@given(st.lists(SAID, min_size=1))
def test_who_is_present_does_not_depend_on_rank(said: list[Combined]) -> None:
    """Section 2: in any order the same days and the same answer; one source alone is itself."""
    assert combine(said) == combine(said[::-1])
    assert combine(said[:1]) == said[0]


TEXTS = st.sampled_from([None, "a", "b"])
RECORDS = st.builds(
    lambda mail, number, enabled, starts, leaves, free: says(
        mail=mail, employee_id=number, enabled=enabled, starts_on=starts, leaves_on=leaves,
        attributes=free,
    ),
    TEXTS,
    TEXTS,
    st.sampled_from([None, 0, 1]),
    DAYS,
    DAYS,
    st.dictionaries(
        st.sampled_from(["site", "grade", "groups", "mail", "source"]),
        st.sampled_from([None, [], ["a"], "a", 0, False]),
    ),
)  # fmt: skip


@given(st.lists(RECORDS, min_size=1, max_size=4))
def test_who_is_named_gave_the_value_that_counts(said: list[Combined]) -> None:
    """Each field that has a value has one origin, whose record says just what counts."""
    whole = combine(said)
    found = {each.field: each for each in origins(said)}

    fields = (*IDENTITY, "enabled", "starts_on", "leaves_on")
    counts = {name: getattr(whole, name) for name in fields if getattr(whole, name) is not None}
    free = json.loads(whole.attributes)
    shown = {name: value for name, value in free.items() if name not in {"mail", "source"}}
    counts |= {name: value for name, value in shown.items() if value not in (None, [])}
    assert {name: each.value for name, each in found.items()} == counts
    for name, each in found.items():
        record = said[each.place]
        own = getattr(record, name) if name in fields else json.loads(record.attributes)[name]
        assert own == each.value


@pytest.mark.parametrize(
    ("first", "second", "place", "by"),
    [
        (says(mail="a"), says(), 0, By.ONLY),
        (says(), says(mail="b"), 1, By.ONLY),
        (says(mail="a"), says(mail="a"), 0, By.AGREED),
        (says(mail="a"), says(mail="b"), 0, By.RANK),
        (says(enabled=1), says(enabled=0), 1, By.STRICTEST),
        (says(leaves_on=5), says(leaves_on=9), 0, By.STRICTEST),
        (says(starts_on=5), says(starts_on=9), 1, By.STRICTEST),
        (says(attributes={"site": []}), says(attributes={"site": "Lyon"}), 1, By.ONLY),
    ],
)
def test_it_is_said_why_a_value_counts(
    first: Combined, second: Combined, place: int, by: By
) -> None:
    """Rank decides names and attributes, the strictest word who is present."""
    (origin,) = origins([first, second])

    assert (origin.place, origin.by) == (place, by)
