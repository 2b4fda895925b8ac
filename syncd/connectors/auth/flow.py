"""How a request to an environment is signed."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Generator

import httpx

from syncd.connectors.auth.tokens import Tokens
from syncd.connectors.http import is_loopback, origin
from syncd.core.errors import ConfigError, TargetRefused

__all__ = ["ADVICE", "EntraAuth", "NoAuth"]

ADVICE = (
    "see that its url is the environment's own, that it belongs to the directory auth.tenant_id, "
    "and that it has an application user for this client id"
)
"""What may be wrong with an environment that takes no token of ours."""

_claims = re.compile(r'claims="([^"]*)"').search
_directory = re.compile(r'authorization_uri="?https?://[^/"\s,]+/([^/"\s,]+)').search
_guid = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


class NoAuth(httpx.Auth):
    """Send nothing. For a sandbox on this machine only; raises ConfigError elsewhere."""

    def __init__(self, url: str) -> None:
        if not is_loopback(url):
            raise ConfigError(
                [f'auth.method "none" is for a sandbox on this machine; {url} needs another method']
            )


class EntraAuth(httpx.Auth):
    """
    Put a token of Entra ID on every request to one environment, and on no other.

    A 401 drops the token, and one new one is tried, made for the claims that the 401
    may demand (identity-and-sources.md section 1.8). If that is not taken either, it is
    a matter of settings: TargetRefused. *directory* is the one that tokens come from, and
    *advice* what to look at where the server is no environment.
    """

    def __init__(self, url: str, tokens: Tokens, directory: str = "", advice: str = ADVICE) -> None:
        self._origin = origin(httpx.URL(url))
        self._tokens = tokens
        self._directory = directory.lower()
        self._advice = advice

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request; after a 401 sign it once more with a new token."""
        if origin(request.url) != self._origin:
            raise TargetRefused(
                f"a token for {self._origin[1]} was about to be sent to {request.url.host}; "
                "nothing was sent"
            )
        token = self._tokens.current()
        response = yield _signed(request, token)
        if response.status_code != 401:
            return
        response.read()
        challenge = response.headers.get("WWW-Authenticate", "")
        response = yield _signed(request, self._tokens.renewed(token, _claims_of(challenge)))
        if response.status_code == 401:
            response.read()
            raise self._tokens.refuse(self._not_taken(challenge))

    def _not_taken(self, challenge: str) -> str:
        """Say what may be wrong with tokens that an authority gives and a server refuses."""
        host, theirs = self._origin[1], _directory(challenge)
        name = theirs[1].lower() if theirs else ""
        if _guid(name) and _guid(self._directory) and name != self._directory:
            return (
                f"{host} belongs to the directory {name} and takes no token of {self._directory}; "
                "check auth.tenant_id and the environment's url"
            )
        return f"{host} accepts neither of two new tokens (status 401); {self._advice}"


def _signed(request: httpx.Request, token: str) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def _claims_of(challenge: str) -> str | None:
    """Return the claims that a 401 demands; None where it demands none that can be read."""
    found = _claims(challenge)
    if found is None:
        return None
    text = found[1].replace("-", "+").replace("_", "/")
    try:
        claims = base64.b64decode(text + "=" * (-len(text) % 4)).decode()
        return claims if _grantable(json.loads(claims)) else None
    except (binascii.Error, ValueError):
        return None


def _grantable(claims: object) -> bool:
    """Whether MSAL can add to these claims what it says about itself."""
    return isinstance(claims, dict) and isinstance(claims.get("access_token", {}), dict)
