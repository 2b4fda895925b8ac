"""Signing in to an environment."""

from __future__ import annotations

import base64
import binascii
import re
import threading
from collections.abc import Callable, Generator, Mapping
from functools import cache
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx

from syncd.connectors.http import is_loopback, open_client, origin
from syncd.core.errors import ConfigError, TargetRefused, TargetUnreachable

__all__ = ["AUTHORITY", "EntraAuth", "NoAuth", "Tokens", "open_auth"]

AUTHORITY = "https://login.microsoftonline.com"
"""Where tokens come from in the worldwide cloud (identity-and-sources.md section 1.6)."""
_codes = re.compile(r"AADSTS\d+").findall
_claims = re.compile(r'claims="([^"]*)"').search


class Tokens(Protocol):
    """Where tokens come from: the part of an MSAL application that we use."""

    def acquire_token_for_client(
        self, scopes: list[str], claims_challenge: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Return a token from its cache or from the authority, or an error as a value."""
        ...


class NoAuth(httpx.Auth):
    """Send nothing. For a sandbox on this machine only; raises ConfigError elsewhere."""

    def __init__(self, url: str) -> None:
        if not is_loopback(url):
            raise ConfigError(
                [f'auth.method "none" is for a sandbox on this machine; {url} needs client-secret']
            )


class EntraAuth(httpx.Auth):
    """
    Put a token of Entra ID on every request to one environment, and on no other.

    The cache is MSAL's, so a token is asked for before each request and none is kept
    here. An answer 401 drops the token, and one new one is tried. Safe to share
    between threads; only one of them asks the authority (identity-and-sources.md
    section 1.2). *applications* makes a fresh MSAL application with an empty cache;
    it is called for the first request, not before.
    """

    def __init__(self, url: str, applications: Callable[[], Tokens]) -> None:
        parsed = httpx.URL(url)
        self._origin = origin(parsed)
        self._scope = f"{parsed.scheme}://{parsed.netloc.decode()}/.default"
        self._applications = applications
        self._application: Tokens | None = None
        self._lock = threading.Lock()
        self._current = ""

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request; after a 401 sign it once more with a new token."""
        if origin(request.url) != self._origin:
            raise TargetRefused(
                f"a token for {self._origin[1]} was about to be sent to {request.url.host}; "
                "nothing was sent"
            )
        token = self.token()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            response.read()
            fresh = self.renew(token, response.headers.get("WWW-Authenticate", ""))
            request.headers["Authorization"] = f"Bearer {fresh}"
            yield request

    def token(self) -> str:
        """Return a token that is good for some minutes; raises TargetRefused, TargetUnreachable."""
        with self._lock:
            return self._acquire(None)

    def renew(self, stale: str, challenge: str = "") -> str:
        """Return another token than *stale*; whoever comes second gets the first one's."""
        with self._lock:
            if self._current == stale:
                self._application = None
                return self._acquire(_claims_of(challenge))
            return self._current

    def _acquire(self, claims: str | None) -> str:
        try:
            if self._application is None:
                self._application = self._applications()
            answer = self._application.acquire_token_for_client(
                [self._scope], claims_challenge=claims, http_exceptions=(httpx.HTTPError,)
            )
        except httpx.HTTPError as exc:
            raise TargetUnreachable(
                "the authority that signs syncd in could not be reached; "
                "check auth.authority, the network and the proxy"
            ) from exc
        except (ValueError, LookupError, AttributeError, TypeError, RuntimeError) as exc:
            # what MSAL makes of answers that are not what it expects
            raise TargetRefused(
                "signing in failed: the authority gave no usable answer for this tenant; "
                "check auth.tenant_id and auth.authority"
            ) from exc
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise _denied(answer)
        self._current = token
        return token


def _denied(answer: Mapping[str, Any]) -> TargetRefused:
    """Name the error by its codes only: descriptions may quote what was sent."""
    codes = _codes(str(answer.get("error_description", "")))
    name = " ".join([str(answer.get("error", "no token")), *dict.fromkeys(codes)])
    return TargetRefused(
        f"signing in failed ({name}); check auth.tenant_id, auth.client_id and its secret, "
        "and that the secret has not expired"
    )


def _claims_of(challenge: str) -> str | None:
    """Return the claims that a 401 asks for (identity-and-sources.md section 1.8)."""
    found = _claims(challenge)
    if found is None:
        return None
    text = found[1]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


class _MsalClient:
    """
    httpx as MSAL wants it (identity-and-sources.md section 1.4).

    An error of the server is raised as httpx's, which MSAL takes for a network fault:
    it then goes on with a token that is still good.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> httpx.Response:
        """Send a form; assertions arrive as bytes, which httpx would write as their repr."""
        form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        content = urlencode(data or {}).encode() if not isinstance(data, str | bytes) else data
        return _up(self._client.post(url, params=params or None, content=content, headers=form))

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> httpx.Response:
        """Read a document; an empty *params* would erase the query of the url."""
        return _up(self._client.get(url, params=params or None, headers=headers))

    def close(self) -> None:
        """Do nothing: the client lives as long as the sign-in does."""


def _up(response: httpx.Response) -> httpx.Response:
    return response.raise_for_status() if response.status_code >= 500 else response


def open_auth(
    url: str,
    *,
    method: str,
    tenant_id: str = "",
    client_id: str = "",
    client_secret: str = "",
    authority: str = AUTHORITY,
    timeout: float = 60.0,
    ca_file: str | None = None,
    proxy: str | None = None,
    transport: httpx.BaseTransport | None = None,
) -> httpx.Auth:
    """Return how to sign in to *url*: method "none" or "client-secret". Nothing is sent yet."""
    if method == "none":
        return NoAuth(url)
    if method != "client-secret":
        raise ConfigError([f'auth.method "{method}" is not known here; use client-secret or none'])
    base = authority.rstrip("/")

    @cache
    def client() -> _MsalClient:
        return _MsalClient(
            open_client(
                base,
                headers={},
                connections=2,
                timeout=timeout,
                ca_file=ca_file,
                proxy=proxy,
                transport=transport,
            )
        )

    def application() -> Tokens:
        import msal  # noqa: PLC0415  # slow to import, and the sandbox needs none

        made: Tokens = msal.ConfidentialClientApplication(
            client_id,
            authority=f"{base}/{tenant_id}",
            client_credential=client_secret,
            http_client=client(),
            # an authority of one's own is not asked about at Microsoft's
            instance_discovery=None if base == AUTHORITY else False,
        )
        return made

    return EntraAuth(url, application)
