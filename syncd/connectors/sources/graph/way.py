"""Asking Microsoft Graph: patience, batches, and what its refusals mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from syncd.connectors.http import (
    GATEWAY,
    is_loopback,
    lost,
    open_client,
    origin,
    retry_after,
    seconds,
)
from syncd.connectors.records import Unread
from syncd.connectors.throttle import Throttle
from syncd.core.errors import TargetError, TargetThrottled

__all__ = ["BATCH", "Ask", "Document", "Expired", "Reply", "Site", "Way"]

BATCH = 20
"""The most requests in one `$batch` (identity-and-sources.md section 2.6)."""
RETRIES = 3
"""How often one request is sent again after a lost connection or a gateway's error."""
THROTTLED = 429
LARGEST = 128 << 20
"""Bytes of one answer; pages of 999 users have about one hundredth of it."""
RIGHTS = (
    "the application permissions User.Read.All, for groups GroupMember.Read.All, and for "
    "employeeLeaveDateTime User-LifeCycleInfo.Read.All"
)

Document = dict[str, Any]

_property = re.compile(r"property named '([\w.]{1,120})'").search
_code = re.compile(r"\w{1,60}").fullmatch
_printable = re.compile(r"[!-~]+").fullmatch


class Expired(Exception):
    """Graph does not know any more what changed since a token was given."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a batch; the path is relative to the root."""

    path: str
    body: Document | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What Graph said to one request of a batch."""

    status: int
    document: Document


@dataclass(frozen=True, slots=True)
class Site:
    """How Graph is reached; *timeout* is in seconds, for each step of a request."""

    url: str
    auth: httpx.Auth | None = field(default=None, repr=False)
    timeout: float = 60.0
    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)
    throttle: Callable[[], Throttle] = field(default=Throttle, repr=False)

    @property
    def host(self) -> str:
        """Its name."""
        return httpx.URL(self.url).host

    @contextmanager
    def opened(self) -> Iterator[Way]:
        """Open the way for one read."""
        with open_client(
            self.url,
            auth=self.auth,
            headers={"Accept": "application/json"},
            connections=1,
            timeout=self.timeout,
            ca_file=self.ca_file,
            proxy=self.proxy,
        ) as client:
            yield Way(self.host, client, f"{self.url.rstrip('/')}/v1.0/", self.throttle())


@dataclass(frozen=True, slots=True)
class Way:
    """Asks one host, one request at a time. What goes wrong is raised as Unread."""

    host: str
    client: httpx.Client = field(repr=False)
    root: str
    throttle: Throttle = field(repr=False)

    def leads_here(self, url: str) -> bool:
        """Whether an address is one of this host: our token goes along."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            return False
        near = origin(parsed) == origin(httpx.URL(self.root)) and not parsed.userinfo
        return near and _printable(url) is not None

    def get(self, url: str) -> Document:
        """
        Read a document at an address, which goes out as it is written.

        Raises Unread, Expired for a token that is too old, and Stopped.
        """
        return self._sent("GET", url, None)

    def batch(self, asks: Sequence[Ask]) -> list[Reply]:
        """
        Ask for several things, and return the answers in the order of the questions.

        Each part that is throttled is sent again when it may be; 404 is an answer.
        Raises Unread for any other refusal.
        """
        replies: list[Reply] = []
        for first in range(0, len(asks), BATCH):
            replies += self._batch(asks[first : first + BATCH])
        return replies

    def _batch(self, asks: Sequence[Ask]) -> list[Reply]:
        waiting = {str(number): ask for number, ask in enumerate(asks)}
        done: dict[str, Reply] = {}
        attempt = 0
        while waiting:
            requests = [_step(name, ask) for name, ask in waiting.items()]
            content = msgspec.json.encode({"requests": requests})
            document = self._sent("POST", f"{self.root}$batch", content)
            refused = self._sorted(document, waiting, done)
            if not waiting:
                break
            if refused[0] == THROTTLED:
                self.throttle.told(refused[1])
                continue
            if attempt == RETRIES:
                raise Unread(
                    f"{self.host} answered {refused[0]} to a part of a batch {RETRIES + 1} times; "
                    "see whether Microsoft reports an outage, then run again"
                )
            self.throttle.back_off(attempt)
            attempt += 1
        return [done[str(number)] for number in range(len(asks))]

    def _sorted(
        self, document: Document, waiting: dict[str, Ask], done: dict[str, Reply]
    ) -> tuple[int, float | None]:
        """Take answers out of what waits. Return the refusal to wait for: its status and pause."""
        refused: tuple[int, float | None] = (504, None)  # what is not answered at all
        for each in _objects(document.get("responses")):
            name, status = str(each.get("id")), each.get("status")
            if name not in waiting or not isinstance(status, int):
                continue
            if status == THROTTLED or status in GATEWAY:
                pause = max(refused[1] or 0.0, _pause(each) or 0.0) or None
                refused = (THROTTLED if THROTTLED in (status, refused[0]) else status, pause)
                continue
            body = each.get("body")
            found = body if isinstance(body, dict) else {}
            if status >= 400 and status != 404:
                raise self._refusal(status, found)
            done[name] = Reply(status, found)
            del waiting[name]
        return refused

    def _sent(self, method: str, url: str, content: bytes | None) -> Document:
        """Send until there is an answer that says something about the request."""
        if not self.leads_here(url):
            raise Unread(
                f"{self.host} gave a link that does not lead back to it, so it was not followed; "
                "see whether a proxy rewrites its answers"
            )
        attempt = 0
        while True:
            self.throttle.check()
            try:
                self.throttle.wait()
                response, answer = self._once(method, url, content)
            except (httpx.TransportError, httpx.DecodingError) as exc:
                if attempt == RETRIES:
                    local = is_loopback(self.root)
                    raise Unread(lost(self.host, exc, RETRIES + 1, local=local)) from exc
                self.throttle.back_off(attempt)
            except TargetThrottled as exc:
                raise Unread(
                    f"{self.host} asks to be left alone for longer than a run waits; "
                    "run again later, or less often"
                ) from exc
            except TargetError as exc:
                raise Unread(f"{self.host}: {exc}") from exc
            else:
                if response.status_code == THROTTLED:
                    self.throttle.told(retry_after(response))
                    continue  # the patience of the throttle is what ends this
                if response.status_code not in GATEWAY:
                    self.throttle.passed()
                    return self._document(response, answer)
                self._ails(response, attempt)
            attempt += 1

    def _once(self, method: str, url: str, content: bytes | None) -> tuple[httpx.Response, bytes]:
        """Send one request and take its answer in, as far as it may go."""
        headers = {} if content is None else {"Content-Type": "application/json"}
        target = b"/" + url.split("://", 1)[1].partition("/")[2].encode("ascii")
        request = self.client.build_request(
            method, url, headers=headers, content=content, extensions={"target": target}
        )
        response = self.client.send(request, stream=True, follow_redirects=False)
        try:
            pieces: list[bytes] = []
            size = 0
            for piece in response.iter_bytes():
                size += len(piece)
                if size > LARGEST:
                    raise Unread(
                        f"{self.host} gave more than {LARGEST >> 20} MB at once, which no page of "
                        "Graph has; see what stands between, then run again"
                    )
                pieces.append(piece)
        finally:
            response.close()
        return response, b"".join(pieces)

    def _ails(self, response: httpx.Response, attempt: int) -> None:
        """Wait as told, or give up."""
        if attempt == RETRIES:
            raise Unread(
                f"{self.host} answered {response.status_code} {RETRIES + 1} times; see whether "
                "Microsoft reports an outage, then run again"
            )
        pause = retry_after(response)
        if pause:
            self.throttle.told(pause)
        else:
            self.throttle.back_off(attempt)

    def _document(self, response: httpx.Response, content: bytes) -> Document:
        status = response.status_code
        if response.is_redirect:
            raise Unread(
                f"{self.host} sends syncd to another page (status {status}), which was not "
                "followed; check url, and whether a proxy wants a sign-in of its own"
            )
        try:
            found = msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = None
        if status != 200:
            raise self._refusal(status, found if isinstance(found, dict) else {})
        if not isinstance(found, dict):
            raise Unread(
                f"{self.host} gave an answer that is not what Graph gives; check url, and look at "
                "the proxies between"
            )
        return found

    def _refusal(self, status: int, document: Mapping[str, Any]) -> Exception:
        """Say what a refusal means, and what to do about it."""
        error = document.get("error")
        parts = error if isinstance(error, dict) else {}
        code, said = str(parts.get("code", "")), str(parts.get("message", ""))
        if status == 410 or code.lower() == "syncstatenotfound":
            return Expired()
        unknown = _property(said)
        if status == 400 and unknown is not None:
            return Unread(
                f'{self.host}: users have no property "{unknown[1]}"; check the columns of person'
            )
        shown = f"status {status}, {code}" if _code(code) else f"status {status}"
        if status == 403:
            return Unread(
                f"{self.host} lets syncd in, but not read this ({shown}); grant {RIGHTS}, "
                "with the consent of an administrator"
            )
        if status == 401:
            return Unread(f"{self.host} does not accept how syncd signs in ({shown}); check auth")
        return Unread(f"{self.host} turned the read down ({shown}); check url and the settings")


def _step(name: str, ask: Ask) -> Document:
    if ask.body is None:
        return {"id": name, "method": "GET", "url": f"/{ask.path}"}
    headers = {"Content-Type": "application/json"}
    return {
        "id": name, "method": "POST", "url": f"/{ask.path}", "headers": headers, "body": ask.body
    }  # fmt: skip


def _objects(found: object) -> list[Document]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _pause(part: Document) -> float | None:
    """Return for how long a part of a batch asks to be left alone, in seconds."""
    headers = part.get("headers")
    told = headers if isinstance(headers, dict) else {}
    text = next((str(told[name]) for name in told if str(name).lower() == "retry-after"), "")
    return seconds(text, httpx.Response(THROTTLED))
