"""Times of the week in which some actions wait, in the time zone of the people they spare."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from syncd.core.model import Action

__all__ = ["Calendar", "Window", "waiting"]


@dataclass(frozen=True, slots=True)
class Window:
    """
    A time of day in which *actions* wait, on `days` (Monday is 0).

    One whose `end` is not after its `begin` ends on the next day and belongs to the day on
    which it begins.
    """

    actions: frozenset[Action]
    days: frozenset[int]
    begin: time
    end: time


@dataclass(frozen=True, slots=True)
class Calendar:
    """All windows, and the time zone of their clock."""

    zone: tzinfo = UTC
    windows: tuple[Window, ...] = ()


def waiting(calendar: Calendar, moment: datetime) -> frozenset[Action]:
    """
    Return the actions that wait at a moment.

    Where removals wait, it does not matter how the policy takes rows away: rows that would be
    deactivated wait, too.
    """
    found = {
        action
        for window in calendar.windows
        if _open(window, moment, calendar.zone)
        for action in window.actions
    }
    return frozenset(found | {Action.DEACTIVATE} if Action.REMOVE in found else found)


def _open(window: Window, moment: datetime, zone: tzinfo) -> bool:
    today = moment.astimezone(zone).date()
    begun = (today, today - timedelta(days=1))
    return any(day.weekday() in window.days and _covers(window, day, moment, zone) for day in begun)


def _covers(window: Window, day: date, moment: datetime, zone: tzinfo) -> bool:
    """
    Tell whether the window that begins on *day* covers a moment.

    In the night in which the clock is put back a time comes twice: the window is open from
    the first of its begins to the last of its ends. Of a window that lies in the hour that
    is left out when the clock is put forward, what the clock shows of it counts.
    """
    last = day if window.begin < window.end else day + timedelta(days=1)
    begin, end = datetime.combine(day, window.begin), datetime.combine(last, window.end)
    shown = moment.astimezone(zone).replace(tzinfo=None)
    first = begin.replace(tzinfo=zone, fold=0).astimezone(UTC)
    final = end.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return begin <= shown < end or first <= moment < final
