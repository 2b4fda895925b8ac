"""The token that all lanes share: got by one of them, renewed before it is needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from syncd.connectors.http import retry_after
from syncd.core.errors import Stopped, TargetError, TargetRefused, TargetUnreachable

__all__ = ["Ask", "Token", "Tokens"]

AHEAD = 600.0
"""Seconds before its end from which a token is renewed while others still use it."""
BARE = 120.0
"""Seconds before its end from which nobody uses it any more."""
RESPITE = 60.0
"""Seconds for which an authority that said no, or gave nothing new, is not asked again."""
BRIEF = 5.0
"""Seconds for which one that could not be reached is not: lanes wait for it together."""
RETRIES = 3
"""How often an authority that does not answer is asked again."""
PATIENCE = 60.0
"""Seconds: the longest pause that an authority may ask for."""
REMEDY = "check auth.authority, the network and http.proxy"


@dataclass(frozen=True, slots=True)
class Token:
    """What an authority gave: for *life* seconds, better renewed after *soft* of them."""

    text: str = field(repr=False)
    life: float
    soft: float


Ask = Callable[[str | None], Token]
"""
Asks the authority once, with the claims that a 401 demanded.

Raises TargetError, or httpx's errors where asking again may help.
"""


@dataclass(frozen=True, slots=True)
class _Held:
    text: str = field(repr=False)
    renew: float
    end: float


class Tokens:
    """
    One token for all lanes. Safe to share between threads.

    Who comes when it is due renews it, the others go on with the old one; only where
    there is none that can be used do they wait. A refusal is remembered for a minute:
    a thousand changes must not be a thousand failed sign-ins. *whom* names the
    authority, *remedy* says what to do if it cannot be reached; *pause* waits, and
    returns True if somebody asked to stop meanwhile.
    """

    def __init__(
        self,
        ask: Ask,
        whom: str,
        *,
        remedy: str = REMEDY,
        pause: Callable[[float], Any] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._whom = whom
        self._remedy = remedy
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._refusal: tuple[float, TargetError] | None = None

    def current(self) -> str:
        """Return a token that is good for some minutes. Raises TargetError, Stopped."""
        held, now = self._held, self._clock()
        if held is None or now >= held.end:
            with self._lock:
                held, now = self._held, self._clock()
                return held.text if held is not None and now < held.end else self._get(None)
        if now >= held.renew and self._lock.acquire(blocking=False):
            try:
                return self._ahead(held)
            finally:
                self._lock.release()
        return held.text

    def renewed(self, stale: str, claims: str | None) -> str:
        """Return another token than *stale*; whoever comes second gets the first one's."""
        with self._lock:
            held = self._held
            return self._get(claims) if held is None or held.text == stale else held.text

    def refuse(self, sentence: str) -> TargetRefused:
        """Take note that what the authority gives is not taken; return the error to raise."""
        refusal = TargetRefused(sentence)
        with self._lock:
            self._held = None
            self._remember(refusal)
        return refusal

    def _remember(self, refusal: TargetError) -> None:
        respite = RESPITE if isinstance(refusal, TargetRefused) else BRIEF
        self._refusal = (self._clock() + respite, refusal)

    def _ahead(self, held: _Held) -> str:
        """Renew in good time. Without success the old token does, and it is tried later."""
        if self._held is not held:
            return held.text
        try:
            return self._keep(self._ask(None))
        except (TargetError, httpx.HTTPError):
            self._held = _Held(held.text, self._clock() + RESPITE, held.end)
            return held.text

    def _get(self, claims: str | None) -> str:
        if self._refusal is not None and self._clock() < self._refusal[0]:
            refusal = self._refusal[1]
            raise type(refusal)(str(refusal))
        try:
            return self._keep(self._persist(claims))
        except TargetError as exc:
            self._held = None
            self._remember(exc)
            raise

    def _persist(self, claims: str | None) -> Token:
        attempt = 0
        while True:
            try:
                return self._ask(claims)
            except httpx.HTTPError as exc:
                self._wait(exc, attempt)
                attempt += 1

    def _wait(self, exc: httpx.HTTPError, attempt: int) -> None:
        """Wait before asking again. Raises TargetUnreachable where that is in vain, Stopped."""
        wanted = retry_after(exc.response) if isinstance(exc, httpx.HTTPStatusError) else None
        pause = 2.0**attempt if wanted is None else wanted
        untrusted = "CERTIFICATE_VERIFY_FAILED" in str(exc)
        if attempt == RETRIES or pause > PATIENCE or untrusted:
            raise TargetUnreachable(
                f"{self._whom} did not sign syncd in: {_why(exc, self._remedy)}"
            ) from exc
        if self._pause(pause):
            raise Stopped("asked to stop while signing in; run again to carry on") from exc

    def _keep(self, token: Token) -> str:
        now = self._clock()
        end = token.life - min(BARE, token.life / 10)
        renew = min(token.soft, token.life - min(AHEAD, token.life / 2))
        held = self._held
        if held is not None and held.text == token.text:
            renew = max(renew, RESPITE)  # the platform has nothing newer: do not ask each time
        self._held = _Held(token.text, now + max(0.0, renew), now + max(0.0, end))
        self._refusal = None
        return token.text


def _why(exc: httpx.HTTPError, remedy: str) -> str:
    """Say what went wrong with a connection, and what to look at."""
    if isinstance(exc, httpx.HTTPStatusError):
        return f"it answered {exc.response.status_code}; run again in a few minutes"
    if isinstance(exc, httpx.TimeoutException):
        return f"no answer in time; {remedy}"
    if isinstance(exc, httpx.RemoteProtocolError | httpx.ReadError | httpx.DecodingError):
        return "its answer broke off; look at the network and the proxies between"
    if "CERTIFICATE_VERIFY_FAILED" in str(exc):
        return "its certificate is not trusted; name the issuing authority in http.ca_file"
    return f"{str(exc) or type(exc).__name__}; {remedy}"
