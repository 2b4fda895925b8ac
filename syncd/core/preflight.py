"""From what an environment was seen to be to what is well, doubtful or wrong about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from urllib.parse import urlsplit

from syncd.core.identity import login, text
from syncd.core.ledger import Message
from syncd.core.model import Profile
from syncd.core.profiles import meant, why_not
from syncd.core.uses import TableFound, TableUse

__all__ = [
    "Caller",
    "Facts",
    "Observation",
    "Organization",
    "Trouble",
    "Verdict",
    "Wish",
    "gravest",
    "judge_environment",
    "judge_messages",
    "judge_profiles",
    "judge_speed",
    "ok",
    "sentence",
]

SKEW_DOUBTFUL, SKEW_WRONG = 120.0, 300.0
"""Seconds between two clocks; tokens are good for five minutes of difference."""
SLOW = 2.0
"""Seconds for a request that does nothing: a run has some hundreds one after the other."""


class Verdict(StrEnum):
    """How something that was looked at is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Observation:
    """What was looked at, how it is, what was seen, and what to do about it."""

    check: str
    verdict: Verdict
    seen: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something could not be seen. `absent` says that the environment does not have it."""

    sentence: str
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom the environment takes us for: ids of user and organization, names of user and roles."""

    user: str
    organization: str
    roles: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Organization:
    """The environment as it describes itself; `url` is where people open it, if it says so."""

    id: str
    name: str
    version: str
    state: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What was seen of an environment.

    `entry` is what stood in the way of the first answer: the check that it belongs to, and
    why. Nothing else was looked at then. `broken` says why the look ended early. `tables`,
    `readable` are by logical name; `readable` has what stood in the way of reading one
    row. `privileges` maps names and ids, in lower case, to a depth. `skew` is by how many
    seconds our clock is ahead; `trips` are the seconds that requests took; `retention` is for
    how many days delta links are good.
    """

    url: str
    signing: str
    entry: tuple[str, Trouble] | None = None
    broken: str | None = None
    caller: Caller | Trouble = field(default_factory=lambda: Trouble("not looked at"))
    organization: Organization | Trouble = field(default_factory=lambda: Trouble("not looked at"))
    tables: Mapping[str, TableFound | Trouble] = field(default_factory=dict)
    readable: Mapping[str, Trouble | None] = field(default_factory=dict)
    messages: frozenset[str] | Trouble = frozenset()
    privileges: Mapping[str, str] | Trouble = field(default_factory=dict)
    profiles: Sequence[tuple[str, str, bool]] | Trouble = ()
    skew: float | None = None
    trips: tuple[float, ...] = ()
    hint: int | None = None
    retention: int | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What the configuration wants of an environment; `lanes` 0 is what the server hints."""

    uses: Sequence[TableUse]
    profiles: Sequence[str] = ()
    lanes: int = 0


def ok(check: str, seen: str) -> Observation:
    """Say that something is well."""
    return Observation(check, Verdict.OK, seen)


def gravest(observations: Iterable[Observation]) -> Verdict:
    """Return how it stands altogether."""
    order = list(Verdict)
    return max((each.verdict for each in observations), key=order.index, default=Verdict.OK)


def sentence(observation: Observation) -> str:
    """Put an observation into one sentence, for a log or a report."""
    remedy = f"; {observation.remedy}" if observation.remedy else ""
    return f"{observation.check}: {observation.seen}{remedy}"


def judge_environment(facts: Facts) -> Iterator[Observation]:
    """Judge everything but tables, rights and profiles: who we are there, how far it is."""
    if facts.entry is not None:
        check, trouble = facts.entry
        yield Observation(check, Verdict.FAILURE, trouble.sentence)
        return
    yield ok("sign-in", facts.signing)
    yield from _caller(facts.caller)
    yield from _organization(facts)
    yield from _clock(facts.skew)


def _caller(caller: Caller | Trouble) -> Iterator[Observation]:
    if isinstance(caller, Trouble):
        yield Observation("WhoAmI", Verdict.FAILURE, caller.sentence)
        return
    roles = f", roles {', '.join(caller.roles)}" if caller.roles else ""
    name = f"{caller.name} " if caller.name else ""
    yield ok("WhoAmI", f"user {name}{caller.user}{roles}")


def _organization(facts: Facts) -> Iterator[Observation]:
    check, found = "organization", facts.organization
    if isinstance(found, Trouble):
        yield Observation(check, Verdict.WARNING, found.sentence)
        return
    who = f"{found.name} {found.id}, version {found.version}"
    caller = facts.caller
    if isinstance(caller, Caller) and caller.organization.lower() != found.id.lower():
        yield Observation(
            check,
            Verdict.FAILURE,
            f"WhoAmI answers for {caller.organization}, but the environment calls itself {who}",
            "see whether a proxy or a load balancer leads to two environments in turn",
        )
    if found.state.lower() != "enabled":
        yield Observation(
            check,
            Verdict.FAILURE,
            f"{who} is in the state {found.state}",
            "enable it, or end its administration mode: Power Platform admin center > "
            "Environments > this one > Edit",
        )
    elif found.url is not None and _host(found.url) != _host(facts.url):
        yield Observation(
            check,
            Verdict.WARNING,
            f"{who} says that its address is {found.url}, but the configuration has {facts.url}",
            "see that this is the environment you mean; keep the url in the configuration if it "
            "is only another name of it, because ids of new rows follow from it",
        )
    else:
        yield ok(check, who)


