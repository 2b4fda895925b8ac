"""
Sign in with the directory: an access token of Entra ID, made for us, with our role.

Which issuer and which keys a token of the directory has stands in the directory's own
metadata. There are two kinds of tokens, 1.0 and 2.0, with metadata each; an application
gets those of the kind that its registration asks for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import httpx
import jwt

from syncd.config import Config
from syncd.config.models import Certificate, ClientSecret, Federated
from syncd.connectors.auth import AUTHORITY, authority_of
from syncd.connectors.http import open_client, origin
from syncd.service.admin.refusal import Refusal

__all__ = ["Directory", "directory_of"]

FRESH = 24 * 3600.0
"""Seconds after which keys are asked for anew."""
RARELY = 300.0
"""Seconds between two questions that a token with an unknown key may cause."""
LEEWAY = 60
"""Seconds that clocks may differ."""
CLAIMS = ("exp", "iat", "aud", "iss")
NAMES = ("preferred_username", "upn", "azp", "appid", "oid", "sub")
"""What tells who somebody is, the most telling first; programs have no user name."""
FAILURES = (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError)
WAYS = {"2.0": "/v2.0", "1.0": ""}


class Rights(Protocol):
    """The settings of `admin.entra`."""

    @property
    def tenant_id(self) -> str:
        """The directory."""
        ...

    @property
    def audience(self) -> str:
        """The application that tokens must be made for."""
        ...

    @property
    def role(self) -> str:
        """The application role that is needed."""
        ...


@dataclass(frozen=True, slots=True)
class _Issuer:
    name: str
    keys: Mapping[str, Any]
    at: float


class Directory:
    """One directory. Safe to share between threads; keys are asked for when a token comes."""

    def __init__(
        self,
        rights: Rights,
        client: Callable[[], httpx.Client],
        authority: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rights = rights
        self._client = client
        self._root = f"{authority.rstrip('/')}/{rights.tenant_id}"
        self._monotonic = monotonic
        self._issuers: dict[str, _Issuer] = {}
        self._lock = threading.Lock()

    def who(self, token: str) -> str:
        """Return who signed in. Raises Refusal: 401, 403 without the role, 503."""
        try:
            head = jwt.get_unverified_header(token)
            version = jwt.decode(token, options={"verify_signature": False}).get("ver")
        except jwt.PyJWTError as error:
            raise _unknown("the token is no token of the directory") from error
        kind = "1.0" if version == "1.0" else "2.0"
        issuer = self._issuer(kind, str(head.get("kid")))
        key = issuer.keys.get(str(head.get("kid")))
        if key is None:
            raise _unknown("the token is not signed by the directory")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],  # never what the token itself names
                audience=self._rights.audience,
                issuer=issuer.name,
                leeway=LEEWAY,
                options={"require": list(CLAIMS)},
            )
        except jwt.ExpiredSignatureError as error:
            raise _unknown("the token is over; sign in again") from error
        except jwt.PyJWTError as error:
            raise _unknown("the token is not made for this, or not by the directory") from error
        return self._allowed(claims)

    def _allowed(self, claims: Mapping[str, Any]) -> str:
        roles = claims.get("roles")
        if not isinstance(roles, list) or self._rights.role not in roles:
            raise Refusal(
                403, f"whoever signed in does not have the application role {self._rights.role}"
            )
        name = next((str(claims[name]) for name in NAMES if claims.get(name)), "somebody")
        return "".join(char for char in name if char.isprintable())[:200]

    def _issuer(self, kind: str, kid: str) -> _Issuer:
        with self._lock:
            known, now = self._issuers.get(kind), self._monotonic()
            age = FRESH if known is None else now - known.at
            if known is not None and age < (FRESH if kid in known.keys else RARELY):
                return known
            found = self._ask(kind, now)
            self._issuers[kind] = found
            return found

    def _ask(self, kind: str, now: float) -> _Issuer:
        address = f"{self._root}{WAYS[kind]}/.well-known/openid-configuration"
        try:
            with self._client() as client:
                metadata = client.get(address).raise_for_status().json()
                where = self._near(str(metadata["jwks_uri"]))
                found = jwt.PyJWKSet.from_dict(client.get(where).raise_for_status().json())
            usable = [key for key in found.keys if key.key_id and key.key_type == "RSA"]
            keys = {str(key.key_id): key.key for key in usable}
            return _Issuer(str(metadata["issuer"]), keys, now)
        except (*FAILURES, jwt.PyJWTError) as error:
            raise Refusal(
                503, "the directory could not be asked for its keys; try again in a while"
            ) from error

    def _near(self, address: str) -> httpx.URL:
        """Return where keys are. Raises ValueError for another host than the directory's."""
        url = httpx.URL(address)
        if origin(url) != origin(httpx.URL(self._root)):
            raise ValueError("keys of another host")
        return url


def directory_of(rights: Rights, config: Config) -> Directory:
    """
    Return the directory of `admin.entra`.

    An environment that signs in at the same directory says under which address, through
    which proxy and with which certificates it is reached.
    """
    for each in config.environments.values():
        auth, http = each.auth, each.http
        if not isinstance(auth, ClientSecret | Certificate | Federated):
            continue
        if auth.tenant_id == rights.tenant_id:
            authority = auth.authority or authority_of(each.url)
            ca_file = None if http.ca_file is None else str(http.ca_file)
            proxy = None if http.proxy is None else http.proxy.get_secret_value()
            return Directory(rights, partial(_open, authority, ca_file, proxy), authority)
    return Directory(rights, partial(_open, AUTHORITY, None, None), AUTHORITY)


def _open(authority: str, ca_file: str | None, proxy: str | None) -> httpx.Client:
    return open_client(
        authority,
        headers={"Accept": "application/json"},
        connections=1,
        timeout=10.0,
        ca_file=ca_file,
        proxy=proxy,
    )


def _unknown(sentence: str) -> Refusal:
    return Refusal(401, sentence, {"WWW-Authenticate": "Bearer"})
