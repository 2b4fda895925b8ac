"""
Socket, thread and patience of the web server.

The socket is bound before anything else happens, so that a port that is taken is an error
of the start. uvicorn then serves it from a thread of its own.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import threading
from collections.abc import Callable
from typing import Final

import uvicorn
from structlog import get_logger
from uvicorn.protocols.http.h11_impl import H11Protocol

from syncd.config.service import Admin
from syncd.core.errors import ConfigError
from syncd.service.admin.app import application
from syncd.service.admin.board import Board

__all__ = ["Server", "serve"]

PATIENCE: Final = 20.0
"""Seconds in which a client must get on: finish its request, or take some of the answer."""
LONGEST: Final = 300.0
"""Seconds that one request may take altogether."""
LARGEST: Final = 32 * 1024
"""Bytes that the head of a request may have."""
CONNECTIONS: Final = 4096
"""As many may be open; fewer where the process may not have so many files."""
ENDING: Final = 10.0
"""Seconds in which the server must be down."""


def _patient(patience: float) -> type[H11Protocol]:
    """Return uvicorn's protocol with an end to its patience; by itself it waits for ever."""

    class Patient(H11Protocol):
        _tick: asyncio.TimerHandle | None = None
        _done = 0
        _taken = 0
        _since = 0.0
        _stood = (0, 0, 0)

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            super().connection_made(transport)
            self._since = self.loop.time()
            self._tick = self.loop.call_later(patience, self._look)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._tick is not None:
                self._tick.cancel()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            self._done += 1
            self._since = self.loop.time()
            super().on_response_complete()

        def resume_writing(self) -> None:
            self._taken += 1
            super().resume_writing()

        def _look(self) -> None:
            """Cut a connection on which nothing was answered, nor taken, since the last look."""
            stands = (self._done, self._taken, self.transport.get_write_buffer_size())
            if stands == self._stood or self.loop.time() - self._since > LONGEST:
                self.transport.abort()
                return
            self._stood = stands
            self._tick = self.loop.call_later(patience, self._look)

    return Patient


class Server:
    """The web server. It may be started once."""

    def __init__(self, board: Board, settings: Admin, patience: float = PATIENCE) -> None:
        self._settings = settings
        self._socket: socket.socket | None = None
        self._server = uvicorn.Server(
            uvicorn.Config(
                application(board, _current(board, settings)),
                http=_patient(patience),
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",  # what clients do wrong is not our news
                access_log=False,
                server_header=False,
                proxy_headers=False,  # an address that a client may claim proves nothing
                limit_concurrency=_room(),
                h11_max_incomplete_event_size=LARGEST,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=2,
            )
        )
        self._thread = threading.Thread(target=self._run, name="admin", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on; of the operating system's choice where 0 was asked for."""
        assert self._socket is not None, "the server is not started"  # noqa: S101  # ours to know
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Bind, then serve from a thread. Raises ConfigError if the address cannot be had."""
        self._socket = _listen(self._settings.listen)
        self._thread.start()

    def stop(self) -> None:
        """End what is being answered, within seconds, and let go of the port."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(ENDING)
        if self._socket is not None:
            self._socket.close()

    def _run(self) -> None:
        try:
            self._server.run([self._socket] if self._socket else None)
        except Exception as error:  # noqa: BLE001  # the daemon works on without its web server
            get_logger().error("admin server ended", error=type(error).__name__)


def serve(board: Board, settings: Admin) -> Server:
    """
    Return the web server of a daemon; start it when the daemon is ready to be asked.

    *settings* count until the board has a configuration with other ones; only what is
    listened on stays.
    """
    return Server(board, settings)


def _current(board: Board, settings: Admin) -> Callable[[], Admin]:
    """Return what gives the settings in force."""
    first = board.config.settings.admin

    def current() -> Admin:
        now = board.config.settings.admin
        return settings if now == first else now

    return current


def _listen(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    try:
        found = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP,
            flags=socket.AI_PASSIVE,
        )  # fmt: skip
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            # A port whose last connections still linger is free; one that is listened on is not.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(1024)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            [
                f"admin.listen: {listen} cannot be listened on ({reason}); "
                "choose another address or port, or end the program that has it"
            ]
        ) from error
    return listening


def _room() -> int:
    """Return how many connections may be open; the rest of the files is for the work itself."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if soft == resource.RLIM_INFINITY else min(CONNECTIONS, max(64, soft // 2))
