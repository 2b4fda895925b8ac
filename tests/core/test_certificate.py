"""Which reads are believed (behaviour.md section 6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.certificate import Certificate, certify
from syncd.core.ports import ReadFacts
from syncd.core.settings import CertificateLimits

LIMITS = CertificateLimits()


def judge(
    facts: ReadFacts,
    last: int | None = None,
    limits: CertificateLimits = LIMITS,
    *,
    accepted: bool = False,
) -> Certificate:
    """Judge one read of one source."""
    names = frozenset({"hr"}) if accepted else frozenset()
    [certificate] = certify({"hr": facts}, {"hr": last}, frozenset(), limits, names)
    return certificate


@pytest.mark.parametrize("last", [None, 5, 10, 12])
def test_a_whole_read_is_believed(last: int | None) -> None:
    """Growing, staying, and shrinking a little are all right; so is a first read."""
    assert judge(ReadFacts(10), last) == Certificate("hr", certified=True, rows=10)


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("minimum", [0, 1])
def test_zero_rows_are_never_believed(minimum: int, *, accepted: bool) -> None:
    """Not as a first read, not with min_rows = 0, not by an operator's word."""
    limits = CertificateLimits(min_rows=minimum)

    certificate = judge(ReadFacts(0), None, limits, accepted=accepted)

    assert certificate.findings == ("no row was read, and a source without rows is never believed",)
    assert not certificate.certified


def test_too_few_rows_are_a_finding() -> None:
    """The sentence names both numbers."""
    certificate = judge(ReadFacts(1), None, CertificateLimits(min_rows=2))

    assert certificate.findings == ("the read gave 1 row, fewer than min_rows = 2",)


def test_a_sharp_shrink_is_a_finding() -> None:
    """The sentence names the numbers, the share and the limit."""
    certificate = judge(ReadFacts(7), 10)

    assert certificate == Certificate(
        "hr",
        certified=False,
        rows=7,
        findings=(
            (
                "the read gave 7 rows where the last certified one gave 10: 30.0 percent fewer, "
                "and max_shrink_percent is 20"
            ),
        ),
    )


@pytest.mark.parametrize(("rows", "certified"), [(800, True), (799, False)])
def test_exactly_the_limit_is_allowed(rows: int, *, certified: bool) -> None:
    """Only more than the percentage is too much."""
    assert judge(ReadFacts(rows), 1000).certified is certified


@given(last=st.integers(1, 10**7), permille=st.integers(0, 1000))
def test_the_limit_is_exact(last: int, permille: int) -> None:
    """A percentage with a decimal is the number that was written, not its nearest float."""
    limits = CertificateLimits(max_shrink_percent=permille / 10)
    fewest = -(-last * (1000 - permille) // 1000)

    assert judge(ReadFacts(max(fewest, 1)), last, limits).certified
    assert fewest < 2 or not judge(ReadFacts(fewest - 1), last, limits).certified


def test_an_unchanged_read_has_the_rows_of_the_last_one() -> None:
    """Nobody counted them again, and they are judged all the same."""
    believed = judge(ReadFacts(0, unchanged=True), 9)
    doubted = judge(ReadFacts(0, unchanged=True), 9, CertificateLimits(min_rows=10))

    assert believed == Certificate("hr", certified=True, rows=9)
    assert doubted.findings == ("the read gave 9 rows, fewer than min_rows = 10",)


def test_findings_of_the_read_come_first() -> None:
    """An incomplete read is told as such, and also that it is short."""
    certificate = judge(ReadFacts(3, ("hr.csv, line 5: cut",)), 10)

    assert certificate.findings[0] == "hr.csv, line 5: cut"
    assert len(certificate.findings) == 2


@pytest.mark.parametrize("findings", [(), ("hr.csv: there is no such file",)])
def test_an_unusable_read_is_not_believed(findings: tuple[str, ...]) -> None:
    """What makes it unusable is said, and not that it gave no rows."""
    certificate = judge(ReadFacts(0, findings, usable=False), 10)

    assert certificate.findings == (findings or ("nothing of the read may be used",))
    assert not certificate.certified


@pytest.mark.parametrize(
    ("facts", "limits"),
    [
        (ReadFacts(5), CertificateLimits()),
        (ReadFacts(9), CertificateLimits(min_rows=10)),
    ],
)
def test_an_operator_may_accept_the_size_of_a_read(
    facts: ReadFacts, limits: CertificateLimits
) -> None:
    """A real shrink passes once somebody says that it is real."""
    certificate = judge(facts, 10, limits, accepted=True)

    assert certificate == Certificate("hr", certified=True, rows=facts.rows)


@pytest.mark.parametrize(
    ("facts", "limits"),
    [
        (ReadFacts(5, ("cut",)), CertificateLimits()),
        (ReadFacts(9, ("cut",)), CertificateLimits()),
        (ReadFacts(5), CertificateLimits(min_rows=6)),
        (ReadFacts(5), CertificateLimits(canaries=("E1",))),
        (ReadFacts(0, ("absent",), usable=False), CertificateLimits()),
    ],
)
def test_an_operator_accepts_one_finding_and_no_incomplete_read(
    facts: ReadFacts, limits: CertificateLimits
) -> None:
    """Two findings are more than was accepted, and half a file is never a baseline."""
    accepted = judge(facts, 10, limits, accepted=True)
    plain = judge(facts, 10, limits)

    assert not accepted.certified
    assert accepted == plain


def test_a_lost_canary_fails_every_source() -> None:
    """A key that must be in some source and is in none makes all of them doubtful."""
    limits = CertificateLimits(canaries=("E1", "E2", "E3"))
    facts = {"hr": ReadFacts(5), "directory": ReadFacts(6)}

    certificates = certify(facts, {}, {"E2"}, limits)

    assert certificates == [
        Certificate(
            source,
            certified=False,
            rows=rows,
            findings=("canaries E1, E3 are absent from all sources",),
        )
        for source, rows in (("hr", 5), ("directory", 6))
    ]


def test_a_canary_in_one_source_is_enough() -> None:
    """It need not be in all of them."""
    limits = CertificateLimits(canaries=("E1",))

    certificates = certify({"a": ReadFacts(1), "b": ReadFacts(1)}, {}, {"E1"}, limits)

    assert [certificate.certified for certificate in certificates] == [True, True]


def test_one_bad_source_does_not_spoil_the_other() -> None:
    """Each has its own certificate and its own last read."""
    facts = {"a": ReadFacts(5), "b": ReadFacts(5)}

    certificates = certify(facts, {"a": 10, "b": 5}, frozenset(), LIMITS, frozenset({"b"}))

    assert [certificate.certified for certificate in certificates] == [False, True]
