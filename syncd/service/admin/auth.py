"""
Who may change something: whoever shows the token, or signs in with the directory.

There are no cookies, so a browser adds nothing by itself that would open this door.
Whoever shows wrong tokens must wait longer and longer, address by address.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from starlette.datastructures import Headers
from structlog import get_logger

from syncd.config import Config
from syncd.config.service import Admin
from syncd.service.admin.entra import Directory, directory_of
from syncd.service.admin.guard import cross_site
from syncd.service.admin.refusal import Refusal

__all__ = ["Attempts", "Gatekeeper"]

FREE = 3
"""As many wrong tokens cost nothing: people mistype."""
LONGEST = 300.0
"""Seconds that an address waits at most."""
FORGOTTEN = 3600.0
"""Seconds after which a wrong token is forgotten."""
REMEMBERED = 4096
"""Addresses that are remembered; the one that was quiet longest is forgotten first."""
OFF = (
    "changing anything through the web is off; set admin.token or admin.entra in the "
    "configuration to allow it"
)


@dataclass(slots=True)
class _Record:
    failures: int = 0
    last: float = 0.0
    until: float = 0.0


class Attempts:
    """Remembers who showed wrong tokens. Safe to share between threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, address: str) -> float:
        """Return how many seconds an address has to wait before its next try."""
        with self._lock:
            record = self._records.get(_neighbourhood(address))
            return 0.0 if record is None else max(0.0, record.until - self._monotonic())

    def failed(self, address: str) -> int:
        """Note a wrong token; returns how many there were."""
        key, now = _neighbourhood(address), self._monotonic()
        with self._lock:
            record = self._records.pop(key, _Record())
            if now - record.last > FORGOTTEN:
                record = _Record()
            record.failures, record.last = record.failures + 1, now
            if record.failures >= FREE:
                record.until = now + min(LONGEST, 2.0 ** min(record.failures - FREE, 20))
            self._records[key] = record
            while len(self._records) > REMEMBERED:
                self._records.popitem(last=False)
            return record.failures

    def passed(self, address: str) -> None:
        """Forget an address that has shown the right token."""
        with self._lock:
            self._records.pop(_neighbourhood(address), None)


def _neighbourhood(address: str) -> str:
    """Return what stands for an address: of IPv6 the network that one customer has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, 64), strict=False))
    return address


class Gatekeeper:
    """Decides who may change something."""

    def __init__(
        self,
        settings: Callable[[], Admin],
        config: Callable[[], Config],
        attempts: Attempts | None = None,
    ) -> None:
        self._settings = settings
        self._config = config
        self._attempts = attempts or Attempts()
        self._directory: tuple[Config, Directory] | None = None

    def admit(self, headers: Headers, address: str) -> str:
        """Return who asks, as the audit log shall name them. Raises Refusal."""
        settings = self._settings()
        if cross_site(headers, settings):
            raise Refusal(403, "a page of another site may not change anything here")
        if settings.token is None and settings.entra is None:
            raise Refusal(403, OFF)
        wait = self._attempts.wait(address)
        if wait > 0:
            raise Refusal(
                429,
                f"too many wrong tokens came from this address; wait {ceil(wait)} seconds",
                {"Retry-After": str(ceil(wait))},
            )
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not shown.strip():
            raise _unknown("this needs a token: send it as Authorization: Bearer TOKEN")
        return self._judge(settings, shown.strip(), address)

    def _judge(self, settings: Admin, shown: str, address: str) -> str:
        try:
            who = self._who(settings, shown)
        except Refusal as refusal:
            if refusal.status == 401:
                failures = self._attempts.failed(address)
                get_logger().warning("wrong token", address=address, failures=failures)
            raise
        self._attempts.passed(address)
        return who

    def _who(self, settings: Admin, shown: str) -> str:
        if settings.token is not None:
            right = settings.token.get_secret_value().strip().encode()
            # Digests are of one length, so that the time tells nothing about the token's.
            if hmac.compare_digest(_digest(right), _digest(shown.encode("latin-1", "replace"))):
                return "holder of admin.token"
            raise _unknown("the token is not right")
        return self._signed_in(settings).who(shown)

    def _signed_in(self, settings: Admin) -> Directory:
        """Return the directory, with the keys that it gave before unless settings changed."""
        config = self._config()
        known = self._directory
        if known is not None and known[0] is config:
            return known[1]
        assert settings.entra is not None  # noqa: S101  # one of the two is there
        found = directory_of(settings.entra, config)
        self._directory = config, found
        return found


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _unknown(sentence: str) -> Refusal:
    return Refusal(401, sentence, {"WWW-Authenticate": "Bearer"})
