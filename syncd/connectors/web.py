"""Reading JSON from one server of a source: patience, limits, and nothing to another host."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial

import httpx
import msgspec

from syncd.config.web import SourceHttp, WebAuth
from syncd.connectors.auth import open_web_auth
from syncd.connectors.http import GATEWAY, is_loopback, lost, open_client, origin, retry_after
from syncd.connectors.records import Unread
from syncd.connectors.throttle import Throttle
from syncd.core.errors import TargetError, TargetThrottled
from syncd.core.ports import Halt

__all__ = ["Answer", "Site", "Way", "open_site"]

RETRIES = 3
"""How often a page is asked for again after a lost connection or a gateway's error."""
LARGEST = 128 << 20
"""Bytes of one answer, unpacked; a server that gives more is asked for smaller pages."""
SLOW = 10
"""An answer may take this many times as long as each step of it may."""
SHOWN = 160
"""Characters of a server's own words that are shown."""
CHUNK = 1 << 16
BOM = b"\xef\xbb\xbf"
"""An answer that began and did not end, or is not HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What a server answered: a JSON document, and what its headers say.

    Of a refusal the document is None where it is no JSON.
    `moment` is the server's own time, ours where it does not tell. `following` is the
    address of the next page as the header Link has it.
    """

    status: int
    document: object
    moment: datetime
    following: str | None


@dataclass(frozen=True, slots=True)
class Site:
    """
    How the server of a source is reached.

    *timeout* is in seconds, for each step; *largest* are the bytes of one answer.
    """

    url: str
    auth: httpx.Auth | None = None
    accept: str = "application/json"
    timeout: float = 60.0
    ca_file: str | None = None
    proxy: str | None = None
    throttle: Callable[[], Throttle] = field(default=Throttle, repr=False)
    largest: int = LARGEST

    @property
    def host(self) -> str:
        """Its name."""
        return httpx.URL(self.url).host

    @contextmanager
    def opened(self, what: str) -> Iterator[Way]:
        """Open the way for one read; *what* begins its sentences."""
        with open_client(
            self.url,
            auth=self.auth,
            headers={"Accept": self.accept},
            connections=1,
            timeout=self.timeout,
            ca_file=self.ca_file,
            proxy=self.proxy,
        ) as client:
            whom, base = f"{what}: {self.host}", httpx.URL(self.url)
            yield Way(whom, client, base, self.throttle(), self.largest)


def open_site(
    url: str, auth: WebAuth, http: SourceHttp, stop: Halt, accept: str = "application/json"
) -> Site:
    """Return how to reach the server of a source; nothing is sent yet. Raises ConfigError."""
    timeout = http.timeout.total_seconds()
    ca_file = None if http.ca_file is None else str(http.ca_file)
    proxy = None if http.proxy is None else http.proxy.get_secret_value()
    signer = open_web_auth(
        url, auth, timeout=timeout, ca_file=ca_file, proxy=proxy, pause=stop.wait
    )
    pace = partial(Throttle, stop=stop)
    return Site(url, signer, accept, timeout, ca_file, proxy, pace)


