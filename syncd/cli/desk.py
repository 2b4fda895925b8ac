"""
What every decision of an operator shares: who decides, when, why, and where.

All that one command decides is one durable transaction with its lines of the audit log.
"""

from __future__ import annotations

import contextlib
import getpass
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.app import App
from syncd.cli.errors import say
from syncd.core.errors import TargetError, UsageError
from syncd.core.identity import guid, text
from syncd.core.model import Profile, iso
from syncd.state import decisions, lookup, observed
from syncd.state.database import Database, Tx
from syncd.state.decisions import Ruling, Verb
from syncd.state.lookup import Found

__all__ = [
    "Desk",
    "Place",
    "look",
    "operator",
    "profile_of",
    "sit_down",
    "users_of",
    "withdraw_for",
]


@dataclass(frozen=True, slots=True)
class Place:
    """An environment: its name, and its number in the state database."""

    name: str
    env: int


@dataclass(frozen=True, slots=True)
class Desk:
    """
    Where an operator decides: an open transaction, the environments, who, when and why.

    `strangers` are users of environments that no run has read yet, by environment: there
    the one who is meant was looked up at the target, or a sentence says why that failed.
    """

    tx: Tx
    app: App
    places: tuple[Place, ...]
    who: str
    at: datetime
    reason: str
    strangers: Mapping[str, Sequence[Found] | TargetError]

    @property
    def now(self) -> str:
        """The moment of the decision, as the state database has it."""
        return iso(self.at)

    def add(
        self,
        verb: Verb,
        subject: str,
        place: Place | None,
        *,
        value: str | None = None,
        against: str | None = None,
        until: str | None = None,
    ) -> None:
        """Record a decision."""
        decisions.add(
            self.tx, verb, subject, env=place.env if place else None, reason=self.reason,
            who=self.who, now=self.now, value=value, against=against, until=until,
        )  # fmt: skip

    def withdraw(self, verb: Verb, subject: str, place: Place | None) -> bool:
        """Take a decision back; False if there is none."""
        return decisions.withdraw(
            self.tx, verb, subject, env=place.env if place else None, reason=self.reason,
            who=self.who, now=self.now,
        )  # fmt: skip


