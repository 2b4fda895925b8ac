"""From settings to a way of signing in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, assert_never

import httpx

from syncd.config.models import (
    Auth,
    Certificate,
    ClientSecret,
    Federated,
    ManagedIdentity,
)
from syncd.config.models import NoAuth as Nothing
from syncd.connectors.auth.entra import ask_entra, authority_of
from syncd.connectors.auth.flow import ADVICE, EntraAuth, NoAuth
from syncd.connectors.auth.machine import PASSING, ask_machine, endpoint
from syncd.connectors.auth.tokens import Tokens
from syncd.connectors.auth.wire import REMEDY, Wire
from syncd.connectors.http import Observe, open_client

__all__ = ["open_auth"]

NEAR = "http://127.0.0.1"
"""Identity endpoints are on the machine or beside it: no proxy leads there, and no TLS."""
NEARBY = 10.0
"""Seconds that one of them may take to answer."""
IN_AZURE = "this method is for a machine in Azure that has an identity"


def open_auth(
    url: str,
    auth: Auth,
    *,
    timeout: float = 60.0,
    ca_file: str | None = None,
    proxy: str | None = None,
    observe: Observe | None = None,
    pause: Callable[[float], Any] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    transport: httpx.BaseTransport | None = None,
    advice: str = ADVICE,
) -> httpx.Auth:
    """
    Return how to sign in to what is at *url*; nothing is sent yet.

    Tokens are for the whole of that host, an environment's or another API's. *timeout*
    is in seconds; *ca_file* and *proxy* hold for the authority, too; *observe* is told of
    each request to it; *pause* waits between two tries and returns True to stop; *advice*
    says what to look at where the host takes no token.
    Raises ConfigError for a certificate that cannot be used and for "none" elsewhere
    than on this machine.
    """
    parsed = httpx.URL(url)
    resource = f"{parsed.scheme}://{parsed.netloc.decode()}"
    match auth:
        case Nothing():
            return NoAuth(url)
        case ManagedIdentity():
            near = min(timeout, NEARBY)
            wire = _wire(NEAR, observe, near, None, None, transport, PASSING, IN_AZURE)
            ask = ask_machine(auth, resource, wire)
            tokens = Tokens(ask, endpoint(), remedy=IN_AZURE, pause=pause, clock=clock)
            return EntraAuth(url, tokens, advice=advice)
        case ClientSecret() | Certificate() | Federated():
            if isinstance(auth, Certificate):
                _check(auth)
            base = (auth.authority or authority_of(url)).rstrip("/")
            wire = _wire(base, observe, timeout, ca_file, proxy, transport)
            ask = ask_entra(auth, base, f"{resource}/.default", wire)
            host = httpx.URL(base).host
            tokens = Tokens(ask, host, pause=pause, clock=clock)
            return EntraAuth(url, tokens, auth.tenant_id, advice)
        case _:
            assert_never(auth)


def _check(auth: Certificate) -> None:
    """Raise ConfigError for a file that will not do, before anything else is begun."""
    from syncd.connectors.auth.certificates import load_certificate  # noqa: PLC0415  # slow

    passphrase = None if auth.passphrase is None else auth.passphrase.get_secret_value()
    load_certificate(auth.certificate, passphrase)


def _wire(
    base: str,
    observe: Observe | None,
    timeout: float,
    ca_file: str | None,
    proxy: str | None,
    transport: httpx.BaseTransport | None,
    again: frozenset[int] = frozenset(),
    remedy: str = REMEDY,
) -> Callable[[], AbstractContextManager[Wire]]:
    """Return what opens the way to an authority for one question; they are hours apart."""

    @contextmanager
    def opened() -> Iterator[Wire]:
        with open_client(
            base,
            headers={},
            connections=1,
            timeout=timeout,
            ca_file=ca_file,
            proxy=proxy,
            transport=transport,
        ) as client:
            yield Wire(client, observe, again, remedy)

    return opened
