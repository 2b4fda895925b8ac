"""Read both sides into the state database."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.core.bands import Look, compare
from syncd.core.certificate import Certificate, certify
from syncd.core.errors import TokenExpired
from syncd.core.hints import Hints
from syncd.core.identity import text
from syncd.core.mapping import decode_attributes, encode_attributes
from syncd.core.merging import IDENTITY
from syncd.core.model import Rung
from syncd.core.ports import Pages, ReadFacts, Reading, Record, Target
from syncd.core.rules import Rule
from syncd.engine.parts import Environment, Progress, Ranked
from syncd.state import accounts, bands, decisions, observed, people, pictures
from syncd.state import hints as hinted
from syncd.state.accounts import Difference
from syncd.state.database import Tx
from syncd.state.pictures import Picture, Stage

__all__ = ["Staged", "canaries", "judge", "read_sources", "read_target", "stage"]

BUILT_IN = ("key", "source", *IDENTITY)
"""What rules may read of a person beside the mapped attributes."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A read of a source that is over and not yet judged."""

    ranked: Ranked
    picture: Picture
    shape: str
    facts: ReadFacts

    @property
    def name(self) -> str:
        """The name of the source."""
        return self.ranked.source.name

    def look(self, tx: Tx, *, exact: bool = False) -> Look:
        """Count what is to be compared with certified reads."""
        limits = self.ranked.limits
        return bands.look(tx, self.picture, self.shape, self.facts, limits, exact=exact)


def read_sources(
    tx: Tx,
    environment: Environment,
    sources: Sequence[Ranked],
    now: str,
    progress: Progress,
    *,
    delta: bool = False,
) -> list[Certificate]:
    """
    Read every source, judge the reads together, and bring the people up to date.

    With *delta* sources that can tell only what changed.

    Never raises for what a source holds: that is a finding of its certificate.
    """
    people.only(tx, [ranked.source.name for ranked in sources])
    people.begin(tx)
    reads = [stage(tx, environment, each, progress, delta=delta) for each in sources]
    shown, accepted = canaries(tx, environment, reads), decisions.accepted(tx, now)
    looks = [each.look(tx) for each in reads]
    certificates = judge(environment, reads, looks, shown, accepted)
    for read, look, certificate in zip(reads, looks, certificates, strict=True):
        number = accepted.get(certificate.source)
        if number is not None:
            how = "used" if certificate.certified else "the next read failed by something else"
            decisions.use(tx, number, now, how)
        bands.learn(
            tx, read.picture, read.facts, certificate, look, read.ranked.limits,
            accepted=number is not None,
        )  # fmt: skip
        pictures.publish(tx, read.picture, read.shape, read.facts, certificate)
    order = sorted(range(len(sources)), key=lambda place: (sources[place].rank, place))
    people.merge(tx, [reads[place].picture.id for place in order])
    return certificates


def stage(
    tx: Tx, environment: Environment, ranked: Ranked, progress: Progress, *, delta: bool
) -> Staged:
    """Read a source, and set aside what is new in it."""
    source = ranked.source
    progress.phase(f"reading {source.name}")
    extra = _identity_read(environment.rules)
    picture = pictures.picture(tx, source.name)
    shape = f"{source.shape}|{','.join(sorted(extra))}"
    extend = _extender(source.name, extra) if extra else None
    aside = Stage(tx, picture, extend)
    reading = source.read(pictures.known(tx, picture, shape, delta=delta))
    aside.take(_counted(reading, progress))
    return Staged(ranked, picture, shape, reading.facts)


def _counted(reading: Reading, progress: Progress) -> Iterator[Sequence[Record]]:
    for page in reading:
        yield page
        progress.advance(len(page))


def canaries(tx: Tx, environment: Environment, reads: Sequence[Staged]) -> set[str]:
    """Return which canaries some of these reads have shown."""
    wanted = [text(canary) for canary in environment.policy.certificate.canaries]
    return {key for each in reads for key in pictures.shown(tx, each.picture, each.facts, wanted)}


def judge(
    environment: Environment,
    reads: Sequence[Staged],
    looks: Sequence[Look],
    shown: Container[str],
    accepted: Container[str],
) -> list[Certificate]:
    """Judge reads together; *shown* has the canaries that are there, *accepted* sources."""
    return certify(
        {each.name: each.facts for each in reads},
        {each.name: each.picture.certified_rows for each in reads},
        shown,
        environment.policy.certificate,
        accepted,
        {
            each.name: compare(look, each.facts, each.ranked.limits)
            for each, look in zip(reads, looks, strict=True)
        },
    )


def _identity_read(rules: Sequence[Rule]) -> frozenset[str]:
    """Return what rules read of a person's identity; answers then depend on it."""
    return frozenset(name for rule in rules for name in rule.reads if name in BUILT_IN)


def _extender(source: str, extra: frozenset[str]) -> Callable[[Record], str]:
    """Return what adds to a record's attributes what rules read of its identity."""
    places = {"key": 0, "object_id": 2, "employee_id": 3, "user_name": 4, "mail": 5}

    def extend(record: Record) -> str:
        attributes = decode_attributes(record[9])
        for name in extra:
            attributes[name] = source if name == "source" else _text(record[places[name]])
        return encode_attributes(attributes)

    return extend


def _text(value: object) -> str | None:
    """Return a text as it is, and nothing for nothing."""
    return None if value is None else str(value)


def read_target(
    tx: Tx,
    environment: Environment,
    env: int,
    target: Target,
    progress: Progress,
    *,
    delta: bool = False,
) -> list[str]:
    """
    Read the target as it is now. Raises TargetError unless every read is complete.

    With *delta* users and rows are read by what changed, where the target keeps track.
    Returns the ids that a read of everything found changed and a read of changes does
    not know of: expected are none.
    """
    progress.phase("reading profiles")
    observed.profiles(tx, env, target.profiles())
    before = observed.tokens(tx, env)
    progress.phase("reading users")
    match, hints = environment.policy.match, Hints()
    if Rung.USERMAPPING in match:
        hints = target.hints()
        hinted.note(tx, env, hints)
    reads = ",".join([*match, *map(str, hints.used)])
    users = accounts.users(tx, env, target, reads, hints.used, delta=delta)
    progress.phase("reading memberships")
    rows = observed.memberships(tx, env, target, delta=delta, left=users.gone)
    progress.phase("reading teams")
    observed.team_profiles(tx, env, target.team_profiles())
    if delta:
        return []
    return [
        *_missed(users, before[0], target.users_since),
        *_missed(rows, before[1], target.memberships_since),
    ]


def _missed(found: Difference, token: str | None, since: Callable[[str], Pages[Any]]) -> list[str]:
    """Return what was found otherwise and is not among the changes since the last read."""
    if token is None or not found.ids:
        return []
    told: set[str] = set()
    try:
        changes = since(token)
        for page in changes:
            told.update(row[0] for row in page)
    except TokenExpired:
        return []
    return sorted(found.ids - told - changes.gone)
