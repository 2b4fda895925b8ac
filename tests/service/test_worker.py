"""The queue of an environment: one task at a time, of each kind at most one waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Queue
from threading import Barrier, Event, Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.errors import UsageError
from syncd.service.worker import ORDER, Worker

COVERS = {"full": {"full", "delta", "conflicts"}, "delta": {"delta", "conflicts"}}


@dataclass(slots=True)
class Bench:
    """Where tasks are done; each waits until it is let go."""

    begun: Queue[tuple[str, str]] = field(default_factory=Queue)
    go: Queue[None] = field(default_factory=Queue)
    lengths: list[int] = field(default_factory=list)
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        self.worker = Worker("contoso", self.work, self.lengths.append)

    def work(self, task: str, who: str) -> None:
        self.begun.put((task, who))
        self.go.get(timeout=30)

    def begins(self) -> str:
        """Return what begins next."""
        return self.begun.get(timeout=30)[0]

    def idle(self) -> None:
        """Let go of what runs, and see that nothing else is begun."""
        self.go.put(None)
        self.worker.end()
        self.worker.join(30)
        assert not self.worker.alive()


@contextmanager
def bench() -> Iterator[Bench]:
    """Give a worker that works."""
    place = Bench()
    place.worker.start()
    try:
        yield place
    finally:
        place.worker.end()
        for _ in range(len(ORDER)):
            place.go.put(None)
        place.worker.join(30)


def test_one_task_runs_and_the_others_wait_in_order() -> None:
    """A full run goes first, housekeeping last, whoever came when."""
    with bench() as place:
        assert place.worker.request("preflight", "olga") == "started"
        assert place.begins() == "preflight"
        assert place.worker.running == "preflight"
        for task in ("housekeeping", "conflicts", "preflight"):
            assert place.worker.request(task, "olga") == "queued"
        assert place.worker.waiting() == ["conflicts", "preflight", "housekeeping"]
        order = []
        for _ in range(3):
            place.go.put(None)
            order.append(place.begins())
        place.idle()

    assert order == ["conflicts", "preflight", "housekeeping"]
    assert place.lengths == [1, 0, 1, 2, 3, 2, 1, 0]


def test_who_asked_is_passed_on() -> None:
    """The task knows on whose behalf it is done."""
    with bench() as place:
        place.worker.request("delta", "olga")

        assert place.begun.get(timeout=30) == ("delta", "olga")


def test_what_waits_already_is_not_queued_again() -> None:
    """But while it runs it may be: what changed meanwhile may have been read already."""
    with bench() as place:
        place.worker.request("delta", "schedule")
        place.begins()

        assert place.worker.request("delta", "olga") == "queued"
        assert place.worker.request("delta", "olga") == "already waiting"
        assert place.worker.waiting() == ["delta"]


@pytest.mark.parametrize(
    ("wide", "narrow"), [(w, n) for w in COVERS for n in sorted(COVERS[w] - {w})]
)
def test_a_task_does_what_a_smaller_one_would(wide: str, narrow: str) -> None:
    """A smaller one that waits gives way to it, and one that is asked for later is not needed."""
    with bench() as place:
        place.worker.request("preflight", "schedule")
        place.begins()

        assert place.worker.request(narrow, "schedule") == "queued"
        assert place.worker.request(wide, "olga") == "queued"
        assert place.worker.waiting() == [wide]
        assert place.worker.request(narrow, "schedule") == "already waiting"


def test_who_is_second_in_line_is_not_told_that_it_begins() -> None:
    """Also in the instant before the first one has begun."""
    place = Bench()

    assert place.worker.request("preflight", "start") == "started"
    assert place.worker.request("housekeeping", "start") == "queued"
    assert place.worker.request("full", "start") == "started"


def test_after_the_end_nothing_is_begun_or_accepted() -> None:
    """What runs is finished, what waits is dropped, and whoever asks is told why not."""
    with bench() as place:
        place.worker.request("full", "schedule")
        place.begins()
        place.worker.request("preflight", "schedule")
        place.worker.end()

        assert place.worker.waiting() == []
        with pytest.raises(UsageError, match=r"^contoso is not kept by this replica any more$"):
            place.worker.request("delta", "olga")
        place.idle()
        assert place.begun.empty()
        assert place.worker.running is None


def test_a_worker_that_does_nothing_ends_at_once() -> None:
    """Nothing has to wake it up first."""
    with bench() as place:
        assert place.worker.alive()
        place.worker.end()
        place.worker.join(30)

        assert not place.worker.alive()


@given(st.lists(st.sampled_from(ORDER), max_size=30))
def test_the_queue_has_one_of_each_and_nothing_that_is_covered(tasks: list[str]) -> None:
    """In the order in which it will be done; and everything asked for is done by something."""
    place = Bench()
    for task in tasks:
        before = place.worker.waiting()
        covered = any(task in COVERS.get(each, {each}) for each in before)
        answer = place.worker.request(task, "olga")
        after = place.worker.waiting()

        assert (answer == "already waiting") is covered
        assert (answer == "started") is (not covered and after[0] == task)
        assert after == [each for each in ORDER if each in set(after)]
        assert not any(
            one != other and other in COVERS.get(one, set()) for one in after for other in after
        )
    waiting = place.worker.waiting()
    assert all(any(t in COVERS.get(w, {w}) for w in waiting) for t in tasks)


def together(number: int, what: Callable[[int], object]) -> list[object]:
    """Do something in many threads that begin at one moment."""
    start = Barrier(number)

    def one(which: int) -> object:
        start.wait(30)
        return what(which)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def test_of_many_who_ask_at_once_one_is_first_and_one_waits() -> None:
    """Whatever the threads do, the answers add up to what is done."""
    busy, go, done, most = Lock(), Event(), Queue[str](), [0]

    def work(task: str, _: str) -> None:
        assert busy.acquire(blocking=False)
        go.wait(30)
        done.put(task)
        busy.release()

    def changed(length: int) -> None:
        most[0] = max(most[0], length)

    worker = Worker("contoso", work, changed)
    worker.start()
    answers = together(16, lambda _: worker.request("delta", "olga"))
    go.set()

    accepted = len([each for each in answers if each != "already waiting"])
    assert answers.count("started") == 1
    assert answers.count("queued") <= 1
    assert [done.get(timeout=30) for _ in range(accepted)] == ["delta"] * accepted
    assert most == [1]
    worker.end()
    worker.join(30)
    assert done.empty()


def test_under_many_threads_never_do_two_tasks_run() -> None:
    """All kinds of tasks, asked for from everywhere; nothing accepted is lost."""
    inside, overlaps, done = Lock(), [0], Queue[str]()

    def work(task: str, _: str) -> None:
        if not inside.acquire(blocking=False):
            overlaps[0] += 1
            return
        done.put(task)
        inside.release()

    worker = Worker("contoso", work, lambda _: None)
    worker.start()
    before = threading.active_count()
    together(10, lambda which: [worker.request(ORDER[(which + n) % 5], "x") for n in range(50)])
    last = Event()
    worker.work = lambda _task, _who: last.set()
    worker.request("housekeeping", "the last one")

    assert last.wait(30)
    assert overlaps == [0]
    assert set(done.queue) <= set(ORDER)
    assert threading.active_count() <= before
    worker.end()
    worker.join(30)
    assert not worker.alive()
