"""When which task is due. The only importer of APScheduler."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from syncd.config.values import duration
from syncd.core import cron
from syncd.core.errors import UsageError

__all__ = ["Scheduler", "previous"]

LEAST = timedelta(seconds=1)
"""No task is due more often."""


class Scheduler:
    """
    Calls *due* with an environment and a task whenever its time has come.

    After a pause a task is due once, however often its time has passed meanwhile.
    """

    def __init__(self, due: Callable[[str, str], object]) -> None:
        """Begin without any task."""
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._due = due
        self._lock = threading.RLock()
        self._inner = BackgroundScheduler(
            timezone=ZoneInfo("UTC"),
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

    def start(self) -> None:
        """Begin to call."""
        self._inner.start()

    def stop(self) -> None:
        """Call no more."""
        if self._inner.running:
            self._inner.shutdown(wait=False)

    def alive(self) -> bool:
        """Tell whether it calls."""
        return bool(self._inner.running)

    def plan(
        self, environment: str, tasks: Mapping[str, str], zone: str, jitter: timedelta
    ) -> None:
        """Let *tasks* (a duration or a cron line for each) be due for an environment."""
        # Who takes an environment over plans, and so does who sees that the clock was set.
        with self._lock:
            self.forget(environment)
            for task, when in tasks.items():
                self._inner.add_job(
                    self._call,
                    _Trigger(when, zone, jitter),
                    args=(environment, task),
                    id=f"{environment} {task}",
                )

    def forget(self, environment: str) -> None:
        """Let nothing be due for an environment any more."""
        with self._lock:
            for job in self._jobs(environment):
                job.remove()

    def next(self, environment: str) -> dict[str, datetime]:
        """Return when each task is due next."""
        return {
            job.id.partition(" ")[2]: job.next_run_time
            for job in self._jobs(environment)
            if job.next_run_time is not None
        }

    def _jobs(self, environment: str) -> list[Job]:
        with self._lock:
            jobs = self._inner.get_jobs()
        return [job for job in jobs if job.id.partition(" ")[0] == environment]

    def _call(self, environment: str, task: str) -> None:
        try:
            self._due(environment, task)
        except UsageError as error:
            # Given up this very moment: whoever keeps the environment now has the task, too.
            structlog.get_logger().debug("task not asked for", why=str(error))


class _Trigger(BaseTrigger):  # type: ignore[misc]  # the library has no types
    """
    Gives the library the next time of a task.

    Times are UTC throughout: on the nights on which clocks are set, adding to a local time
    leads an hour astray. A library's missed times are all one: the next is always to come.
    """

    def __init__(self, when: str, zone: str, jitter: timedelta) -> None:
        self._after = _after(when, zone)
        self._jitter = jitter

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """Return when the task is due next, after it was due last."""
        last = now if previous_fire_time is None else max(previous_fire_time, now)
        found = self._after(last.astimezone(UTC))
        return None if found is None else found + self._jitter * random.random()  # noqa: S311  # no secret


def _after(when: str, zone: str) -> Callable[[datetime], datetime | None]:
    if len(when.split()) == 1:
        span = max(LEAST, duration(when))
        return lambda moment: moment + span
    return cron.line(when, ZoneInfo(zone)).after


def previous(when: str, zone: str, now: datetime) -> datetime | None:
    """
    Return when a task was due last, at or before *now*; an interval ago for a duration.

    None for a cron line whose time did not come for years.
    """
    if len(when.split()) == 1:
        return now - duration(when)
    return cron.line(when, ZoneInfo(zone)).before(now)
