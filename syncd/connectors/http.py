"""HTTP towards one host: no cookies, no redirects, one gate, and no token elsewhere."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.cookiejar import CookieJar
from ipaddress import ip_address

import httpx

from syncd import __version__
from syncd.connectors.governor import CONCURRENCY, Governor
from syncd.connectors.throttle import Throttle
from syncd.core.errors import ConfigError, TargetIncomplete, TargetUnreachable

__all__ = [
    "GATEWAY",
    "Channel",
    "Observe",
    "is_loopback",
    "lost",
    "open_client",
    "origin",
    "read_code",
    "retry_after",
    "seconds",
]

Observe = Callable[[str, str, float], None]
"""Is told of each request: operation (read, batch, single), status or "lost", seconds it took."""

RETRIES = 3
"""How often a read is tried again after a lost connection or a gateway's error."""
GATEWAY = frozenset({408, 500, 502, 503, 504})
"""Statuses that say nothing about the request itself."""
AGENT = f"syncd/{__version__}"
HEADERS = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "If-None-Match": "null",
}
"""On every request to a Web API (dataverse-web-api.md section 1.1)."""
CUT = (httpx.RemoteProtocolError, httpx.ReadError, httpx.DecodingError)
"""An answer that began and did not end, or is not HTTP."""
SENT = "syncd.sent"
"""Under this name a request carries when it was sent; no transport reads it."""
_visible = re.compile(r"[!-~]+").fullmatch
_parsed = lru_cache(maxsize=16)(httpx.URL)
"""Batches all go to one url, and to parse it takes a tenth of the time of sending one."""


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Return scheme, host and port: what a token may be sent to."""
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def is_loopback(url: str) -> bool:
    """Whether the url can only mean this machine."""
    host = httpx.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def retry_after(response: httpx.Response) -> float | None:
    """Return how many seconds the server wants to be left alone; None where it does not say."""
    return seconds(response.headers.get("Retry-After", ""), response)


def seconds(text: str, response: httpx.Response) -> float | None:
    """Read a Retry-After: seconds, or a date by the clock of the server that gave *response*."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        then = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None
    return max(0.0, then - _server_time(response))


def read_code(content: bytes) -> str:
    """Tell one refusal that has to do with lanes from all others (governor.CONCURRENCY)."""
    said = content.lower()
    crowded = CONCURRENCY.encode() in said or b"-2147015898" in said
    return CONCURRENCY if crowded else ""


def _server_time(response: httpx.Response) -> float:
    """Prefer the server's own clock: a pause must not depend on ours being right."""
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    except (TypeError, ValueError):
        return time.time()


def open_client(
    url: str,
    *,
    auth: httpx.Auth | None = None,
    headers: Mapping[str, str] = HEADERS,
    connections: int = 8,
    timeout: float = 60.0,
    ca_file: str | None = None,
    proxy: str | None = None,
    transport: httpx.BaseTransport | None = None,
    observe: Observe | None = None,
) -> httpx.Client:
    """
    Build a client for one server; *timeout* is in seconds, for each step of a request.

    Cookies are refused: ARRAffinity would tie all lanes to one web server and its
    limits (dataverse-web-api.md section 5.2). Proxies of the process's environment
    are not asked for addresses of this machine. *observe* is told of every answer,
    also of one after which the request is signed anew. Raises ConfigError if *ca_file*
    or *proxy* cannot be used.
    """
    try:
        return httpx.Client(
            auth=auth,
            headers={"User-Agent": AGENT, **headers},
            cookies=_Shut(),
            timeout=timeout,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            trust_env=not is_loopback(url),
            proxy=proxy,
            verify=_trust(url, ca_file, proxy),
            transport=transport,
            event_hooks=None if observe is None else Watch(observe).hooks(),
        )
    except (ValueError, httpx.InvalidURL) as exc:
        raise ConfigError(["http.proxy is not the url of a proxy; write http://host:port"]) from exc