@dataclass(frozen=True, slots=True)
class Way:
    """Asks one server, one request at a time. What goes wrong is raised as Unread."""

    whom: str
    client: httpx.Client = field(repr=False)
    base: httpx.URL
    throttle: Throttle = field(repr=False)
    largest: int = LARGEST

    def get(self, url: httpx.URL, bear: frozenset[int] = frozenset()) -> Answer:
        """
        Read a document, and try again where that may help; it waits as long as it is told.

        A refusal is returned only if its status is one of *bear*. Raises Unread, and
        Stopped where somebody asks for it meanwhile.
        """
        self._near(url)
        attempt = 0
        while True:
            try:
                self.throttle.wait()
                response, content = self._once(url)
            except (httpx.TransportError, httpx.DecodingError) as exc:
                if attempt == RETRIES:
                    local = is_loopback(str(self.base))
                    raise Unread(lost(self.whom, exc, RETRIES + 1, local=local)) from exc
                self.throttle.back_off(attempt)
            except TargetThrottled as exc:
                raise Unread(
                    f"{self.whom} asks to be left alone for longer than a run waits; "
                    "run again later, or less often"
                ) from exc
            except TargetError as exc:
                raise Unread(f"{self.whom}: {exc}") from exc
            else:
                if not self._again(response, attempt):
                    self.throttle.passed()
                    return self._answer(response, content, bear)
                if response.status_code == 429:
                    continue  # the patience of the throttle is what ends this
            attempt += 1

    def link(self, text: object, page: httpx.URL) -> httpx.URL:
        """Return the address that a page gives for the next one. Raises Unread for another host."""
        try:
            url = page.join(text) if isinstance(text, str) else None
        except httpx.InvalidURL:
            url = None
        if url is None:
            raise Unread(
                f"{self.whom} gave a next link that is no address; see that the setting names "
                "where it stands"
            )
        self._near(url)
        return url

    def _near(self, url: httpx.URL) -> None:
        if origin(url) != origin(self.base) or url.userinfo:
            raise Unread(
                f"{self.whom} gave a next link to {url.host or 'another place'}, which was not "
                "followed: what syncd signs in with is for one host only; see whether a proxy "
                "rewrites its answers, or write the address it uses as url"
            )

    def _once(self, url: httpx.URL) -> tuple[httpx.Response, bytes]:
        """Send one request and take the answer in, as far as it may go."""
        step = self.client.timeout.read or 60.0
        deadline = time.monotonic() + SLOW * step
        with self.client.stream("GET", url, follow_redirects=False) as response:
            pieces: list[bytes] = []
            size = 0
            for piece in response.iter_bytes(CHUNK):
                size += len(piece)
                if size > self.largest:
                    raise Unread(
                        f"{self.whom} gave more than {self.largest >> 20} MB at once; "
                        "let it give pages, or smaller ones"
                    )
                if time.monotonic() > deadline:
                    raise Unread(
                        f"{self.whom} took more than {SLOW * step:.0f} s for one answer; "
                        "ask for smaller pages, or raise http.timeout"
                    )
                pieces.append(piece)
            return response, b"".join(pieces)

    def _again(self, response: httpx.Response, attempt: int) -> bool:
        """Wait as told, and say whether to ask again. Raises Unread when that was in vain."""
        status = response.status_code
        pause = retry_after(response)
        if status == 429:
            self.throttle.told(pause)
            return True
        if status not in GATEWAY:
            return False
        if attempt == RETRIES:
            raise Unread(
                f"{self.whom} answered {status} {RETRIES + 1} times; see whether it is up, "
                "then run again"
            )
        if pause:
            self.throttle.told(pause)
        else:
            self.throttle.back_off(attempt)
        return True

    def _answer(self, response: httpx.Response, content: bytes, bear: frozenset[int]) -> Answer:
        status = response.status_code
        if status != 200 and status not in bear:
            raise Unread(self._refused(response, content))
        document = self._document(response, content) if status == 200 else _lenient(content)
        following = response.links.get("next", {}).get("url")
        return Answer(status, document, _moment(response), following)

    def _document(self, response: httpx.Response, content: bytes) -> object:
        # A text column of PostgreSQL takes no NUL; what holds one stays different from all else.
        content = content.removeprefix(BOM).replace(b"\\u0000", b"\\ufffd")
        try:
            return msgspec.json.decode(content)
        except RecursionError as exc:
            raise Unread(f"{self.whom} gave JSON that is nested too deeply") from exc
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if "json" in kind:
                raise Unread(
                    f"{self.whom} gave an answer that is not valid JSON; look at the server and "
                    "the proxies between, then run again"
                ) from exc
            raise Unread(
                f"{self.whom} answered with {kind[:SHOWN] or 'something'} instead of JSON; check "
                "url, and whether a proxy or a sign-in page stands between"
            ) from exc

    def _refused(self, response: httpx.Response, content: bytes) -> str:
        status = response.status_code
        said = _said(content)
        if response.is_redirect:
            return (
                f"{self.whom} sends syncd to another page (status {status}), which was not "
                "followed; check url, and whether a sign-in page stands between"
            )
        if status == 401:
            return f"{self.whom} does not accept how syncd signs in (status 401); check auth"
        if status == 403:
            return (
                f"{self.whom} lets syncd in, but not read this (status 403); "
                "give it the right to read people there"
            )
        if status in {404, 410}:
            return f"{self.whom} has nothing at this address (status {status}){said}; check url"
        return f"{self.whom} turned the read down (status {status}){said}; check the settings"


def _lenient(content: bytes) -> object:
    """Return what a refusal holds, None where that is no JSON."""
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class _Said(msgspec.Struct):
    """The part of an error that SCIM and many others have."""

    detail: str = ""
    message: str = ""


def _said(content: bytes) -> str:
    """Return the server's own words about a request, if they are short and plain."""
    try:
        found = msgspec.json.decode(content, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    words = "".join(each for each in found.detail or found.message if each.isprintable())
    return f": {words[:SHOWN].strip().rstrip('.')}" if words.strip() else ""


def _moment(response: httpx.Response) -> datetime:
    """Return the server's time."""
    try:
        moment = parsedate_to_datetime(response.headers["Date"])
    except (KeyError, TypeError, ValueError):
        return datetime.now(UTC)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
