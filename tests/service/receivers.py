"""Receivers of notices for tests: a web server that answers as it is told, and a mail server."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

__all__ = ["Answer", "Inbox", "Mailbox", "inbox", "mailbox"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the web server answers, after it has waited for `after`, if that is given."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    after: threading.Event | None = None


@dataclass(slots=True)
class Inbox:
    """
    What a web server was sent. It answers with `answers` in turn, then always with success.

    `arrived` tells that something came; `meanwhile` is called before it answers.
    """

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    meanwhile: list[Any] = field(default_factory=list)

    def take(self, body: bytes) -> Answer:
        """Keep a message, and say how it is answered."""
        self.bodies.append(json.loads(body))
        self.arrived.release()
        for call in self.meanwhile:
            call()
        return self.answers.pop(0) if self.answers else Answer()

    def told(self) -> list[tuple[str, str]]:
        """Return event and phase of all messages that came."""
        return [(body["event"], body["phase"]) for body in self.bodies]


@contextlib.contextmanager
def inbox(*answers: Answer) -> Iterator[Inbox]:
    """Serve an inbox on this machine."""
    kept = Inbox(answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = kept.take(self.rfile.read(int(self.headers["Content-Length"])))
            if answer.after is not None:
                answer.after.wait(30)
            with contextlib.suppress(OSError):  # whoever asked may have gone
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_address[1]}/hook/hunter2"
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(slots=True)
class Mailbox:
    """What a mail server took, and who signed in there with which password."""

    port: int
    mails: list[Envelope] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    refuses: str | None = None

    async def handle_DATA(  # noqa: N802  # the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        if self.refuses is not None:
            return self.refuses
        self.mails.append(envelope)
        return "250 taken"

    def sign_in(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, given: object
    ) -> AuthResult:
        """Let in whoever knows the password."""
        assert isinstance(given, LoginPassword)
        self.logins.append((given.login, given.password))
        # What is not "handled" here the library answers.
        return AuthResult(success=given.password == b"hunter2", handled=False)


@contextlib.contextmanager
def mailbox(tls: ssl.SSLContext | None = None, *, implicit: bool = False) -> Iterator[Mailbox]:
    """Serve mail on this machine; with *tls* by STARTTLS, or from the first byte if *implicit*."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = Mailbox(port)
    controller = Controller(
        kept,
        hostname="127.0.0.1",
        port=port,
        ssl_context=tls if implicit else None,
        tls_context=None if implicit else tls,
        authenticator=kept.sign_in,
        auth_require_tls=not implicit and tls is not None,
    )
    controller.start()
    try:
        yield kept
    finally:
        controller.stop()
