"""What is compared with recent certified reads: groups, keys, columns."""

from __future__ import annotations

from fractions import Fraction
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.bands import (
    KEPT,
    Comparison,
    Group,
    Look,
    columns_kept,
    columns_note,
    compare,
    grown,
    odd_groups,
    strange_keys,
)
from syncd.core.certificate import acceptable, certify
from syncd.core.ports import ReadFacts
from syncd.core.settings import CertificateLimits, SourceLimits

LIMITS = SourceLimits(bands=("department",), learn=3)
BEFORE = (100, 98, 104)


def sales(now: int, before: tuple[int, ...] = BEFORE) -> Group:
    """Describe a department."""
    return Group("department", "Sales", now, before)


def test_a_department_that_halves_is_a_finding() -> None:
    """The sentence names the group, both numbers and the limit."""
    said = odd_groups([sales(50), Group("department", "Ops", 40, (40, 40, 41))], LIMITS)

    assert said == (
        "groups differ from what is usual: department Sales 50 where 100 are usual; "
        "max_group_shrink_percent is 40"
    )
    assert acceptable(said)


@pytest.mark.parametrize(("now", "odd"), [(60, False), (59, True), (0, True), (10_000, False)])
def test_only_more_than_the_limit_is_too_much(now: int, *, odd: bool) -> None:
    """Exactly forty percent fewer is allowed, and growth is, unless it is limited."""
    assert sales(now).odd(LIMITS) is odd


@pytest.mark.parametrize(("now", "odd"), [(150, False), (151, True)])
def test_growth_can_be_limited_too(now: int, *, odd: bool) -> None:
    """A department that everybody suddenly belongs to is as remarkable."""
    limits = SourceLimits(bands=("department",), learn=3, max_group_growth_percent=50)

    assert sales(now).odd(limits) is odd
    assert "max_group_growth_percent 50" in str(odd_groups([sales(10**6)], limits))


@pytest.mark.parametrize("before", [(), (100, 100), (19, 19, 19)])
def test_a_group_that_is_new_or_tiny_is_not_judged(before: tuple[int, ...]) -> None:
    """What is usual is not known yet, or chance decides."""
    assert not sales(0, before).odd(LIMITS)


def test_one_read_that_was_odd_does_not_move_the_median() -> None:
    """A single certified read with a low count changes nothing about what is usual."""
    assert sales(50, (100, 30, 100, 100)).odd(LIMITS)


def test_many_groups_are_told_as_a_few_and_a_number() -> None:
    """The largest differences come first."""
    groups = [Group("site", f"S{n}", 0, (20 + n,) * 3) for n in range(8)]

    said = str(odd_groups(groups, LIMITS))

    assert "site S7 0 where 27 are usual" in said
    assert "S2 " not in said
    assert "and 3 more;" in said


@given(
    now=st.integers(0, 10**6),
    before=st.lists(st.integers(0, 10**6), min_size=3, max_size=KEPT),
    permille=st.integers(0, 1000),
)
def test_the_band_is_exact(now: int, before: list[int], permille: int) -> None:
    """A percentage with a decimal is the number that was written, not its nearest float."""
    limits = SourceLimits(bands=("department",), learn=3, max_group_shrink_percent=permille / 10)
    usual = Fraction(median(before))

    expected = usual >= 20 and 1000 * now < usual * (1000 - permille)

    assert sales(now, tuple(before)).odd(limits) is expected


@given(counts=st.lists(st.integers(0, 1000), max_size=30))
def test_only_recent_reads_are_remembered(counts: list[int]) -> None:
    """The last nine, in their order."""
    before: tuple[int, ...] = ()
    for count in counts:
        before = grown(before, count, LIMITS, anew=False)

    assert before == tuple(counts[-KEPT:])


def test_what_an_operator_accepts_is_usual_at_once() -> None:
    """The same read again is inside its band, and half of it is not."""
    before = grown(BEFORE, 40, LIMITS, anew=True)

    assert not sales(40, before).odd(LIMITS)
    assert sales(20, before).odd(LIMITS)


