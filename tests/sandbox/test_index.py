"""The order of keys under insertions and deletions."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from syncd.sandbox.index import Index


def keys_of(index: Index) -> list[object]:
    """Return the keys in the index's order."""
    return [row[0] for row in index.after(None)]


def test_buckets_split_when_they_grow() -> None:
    """Thousands of keys that come one by one end in order, and none is lost."""
    index = Index()
    numbers = [f"{(number * 7919) % 10007:05}" for number in range(10007)]

    for key in numbers:
        index.put(key, (key,))

    assert keys_of(index) == sorted(numbers)


@given(
    st.sets(st.text("ab", max_size=5)),
    st.lists(st.tuples(st.booleans(), st.text("ab", max_size=5))),
)
def test_an_index_is_a_sorted_mapping(first: set[str], steps: list[tuple[bool, str]]) -> None:
    """Compared with a dictionary that is sorted each time."""
    mirror = {key: (key, 0) for key in first}
    index = Index(sorted(mirror), [mirror[key] for key in sorted(mirror)])

    for number, (put, key) in enumerate(steps, 1):
        if put:
            mirror[key] = (key, number)
            index.put(key, (key, number))
        elif key in mirror:
            del mirror[key]
            index.remove(key)

    assert list(index.after(None)) == [mirror[key] for key in sorted(mirror)]


@given(st.sets(st.text("abc", max_size=4)), st.text("abc", max_size=4), st.integers(1, 9))
def test_spans_are_the_rows_after_a_key(keys: set[str], after: str, limit: int) -> None:
    """At most so many, and it is said whether there are more."""
    index = Index()
    for key in keys:
        index.put(key, (key,))

    spans, more = index.spans(after, limit)

    found = [row[0] for span in spans for row in span.bucket.rows[span.start : span.stop]]
    expected = [key for key in sorted(keys) if key > after]
    assert found == expected[:limit]
    assert more == (len(expected) > limit)
    assert all(one < two for one, two in pairwise(map(str, found)))
