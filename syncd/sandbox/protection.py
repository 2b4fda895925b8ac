"""
Service protection: three limits for each user on each server (dataverse-web-api.md section 5.1).

Nothing here waits. A request takes as long as its rows cost, which whoever carries the answer
waits for; until then it counts as one of those that are under way.
"""

from __future__ import annotations

import math
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from syncd.sandbox.answers import Answer, Call, refusal
from syncd.sandbox.errors import Refused

__all__ = ["Limits", "Protection", "Ticks"]

BATCH = "$batch"
READS = frozenset({"Retrieve", "RetrieveMultiple"})
GRACE = 0.1
"""Seconds after a refusal in which a request may have been on its way already."""
AFFINITY = re.compile(r"ARRAffinity=(\d+)")

Ticks = Callable[[], float]
Whole = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    What one user may do on one server in a window, and what requests cost. Times are in seconds.

    `row_seconds` is the cost of each row that is written, or costs by message (`Create`,
    `UpdateMultiple`, ...), where `$batch` is for any operation of a batch. A read costs
    `request_seconds`, as every request does, and what is said for `RetrieveMultiple`.
    """

    requests: Whole = 6000
    execution: Seconds = 1200.0
    concurrency: Whole = 52
    window: Seconds = 300.0
    servers: Whole = 1
    hint: Whole = 4
    request_seconds: float = 0.0
    row_seconds: float | dict[str, float] = 0.0

    def seconds(self, work: Mapping[str, int], *, batch: bool) -> float:
        """Return how long a request takes that did these messages, so many times each."""
        return self.request_seconds + sum(
            count * self._each(message, batch=batch) for message, count in work.items()
        )

    def _each(self, message: str, *, batch: bool) -> float:
        if not isinstance(self.row_seconds, dict):
            return 0.0 if message in READS else self.row_seconds
        if batch and BATCH in self.row_seconds and message not in READS:
            return self.row_seconds[BATCH]
        return self.row_seconds.get(message, 0.0)


class Seen(msgspec.Struct):
    """What came in since the limits were set; `knocked` while the user was told to wait."""

    requests: int = 0
    refused: int = 0
    knocked: int = 0
    most_at_once: int = 0


@dataclass(slots=True)
class Account:
    """What one user did on one server lately."""

    started: deque[float] = field(default_factory=deque)
    spent: deque[tuple[float, float]] = field(default_factory=deque)
    execution: float = 0.0
    ends: list[float] = field(default_factory=list)
    waits_until: float = 0.0
    waits_since: float = 0.0
    waits_for: tuple[str, str] = ("", "")

    def forget(self, now: float, window: float) -> None:
        """Drop what is over, or longer ago than the window."""
        while self.started and self.started[0] <= now - window:
            self.started.popleft()
        while self.spent and self.spent[0][0] <= now - window:
            self.execution -= self.spent.popleft()[1]
        if not self.spent:
            self.execution = 0.0  # where sums of fractions leave a rest
        self.ends = [end for end in self.ends if end > now]


class Protection:
    """The limits at work, or at rest while there are none. Whoever calls holds the lock."""

    def __init__(self, ticks: Ticks = time.monotonic) -> None:
        self.on = False
        self.limits = Limits()
        self.seen = Seen()
        self._ticks = ticks
        self._accounts: dict[tuple[str, int], Account] = {}
        self._turn = 0

    def set(self, limits: Limits | None) -> None:
        """Begin anew with these limits, or end it."""
        self.on = limits is not None
        self.limits = limits or Limits()
        self.seen = Seen()
        self._accounts.clear()

    def around(
        self, call: Call, user: str, serve: Callable[[Call], Answer], work: dict[str, int]
    ) -> Answer:
        """Serve a request of a user, or refuse it. *work* fills up while it is served."""
        server = self._server(call)
        account = self._accounts.setdefault((user, server), Account())
        now = self._ticks()
        account.forget(now, self.limits.window)
        self.seen.requests += 1
        refused = self._refusal(account, now)
        if refused is not None:
            self.seen.refused += 1
            return self._marked(refused, account, server)
        account.started.append(now)
        answer = serve(call)
        seconds = self.limits.seconds(work, batch=call.path == BATCH)
        account.spent.append((now, seconds))
        account.execution += seconds
        account.ends.append(now + seconds)
        self.seen.most_at_once = max(self.seen.most_at_once, len(account.ends))
        return self._marked(answer, account, server, seconds)

    def _server(self, call: Call) -> int:
        """Return which server answers: the one that a cookie names, else each in its turn."""
        pinned = AFFINITY.search(call.headers.get("cookie", ""))
        if pinned:
            return int(pinned[1]) % self.limits.servers
        self._turn += 1
        return self._turn % self.limits.servers

    def _refusal(self, account: Account, now: float) -> Answer | None:
        if now < account.waits_until:
            if now - account.waits_since > GRACE:
                self.seen.knocked += 1
                account.waits_until += 1.0
            return _throttled(*account.waits_for, account.waits_until - now)
        limits = self.limits
        if len(account.started) >= limits.requests:
            free = account.started[-limits.requests] + limits.window
            account.waits_for = _requests(limits)
        elif account.execution >= limits.execution:
            free = _free(account, limits)
            account.waits_for = _execution(limits)
        elif len(account.ends) >= limits.concurrency:
            free = sorted(account.ends)[len(account.ends) - limits.concurrency]
            account.waits_for = _concurrency(limits)
        else:
            return None
        account.waits_since, account.waits_until = now, now + max(1.0, free - now)
        return _throttled(*account.waits_for, account.waits_until - now)

    def _marked(
        self, answer: Answer, account: Account, server: int, seconds: float = 0.0
    ) -> Answer:
        limits = self.limits
        headers = {
            **answer.headers,
            "x-ms-dop-hint": str(limits.hint),
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(
                max(limits.requests - len(account.started), 0)
            ),
            "x-ms-ratelimit-time-remaining-xrm-requests": (
                f"{max(limits.execution - account.execution, 0.0):,.2f}"
            ),
        }
        if limits.servers > 1:
            headers["Set-Cookie"] = f"ARRAffinity={server};Path=/;HttpOnly"
        delay = answer.delay + seconds
        return Answer(answer.status, headers, answer.content, delay, answer.cut)


def _free(account: Account, limits: Limits) -> float:
    """Return when enough execution time has left the window."""
    left = account.execution
    for when, seconds in account.spent:
        left -= seconds
        if left < limits.execution:
            return when + limits.window
    return 0.0


def _requests(limits: Limits) -> tuple[str, str]:
    return (
        "0x80072322",
        f"Number of requests exceeded the limit of {limits.requests} over time window of "
        f"{limits.window:g} seconds.",
    )


def _execution(limits: Limits) -> tuple[str, str]:
    return (
        "0x80072321",
        "Combined execution time of incoming requests exceeded limit of "
        f"{limits.execution * 1000:,.0f} milliseconds over time window of {limits.window:g} "
        "seconds. Decrease number of concurrent requests or reduce the duration of requests and "
        "try again later.",
    )


def _concurrency(limits: Limits) -> tuple[str, str]:
    said = f"Number of concurrent requests exceeded the limit of {limits.concurrency}."
    return "0x80072326", said


def _throttled(code: str, said: str, seconds: float) -> Answer:
    answer = refusal(Refused(429, code, said))
    headers = {**answer.headers, "Retry-After": str(math.ceil(seconds))}
    return Answer(answer.status, headers, answer.content)
