"""Read both sides into the state database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

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
from syncd.state import decisions, observed, people, pictures
from syncd.state import hints as hinted
from syncd.state.database import Tx
from syncd.state.pictures import Picture, Stage

__all__ = ["read_sources", "read_target"]

BUILT_IN = ("key", "source", *IDENTITY)
"""What rules may read of a person beside the mapped attributes."""


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
    extra = _identity_read(environment.rules)
    reads: dict[str, tuple[Picture, str, ReadFacts]] = {}
    for ranked in sources:
        source = ranked.source
        progress.phase(f"reading {source.name}")
        picture = pictures.picture(tx, source.name)
        shape = f"{source.shape}|{','.join(sorted(extra))}"
        facts = _stage(tx, ranked, picture, shape, extra, progress, delta=delta)
        reads[source.name] = picture, shape, facts
    certificates = _judge(tx, environment, reads, now)
    for certificate in certificates:
        picture, shape, facts = reads[certificate.source]
        pictures.publish(tx, picture, shape, facts, certificate)
    order = sorted(range(len(sources)), key=lambda place: (sources[place].rank, place))
    people.merge(tx, [reads[sources[place].source.name][0].id for place in order])
    return certificates


def _stage(
    tx: Tx,
    ranked: Ranked,
    picture: Picture,
    shape: str,
    extra: frozenset[str],
    progress: Progress,
    *,
    delta: bool,
) -> ReadFacts:
    source = ranked.source
    extend = _extender(source.name, extra) if extra else None
    stage = Stage(tx, picture, extend)
    reading = source.read(pictures.known(tx, picture, shape, delta=delta))
    stage.take(_counted(reading, progress))
    return reading.facts


def _counted(reading: Reading, progress: Progress) -> Iterator[Sequence[Record]]:
    for page in reading:
        yield page
        progress.advance(len(page))


def _judge(
    tx: Tx,
    environment: Environment,
    reads: dict[str, tuple[Picture, str, ReadFacts]],
    now: str,
) -> list[Certificate]:
    limits = environment.policy.certificate
    canaries = [text(canary) for canary in limits.canaries]
    seen = {
        key
        for picture, _, facts in reads.values()
        for key in pictures.shown(tx, picture, facts, canaries)
    }
    accepted = decisions.accepted(tx, now)
    certificates = certify(
        {name: facts for name, (_, _, facts) in reads.items()},
        {name: picture.certified_rows for name, (picture, _, _) in reads.items()},
        seen,
        limits,
        set(accepted),
    )
    for certificate in certificates:
        if certificate.source in accepted:
            how = "used" if certificate.certified else "the next read failed by something else"
            decisions.use(tx, accepted[certificate.source], now, how)
    return certificates


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
    users = observed.users(tx, env, target, reads, hints.used, delta=delta)
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


def _missed(
    found: observed.Difference, token: str | None, since: Callable[[str], Pages[Any]]
) -> list[str]:
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
