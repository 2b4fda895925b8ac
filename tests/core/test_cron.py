"""Cron lines: what they mean, compared with one that looks at every minute, and on odd nights."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from syncd.core.cron import line

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo")
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
DAYS = 62
"""How far the slow one looks."""


# --- the slow one ---------------------------------------------------------------------------


def allows(field: str, value: int, least: int, greatest: int, names: list[str]) -> bool:
    """Tell whether a field names a value, by walking along each of its spans."""

    def number(word: str) -> int:
        return least + names.index(word.lower()) if word.lower() in names else int(word)

    def walked(piece: str) -> list[int]:
        span, *step = piece.split("/")
        ends = [str(least), str(greatest)] if span == "*" else span.split("-")
        here, last = number(ends[0]), number(ends[-1])
        if len(ends) == 1 and step:
            last = greatest
        stops = [here]
        while here != last:
            # Only Sunday has two numbers, and only as the end of a span is its other one met.
            here = least if here >= greatest and last != greatest + 1 else here + 1
            stops.append(here)
        return stops[:: int(step[0]) if step else 1]

    return any(value in walked(piece) for piece in field.split(","))


def falls_on(text: str, day: date) -> bool:
    """Tell whether a line names a day."""
    _, _, monthday, month, weekday = text.split()
    number = day.isoweekday() % 7
    by_week = any(
        allows(weekday, each, 0, 6, WEEKDAYS) for each in ((0, 7) if number == 0 else (number,))
    )
    by_month = allows(monthday, day.day, 1, 31, [])
    fits = by_week and by_month if "*" in (monthday[0], weekday[0]) else by_week or by_month
    return fits and allows(month, day.month, 1, 12, MONTHS)


def slowly(text: str, begin: datetime) -> list[datetime]:
    """Return the next times of a line in UTC, as far as they come within some weeks."""
    minute, hour, *_ = text.split()
    minutes = [each for each in range(60) if allows(minute, each, 0, 59, [])]
    hours = [each for each in range(24) if allows(hour, each, 0, 23, [])]
    first = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    times = (
        at
        for day in (first + timedelta(days=count) for count in range(DAYS))
        if falls_on(text, day.date())
        for h in hours
        for m in minutes
        if (at := day.replace(hour=h, minute=m)) > begin
    )
    return list(islice(times, 100))


# --- lines ----------------------------------------------------------------------------------


def field(least: int, greatest: int, names: list[str] | None = None) -> SearchStrategy[str]:
    """Make a field as the configuration accepts it."""
    numbers = st.integers(least, greatest).map(str)
    word = st.one_of(numbers, st.sampled_from(names)) if names else numbers
    # 7 begins no span here: from Sunday to Sunday is one day or eight, as one likes.
    end = word.filter(lambda text: text != "7" or greatest != 7)
    span = st.one_of(st.just("*"), word, st.tuples(end, end).map("-".join))
    step = st.one_of(st.just(""), st.integers(1, greatest + 3).map(lambda n: f"/{n}"))
    whole = st.one_of(span, st.tuples(end, st.just("-7")).map("".join)) if greatest == 7 else span
    piece = st.tuples(whole, step).map("".join).filter(lambda text: not text.startswith("7/"))
    return st.one_of(st.just("*"), st.lists(piece, min_size=1, max_size=3).map(",".join))


LINES = st.tuples(
    field(0, 59), field(0, 23), field(1, 31), field(1, 12, MONTHS), field(0, 7, WEEKDAYS)
).map(" ".join)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001  # follows
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(LINES, MOMENTS)
@example("0 0 * * 0", datetime(2026, 11, 22, tzinfo=UTC))
@example("0 0 * * 7", datetime(2026, 11, 22, tzinfo=UTC))
@example("30 4 1,15 * 5", datetime(2026, 11, 22, tzinfo=UTC))
@example("0 0 25-5 NOV-Feb fri-Mon/2", datetime(2026, 11, 22, tzinfo=UTC))
@example("50-10/3,*/100 22-4 * 1-mar 5-7", datetime(2026, 1, 22, tzinfo=UTC))
def test_a_line_means_what_cron_means(text: str, moment: datetime) -> None:
    """The next time and the one before it are those that a walk over all minutes finds."""
    read = line(text, UTC)
    expected = slowly(text, moment)

    if expected:
        assert read.after(moment) == expected[0]
        assert read.before(expected[-1]) == expected[-1]
        assert read.before(expected[-1] + timedelta(seconds=59)) == expected[-1]
        if len(expected) > 1:
            assert read.after(expected[-2]) == expected[-1]
            assert read.before(expected[-1] - timedelta(microseconds=1)) == expected[-2]
    else:
        found = read.after(moment)
        last = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=DAYS)
        assert found is None or found >= last


@pytest.mark.parametrize(
    ("text", "weekdays"),
    [
        ("0 12 * * 0", "Sun"),
        ("0 12 * * 7", "Sun"),
        ("0 12 * * sun", "Sun"),
        ("0 12 * * 5-7", "Fri Sat Sun"),
        ("0 12 * * 7-2", "Sun Mon Tue"),
        ("0 12 * * fri-mon", "Fri Sat Sun Mon"),
        ("0 12 * * SAT-0", "Sat Sun"),
        ("0 12 * * 0-7", "Mon Tue Wed Thu Fri Sat Sun"),
        ("0 12 * * mon-fri/2", "Mon Wed Fri"),
        ("0 12 * * */2", "Tue Thu Sat Sun"),
        ("0 12 * * 1,3-4", "Mon Wed Thu"),
    ],
)
def test_days_of_the_week_go_by_number_and_by_name(text: str, weekdays: str) -> None:
    """Sunday is 0 and 7, and a span may go over the end of the week."""
    moment, found = datetime(2026, 11, 15, 13, tzinfo=UTC), set()
    for _ in range(7):
        following = line(text, UTC).after(moment)
        assert following is not None
        moment = following
        found.add(f"{moment:%a}")

    assert found == set(weekdays.split())


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 0 13 * fri", [6, 13, 20, 27]),
        ("0 0 13 * *", [13]),
        ("0 0 * * fri", [6, 13, 20, 27]),
        ("0 0 14 * fri", [6, 13, 14, 20, 27]),
        ("0 0 */2 * fri", [13, 27]),
    ],
)
def test_either_kind_of_day_is_enough_where_both_are_given(text: str, days: list[int]) -> None:
    """In November 2026; a field that begins with a star restricts nothing by itself."""
    read, found = line(text, UTC), []
    moment = read.after(datetime(2026, 10, 31, 12, tzinfo=UTC))
    while moment is not None and moment.month == 11:
        found.append(moment.day)
        moment = read.after(moment)

    assert found == days


# --- the clocks of a place ------------------------------------------------------------------


def times(text: str, begin: str, end: str, zone: ZoneInfo = BERLIN) -> list[str]:
    """Return the times of a line between two moments, as the clocks of the place show them."""
    read, found = line(text, zone), []
    moment = read.after(datetime.fromisoformat(begin))
    while moment is not None and moment < datetime.fromisoformat(end):
        found.append(moment.astimezone(zone).isoformat(timespec="minutes")[8:])
        moment = read.after(moment)
    return found


SPRING = ("2026-03-28T12:00Z", "2026-03-30T12:00Z")
AUTUMN = ("2026-10-24T12:00Z", "2026-10-26T12:00Z")


@pytest.mark.parametrize(
    ("text", "night", "expected"),
    [
        ("15 2 * * *", SPRING, ["29T03:15+02:00", "30T02:15+02:00"]),
        ("15 2 * * *", AUTUMN, ["25T02:15+02:00", "26T02:15+01:00"]),
        ("15 2,3 * * *", SPRING, ["29T03:15+02:00", "30T02:15+02:00", "30T03:15+02:00"]),
        ("15 3 * * *", AUTUMN, ["25T03:15+01:00", "26T03:15+01:00"]),
    ],
)
def test_a_nightly_task_comes_once_on_the_nights_when_clocks_are_set(
    text: str, night: tuple[str, str], expected: list[str]
) -> None:
    """What the clocks skip comes an hour later, what they repeat comes the first time only."""
    assert times(text, *night) == expected


@pytest.mark.parametrize(
    ("begin", "end"),
    [("2026-03-28T22:30Z", "2026-03-29T05:00Z"), ("2026-10-24T22:30Z", "2026-10-25T05:00Z")],
)
@pytest.mark.parametrize("text", ["0 * * * *", "0 0-23 * * *", "*/30 */1 * * *"])
def test_a_task_of_every_hour_goes_by_the_time_that_passes(text: str, begin: str, end: str) -> None:
    """Neither does it pause for an hour in autumn, nor come twice in spring."""
    read, found = line(text, BERLIN), []
    moment = read.after(datetime.fromisoformat(begin))
    while moment is not None and moment < datetime.fromisoformat(end):
        found.append(moment)
        moment = read.after(moment)
    pace = timedelta(minutes=30 if text.startswith("*/") else 60)

    assert len(found) > 5
    assert {later - sooner for sooner, later in pairwise(found)} == {pace}


@given(
    st.integers(0, 23), st.integers(0, 59), st.sampled_from(ZONES), st.integers(0, 730),
    st.integers(0, 24 * 3600),
)  # fmt: skip
def test_a_daily_task_comes_once_for_every_date_everywhere(
    hour: int, minute: int, zone: str, skip: int, second: int
) -> None:
    """At the named time where clocks show it; forward and backward find the same."""
    place = ZoneInfo(zone)
    read = line(f"{minute} {hour} * * *", place)
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=skip, seconds=second)
    found = [begin]
    for _ in range(40):
        following = read.after(found[-1])
        assert following is not None
        assert read.before(following) == following
        if len(found) > 1:
            assert read.before(following - timedelta(seconds=1)) == found[-1]
        found.append(following)
    local = [moment.astimezone(place) for moment in found[1:]]

    dates = [moment.date() for moment in local]
    assert dates == [dates[0] + timedelta(days=count) for count in range(40)]
    for moment in local:
        if (moment.hour, moment.minute) != (hour, minute):
            named = moment.replace(hour=hour, minute=minute, tzinfo=place)
            assert named.astimezone(UTC).astimezone(place).hour != hour or zone.endswith("Howe")
            assert timedelta(0) < moment.replace(tzinfo=None) - named.replace(tzinfo=None)


def test_a_day_that_comes_every_few_years_is_found() -> None:
    """Also over the end of a century, where eight years lie between."""
    leap = line("0 0 29 2 *", UTC)

    assert leap.after(datetime(2096, 3, 1, tzinfo=UTC)) == datetime(2104, 2, 29, tzinfo=UTC)
    assert leap.before(datetime(2104, 2, 28, tzinfo=UTC)) == datetime(2096, 2, 29, tzinfo=UTC)


def test_a_day_that_never_comes_is_no_time() -> None:
    """Nothing hangs while it is looked for."""
    never = line("0 0 31 2 *", BERLIN)

    assert never.after(datetime(2026, 11, 22, tzinfo=UTC)) is None
    assert never.before(datetime(2026, 11, 22, tzinfo=UTC)) is None
