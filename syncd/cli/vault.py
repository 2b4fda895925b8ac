"""What `syncd state backup` and `restore` do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from syncd.app import App
from syncd.cli import listing
from syncd.cli.desk import operator
from syncd.cli.errors import say
from syncd.cli.render import counted
from syncd.cli.upkeep import opened, readable
from syncd.state import backup, restore
from syncd.state.database import Database
from syncd.state.restore import Order, Restored
from syncd.state.upgrade import HEAD

__all__ = ["back_up", "put_back"]


def back_up(app: App, file: Path, *, force: bool) -> None:
    """Copy the state into one file. Raises StateError, Stopped."""
    with opened(app.config) as database:
        made, noted = backup.save(database, file.absolute(), app.clock(), app.stop, force=force)
        listing.put(f"{file}: {readable(made.bytes)}, the state of {database.place} at {made.at}")
    if not noted:
        say("a run is writing, so that `syncd state check` will not know of this backup")


def put_back(app: App, file: Path, *, force: bool) -> None:
    """Put a backup in the place of the state. Raises StateError, LeaseHeld, Stopped."""
    seconds = app.config.settings.daemon.lease.total_seconds()
    order = Order(file.absolute(), operator(), app.clock(), force, app.stop)
    with opened(app.config) as database:
        done = restore.restore(database, order, app.names(None), seconds)
        for line in _told(database, done):
            listing.put(line)


def _told(database: Database, done: Restored) -> Iterator[str]:
    """Say what is there now, what is not, and what to do next."""
    when = done.made or "unknown age: it was not made by `syncd state backup`"
    last = "no run" if done.run is None else f"run {done.run}"
    yield f"state database {database.place} is now that of the backup of {when}, up to {last}"
    if done.schema != HEAD:
        yield f"its schema {done.schema} was brought up to {HEAD}"
    if done.kept is not None:
        yield f"what was there is kept as {done.kept}"
    yield "the next run reads everything anew; what was decided since the backup is not known"
    if not done.graces:
        yield "the backup is older than two days, so that all graces and sightings begin anew"
    if done.passes:
        ended = counted(done.passes, "pass or accepted read", "passes and accepted reads")
        yield f"{ended} ended, since nobody knows whether they were used; grant them anew"
    yield "look before you start the daemon: syncd plan"
