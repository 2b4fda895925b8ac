"""Ctrl-C, SIGTERM and SIGKILL in every phase: what is under way lands, and nothing is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from pathlib import Path

import pytest

from syncd.sandbox import Answer
from tests.campaign import long
from tests.e2e.house import CHANGES, NEW, OLD, Ear, House, Serve, document, opened, sentences
from tests.sandbox.door import ROWS

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
READING = ["systemusers", "mobileofflineprofiles", ROWS]
GONE = Answer(503, cut=True)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give a house in the morning of its second day."""
    with opened(tmp_path) as house:
        yield house


def at(method: str, name: str, count: int, do: Callable[[Serve], Answer]) -> Ear:
    """Do something when a request comes for the count-th time, and answer all others."""
    heard: list[str] = []

    def ear(asked: str, path: str, serve: Serve) -> Answer:
        if (asked, path) != (method, name):
            return serve()
        heard.append(path)
        return do(serve) if len(heard) == count else serve()

    return ear


def signalled(house: House, number: signal.Signals) -> Callable[[Serve], Answer]:
    """Send a signal while the request is under way; it lands."""

    def act(serve: Serve) -> Answer:
        os.kill(house.started.pid, number)
        return serve()

    return act


def insisting(house: House, number: signal.Signals) -> bool:
    """Send a signal again and again, with time to act on each; tell whether the process went."""
    process = house.started.process
    assert process is not None
    for _ in range(10):
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
            return True
    return False


def unsettled(house: House) -> int:
    """Count what the journal has open."""
    with closing(sqlite3.connect(house.state)) as state:
        return int(
            state.execute("SELECT count(*) FROM journal WHERE settled IS NULL").fetchone()[0]
        )


@pytest.mark.parametrize(
    ("name", "number", "code"),
    [(READING[0], *SIGNALS[0]), (READING[1], *SIGNALS[1]), (READING[2], *SIGNALS[1])],
)
def test_who_is_stopped_while_reading_has_sent_nothing(
    name: str, number: signal.Signals, code: int, house: House
) -> None:
    """One sentence says so, and the exit code is what shells expect."""
    house.wire.ear = at("GET", name, 1, signalled(house, number))
    done = house.run()
    between = house.rows()

    (said,) = sentences(done)
    assert done.code == code
    assert "stopped before anything was sent; nothing was changed" in said
    assert between == OLD
    assert house.heal() == NEW


@pytest.mark.parametrize(
    ("batch", "number", "code"),
    [
        (1, *SIGNALS[0]),
        (CHANGES - 1, *SIGNALS[1]),
        long(1, *SIGNALS[1]),
        long(CHANGES - 1, *SIGNALS[0]),
    ],
)
def test_who_is_stopped_while_applying_has_settled_what_was_under_way(
    batch: int, number: signal.Signals, code: int, house: House
) -> None:
    """The answer is awaited and put on record; nothing more is sent; the next run goes on."""
    house.wire.ear = at("POST", "$batch", batch, signalled(house, number))
    done = house.run()
    outcomes = document(done)["outcomes"]
    between, waiting = house.rows(), unsettled(house)

    (said,) = sentences(done)
    assert done.code == code
    assert f"stopped: {batch} of {CHANGES} changes are settled" in said
    assert (outcomes["applied"], outcomes["failed"]) == (batch, CHANGES - batch)
    assert waiting == 0
    assert len(set(OLD) ^ set(between)) >= batch
    assert house.heal() == NEW


@pytest.mark.parametrize(
    ("name", "number", "code"),
    [
        ("$batch", *SIGNALS[1]),
        (READING[0], *SIGNALS[0]),
        long("$batch", *SIGNALS[0]),
        long(READING[0], *SIGNALS[1]),
        *(long(READING[2], *each) for each in SIGNALS),
    ],
)
def test_who_asks_twice_leaves_at_once(
    name: str, number: signal.Signals, code: int, house: House
) -> None:
    """
    No answer is awaited: here it comes only after the process has gone.

    What was under way stays in the journal, and the next run finds out what became of it.
    """
    went: Future[bool] = Future()

    def act(serve: Serve) -> Answer:
        answer = serve()
        went.set_result(insisting(house, number))
        return answer

    house.wire.ear = at("POST" if name == "$batch" else "GET", name, 1, act)
    done = house.run()
    waiting = unsettled(house)

    (said,) = sentences(done)
    assert (went.result(30), done.code) == (True, code)
    assert "interrupted; what was in flight stays in the journal" in said
    assert waiting == (name == "$batch")
    assert house.heal() == NEW
    assert unsettled(house) == 0


@pytest.mark.parametrize(
    ("batch", "when"),
    [(1, "before"), (CHANGES, "after"), long(1, "after"), long(CHANGES, "before")],
)
def test_who_is_killed_while_applying_is_made_good(batch: int, when: str, house: House) -> None:
    """Whether the environment had done it or not: the next run finds out, and goes on."""

    def act(serve: Serve) -> Answer:
        if when == "after":
            serve()
        os.kill(house.started.pid, signal.SIGKILL)
        return GONE

    house.wire.ear = at("POST", "$batch", batch, act)
    done = house.run()
    waiting = unsettled(house)

    assert (done.code, done.out, done.err) == (-signal.SIGKILL, "", "")
    assert waiting == 1
    assert house.heal() == NEW
    assert unsettled(house) == 0


@pytest.mark.parametrize("name", [long(READING[0]), READING[2]])
def test_who_is_killed_while_reading_is_made_good(name: str, house: House) -> None:
    """Half a read leaves nothing behind."""

    def act(_serve: Serve) -> Answer:
        os.kill(house.started.pid, signal.SIGKILL)
        return GONE

    house.wire.ear = at("GET", name, 1, act)
    done = house.run()

    assert done.code == -signal.SIGKILL
    assert house.rows() == OLD
    assert house.heal() == NEW
