"""Signing in where no directory of Microsoft is asked: a fixed header, or a token of OAuth 2.0."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, assert_never
from urllib.parse import quote

import httpx

from syncd.config.web import Basic, Bearer, Header, OAuth, Unsigned, WebAuth
from syncd.connectors.auth.flow import NoAuth
from syncd.connectors.auth.tokens import Ask, Token, Tokens
from syncd.connectors.auth.wire import Wire
from syncd.connectors.http import open_client, origin
from syncd.core.errors import ConfigError, TargetRefused

__all__ = ["HeaderAuth", "OAuthAuth", "open_web_auth"]

LIFE = 3600.0
"""Seconds that a token is taken to live where its answer does not say (RFC 6749 section 5.1)."""
REMEDY = "check auth.token_url, the network and http.proxy"
WORD = 60
"""Characters of an error's name that are shown."""


class HeaderAuth(httpx.Auth):
    """Put one header on every request to the host of *url*, and on no other."""

    def __init__(self, url: str, name: str, value: str) -> None:
        self._origin = origin(httpx.URL(url))
        self._name = name
        self._value = value

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request. Raises TargetRefused for another host."""
        _same(self._origin, request)
        request.headers[self._name] = self._value
        yield request


class OAuthAuth(httpx.Auth):
    """Put a token on every request to the host of *url*; after a 401 a new one is tried once."""

    def __init__(self, url: str, tokens: Tokens) -> None:
        self._origin = origin(httpx.URL(url))
        self._tokens = tokens

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request. Raises TargetError where no token can be had."""
        _same(self._origin, request)
        token = self._tokens.current()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            response.read()
            request.headers["Authorization"] = f"Bearer {self._tokens.renewed(token, None)}"
            yield request


def open_web_auth(
    url: str,
    auth: WebAuth,
    *,
    timeout: float = 60.0,
    ca_file: str | None = None,
    proxy: str | None = None,
    pause: Callable[[float], Any] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> httpx.Auth:
    """
    Return how to sign in to the server of a source; nothing is sent yet.

    *timeout* is in seconds; *ca_file* and *proxy* hold for where tokens come from, too.
    Raises ConfigError for "none" elsewhere than on this machine, and for a secret that
    cannot stand in a header.
    """
    match auth:
        case Unsigned():
            return NoAuth(url)
        case Bearer(token=token):
            return _header(url, "Authorization", f"Bearer {token.get_secret_value().strip()}")
        case Header(name=name, value=value):
            return _header(url, name, value.get_secret_value().strip())
        case Basic(user=user, password=password):
            pair = _pair(user, password.get_secret_value())
            return _header(url, "Authorization", pair)
        case OAuth():
            wire = _wire(auth.token_url, timeout, ca_file, proxy)
            host = httpx.URL(auth.token_url).host
            tokens = Tokens(_ask(auth, wire), host, remedy=REMEDY, pause=pause, clock=clock)
            return OAuthAuth(url, tokens)
        case _:
            assert_never(auth)


def _same(ours: tuple[str, str, int], request: httpx.Request) -> None:
    if origin(request.url) != ours:
        raise TargetRefused(
            f"what syncd signs in with at {ours[1]} was about to be sent to {request.url.host}; "
            "nothing was sent"
        )


def _header(url: str, name: str, value: str) -> HeaderAuth:
    if not value.isascii() or not value.isprintable():
        raise ConfigError(
            [f"auth: the secret for {httpx.URL(url).host} has characters that no header can have"]
        )
    return HeaderAuth(url, name, value)


def _pair(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _wire(
    url: str, timeout: float, ca_file: str | None, proxy: str | None
) -> Callable[[], AbstractContextManager[Wire]]:
    """Return what opens the way to where tokens come from, for one question."""

    @contextmanager
    def opened() -> Generator[Wire, None, None]:
        with open_client(
            url,
            headers={"Accept": "application/json"},
            connections=1,
            timeout=timeout,
            ca_file=ca_file,
            proxy=proxy,
        ) as client:
            yield Wire(client, remedy=REMEDY)

    return opened


def _ask(auth: OAuth, wire: Callable[[], AbstractContextManager[Wire]]) -> Ask:
    """Return how to get a token by client credentials (RFC 6749 section 4.4)."""
    secret = auth.client_secret.get_secret_value()
    form = {"grant_type": "client_credentials", "scope": auth.scope, "audience": auth.audience}
    headers: dict[str, str] = {}
    if auth.credentials_in == "header":
        # Both are encoded as in a form before they are joined (RFC 6749 section 2.3.1).
        headers["Authorization"] = _pair(quote(auth.client_id, ""), quote(secret, ""))
    else:
        form |= {"client_id": auth.client_id, "client_secret": secret}
    data = {name: value for name, value in form.items() if value is not None}

    def ask(_claims: str | None) -> Token:
        with wire() as way:
            answer = way.post(auth.token_url, data=data, headers=headers)
        return _token(answer)

    return ask


def _token(answer: httpx.Response) -> Token:
    """Return the token in an answer. Raises TargetRefused if there is none."""
    found = answer.json()
    text, kind = found.get("access_token"), str(found.get("token_type", "bearer"))
    if answer.is_success and isinstance(text, str) and text and kind.lower() == "bearer":
        life = _seconds(found.get("expires_in"))
        return Token(text, life, life)
    error = str(found.get("error", f"status {answer.status_code}"))[:WORD]
    if error in {"invalid_client", "unauthorized_client"} or answer.status_code == 401:
        raise TargetRefused(
            f"signing in failed: {answer.url.host} answered {error}; check auth.client_id, "
            "auth.client_secret and auth.credentials_in"
        )
    raise TargetRefused(
        f"signing in failed: {answer.url.host} gave no bearer token ({error}); "
        "check auth.token_url, auth.scope and auth.audience"
    )


def _seconds(value: object) -> float:
    try:
        return max(0.0, float(str(value)))
    except ValueError:
        return LIFE
