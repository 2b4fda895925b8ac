"""When tasks are due: planned, planned anew, late, and after a pause."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from queue import Empty, Queue
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.cron import line
from syncd.core.errors import UsageError
from syncd.service.scheduler import Scheduler, previous

NONE = timedelta(0)
TASKS = {"delta": "5m", "full": "15 2 * * *", "conflicts": "1h"}
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@contextmanager
def working() -> Iterator[tuple[Scheduler, Queue[tuple[str, str]]]]:
    """Give a scheduler that works, and what is due in the order in which it says so."""
    due: Queue[tuple[str, str]] = Queue()
    scheduler = Scheduler(lambda environment, task: due.put((environment, task)))
    scheduler.start()
    try:
        yield scheduler, due
    finally:
        scheduler.stop()


def late(scheduler: Scheduler, environment: str, task: str, since: timedelta) -> None:
    """Let a task have been due for some time, as after a pause of the machine."""
    moment = datetime.now(UTC) - since
    scheduler._inner.modify_job(f"{environment} {task}", next_run_time=moment)  # noqa: SLF001  # no sleeping


def nothing_more(due: Queue[tuple[str, str]]) -> bool:
    """Tell whether nothing else is said to be due for a moment."""
    try:
        due.get(timeout=0.3)
    except Empty:
        return True
    return False


def test_each_task_has_its_next_time() -> None:
    """A duration from now on, a cron line by the clocks of its time zone."""
    with working() as (scheduler, _):
        before = datetime.now(UTC)
        scheduler.plan("contoso", TASKS, "Europe/Berlin", NONE)
        after = datetime.now(UTC)
        found = scheduler.next("contoso")

    assert found.keys() == TASKS.keys()
    assert before <= found["delta"] - timedelta(minutes=5) <= after
    assert before <= found["conflicts"] - timedelta(hours=1) <= after
    full = found["full"].astimezone(ZoneInfo("Europe/Berlin"))
    assert before < full <= after + timedelta(hours=25)
    assert f"{full:%H:%M:%S}" in {"02:15:00", "03:15:00"}


def test_planning_anew_leaves_one_of_each() -> None:
    """As when the clock was set or the configuration read anew; other environments stay."""
    with working() as (scheduler, _):
        for name in ("contoso", "contoso-test"):
            scheduler.plan(name, TASKS, "UTC", NONE)
        other, first = scheduler.next("contoso-test"), scheduler.next("contoso")
        scheduler.plan("contoso", TASKS, "UTC", NONE)
        again = scheduler.next("contoso")
        scheduler.plan("contoso", {"full": "15 14 * * *"}, "UTC", NONE)

        assert again["full"] == first["full"]
        assert again["delta"] - first["delta"] < timedelta(minutes=1)
        assert scheduler.next("contoso").keys() == {"full"}
        assert scheduler.next("contoso-test") == other


def test_a_forgotten_environment_has_no_times() -> None:
    """Nor does another one lose its own; to forget twice is to forget."""
    with working() as (scheduler, _):
        scheduler.plan("contoso", TASKS, "UTC", NONE)
        scheduler.plan("fabrikam", TASKS, "UTC", NONE)
        scheduler.forget("contoso")
        scheduler.forget("contoso")

        assert scheduler.next("contoso") == {}
        assert len(scheduler.next("fabrikam")) == 3


def test_planning_from_several_threads_at_once_is_planning_once() -> None:
    """One sees that the clock was set, another takes the environment over."""
    with working() as (scheduler, _), ThreadPoolExecutor(8) as pool:
        planned = [pool.submit(scheduler.plan, "contoso", TASKS, "UTC", NONE) for _ in range(100)]
        problems = [each.exception() for each in planned]

        assert problems == [None] * 100
        assert scheduler.next("contoso").keys() == TASKS.keys()


@given(st.integers(0, 7200), st.sampled_from(["5m", "0 12 * * *", "0 12 1 * fri"]))
def test_jitter_adds_up_to_so_much(seconds: int, when: str) -> None:
    """No task is early, and none is later than the configuration lets it be."""
    jitter = timedelta(seconds=seconds)
    with working() as (scheduler, _):
        before = datetime.now(UTC)
        scheduler.plan("contoso", {"delta": when}, "UTC", jitter)
        after = datetime.now(UTC)
        found = scheduler.next("contoso")["delta"]
    if when == "5m":
        soonest, latest = (moment + timedelta(minutes=5) for moment in (before, after))
    else:
        soonest = latest = line(when, UTC).after(before) or before

    assert soonest <= found <= latest + jitter


def test_jitter_spreads() -> None:
    """Many environments with one configuration do not begin in one second."""
    with working() as (scheduler, _):
        for number in range(20):
            scheduler.plan(f"e{number}", {"full": "15 2 * * *"}, "UTC", timedelta(minutes=10))
        times = {scheduler.next(f"e{number}")["full"] for number in range(20)}

    assert len(times) > 10
    assert max(times) - min(times) > timedelta(minutes=1)


@pytest.mark.parametrize("when", ["1s", "1m", "* * * * *"])
def test_a_pause_is_made_good_once(when: str) -> None:
    """However often the time of a task has passed meanwhile; then it goes on as planned."""
    with working() as (scheduler, due):
        scheduler.plan("contoso", {"delta": when, "full": "1d"}, "UTC", NONE)
        late(scheduler, "contoso", "delta", timedelta(days=400))

        assert due.get(timeout=10) == ("contoso", "delta")
        if when == "1m":
            assert nothing_more(due)
        assert scheduler.next("contoso")["delta"] > datetime.now(UTC) - timedelta(seconds=5)


def test_a_task_is_due_again_and_again() -> None:
    """A second after the last time, and nothing comes twice at once."""
    with working() as (scheduler, due):
        scheduler.plan("contoso", {"delta": "1s"}, "UTC", NONE)
        begin = datetime.now(UTC)
        said = [due.get(timeout=10) for _ in range(2)]

        assert said == [("contoso", "delta")] * 2
        assert datetime.now(UTC) - begin > timedelta(seconds=1.5)


def test_who_has_just_given_an_environment_up_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is logged with a traceback, and the task stays planned."""
    asked: Queue[str] = Queue()

    def due(environment: str, task: str) -> None:
        asked.put(task)
        raise UsageError(f"{environment} is not kept by this replica any more")

    scheduler = Scheduler(due)
    scheduler.start()
    try:
        scheduler.plan("contoso", {"delta": "1m"}, "UTC", NONE)
        late(scheduler, "contoso", "delta", timedelta(minutes=1))
        assert asked.get(timeout=10) == "delta"
        # While the first call has not quite returned, another is left out.
        for _ in range(10):
            late(scheduler, "contoso", "delta", timedelta(minutes=1))
            with suppress(Empty):
                asked.get(timeout=1)
                break
        else:
            pytest.fail("the task was not due again")
        assert scheduler.next("contoso").keys() == {"delta"}
    finally:
        scheduler.stop()
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_a_scheduler_lives_from_its_start_to_its_end() -> None:
    """To stop it twice, or before it began, is no error."""
    scheduler = Scheduler(lambda _, __: None)
    scheduler.stop()
    assert not scheduler.alive()
    scheduler.start()
    assert scheduler.alive()
    scheduler.stop()
    scheduler.stop()
    assert not scheduler.alive()