class _Shut(CookieJar):
    """
    Takes no cookie and gives none.

    A policy that refuses all of them comes to the same, but each answer is looked through first.
    """

    def extract_cookies(self, response: object, request: object) -> None:
        """Leave the cookies of an answer where they are."""

    def add_cookie_header(self, request: object) -> None:
        """Add nothing: there are none."""


def _trust(url: str, ca_file: str | None, proxy: str | None) -> ssl.SSLContext:
    if httpx.URL(url).scheme == "http" and proxy is None:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used, and far quicker to build
    context = httpx.create_ssl_context(trust_env=not is_loopback(url))
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as exc:  # ssl.SSLError is one
            raise ConfigError(
                [f"http.ca_file {ca_file} cannot be used: it must be a readable PEM file"]
            ) from exc
    return context


@dataclass(frozen=True, slots=True)
class Watch:
    """Tells *observe* of each request that goes over a client."""

    observe: Observe

    def hooks(self) -> dict[str, list[Callable[..., None]]]:
        """Return what httpx is to call, also for each request that a sign-in repeats."""
        return {"request": [self.leaves], "response": [self.answered]}

    def leaves(self, request: httpx.Request) -> None:
        """Note when a request leaves."""
        request.extensions[SENT] = time.monotonic()

    def answered(self, response: httpx.Response) -> None:
        """Tell of an answer once all of it is here: one that breaks off is lost."""
        response.read()
        self._tell(response.request, str(response.status_code))

    def lost(self, request: httpx.Request) -> None:
        """Tell of a request without a complete answer."""
        self._tell(request, "lost")

    def _tell(self, request: httpx.Request, status: str) -> None:
        now = time.monotonic()
        took = now - request.extensions.get(SENT, now)
        self.observe(_operation(request), status, took)


def _operation(request: httpx.Request) -> str:
    if request.method == "GET":
        return "read"
    return "batch" if request.url.path.endswith("/$batch") else "single"


def lost(whom: str, exc: Exception, tries: int, *, local: bool) -> str:
    """
    Say of a source that a read came to nothing, *tries* times, and what to look at.

    No proxy stands before a *local* address.
    """
    if isinstance(exc, CUT):
        return (
            f"{whom} broke off its answer {tries} times; "
            "look at the network and the proxies between, then run again"
        )
    if isinstance(exc, httpx.TimeoutException):
        return f"{whom} gave no answer in time; see if it is up, or raise http.timeout"
    if "CERTIFICATE_VERIFY_FAILED" in str(exc):
        return (
            f"{whom} has a certificate that is not trusted; "
            "name the issuing authority in http.ca_file"
        )
    proxied = "" if local else " and the proxy"
    return f"{whom} could not be reached; check url, the network{proxied}"


