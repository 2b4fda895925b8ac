"""What check-config and the state commands do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from syncd.cli import listing, toml
from syncd.cli.errors import say
from syncd.config import Config, json_schema
from syncd.state import lookup
from syncd.state.database import Database
from syncd.state.lookup import Run
from syncd.state.upgrade import HEAD, ensure, version

__all__ = ["opened", "readable", "show_config", "show_schema", "show_state", "upgrade_state"]

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def show_schema() -> None:
    """Print the JSON Schema of a configuration file."""
    listing.put(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def show_config(config: Config, *, as_json: bool) -> None:
    """Print what is in force: every key with its default, secrets masked."""
    for warning in config.warnings:
        say(f"warning: {warning}")
    shown = config.effective()
    if as_json:
        listing.write_document(shown)
    else:
        listing.put(f"# {config.file}: no problems. What is in force, with every default:\n")
        listing.put(toml.written(shown))


@contextlib.contextmanager
def opened(config: Config) -> Iterator[Database]:
    """Open the state database as it is, whatever its schema."""
    database = Database(config.state.url.get_secret_value())
    try:
        yield database
    finally:
        database.close()


def upgrade_state(config: Config) -> None:
    """Bring the schema up to date. Raises StateUnusable for one from the future."""
    with opened(config) as database:
        before = version(database)
        ensure(database, allowed=True)
        if before == HEAD:
            listing.put(f"state database {database.place} has schema {HEAD} already")
        else:
            was = "made with" if before is None else f"upgraded from schema {before} to"
            listing.put(f"state database {database.place} {was} schema {HEAD}")


def show_state(config: Config, *, as_json: bool) -> None:
    """Print where the state is, its schema, how large it is, and the last runs. Changes nothing."""
    with opened(config) as database:
        body = _state(database)
    if as_json:
        listing.write_document(body)
    else:
        _write_state(body)


def _state(database: Database) -> dict[str, object]:
    body: dict[str, object] = {"place": database.place, "schema": None, "newest_schema": HEAD}
    if database.sqlite and not Path(database.place).exists():
        return {**body, "bytes": 0, "rows": {}, "last_runs": []}
    body["schema"] = version(database)
    with database.read() as tx:
        body["bytes"] = lookup.size(tx, database.place)
        body["rows"] = lookup.sizes(tx)
        runs = lookup.last_runs(tx) if body["schema"] is not None else []
    body["last_runs"] = [_run(run) for run in runs]
    return body


def _run(run: Run) -> dict[str, object]:
    return {
        "environment": run.environment,
        "run": run.number,
        "command": run.command,
        "started": run.started,
        "finished": run.finished,
        "exit_code": run.exit_code,
    }


def _write_state(body: dict[str, object]) -> None:
    schema = body["schema"] or "none yet: the first run makes it"
    behind = body["schema"] is not None and body["schema"] != HEAD
    listing.put(f"place   {body['place']}")
    listing.put(f"schema  {schema}{f', this syncd knows {HEAD}' if behind else ''}")
    listing.put(f"size    {readable(body['bytes'])}")
    runs, rows = body["last_runs"], body["rows"]
    for run in runs if isinstance(runs, list) else ():
        listing.put(f"run     {_last(run)}")
    if isinstance(rows, dict) and any(rows.values()):
        listing.put("")
        counted = [[name, f"{number:,}"] for name, number in rows.items() if number]
        listing.write_columns(("table", "rows"), counted)


def _last(run: dict[str, object]) -> str:
    ended = "not finished" if run["exit_code"] is None else f"exit code {run['exit_code']}"
    return f"{run['environment']}: number {run['run']}, {run['command']}, {run['started']}, {ended}"


def readable(size: object) -> str:
    """Write a number of bytes in the unit that fits it."""
    number, unit = float(size if isinstance(size, int) else 0), 0
    while number >= 1000 and unit < len(UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.0f} {UNITS[unit]}" if unit == 0 else f"{number:.1f} {UNITS[unit]}"