@pytest.mark.parametrize(
    ("when", "zone", "now", "expected"),
    [
        ("5m", "UTC", NOON, NOON - timedelta(minutes=5)),
        ("15 2 * * *", "UTC", NOON, datetime(2026, 11, 22, 2, 15, tzinfo=UTC)),
        ("15 2 * * *", "Europe/Berlin", NOON, datetime(2026, 11, 22, 1, 15, tzinfo=UTC)),
        ("0 12 * * *", "UTC", NOON, NOON),
        ("0 12 * * *", "UTC", NOON - timedelta(seconds=1), NOON - timedelta(days=1)),
        ("0 0 1 1 *", "UTC", NOON, datetime(2026, 1, 1, tzinfo=UTC)),
        ("0 0 1 12 *", "UTC", NOON, datetime(2025, 12, 1, tzinfo=UTC)),
        ("0 0 29 2 *", "UTC", NOON, datetime(2024, 2, 29, tzinfo=UTC)),
        ("0 0 13 * fri", "UTC", NOON, datetime(2026, 11, 20, tzinfo=UTC)),
        ("0 0 31 2 *", "UTC", NOON, None),
    ],
)
def test_the_last_time_is_known_however_long_ago(
    when: str, zone: str, now: datetime, expected: datetime | None
) -> None:
    """It tells whether something was missed while nobody was there."""
    assert previous(when, zone, now) == expected


def test_a_task_that_waits_for_its_time_is_not_late_on_the_spring_night() -> None:
    """At three, when clocks have skipped 02:15, its time is still to come; then it has come."""
    skipped = datetime(2026, 3, 29, 1, tzinfo=UTC)
    before = datetime(2026, 3, 28, 1, 15, tzinfo=UTC)
    after = datetime(2026, 3, 29, 1, 15, tzinfo=UTC)

    assert previous("15 2 * * *", "Europe/Berlin", skipped) == before
    assert line("15 2 * * *", ZoneInfo("Europe/Berlin")).after(skipped) == after
    assert previous("15 2 * * *", "Europe/Berlin", after) == after