class Channel:
    """Send requests to one environment, as many at a time as its governor lets through."""

    def __init__(
        self,
        client: httpx.Client,
        url: str,
        throttle: Throttle,
        observe: Observe | None = None,
        governor: Governor | None = None,
    ) -> None:
        self.throttle = throttle
        self.governor = governor or Governor(throttle)
        self._watch = None if observe is None else Watch(observe)
        base = httpx.URL(url.rstrip("/"))
        self.host = base.host
        self.path = base.path.rstrip("/") + "/api/data/v9.2/"
        self.root = str(base.copy_with(path=self.path))
        self._origin = origin(base)
        self._client = client

    @property
    def requests(self) -> int:
        """How many requests were sent so far."""
        return self.governor.ledger.requests

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def get(self, url: str, headers: dict[str, str] | None = None) -> httpx.Response:
        """
        Read *url*, byte for byte as it is written, and try again where that may help.

        Returns any answer that says something about the request. Raises
        TargetUnreachable, TargetIncomplete (it broke off every time, or the url
        leads to another host), TargetThrottled, TargetRefused or Stopped.
        """
        attempt = 0
        while True:
            try:
                response = self.send("GET", url, headers=headers)
            except (httpx.TransportError, httpx.DecodingError) as exc:
                if attempt == RETRIES:
                    raise self._lost(exc) from exc
                self.throttle.back_off(attempt)
            else:
                if response.status_code not in GATEWAY and response.status_code != 429:
                    self.throttle.passed()
                    return response
                self._refused(response, attempt)
                if response.status_code == 429:
                    continue
            attempt += 1

    def _refused(self, response: httpx.Response, attempt: int) -> None:
        """Wait as told, or give up."""
        pause = retry_after(response)
        if response.status_code == 429:
            return  # the gate is closed already
        if attempt == RETRIES:
            raise TargetUnreachable(
                f"{self.host} answered {response.status_code} {RETRIES + 1} times; "
                "see whether the environment is up, then run again"
            )
        if pause:
            self.throttle.told(pause)
        else:
            self.throttle.back_off(attempt)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
        operations: int = 1,
        rows: int = 0,
    ) -> httpx.Response:
        """
        Send once, as soon as a request may be sent; a 429 closes the gate before it returns.

        *operations* is what the request counts against the daily entitlement, *rows* is how
        many it writes. Raises what httpx raises, TargetIncomplete for another host, and
        TargetThrottled or Stopped where the wait does not end.
        """
        parsed, target = self._target(url)
        extensions = {"target": target}
        request = self._client.build_request(
            method, parsed, headers=headers, content=content, extensions=extensions
        )
        since = self.governor.enter(operations)
        answered: httpx.Headers | None = None
        try:
            response = self._client.send(request, follow_redirects=False)
            answered = response.headers
            if response.status_code == 429:  # before anybody takes the place of this one
                self.governor.told(retry_after(response), read_code(response.content))
        except (httpx.TransportError, httpx.DecodingError):
            if self._watch is not None:
                self._watch.lost(request)
            raise
        finally:
            good = answered is not None and response.is_success
            self.governor.leave(since, answered, rows if good else 0)
        return response

    def _target(self, url: str) -> tuple[httpx.URL, bytes]:
        """
        Return the url and, unchanged, what of it goes into the request line.

        httpx would encode some characters of a next link anew. Raises
        TargetIncomplete where the url leads elsewhere: our token would go along.
        """
        try:
            parsed = _parsed(url)
        except httpx.InvalidURL as exc:
            raise self._elsewhere() from exc
        if not _visible(url) or origin(parsed) != self._origin or parsed.userinfo:
            raise self._elsewhere()
        return parsed, b"/" + url.split("://", 1)[1].partition("/")[2].encode("ascii")

    def _elsewhere(self) -> TargetIncomplete:
        return TargetIncomplete(
            f"{self.host} gave a next link that does not lead back to it, so it was not followed; "
            "see whether a proxy rewrites its answers"
        )

    def _lost(self, exc: Exception) -> TargetUnreachable | TargetIncomplete:
        if isinstance(exc, httpx.DecodingError):
            return TargetIncomplete(
                f"{self.host} sent an answer that cannot be unpacked {RETRIES + 1} times: its "
                "compression is broken; look at proxies between, then run again"
            )
        if isinstance(exc, CUT):
            return TargetIncomplete(
                f"{self.host} broke off its answer {RETRIES + 1} times; "
                "look at the network and proxies between, then run again"
            )
        return TargetUnreachable(f"{self.host} could not be reached: {self.why(exc)}")

    def why(self, exc: Exception) -> str:
        """Say what went wrong with a connection, and what to look at."""
        if isinstance(exc, httpx.TimeoutException):
            return "no answer in time; see whether it is up, or raise http.timeout"
        if "CERTIFICATE_VERIFY_FAILED" in str(exc):
            return "its certificate is not trusted; name the issuing authority in http.ca_file"
        return f"{str(exc) or type(exc).__name__}; check the url, the network and the proxy"
