"""When which task is due. The only importer of APScheduler."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from syncd.config.values import duration

__all__ = ["Scheduler", "previous"]

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
"""Cron's days of the week by number; 7 is Sunday, too."""
LOOKED_BACK = timedelta(days=366)


class Scheduler:
    """
    Calls *due* with an environment and a task whenever its time has come.

    After a pause a task is due once, however often its time has passed meanwhile.
    """

    def __init__(self, due: Callable[[str, str], None]) -> None:
        """Begin without any task."""
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._due = due
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
        self.forget(environment)
        for task, when in tasks.items():
            self._inner.add_job(
                self._due,
                _trigger(when, zone, jitter),
                args=(environment, task),
                id=f"{environment} {task}",
            )

    def forget(self, environment: str) -> None:
        """Let nothing be due for an environment any more."""
        for job in self._jobs(environment):
            job.remove()

    def next(self, environment: str) -> dict[str, datetime]:
        """Return when each task is due next."""
        return {
            job.id.partition(" ")[2]: job.next_run_time
            for job in self._jobs(environment)
            if job.next_run_time is not None
        }

    def _jobs(self, environment: str) -> Iterator[Job]:
        return (j for j in self._inner.get_jobs() if j.id.partition(" ")[0] == environment)


def _trigger(when: str, zone: str, jitter: timedelta) -> BaseTrigger:
    most = int(jitter.total_seconds()) or None
    if len(when.split()) == 1:
        seconds = max(1, int(duration(when).total_seconds()))
        return IntervalTrigger(seconds=seconds, jitter=most, timezone=ZoneInfo("UTC"))
    return _cron(when, zone, most)


def _cron(line: str, zone: str, jitter: int | None) -> BaseTrigger:
    minute, hour, day, month, weekday = line.split()
    fields = {"minute": minute, "hour": hour, "month": month}

    def trigger(**days: str) -> CronTrigger:
        return CronTrigger(**fields, **days, timezone=ZoneInfo(zone), jitter=jitter)

    if weekday.startswith("*"):
        return trigger(day=day, day_of_week=_weekdays(weekday))
    if day.startswith("*"):
        return trigger(day_of_week=_weekdays(weekday), day=day)
    # Cron's own rule: where both kinds of day are given, either one is enough.
    return OrTrigger([trigger(day=day), trigger(day_of_week=_weekdays(weekday))])


def _weekdays(field: str) -> str:
    """Spell out days of the week: the library counts from Monday, cron from Sunday."""
    if field == "*":
        return "*"
    found = [number % 7 for piece in field.lower().split(",") for number in _days(piece)]
    return ",".join(DAYS[number] for number in sorted(set(found)))


def _days(piece: str) -> range:
    span, _, step = piece.partition("/")
    first, _, last = span.partition("-")
    if span == "*":
        return range(0, 7, int(step or 1))
    begin = _day(first)
    end = _day(last) if last else (6 if step else begin)
    return range(begin, end + 1 if end >= begin else end + 8, int(step or 1))


def _day(word: str) -> int:
    return int(word) if word.isdecimal() else DAYS.index(word)


def previous(when: str, zone: str, now: datetime) -> datetime:
    """Return when a task was due last, at or before *now*; an interval ago for a duration."""
    if len(when.split()) == 1:
        return now - duration(when)
    trigger = _cron(when, zone, None)
    back = timedelta(hours=1)
    while back <= LOOKED_BACK:
        last = None
        moment = trigger.get_next_fire_time(None, now - back)
        while moment is not None and moment <= now:
            last = moment
            moment = trigger.get_next_fire_time(moment, moment + timedelta(seconds=1))
        if last is not None:
            return datetime.fromtimestamp(last.timestamp(), UTC)
        back *= 4
    return now - LOOKED_BACK
