"""The work for one environment: one task at a time, and of each kind at most one waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from syncd.core.errors import UsageError

__all__ = ["ORDER", "Worker"]

ORDER = ("full", "delta", "conflicts", "preflight", "housekeeping")
"""What goes first where several wait."""
COVERED = {"full": ("delta", "conflicts"), "delta": ("conflicts",)}
"""A task does what these others would do, too."""


@dataclass(slots=True)
class Worker:
    """
    Does what is asked for an environment, in a thread of its own.

    *work* does a task; it never raises. *changed* is told how many wait.
    """

    environment: str
    work: Callable[[str, str], None]
    changed: Callable[[int], None]
    running: str | None = None
    _waiting: dict[str, str] = field(default_factory=dict)
    _lock: threading.Condition = field(default_factory=threading.Condition)
    _over: bool = False
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to work."""
        name = f"worker {self.environment}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def request(self, task: str, who: str) -> str:
        """
        Ask for a task: "started", "queued", or "already waiting" where it makes no odds.

        Raises UsageError after the end.
        """
        with self._lock:
            if self._over:
                raise UsageError(f"{self.environment} is not kept by this replica any more")
            covering = [t for t in self._waiting if t == task or task in COVERED.get(t, ())]
            if covering:
                return "already waiting"
            for covered in COVERED.get(task, ()):
                self._waiting.pop(covered, None)
            self._waiting[task] = who
            self.changed(len(self._waiting))
            self._lock.notify()
            return "queued" if self.running or self.waiting()[0] != task else "started"

    def waiting(self) -> Sequence[str]:
        """Return what waits, first things first."""
        with self._lock:
            return [task for task in ORDER if task in self._waiting]

    def alive(self) -> bool:
        """Tell whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def end(self) -> None:
        """Begin nothing more; what runs goes on until it is asked to stop."""
        with self._lock:
            self._over = True
            self._waiting.clear()
            self._lock.notify()

    def join(self, seconds: float) -> None:
        """Wait for the end of what runs."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._over or self._waiting)
                if self._over:
                    return
                task = next(each for each in ORDER if each in self._waiting)
                who = self._waiting.pop(task)
                self.running = task
                self.changed(len(self._waiting))
            try:
                self.work(task, who)
            finally:
                with self._lock:
                    self.running = None
