"""The sandbox behind HTTP: Starlette for the request, uvicorn for the wire."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from syncd.sandbox.dataverse import Sandbox
from syncd.sandbox.errors import SandboxError
from syncd.sandbox.tls import Certificate

__all__ = ["Running", "serve"]

STARTUP = 30.0
"""Seconds in which the server must be up, and in which it must be down again."""
Connections = dict[Any, H11Protocol]


class Running:
    """
    A sandbox that is being served from a thread, for the length of a with-block.

    `url` is its base URL. Raises SandboxError if the address cannot be had.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: Certificate | None = None,
    ) -> None:
        self._socket = _listen(host, port)
        name = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{name}:{self._socket.getsockname()[1]}"
        self._connections = connections = Connections()
        self._server = uvicorn.Server(
            uvicorn.Config(
                _application(sandbox, connections),
                http=_protocol(connections),
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
                ssl_certfile=tls.certificate if tls else None,
                ssl_keyfile=tls.key if tls else None,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="sandbox", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in tuple(self._connections.values()):
            # Over TLS a connection that the client has left waits for a last word.
            with suppress(RuntimeError):  # the loop is closed: the server has ended by itself
                each.loop.call_soon_threadsafe(each.transport.abort)
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(STARTUP)
        self._socket.close()


def serve(
    sandbox: Sandbox,
    host: str,
    port: int,
    tls: Certificate | None,
    on_ready: Callable[[str], None],
) -> None:
    """
    Serve until SIGTERM or SIGINT, then return at once. For a program's main thread only.

    `on_ready` gets the base URL when connections are taken. Raises SandboxError as `Running`.
    """
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, lambda *_: stop.set())
    try:
        with Running(sandbox, host, port, tls) as running:
            on_ready(running.url)
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, so that the server sends small answers at once.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        # From here on the kernel takes connections, even before the server's first look.
        listening.listen(512)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise SandboxError(f"{host} port {port} cannot be listened on: {reason}.") from error
    return listening


def _protocol(connections: Connections) -> type[H11Protocol]:
    """Return uvicorn's protocol with a note of each connection, to be able to cut it."""

    class Noted(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            super().connection_made(transport)
            connections[self.client] = self

        def connection_lost(self, exc: Exception | None) -> None:
            connections.pop(self.client, None)
            super().connection_lost(exc)

    return Noted


def _application(
    sandbox: Sandbox, connections: Connections
) -> Callable[[Scope, Receive, Send], Any]:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        answer = sandbox.answer(
            request.method,
            scope["path"],
            scope["query_string"].decode("latin-1"),
            {**request.headers, "x-forwarded-proto": scope["scheme"]},
            body,
        )
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if answer.cut:
            connection = connections.get(tuple(scope["client"]))
            if connection is not None:
                connection.transport.abort()
            await receive()  # until uvicorn has seen it, else it would answer 500
            return
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers.items()
        ]
        if answer.status not in {204, 304}:
            headers.append((b"content-length", str(len(answer.content)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})

    return application
