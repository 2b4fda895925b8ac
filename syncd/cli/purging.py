"""What `syncd state purge` does: first say what goes and what that means, then do it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from syncd.app import App
from syncd.cli import listing
from syncd.cli.desk import operator
from syncd.cli.render import counted
from syncd.core.errors import StateLocked, UsageError
from syncd.core.model import iso
from syncd.state import history
from syncd.state import purge as purging
from syncd.state.database import Database, Tx, compact
from syncd.state.journal import note
from syncd.state.lease import lease
from syncd.state.purge import Leftover

__all__ = ["Wish", "purge"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall go: an environment by name, what is older than some days, or what is left over."""

    environment: str | None
    older: int | None
    reason: str
    yes: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What goes."""

    environments: Sequence[Leftover] = ()
    sources: Sequence[Leftover] = ()
    days: Mapping[str, int] | None = None


def purge(app: App, wish: Wish) -> None:
    """Show what goes; with `yes` it goes. Raises UsageError, LeaseHeld, StateError."""
    if wish.yes and not wish.reason.strip():
        raise UsageError("--reason is missing; say why, for whoever reads the audit log")
    with app.database() as database:
        with database.rehearse() as tx:
            found = _found(app, tx, wish)
            lines = [line for name in _each(found) for line in _rehearsed(app, tx, name)]
        for line in lines:
            listing.put(line)
        if not lines:
            listing.put("there is nothing that goes")
            return
        if not wish.yes:
            raise UsageError("nothing was purged; to do what is shown, add --yes and --reason TEXT")
        _done(app, database, found, wish.reason.strip())
        with contextlib.suppress(StateLocked):  # the space is given back another time
            compact(database)
        listing.put("all of it is gone")


def _found(app: App, tx: Tx, wish: Wish) -> Found:
    days = None
    if wish.older is not None:
        keep: dict[str, int] = app.config.state.keep_days.model_dump()
        days = keep | {name: min(wish.older, keep[name]) for name in ("runs", "plans")}
    if wish.environment is not None:
        named = purging.environment(tx, wish.environment)
        if named is None:
            raise UsageError(
                f"--environment {wish.environment}: the state remembers no such environment; "
                "see: syncd state status"
            )
        return Found([named], (), days)
    if days is not None:
        return Found(days=days)
    urls = {name: each.url for name, each in app.config.environments.items()}
    return Found(*purging.leftovers(tx, urls, [each.name for each in app.config.sources]))


def _each(found: Found) -> Iterator[Found]:
    """Give each thing that goes by itself."""
    yield from (Found([each]) for each in found.environments)
    yield from (Found((), [each]) for each in found.sources)
    if found.days is not None:
        yield Found(days=found.days)


def _rehearsed(app: App, tx: Tx, found: Found) -> Iterator[str]:
    """Do it in a transaction that leaves nothing, and say what went."""
    before = purging.sizes(tx)
    standing = sum(purging.standing(tx, each.id) for each in found.environments)
    _forget(app, tx, found)
    after = purging.sizes(tx)
    gone = {name: before[name] - after[name] for name in before if before[name] > after[name]}
    if not gone:
        return
    rows = ", ".join(f"{number:,} {name}" for name, number in gone.items())
    yield f"{_what(app, found)}: {rows}"
    if found.environments:
        yield (
            "  none of its rows is ours then: the next run there adopts what is as wanted and "
            "reports the rest"
        )
        if standing:
            yield f"  {counted(standing, 'decision')} of operators (holds, links, choices) end"
    if found.sources:
        yield "  if it is ever configured again, it is read as for the first time"


def _what(app: App, found: Found) -> str:
    for each in found.environments:
        configured = app.config.environments.get(each.name)
        known = configured is not None and configured.url == each.url
        return f"environment {each.name} ({'' if known else 'no longer configured, '}{each.url})"
    for each in found.sources:
        return f"source {each.name} (no longer configured)"
    days = found.days or {}
    return f"runs older than {days['runs']} days, plans older than {days['plans']} days"


def _forget(app: App, tx: Tx, found: Found) -> None:
    for each in found.environments:
        purging.forget_environment(tx, each.id)
    for each in found.sources:
        purging.forget_source(tx, each, iso(app.clock()))
    if found.days is not None:
        history.purge(tx, app.clock(), found.days)


def _done(app: App, database: Database, found: Found, reason: str) -> None:
    """Do it while nobody writes to what it is about, and put it on record."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(lease(database, name)) for name in _writers(app, found)]
        with database.durable() as tx:
            for each in held:
                each.verify(tx)
            for part in _each(found):
                what = _what(app, part)
                _forget(app, tx, part)
                note(tx, iso(app.clock()), operator(), "state purged", f"{what}: {reason}")


def _writers(app: App, found: Found) -> list[str]:
    """Name the environments in which nobody may be writing meanwhile."""
    named = {each.name for each in found.environments}
    if found.sources:  # every run reads them
        named |= set(app.config.environments)
    # What is left of an environment that moved is called `NAME at URL`; nobody can run there.
    return sorted(name for name in named if "/" not in name)
