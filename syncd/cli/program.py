"""The group of commands, and what all of them share."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from syncd import __version__
from syncd.app import App, build
from syncd.core.errors import UsageError
from syncd.engine.parts import Stop

__all__ = ["Context", "app", "context_of", "program"]

app = typer.Typer(
    name="syncd",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help=(
        "Keep the mobile offline profile memberships in Dataverse as HR and the directory say.\n\n"
        "New here? [bold]syncd demo[/bold] shows the whole job in a minute."
    ),
)


@dataclass(slots=True)
class Context:
    """What was said before the command."""

    path: Path | None
    stop: Stop = field(default_factory=Stop)
    _app: App | None = None

    @property
    def app(self) -> App:
        """The program as configured; loaded once. Raises ConfigError."""
        if self._app is None:
            if self.path is None:
                raise UsageError(
                    "no configuration given; use: syncd -c FILE …, or set SYNCD_CONFIG"
                )
            self._app = build(self.path, os.environ, self.stop)
        return self._app


def context_of(context: typer.Context) -> Context:
    """Return what was said before the command."""
    found = context.find_object(Context)
    return found if found is not None else Context(None)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"syncd {__version__}")
        raise typer.Exit


@app.callback()
def start(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar="SYNCD_CONFIG", help="The configuration, a TOML file."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Remember the configuration; commands load it when they need it."""
    del version
    stop = Stop()
    context.obj = Context(config, stop)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _ask_to_stop(stop))


def _ask_to_stop(stop: Stop) -> None:
    """Stop cleanly; somebody who asks twice does not want to wait."""
    if stop.is_set():
        raise KeyboardInterrupt
    stop.set()


from syncd.cli import cases, run, serve  # noqa: E402, F401  # they register their commands on `app`

program = typer.main.get_command(app)
