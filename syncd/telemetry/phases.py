"""How long the parts of a run take."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

__all__ = ["PHASES", "PhaseTimer"]

SOURCES, TARGET = "reading sources", "reading target"
PHASES = (SOURCES, TARGET, "comparing", "deciding", "applying")
"""The coarse phases of a run, in order."""
READING = "reading "


class PhaseTimer:
    """
    A run's Progress that tells *observe* of each coarse phase and its seconds, once it is over.

    Use one for each run, in a `with` block: leaving it ends the last phase, however the run
    ended. *sources* are the names of the sources, which are read before the target.
    """

    def __init__(
        self,
        observe: Callable[[str, float], None],
        sources: Iterable[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._observe = observe
        self._sources = Counter(sources)
        self._clock = clock
        self._current: tuple[str, float] | None = None

    def __enter__(self) -> Self:
        """Return the timer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the last phase."""
        self.close()

    def phase(self, name: str, total: int | None = None) -> None:  # noqa: ARG002  # a Progress is told
        """Begin a phase; the one before goes on if it is part of the same coarse one."""
        coarse = self._coarse(name)
        if self._current is not None and self._current[0] == coarse:
            return
        self.close()
        self._current = coarse, self._clock()

    def advance(self, number: int) -> None:
        """Take no note: only time is measured."""

    def close(self) -> None:
        """End the phase that goes on, if any."""
        if self._current is not None:
            name, since = self._current
            self._current = None
            self._observe(name, self._clock() - since)

    def _coarse(self, name: str) -> str:
        """Tell a source called "users" from the target's users: it comes first."""
        if not name.startswith(READING):
            return name
        source = name.removeprefix(READING)
        if self._sources[source] > 0:
            self._sources[source] -= 1
            return SOURCES
        return TARGET