@pytest.mark.parametrize(
    ("new", "strange"), [(500, False), (501, True), (1000, True), (100, False)]
)
def test_keys_that_are_mostly_new_are_a_finding(new: int, *, strange: bool) -> None:
    """As many new ones as known ones may come; more mean that the keys have changed."""
    said = strange_keys(new, 1000, SourceLimits())

    assert (said is not None) is strange
    assert said is None or acceptable(said)


def test_a_few_new_keys_are_never_strange() -> None:
    """A company of eighty may double in a day."""
    assert strange_keys(100, 100, SourceLimits()) is None
    assert strange_keys(101, 101, SourceLimits()) is not None


def test_new_columns_and_lost_ones_are_only_notes() -> None:
    """A read without a mapped column has failed already; the others are worth a look."""
    shown = ReadFacts(1, columns=("key", "Site", "Team"))
    before = ("key", "Site", "Grade")

    assert columns_note(shown, before) == [
        'column "Team" is new',
        'column "Grade" is gone (not mapped)',
    ]
    assert columns_note(shown, None) == columns_note(ReadFacts(1), before) == []
    assert columns_kept(shown, before) == shown.columns
    assert columns_kept(ReadFacts(1), before) == before


def test_a_column_that_rows_may_lack_is_not_gone() -> None:
    """JSON rows have what they have; a name is told once, when it first comes."""
    first = ReadFacts(1, columns=("key", "leave"), declared=False)
    second = ReadFacts(1, columns=("key",), declared=False)
    kept = columns_kept(first, ("key",))

    assert columns_note(first, ("key",)) == ['column "leave" is new']
    assert columns_note(second, kept) == []
    assert columns_kept(second, kept) == ("key", "leave")


def test_learning_is_said() -> None:
    """While groups cannot be compared, whoever reads the certificate knows it."""
    learning = compare(Look(reads=2), ReadFacts(1), LIMITS)
    learned = compare(Look(reads=3), ReadFacts(1), LIMITS)
    nothing = compare(Look(reads=0), ReadFacts(1), SourceLimits())

    assert learning.notes == ("learning: groups are not compared yet; certified reads: 2 of 3",)
    assert learned.notes == nothing.notes == ()


# --- in the certificate -----------------------------------------------------------------------

ODD = Comparison(groups=odd_groups([sales(50)], LIMITS), notes=('column "Team" is new',))


def certified(compared: Comparison, rows: int = 100, *, accepted: bool = False) -> tuple[str, ...]:
    """Return what speaks against a read of a source that had a hundred rows."""
    [certificate] = certify(
        {"hr": ReadFacts(rows)},
        {"hr": 100},
        frozenset(),
        CertificateLimits(),
        {"hr"} if accepted else frozenset(),
        {"hr": compared},
    )
    assert certificate.notes == compared.notes
    assert certificate.certified is (not certificate.findings)
    return certificate.findings


def test_a_shrink_is_told_once_with_its_groups() -> None:
    """So whoever accepts the one accepts the other: it is the same people who are missing."""
    [said] = certified(ODD, 50)

    assert said.startswith("the read gave 50 rows where the last certified one gave 100")
    assert said.endswith("max_group_shrink_percent is 40")
    assert certified(ODD, 50, accepted=True) == ()


def test_an_acceptance_is_for_what_the_last_read_failed_by() -> None:
    """Who accepts a reorganised department has not accepted a lost half of the company."""
    groups = Comparison(groups=ODD.groups, failed_by=(str(ODD.groups),))
    shrink = Comparison(failed_by=(str(ODD.groups),))
    keys = Comparison(keys=strange_keys(900, 1000, SourceLimits()), failed_by=(str(ODD.groups),))

    assert certified(groups, accepted=True) == ()
    assert len(certified(shrink, 50, accepted=True)) == 1
    assert len(certified(keys, accepted=True)) == 1


def test_new_keys_and_odd_groups_are_two_findings() -> None:
    """An operator may let one thing pass, not two."""
    both = Comparison(groups=ODD.groups, keys=strange_keys(900, 1000, SourceLimits()))

    assert len(certified(both, accepted=True)) == 2
