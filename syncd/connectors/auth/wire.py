"""How MSAL talks to an authority: over a client of ours, and only JSON comes back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import httpx

from syncd.connectors.http import Observe
from syncd.core.errors import TargetUnreachable

__all__ = ["REMEDY", "Wire"]

AILING = frozenset({408, 429})
REMEDY = "check http.proxy, auth.authority and auth.tenant_id"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Wire:
    """
    httpx as MSAL wants it (identity-and-sources.md section 1.4).

    What may pass if asked again is raised as httpx's errors: lost connections, 408, 429,
    5xx, and what stands in *again*. Pages and redirects are no answers of an authority
    and are raised as TargetUnreachable, which ends with *remedy*. *observe* is told of
    each request as "token".
    """

    def __init__(
        self,
        client: httpx.Client,
        observe: Observe | None = None,
        again: frozenset[int] = frozenset(),
        remedy: str = REMEDY,
    ) -> None:
        self._client = client
        self._observe = observe
        self._again = AILING | again
        self._remedy = remedy
        self.skew = 0.0
        """Seconds by which our clock is ahead of the authority's, by its last answer."""
        self.refused: Mapping[str, Any] = {}
        """The last answer that was a refusal; MSAL keeps that of a discovery to itself."""

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> httpx.Response:
        """Send a form; assertions arrive as bytes, which httpx would write as their repr."""
        form = {**FORM, **(headers or {})}
        content = urlencode(data or {}).encode() if not isinstance(data, str | bytes) else data
        return self._sent("POST", url, params=params or None, content=content, headers=form)

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> httpx.Response:
        """Read a document; an empty *params* would erase the query of the url."""
        return self._sent("GET", url, params=params or None, headers=headers)

    def close(self) -> None:
        """Do nothing: who opened the client closes it."""

    def _sent(self, method: str, url: str, **parts: Any) -> httpx.Response:
        began = time.monotonic()
        try:
            response = self._client.request(method, url, follow_redirects=False, **parts)
        except httpx.HTTPError:
            self._tell("lost", began)
            raise
        self._tell(str(response.status_code), began)
        self._set_clock(response)
        return self._readable(response)

    def _tell(self, status: str, began: float) -> None:
        if self._observe is not None:
            self._observe("token", status, time.monotonic() - began)

    def _set_clock(self, response: httpx.Response) -> None:
        try:
            theirs = parsedate_to_datetime(response.headers["Date"]).timestamp()
        except (KeyError, TypeError, ValueError):
            return
        self.skew = time.time() - theirs

    def _readable(self, response: httpx.Response) -> httpx.Response:
        status, host = response.status_code, response.request.url.host
        if status in self._again or status >= 500:
            return response.raise_for_status()
        if response.is_redirect:
            raise TargetUnreachable(
                f"{host} did not sign syncd in but sent it to another page (status {status}); a "
                f"proxy may want a sign-in of its own: {self._remedy}"
            )
        document = _object(response)
        if document is None:
            raise TargetUnreachable(
                f"{host} answered with a page instead of a token (status {status}); something "
                f"between may have sent it: {self._remedy}"
            )
        if response.is_error:
            self.refused = document
        return response


def _object(response: httpx.Response) -> Mapping[str, Any] | None:
    try:
        document = response.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
