"""When actions wait because of the time of day (behaviour.md section 1, `daemon.blackouts`)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.blackouts import Calendar, Window, waiting
from syncd.core.model import Action

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY, TUESDAY, SUNDAY = 0, 1, 6
ALL = frozenset(range(7))
MINUTES = st.integers(0, 24 * 60 - 1)


def window(begin: str, end: str, *days: int, action: Action = Action.REMOVE) -> Window:
    """Describe a window in which removals wait; on all days unless some are named."""
    first, last = time.fromisoformat(begin), time.fromisoformat(end)
    return Window(frozenset({action}), frozenset(days) or ALL, first, last)


def held(moment: str, *windows: Window, zone: ZoneInfo = BERLIN) -> bool:
    """Tell whether removals wait at a moment; without an offset the zone's clock shows it."""
    at = datetime.fromisoformat(moment)
    at = at if at.tzinfo else at.replace(tzinfo=zone)
    return Action.REMOVE in waiting(Calendar(zone, windows), at)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-02T05:59", False),
        ("2026-03-02T06:00", True),
        ("2026-03-02T17:59:59", True),
        ("2026-03-02T18:00", False),
        ("2026-03-02T05:00+00:00", True),
        ("2026-03-03T12:00", False),
    ],
)
def test_a_window_is_open_on_its_days_by_the_clock_of_its_zone(
    moment: str, *, expected: bool
) -> None:
    """From its first minute up to its last, on a Monday in Berlin."""
    assert held(moment, window("06:00", "18:00", MONDAY)) is expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-02T21:59", False),
        ("2026-03-02T22:00", True),
        ("2026-03-03T05:59", True),
        ("2026-03-03T06:00", False),
        ("2026-03-02T03:00", False),
        ("2026-03-03T22:00", False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(
    moment: str, *, expected: bool
) -> None:
    """That of Monday lasts until Tuesday morning, and none begins on Tuesday."""
    assert held(moment, window("22:00", "06:00", MONDAY)) is expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-10-25T00:09+00:00", False),
        ("2026-10-25T00:10+00:00", True),
        ("2026-10-25T00:55+00:00", True),
        ("2026-10-25T01:49+00:00", True),
        ("2026-10-25T01:50+00:00", False),
    ],
)
def test_a_time_that_comes_twice_is_in_the_window_both_times(
    moment: str, *, expected: bool
) -> None:
    """In the night in which the clock is put back nothing slips in between."""
    assert held(moment, window("02:10", "02:50", SUNDAY)) is expected


@pytest.mark.parametrize(
    ("begin", "end", "first", "after"),
    [
        ("02:30", "04:00", "01:00", "02:00"),
        ("01:00", "02:30", "00:00", "01:00"),
        ("23:00", "06:00", "2026-03-28T22:00", "04:00"),
    ],
)
def test_the_hour_that_is_left_out_shortens_a_window(
    begin: str, end: str, first: str, after: str
) -> None:
    """Where the clock is put forward, a window is open for what the clock shows of it."""
    first, after = (
        f"{each if 'T' in each else f'2026-03-29T{each}'}:00+00:00" for each in (first, after)
    )
    before = datetime.fromisoformat(first) - timedelta(minutes=1)
    last = datetime.fromisoformat(after) - timedelta(minutes=1)

    found = [held(str(each), window(begin, end)) for each in (before, first, last, after)]

    assert found == [False, True, True, False]


def test_a_window_inside_the_hour_that_is_left_out_is_not_open_that_night() -> None:
    """The clock never shows it."""
    start = datetime(2026, 3, 29, tzinfo=UTC)
    moments = [start + timedelta(minutes=each) for each in range(180)]

    assert not any(held(str(each), window("02:10", "02:50")) for each in moments)


def test_where_removals_wait_rows_are_not_deactivated_either() -> None:
    """How the policy takes rows away does not matter; other actions go on."""
    moment = datetime(2026, 3, 2, 12, tzinfo=UTC)
    windows = (window("00:00", "23:59"), window("13:00", "14:00", action=Action.MOVE))

    assert waiting(Calendar(UTC, windows), moment) == {Action.REMOVE, Action.DEACTIVATE}
    assert waiting(Calendar(), moment) == frozenset()


@given(MINUTES, MINUTES, st.sets(st.integers(0, 6), min_size=1), st.integers(0, 7 * 24 * 60 - 1))
def test_where_no_clock_is_moved_a_window_is_a_part_of_the_week(
    begin: int, end: int, days: set[int], minute: int
) -> None:
    """It is open for its length, from its begin on each of its days."""
    first, last = (time(each // 60, each % 60) for each in (begin, end))
    length = (end - begin - 1) % (24 * 60) + 1
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    found = Window(frozenset({Action.MOVE}), frozenset(days), first, last)

    open_now = bool(waiting(Calendar(UTC, (found,)), monday + timedelta(minutes=minute)))

    week = 7 * 24 * 60
    assert open_now == any((minute - day * 24 * 60 - begin) % week < length for day in days)
