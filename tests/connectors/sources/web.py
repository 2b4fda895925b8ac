"""A small real HTTP server whose answers are a function, faults included."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import httpx

from syncd.connectors.throttle import Throttle
from syncd.connectors.web import Site
from tests.connectors.dataverse.world import Clock

__all__ = ["Asked", "Reply", "Web", "relay", "serve", "site"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Its path."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """Its query; of parameters that come twice the last."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; *cut* closes the connection half way."""

    body: object = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False

    @property
    def content(self) -> bytes:
        """The bytes of the body: as they are, or as JSON."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Answer = Callable[[Asked], Reply]


@dataclass(slots=True)
class Web:
    """A running server; *answer* may be changed while it runs."""

    url: str
    answer: Answer
    asked: list[Asked] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, web: Web, *rest: object) -> None:
        self.web = web
        super().__init__(*rest)  # type: ignore[arg-type]  # what the server hands over

    def _reply(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        asked = Asked(self.command, self.path, dict(self.headers), body)
        self.web.asked.append(asked)
        reply = self.web.answer(asked)
        content = reply.content
        self.send_response_only(reply.status)
        usual = {"Content-Type": "application/json", "Date": self.date_time_string()}
        headers = {**usual, **reply.headers}
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if reply.cut else content)
        self.close_connection = self.close_connection or reply.cut

    do_GET = _reply  # noqa: N815  # http.server calls it so
    do_POST = _reply  # noqa: N815  # likewise

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def serve(answer: Answer) -> Iterator[Web]:
    """Run a server on this machine."""
    web = Web("", answer)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, web)) as server:
        server.daemon_threads = True
        web.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()


def relay(upstream: str, client: httpx.Client) -> Answer:
    """Return the answers of another server."""

    def answer(asked: Asked) -> Reply:
        got = client.get(upstream + asked.target, headers=asked.headers)
        kind = got.headers.get("Content-Type", "application/json")
        return Reply(got.content, got.status_code, {"Content-Type": kind})

    return answer


def site(url: str, clock: Clock | None = None, **settings: object) -> Site:
    """Reach a server without waiting: the clock jumps."""
    clock = clock or Clock()
    pace = partial(Throttle, clock=clock, sleep=clock.sleep)
    return Site(url, throttle=pace, **settings)  # type: ignore[arg-type]  # as Site has them
