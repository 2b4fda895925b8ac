"""Whether what the sources said in a read may be believed (behaviour.md section 6)."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from syncd.core.bands import GROUPS, KEYS, Comparison
from syncd.core.ports import ReadFacts
from syncd.core.settings import CertificateLimits

__all__ = ["Certificate", "acceptable", "certify"]


SIZE = "the read gave "
"""How a finding about the number of rows begins."""
ACCEPTABLE = (SIZE, GROUPS, KEYS)
"""How findings begin that come from comparing numbers: only people know what is right."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """
    The judgement on one read of one source; a certificate that fails withholds every removal.

    `notes` are worth knowing and speak against nothing.
    """

    source: str
    certified: bool
    rows: int
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def certify(
    facts: Mapping[str, ReadFacts],
    last_rows: Mapping[str, int | None],
    present: Container[str],
    limits: CertificateLimits,
    accepted: Container[str] = (),
    compared: Mapping[str, Comparison] = MappingProxyType({}),
) -> list[Certificate]:
    """
    Judge one read of every source, in the order of *facts*.

    *last_rows* holds the rows of each source's last certified read, None or nothing
    where there was none. *present* answers which canaries some source has. A source
    in *accepted* passes when one thing speaks against it that comes from comparing numbers
    and is of the kind that the last read failed by, but never with zero rows. *compared*
    says how groups and keys of a read differ from certified ones.
    """
    lost = _lost_canaries(present, limits.canaries)
    return [
        _judge(
            source,
            read,
            last_rows.get(source),
            limits,
            compared.get(source, Comparison()),
            lost,
            accepted=source in accepted,
        )
        for source, read in facts.items()
    ]


def acceptable(finding: str) -> bool:
    """Tell whether an operator may accept a read that fails by this alone."""
    return finding.startswith(ACCEPTABLE)


def _judge(
    source: str,
    read: ReadFacts,
    last: int | None,
    limits: CertificateLimits,
    compared: Comparison,
    lost: Sequence[str],
    *,
    accepted: bool,
) -> Certificate:
    # The same content as in the last certified read has the same rows; nobody counted them.
    rows = last or 0 if read.unchanged else read.rows
    # How many rows changed says nothing about how many there are.
    sizes = _sizes(rows, last, limits) if rows and not read.partial else []
    others = [*read.findings, *([] if read.partial else _empty(read, rows)), *lost]
    numbers = _numbers(sizes, compared)
    if accepted and not others and _is_what_was_accepted(numbers, compared.failed_by):
        numbers = []
    findings = (*others, *numbers)
    return Certificate(source, not findings, rows, findings, compared.notes)


def _numbers(sizes: list[str], compared: Comparison) -> list[str]:
    """Return the findings that come from comparing numbers; what is smaller is said once."""
    if sizes and compared.groups:
        sizes = [*sizes[:-1], f"{sizes[-1]}; {compared.groups}"]
    elif compared.groups:
        sizes = [compared.groups]
    return [*sizes, *([compared.keys] if compared.keys else [])]


def _is_what_was_accepted(numbers: Sequence[str], failed_by: Sequence[str]) -> bool:
    """Tell whether nothing else speaks against a read than what the last one failed by."""
    if len(numbers) != 1:
        return False
    kind = next(each for each in ACCEPTABLE if numbers[0].startswith(each))
    # A database of an earlier version does not say what it was.
    return not failed_by or any(each.startswith(kind) for each in failed_by)


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
