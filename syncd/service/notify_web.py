"""Send a notice to a web address. The address is a secret: no sentence repeats it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from syncd.connectors.http import is_loopback, open_client, retry_after
from syncd.service.notify_words import Notice, Refusal

__all__ = ["Web", "unusable"]

HEADERS = {"Accept": "*/*"}
PASSING = frozenset({408, 425, 429})
"""Refusals that are over sooner or later; so is every error of a server."""


def unusable(url: str) -> str | None:
    """Say why notices cannot go to an address, None if they can."""
    try:
        parts = urlsplit(url)
        known = parts.hostname and (parts.port or True)
        safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))
    except (ValueError, httpx.InvalidURL):
        known, safe = False, False
    if known and safe:
        return None
    return 'must hold a web address that starts with "https://" ("http://" is for this machine)'


@dataclass(slots=True)
class Web:
    """One address, and the form in which it wants its notices; *timeout* is in seconds."""

    url: str
    form: Callable[[Notice], dict[str, Any]]
    timeout: float
    ca_file: str | None = None
    proxy: str | None = None
    _client: httpx.Client | None = None

    def send(self, notice: Notice) -> Refusal | None:
        """Send once; return why it did not arrive, None if it did."""
        try:
            with self._open().stream("POST", self.url, json=self.form(notice)) as response:
                # What it says besides is not read: it might never end.
                return _judged(response)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
            return Refusal(_why(exc))

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()

    def _open(self) -> httpx.Client:
        """Make the client when it is first needed."""
        if self._client is None:
            # At a lower level the library would log the address of every request.
            logging.getLogger("httpx").setLevel(logging.WARNING)
            self._client = open_client(
                self.url,
                headers=HEADERS,
                connections=1,
                timeout=self.timeout,
                ca_file=self.ca_file,
                proxy=self.proxy,
            )
        return self._client


def _judged(response: httpx.Response) -> Refusal | None:
    code = response.status_code
    if response.is_success:
        return None
    if response.is_redirect:
        why = f"it answered {code} and names another address, which is not followed"
        return Refusal(why, lasting=True)
    passing = code in PASSING or code >= 500
    return Refusal(f"it answered {code}", retry_after(response) if passing else None, not passing)


def _why(exc: Exception) -> str:
    if isinstance(exc, httpx.TimeoutException):
        return "it did not answer in time"
    if isinstance(exc, httpx.ProxyError):
        return "the proxy did not let it through"
    if "CERTIFICATE_VERIFY_FAILED" in str(exc):
        return "its certificate is not trusted"
    if isinstance(exc, httpx.ConnectError):
        return "it could not be reached"
    return f"the connection failed ({type(exc).__name__})"
