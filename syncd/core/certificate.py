"""Whether what the sources said in a read may be believed (behaviour.md section 6)."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from syncd.core.ports import ReadFacts
from syncd.core.settings import CertificateLimits

__all__ = ["Certificate", "acceptable", "certify"]


SIZE = "the read gave "
"""How a finding about the number of rows begins."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The judgement on one read of one source; a certificate that fails withholds every removal."""

    source: str
    certified: bool
    rows: int
    findings: tuple[str, ...] = ()


def certify(
    facts: Mapping[str, ReadFacts],
    last_rows: Mapping[str, int | None],
    present: Container[str],
    limits: CertificateLimits,
    accepted: Container[str] = (),
) -> list[Certificate]:
    """
    Judge one read of every source, in the order of *facts*.

    *last_rows* holds the rows of each source's last certified read, None or nothing
    where there was none. *present* answers which canaries some source has. A source
    in *accepted* passes when its size is the only thing that speaks against it, but
    never with zero rows.
    """
    lost = _lost_canaries(present, limits.canaries)
    return [
        _judge(source, read, last_rows.get(source), limits, lost, accepted=source in accepted)
        for source, read in facts.items()
    ]


def acceptable(finding: str) -> bool:
    """Tell whether an operator may accept a read that fails by this alone: by its size only."""
    return finding.startswith(SIZE)


def _judge(
    source: str,
    read: ReadFacts,
    last: int | None,
    limits: CertificateLimits,
    lost: Sequence[str],
    *,
    accepted: bool,
) -> Certificate:
    # The same content as in the last certified read has the same rows; nobody counted them.
    rows = last or 0 if read.unchanged else read.rows
    # How many rows changed says nothing about how many there are.
    sizes = _sizes(rows, last, limits) if rows and not read.partial else []
    others = [*read.findings, *([] if read.partial else _empty(read, rows)), *lost]
    if accepted and not others and len(sizes) == 1:
        sizes = []
    findings = (*others, *sizes)
    return Certificate(source, not findings, rows, findings)


def _empty(read: ReadFacts, rows: int) -> list[str]:
    if not read.usable and not read.findings:
        return ["nothing of the read may be used"]
    if read.usable and not rows:
        return ["no row was read, and a source without rows is never believed"]
    return []


def _sizes(rows: int, last: int | None, limits: CertificateLimits) -> list[str]:
    findings = []
    if rows < limits.min_rows:
        findings.append(f"{SIZE}{_rows(rows)}, fewer than min_rows = {limits.min_rows}")
    if last and rows < last:
        shrunk = Fraction(last - rows, last) * 100
        if shrunk > Fraction(str(limits.max_shrink_percent)):
            findings.append(
                f"{SIZE}{_rows(rows)} where the last certified one gave {last}: "
                f"{float(shrunk):.1f} percent fewer, and max_shrink_percent is "
                f"{limits.max_shrink_percent:g}"
            )
    return findings


def _lost_canaries(present: Container[str], canaries: Sequence[str]) -> list[str]:
    lost = [canary for canary in canaries if canary not in present]
    if not lost:
        return []
    word = "canary" if len(lost) == 1 else "canaries"
    verb = "is" if len(lost) == 1 else "are"
    return [f"{word} {', '.join(lost)} {verb} absent from all sources"]


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
