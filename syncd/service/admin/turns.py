"""How much is worked on at the same time, so that no crowd of readers hurts the runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

from syncd.service.admin.refusal import Refusal

__all__ = ["Shared", "Turns"]

T = TypeVar("T")

READERS = 4
"""Reads of the state database at once; it has connections for the runs, too."""
WAIT = 15.0
"""Seconds that a request waits for its turn."""


class Turns:
    """Lets a few requests read at once, and only one judge somebody, which is dear."""

    def __init__(self) -> None:
        self._reading = asyncio.Semaphore(READERS)
        self._judging = asyncio.Semaphore(1)

    async def read(self, work: Callable[[], T]) -> T:
        """Do *work* in a thread when it is its turn. Raises Refusal if that takes too long."""
        return await _turn(self._reading, work)

    async def judge(self, work: Callable[[], T]) -> T:
        """Do *work* in a thread, alone of its kind."""
        return await _turn(self._judging, work)


async def _turn(slots: asyncio.Semaphore, work: Callable[[], T]) -> T:
    try:
        await asyncio.wait_for(slots.acquire(), WAIT)
    except TimeoutError as error:
        sentence = "too many ask at the same time; try again in a moment"
        raise Refusal(503, sentence, {"Retry-After": "5"}) from error
    try:
        return await run_in_threadpool(work)
    finally:
        slots.release()


class Shared(Generic[T]):
    """Answers all who ask while an answer is being made with that one answer."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._task: asyncio.Task[T] | None = None

    async def __call__(self, seconds: float) -> T:
        """Return what the work returns. Raises TimeoutError; the work then goes on."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(run_in_threadpool(self._work))
            self._task.add_done_callback(_taken)
        return await asyncio.wait_for(asyncio.shield(self._task), seconds)


def _taken(task: asyncio.Task[T]) -> None:
    """Take note of an error that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
