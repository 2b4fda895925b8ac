"""daemon: syncd as a service."""

from __future__ import annotations

import os
import signal

import typer

from syncd.cli.program import app, context_of

__all__ = ["daemon"]


@app.command()
def daemon(context: typer.Context) -> None:
    """
    Keep everything in step, for years.

    Tasks begin when the configuration says so, under `daemon`. SIGTERM ends it when what
    is in flight is settled, SIGHUP reads the configuration anew, SIGUSR1 looks for changes now.
    """
    from syncd.app import App, build
    from syncd.core.errors import UsageError
    from syncd.service.daemon import daemon as working
    from syncd.telemetry import configure

    shared = context_of(context)
    settings = shared.app.config.log
    configure(style=settings.format, level=settings.level, personal_data=settings.personal_data)
    wishes: list[int] = []

    def load() -> App:
        if shared.path is None:
            raise UsageError("no configuration given; use: syncd -c FILE …, or set SYNCD_CONFIG")
        return build(shared.path, os.environ, shared.stop)

    with working(shared.app, load) as service:
        for number in (signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, lambda number, _frame: wishes.append(number))
        while not shared.stop.is_set():
            service.wait(wishes)
            while wishes:
                if wishes.pop(0) == signal.SIGHUP:
                    service.reload()
                else:
                    service.run_now()
