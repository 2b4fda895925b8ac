"""How far a run has come, on a terminal, for whatever takes longer than a moment."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

__all__ = ["PATIENCE", "Bar", "shown"]

PATIENCE = 2.0
"""Seconds that a phase may take before a person wants to know."""


class Bar:
    """
    Draws one bar at a time: what is done, how much of it, how fast, and how long it will take.

    A phase that is over within *patience* seconds draws nothing.
    """

    def __init__(self, console: Console, patience: float = PATIENCE) -> None:
        self._console = console
        self._patience = patience
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._drawn: tuple[Progress, TaskID] | None = None
        self._phase: tuple[str, int | None] = "", None
        self._done = 0
        self._since = 0.0

    def phase(self, name: str, total: int | None = None) -> None:
        """Begin a phase, and end the one before."""
        self.close()
        with self._lock:
            self._phase, self._done, self._since = (name, total), 0, monotonic()
            self._timer = threading.Timer(self._patience, self._draw)
            self._timer.daemon = True
            self._timer.start()

    def advance(self, number: int) -> None:
        """Note that so much more is done."""
        with self._lock:
            self._done += number
            if self._drawn is not None:
                progress, task = self._drawn
                count, rate = self._words()
                progress.update(task, completed=self._done, count=count, rate=rate)

    def close(self) -> None:
        """Take the bar away."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._drawn is not None:
                self._drawn[0].stop()
                self._drawn = None

    def _words(self) -> tuple[str, str]:
        """Say how much is done, and how fast."""
        total = self._phase[1]
        if not self._done:
            return "", ""
        rate = self._done / max(monotonic() - self._since, 0.001)
        count = f"{self._done:,}" if total is None else f"{self._done:,} of {total:,}"
        return count, f"{rate:,.0f}/s"

    def _draw(self) -> None:
        with self._lock:
            if self._timer is None:
                return
            name, total = self._phase
            progress = _progress(self._console, total)
            count, rate = self._words()
            task = progress.add_task(
                name, total=total, completed=self._done, count=count, rate=rate
            )
            self._drawn = progress, task
            progress.start()


def _progress(console: Console, total: int | None) -> Progress:
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    time_column = TimeRemainingColumn(compact=True) if total else TimeElapsedColumn()
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}"),
        TextColumn("{task.fields[rate]}"),
        time_column,
        TextColumn("left" if total else "so far"),
        console=console,
        transient=True,
    )


@contextmanager
def shown() -> Iterator[Bar | None]:
    """Give what draws on standard error, or None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    bar = Bar(Console(stderr=True))
    try:
        yield bar
    finally:
        bar.close()
