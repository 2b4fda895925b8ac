"""
What a cron line means: which minutes of which days, by the clocks of a place.

A line names local times, and each of them comes once. A time that the clocks skip in spring
comes as much later as they skip: 02:15 at 03:15. One that they repeat in autumn comes the
first time only, unless the line names every hour: then it is about time that passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

__all__ = ["Line", "line"]

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
"""Cron's days of the week by number; 7 is Sunday, too."""
DAY = timedelta(days=1)
NONE = timedelta(0)
HORIZON = 366 * 8 + 1
"""Days to look ahead and back: from one 29th of February to the next it may be eight years."""


@dataclass(frozen=True, slots=True)
class Line:
    """
    A cron line in a time zone; Sunday is 0.

    `either` is cron's own rule: where days of the month and days of the week are both
    restricted, a day that is one or the other will do.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    zone: tzinfo

    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after a moment, in UTC; None if there is none for years."""
        for day in self._days(moment, DAY):
            for found in self._times(day):
                if found > moment:
                    return found
        return None

    def before(self, moment: datetime) -> datetime | None:
        """Return the last time at or before a moment, in UTC; None if there was none for years."""
        for day in self._days(moment, -DAY):
            for found in reversed(self._times(day)):
                if found <= moment:
                    return found
        return None

    def _days(self, moment: datetime, step: timedelta) -> Iterator[date]:
        """Give the days that the line names, beginning beside the one of a moment."""
        day = moment.astimezone(self.zone).date() - step
        for _ in range(HORIZON + 1):
            if self._names(day):
                yield day
            day += step

    def _names(self, day: date) -> bool:
        kinds = (day.day in self.days, day.isoweekday() % 7 in self.weekdays)
        return day.month in self.months and (any(kinds) if self.either else all(kinds))

    def _times(self, day: date) -> list[datetime]:
        """Return the times of a day in order."""
        local = [
            datetime.combine(day, time(hour, minute))
            for hour in sorted(self.hours)
            for minute in sorted(self.minutes)
        ]
        begin = datetime.combine(day, time.min, self.zone)
        offset = begin.utcoffset()
        if offset == (begin + DAY).utcoffset():
            return [(each - (offset or NONE)).replace(tzinfo=UTC) for each in local]
        return sorted({moment for each in local for moment in self._moments(each)})

    def _moments(self, local: datetime) -> set[datetime]:
        """Say when the clocks of the place show a time; a second time only if hours pass."""
        first = local.replace(tzinfo=self.zone)
        second = first.replace(fold=1)
        # In the skipped hour the offsets differ, too, but the other way round.
        repeated = first.astimezone(UTC) < second.astimezone(UTC)
        shown = [first, second] if repeated and len(self.hours) == 24 else [first]
        return {each.astimezone(UTC) for each in shown}


def line(text: str, zone: tzinfo) -> Line:
    """Read a cron line of five fields, as the configuration accepts them."""
    minute, hour, day, month, weekday = text.lower().split()
    return Line(
        minutes=_field(minute, 0, 59),
        hours=_field(hour, 0, 23),
        days=_field(day, 1, 31),
        months=_field(month, 1, 12, MONTHS),
        weekdays=_field(weekday, 0, 6, WEEKDAYS),
        either=not (day.startswith("*") or weekday.startswith("*")),
        zone=zone,
    )


def _field(text: str, least: int, greatest: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    """Spell a field out. A span may go over the end: `fri-mon` and `nov-feb` are four each."""
    size = greatest - least + 1
    found: set[int] = set()
    for piece in text.split(","):
        span, _, step = piece.partition("/")
        first, _, last = span.replace("*", f"{least}-{greatest}").partition("-")
        begin = _number(first, least, names)
        end = _number(last, least, names) if last else (greatest if step else begin)
        end += size if end < begin else 0
        found |= {(n - least) % size + least for n in range(begin, end + 1, int(step or 1))}
    return frozenset(found)


def _number(word: str, least: int, names: tuple[str, ...]) -> int:
    return names.index(word) + least if word in names else int(word)