def operator() -> str:
    """
    Return who decides: the operating system's user.

    LOGNAME or USER name somebody else where a job runs the command for them.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"


@contextlib.contextmanager
def sit_down(
    app: App, environment: str | None, reason: str, *, about: str | None = None
) -> Iterator[Desk]:
    """
    Open the transaction of a decision; nothing of it stays if an error is raised.

    With *about*, a user, the decision may come before the first run of an environment.
    """
    why = reason.strip()
    if not why:
        raise UsageError("--reason is empty; say why, for whoever reads the audit log")
    names = app.names(environment)
    urls = {name: app.config.environments[name].url for name in names}
    with app.database() as database:
        # Before the transaction: nobody shall wait for it while the target is asked.
        strangers = {} if about is None else _strangers(app, database, urls, about)
        with database.durable() as tx:
            numbers = {name: observed.environment(tx, name, url) for name, url in urls.items()}
            places = tuple(Place(name, env) for name, env in numbers.items())
            yield Desk(tx, app, places, operator(), app.clock(), why, strangers)


def _strangers(
    app: App, database: Database, urls: Mapping[str, str], reference: str
) -> dict[str, Sequence[Found] | TargetError]:
    with database.read() as tx:
        numbers = {n: lookup.environment_number(tx, n, url) for n, url in urls.items()}
        unread = [name for name, env in numbers.items() if not lookup.was_read(tx, env)]
    return {name: _ask(app, name, reference) for name in unread}


def _ask(app: App, name: str, reference: str) -> Sequence[Found] | TargetError:
    """Look for a user at the target; whether that matters if it fails is not known here."""
    try:
        with app.target(name) as target:
            return lookup.among(target.named(reference), reference)
    except TargetError as error:
        return type(error)(
            f"{name}: nothing has been read yet, so that {reference} was to be looked up in the "
            f"environment itself, but: {error}"
        )


@contextlib.contextmanager
def look(app: App, environment: str | None) -> Iterator[tuple[Tx, list[tuple[str, int | None]]]]:
    """Open a transaction for reading, with names and numbers (None: never met) of environments."""
    names = app.names(environment)
    with app.database() as database, database.read() as tx:
        urls = {name: app.config.environments[name].url for name in names}
        yield tx, [(n, lookup.environment_number(tx, n, url)) for n, url in urls.items()]


# --- USER and PROFILE -----------------------------------------------------------------------


def users_of(desk: Desk, reference: str) -> list[tuple[Place, Found]]:
    """
    Return the user that is meant in each environment that has it.

    Raises UsageError, and TargetError where nobody is found and one could not be asked.
    """
    found = []
    for place in desk.places:
        users = _called(desk, place, reference)
        if len(users) > 1:
            ids = ", ".join(user.id for user in users)
            raise UsageError(
                f"{reference}: {len(users)} users of {place.name} are called so; "
                f"name one by its id: {ids}"
            )
        found += [(place, user) for user in users]
    _say_who_was_not_asked(desk, enough=bool(found))
    if not found:
        raise UsageError(_nobody(desk, reference))
    return found


def _called(desk: Desk, place: Place, reference: str) -> Sequence[Found]:
    """Return the users of an environment that are called so, as far as is known."""
    asked = desk.strangers.get(place.name)
    if asked is None:
        return lookup.users(desk.tx, place.env, reference)
    return () if isinstance(asked, TargetError) else asked


def _say_who_was_not_asked(desk: Desk, *, enough: bool) -> None:
    """Warn of environments that could not be asked; raise the first error if that decides."""
    for asked in desk.strangers.values():
        if isinstance(asked, TargetError):
            if not enough:
                raise asked
            say(f"{asked}; the decision does not count there")


def _nobody(desk: Desk, reference: str) -> str:
    names = ", ".join(place.name for place in desk.places)
    if not desk.strangers and not any(lookup.was_read(desk.tx, each.env) for each in desk.places):
        return f"{reference}: nothing has been read from {names} yet; first run: syncd reconcile"
    return (
        f"{reference}: no user of {names} has this user name, mail, object id or id; check it, "
        "and if the user is new, run: syncd reconcile"
    )


def withdraw_for(desk: Desk, verb: Verb, reference: str) -> list[tuple[Place, Ruling, str]]:
    """
    Take back what was decided about a user, wherever it was, also for one that is gone.

    Returns the environments, what was decided, and the user's name.
    """
    found = [done for place in desk.places for done in _withdraw_at(desk, place, verb, reference)]
    _say_who_was_not_asked(desk, enough=bool(found))
    return found


def _withdraw_at(
    desk: Desk, place: Place, verb: Verb, reference: str
) -> Iterator[tuple[Place, Ruling, str]]:
    names = {user.id: user.name for user in _called(desk, place, reference)}
    names.setdefault(guid(reference), reference)
    for ruling in lookup.rulings(desk.tx, verb, place.env):
        if ruling.subject in names and desk.withdraw(verb, ruling.subject, place):
            yield place, ruling, names[ruling.subject]


def profile_of(tx: Tx, place: Place, reference: str, *, published: bool = True) -> Profile:
    """
    Return the profile that is meant: the one with this id, else the only one of this name.

    Of profiles of one name those that are not published do not count; with *published*
    off they do where there is no other. Raises UsageError.
    """
    known = observed.resolve_profiles(tx, place.env)
    if not known:
        raise UsageError(f"nothing has been read from {place.name} yet; first run: syncd reconcile")
    by_id = known.get(guid(reference))
    named = [each for each in known.values() if text(each.name) == text(reference)]
    meant = [by_id] if by_id else named
    fit = [each for each in meant if each.published] or ([] if published else meant)
    if len(fit) == 1:
        return fit[0]
    raise UsageError(f"{reference}: {_why_not(place, meant, fit, list(known.values()))}")


def _why_not(
    place: Place, meant: Sequence[Profile], fit: Sequence[Profile], known: Sequence[Profile]
) -> str:
    if fit:
        ids = ", ".join(sorted(profile.id for profile in fit))
        return f"{place.name} has {len(fit)} profiles of this name; name one by its id: {ids}"
    if meant:
        return (
            f"this profile of {place.name} is not published; publish it, then run: syncd reconcile"
        )
    names = ", ".join(sorted({profile.name for profile in known if profile.published}))
    return f"{place.name} has no such profile; published are: {names or 'none'}"