def _host(url: str) -> str:
    """Return a host as people know it: the api's name without its `.api.`."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return (parts.hostname or "").replace(".api.", ".", 1) + port


def _clock(skew: float | None) -> Iterator[Observation]:
    if skew is None:
        return
    apart = abs(skew)
    seen = f"this machine is {apart:.0f} s {'ahead of' if skew > 0 else 'behind'} the environment"
    remedy = "let this machine keep its time by NTP (chrony or systemd-timesyncd)"
    if apart > SKEW_WRONG:
        yield Observation("clock", Verdict.FAILURE, f"{seen}: sign-ins fail so", remedy)
    elif apart > SKEW_DOUBTFUL:
        yield Observation("clock", Verdict.WARNING, f"{seen}: beyond 300 s sign-ins fail", remedy)
    else:
        yield ok("clock", "within two minutes of the environment's")


# --- speed ------------------------------------------------------------------------------------


def judge_speed(facts: Facts, lanes: int) -> Iterator[Observation]:
    """Judge how long an answer takes, and how many at a time are asked for."""
    if facts.trips:
        middle = median(facts.trips)
        seen = f"{middle * 1000:.0f} ms, the median of {len(facts.trips)}"
        if middle > SLOW:
            remedy = "see whether a proxy stands between, or run syncd nearer to the environment"
            yield Observation("round trip", Verdict.WARNING, seen, remedy)
        else:
            yield ok("round trip", seen)
    if facts.hint is None:
        yield ok("parallelism", "the environment gives no hint")
    elif lanes > facts.hint:
        yield Observation(
            "parallelism",
            Verdict.WARNING,
            f"the environment recommends {facts.hint} requests at a time, http.lanes is {lanes}",
            "leave http.lanes out: syncd starts from the recommendation and adds what pays",
        )
    else:
        yield ok("parallelism", f"the environment recommends {facts.hint} requests at a time")


# --- messages ---------------------------------------------------------------------------------

SUBSTITUTES = {
    Message.CREATE: (
        Message.ASSOCIATE,
        "new people get rows that somebody left empty, if there are any",
    ),
    Message.UPDATE: (Message.ASSOCIATE, "rows are re-pointed, and neither flagged nor deactivated"),
    Message.DELETE: (Message.DISASSOCIATE, "rows of leavers are emptied, and stay as free rows"),
}
BULK = (Message.CREATE_MULTIPLE, Message.UPDATE_MULTIPLE)


def judge_messages(messages: frozenset[str] | Trouble) -> Iterator[Observation]:
    """
    Judge which ways of writing are registered.

    That is a hint and no more: reference pages leave out messages that work
    (domain.md section 8), so that what is not listed is a warning.
    """
    check = "messages"
    if isinstance(messages, Trouble):
        remedy = "nothing has to be done: syncd tries what there is and remembers what is refused"
        yield Observation(check, Verdict.WARNING, messages.sentence, remedy)
        return
    missing = [each for each in SUBSTITUTES if each not in messages]
    for message in missing:
        other, effect = SUBSTITUTES[message]
        if other in messages:
            seen = f"{message} is not registered, {other} is: if {message} is refused, {effect}"
        else:
            seen = f"neither {message} nor {other} is registered: it may be refused"
        yield Observation(
            check,
            Verdict.WARNING,
            seen,
            "syncd tries it all the same and remembers what is refused; if it is, ask the "
            "environment's administrator whether the table was customised",
        )
    if not missing:
        bulk = [each for each in BULK if each in messages]
        more = f", in bulk {' and '.join(bulk)}" if bulk else "; nothing in bulk: batches are used"
        yield ok(check, f"{', '.join(SUBSTITUTES)} are registered{more}")


# --- profiles ---------------------------------------------------------------------------------


def judge_profiles(
    references: Iterable[str], found: Sequence[tuple[str, str, bool]] | Trouble
) -> Iterator[Observation]:
    """Judge whether each profile that a rule names is one, and published."""
    check, named = "profiles", list(dict.fromkeys(references))
    if isinstance(found, Trouble):
        yield Observation(check, Verdict.FAILURE, found.sentence)
        return
    known = {ident: Profile(ident, name, ready) for ident, name, ready in found}
    well = True
    for reference in named:
        wrong = why_not(reference, meant(reference, known))
        if wrong:
            well = False
            seen, _, remedy = wrong.partition("; ")
            yield Observation(check, Verdict.FAILURE, seen, remedy + _spelling(reference, known))
    if well:
        published = sum(ready for _, _, ready in found)
        all_of_them = f"{len(named)} named in rules, all published" if named else "rules name none"
        yield ok(check, f"{all_of_them}; the environment has {published} published")


def _spelling(reference: str, known: Mapping[str, Profile]) -> str:
    """Say which profile is called nearly so: capitals count."""
    near = sorted({p.name for p in known.values() if login(p.name) == login(reference)})
    return f" (it is written {near[0]})" if near and text(reference) not in near else ""
