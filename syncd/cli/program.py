"""The group of commands, and what all share. Nothing heavy is imported: help answers at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from syncd import __version__
from syncd.cli.errors import sentence
from syncd.core.errors import UsageError

if TYPE_CHECKING:
    from syncd.app import App

__all__ = ["Context", "app", "context_of"]

STOPPING = (signal.SIGTERM, signal.SIGINT)

app = typer.Typer(
    name="syncd",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Keep the mobile offline profile memberships in Dataverse as HR and the directory say.\n\n"
        "New here? [bold]syncd demo[/bold] shows the whole job in a minute. Then: "
        "[bold]plan[/bold] shows what would be done, [bold]reconcile[/bold] does it, "
        "[bold]explain USER[/bold] says why, [bold]status[/bold] what needs a person."
    ),
    epilog=(
        "Exit codes: 0 in step or done · 2 some changes failed · 3 a gate held back · "
        "4 a source was not believed · 5 target · 6 another run · 64 usage · 70 internal error"
    ),
)


@dataclass(slots=True)
class Context:
    """What was said before the command, and whether somebody asks it to stop."""

    path: Path | None
    stop: Event = field(default_factory=Event)
    signal: int | None = None
    _app: App | None = None

    @property
    def app(self) -> App:
        """The program as configured; loaded once. Raises ConfigError."""
        if self._app is None:
            from syncd.app import build

            if self.path is None:
                raise UsageError(
                    "no configuration given; use: syncd -c FILE …, or set SYNCD_CONFIG"
                )
            self._app = build(self.path, os.environ, self.stop)
        return self._app

    def ask_to_stop(self, number: int, _frame: object = None) -> None:
        """Stop cleanly; for somebody who asks twice and will not wait, leave at once."""
        if self.signal is not None:
            _leave(number)
        self.signal = number
        self.stop.set()


def _leave(number: int) -> NoReturn:
    """
    End the process here and now, whatever it has in flight: all of that is in the journal.

    Nothing may hold this up, neither an answer that does not come nor a lock that the
    interrupted code holds, so that it unwinds nothing and writes past Python's buffers.
    """
    for each in STOPPING:
        signal.signal(each, signal.SIG_DFL)
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        sys.stdout.flush()
    show_cursor = "\x1b[?25h\n" if os.isatty(2) else ""
    with contextlib.suppress(OSError):
        os.write(2, f"{show_cursor}syncd: {sentence(KeyboardInterrupt())}\n".encode())
    os._exit(128 + number)


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
        typer.Option(
            "--config",
            "-c",
            envvar="SYNCD_CONFIG",
            metavar="FILE",
            help="The configuration (TOML).",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Remember the configuration; commands load it when they need it."""
    del version
    shared = context.obj = Context(config)
    for number in STOPPING:
        signal.signal(number, shared.ask_to_stop)
