"""Read sources only to look: what a run would say of them, and what a mapping makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice

from syncd.core.bands import Group, Look
from syncd.core.certificate import Certificate
from syncd.core.identity import text
from syncd.core.mapping import PersonMapping, decode_attributes
from syncd.core.model import Value
from syncd.core.ports import Known, ReadFacts, Record, Source
from syncd.engine.parts import Environment, Progress, Ranked
from syncd.engine.reading import Staged, canaries, judge, stage
from syncd.state import decisions, pictures
from syncd.state.database import Tx

__all__ = ["Checked", "FieldSeen", "Preview", "check", "preview"]

PROBLEMS = 5
"""How many different problems with cells are quoted."""
STANDING = ("key", "object_id", "employee_id", "user_name", "mail", "enabled", "starts_on",
            "leaves_on")  # fmt: skip
PLACES = (0, 2, 3, 4, 5, 6, 7, 8)
"""Where a record has what STANDING names."""


# --- what a run would say ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """
    What a run would say of a source now. `last_rows` are those of the last certified read.

    `unchanged` says that the content is the one of that read. Of `rows` so many are `new`
    by their key, and `accepted` that an operator lets this read pass one finding.
    """

    certificate: Certificate
    last_rows: int | None
    unchanged: bool
    new: int
    groups: tuple[Group, ...]
    columns: tuple[str, ...] | None
    accepted: bool


def check(
    tx: Tx,
    environment: Environment,
    sources: Sequence[Ranked],
    names: Collection[str],
    now: str,
    progress: Progress,
) -> list[Checked]:
    """
    Read the sources that *names* has, and judge them as the next run would.

    Give it a transaction that leaves nothing behind (`state.aside`). Of the other sources
    the picture says which canaries they have.
    """
    chosen = [each for each in sources if each.source.name in names]
    reads = [stage(tx, environment, each, progress, delta=False) for each in chosen]
    others = [_as_known(tx, each) for each in sources if each not in chosen]
    shown = canaries(tx, environment, [*reads, *others])
    accepted = decisions.accepted(tx, now)
    looks = [each.look(tx, exact=True) for each in reads]
    certificates = judge(environment, reads, looks, shown, accepted)
    return [
        _checked(read, look, certificate, accepted=read.name in accepted)
        for read, look, certificate in zip(reads, looks, certificates, strict=True)
    ]


def _as_known(tx: Tx, ranked: Ranked) -> Staged:
    """Take a source as it was last read."""
    known = pictures.picture(tx, ranked.source.name)
    return Staged(ranked, known, known.shape or "", ReadFacts(0, unchanged=True))


def _checked(read: Staged, look: Look, certificate: Certificate, *, accepted: bool) -> Checked:
    facts = read.facts
    return Checked(
        certificate,
        read.picture.certified_rows,
        facts.unchanged,
        look.new,
        look.groups,
        facts.columns,
        accepted,
    )


# --- what a mapping makes of it ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldSeen:
    """What is mapped to a column, and for how many of the rows it is empty."""

    name: str
    column: str
    empty: int


@dataclass(frozen=True, slots=True)
class Preview:
    """
    What the mapping makes of the first rows of a source; of all of them if `whole`.

    `unmapped` are columns that nothing is mapped to, None where the source does not name
    its columns. Of `held` people a cell does not fit; `problems` quotes some. So many rows
    are `doubled`: their key came before.
    """

    source: str
    rows: int
    whole: bool
    findings: tuple[str, ...]
    people: tuple[Mapping[str, Value], ...]
    fields: tuple[FieldSeen, ...]
    unmapped: tuple[str, ...] | None
    held: int
    doubled: int
    problems: tuple[str, ...]


def preview(
    source: Source, mapping: PersonMapping, progress: Progress, *, people: int, rows: int
) -> Preview:
    """
    Read the first *rows* of a source, all with 0, and show what they make of the first *people*.

    Remembers nothing, and needs no state database.
    """
    progress.phase(f"reading {source.name}")
    reading = source.read(Known(None, set))
    pages = iter(reading)
    records = _records(pages, progress)
    seen = _Sums()
    for record in islice(records, rows or None):
        seen.add(record, people)
    whole = next(records, None) is None
    close = getattr(pages, "close", None)
    if close is not None:
        close()
    facts = reading.facts
    return Preview(
        source=source.name,
        rows=seen.rows,
        whole=whole,
        findings=facts.findings,
        people=tuple(_person(each) for each in seen.first),
        fields=tuple(_fields(mapping, seen)),
        unmapped=_unmapped(mapping, facts),
        held=seen.held,
        doubled=seen.rows - len(seen.keys),
        problems=tuple(seen.problems),
    )


@dataclass(slots=True)
class _Sums:
    """Counts what records have."""

    rows: int = 0
    held: int = 0
    keys: set[int] = field(default_factory=set)
    empty: Counter[int] = field(default_factory=Counter)
    attributes: Counter[str] = field(default_factory=Counter)
    first: list[Record] = field(default_factory=list)
    problems: dict[str, None] = field(default_factory=dict)

    def add(self, record: Record, people: int) -> None:
        """Count one more."""
        self.rows += 1
        self.keys.add(hash(record[0]))
        self.empty.update(place for place in PLACES if record[place] is None)
        self.attributes[record[9]] += 1
        if len(self.first) < people:
            self.first.append(record)
        problem = record[10]
        if problem is not None:
            self.held += 1
            if len(self.problems) < PROBLEMS:
                self.problems[problem] = None


def _records(pages: Iterator[Sequence[Record]], progress: Progress) -> Iterator[Record]:
    for page in pages:
        progress.advance(len(page))
        yield from page


def _fields(mapping: PersonMapping, seen: _Sums) -> Iterator[FieldSeen]:
    for name, place, each in zip(STANDING, PLACES, mapping.standing(), strict=True):
        if each is not None:
            yield FieldSeen(name, each.column, seen.empty[place])
    empty: Counter[str] = Counter()
    for attributes, number in seen.attributes.items():
        for name, value in decode_attributes(attributes).items():
            if value is None or value == ():
                empty[name] += number
    for name, each in mapping.attributes.items():
        yield FieldSeen(name, each.column, empty[name])


def _unmapped(mapping: PersonMapping, facts: ReadFacts) -> tuple[str, ...] | None:
    if facts.columns is None:
        return None
    mapped = {text(name) for name in mapping.columns()}
    return tuple(name for name in facts.columns if name not in mapped)


def _person(record: Record) -> dict[str, Value]:
    """Return what is known of somebody by the names that rules and mappings use."""
    found: dict[str, Value] = {}
    for name, place in zip(STANDING, PLACES, strict=True):
        value = record[place]
        match name:
            case "enabled" if value is not None:
                found[name] = bool(value)
            case "starts_on" | "leaves_on" if isinstance(value, int):
                found[name] = date.fromordinal(value)
            case _:
                found[name] = value if isinstance(value, str) else None
    return {**found, **decode_attributes(record[9])}
