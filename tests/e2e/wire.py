"""A cable between a daemon and its PostgreSQL that can be pulled out."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Cable", "cable"]


@dataclass(slots=True)
class Cable:
    """Forwards connections to a server's socket; while it is out, nothing comes through."""

    folder: Path
    port: int
    out: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, database: str) -> str:
        """Return the URL of a database behind the cable."""
        return f"postgresql+psycopg://syncd@127.0.0.1:{self.port}/{database}?connect_timeout=2"

    def forward(self, near: socket.socket) -> None:
        """Carry one connection, both ways."""
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(str(self.folder / ".s.PGSQL.5432"))
            other = {near: far, far: near}
            while not self.over.is_set():
                ready, _, _ = select.select([near, far], [], [], 0.1)
                if self.out.is_set():
                    self.over.wait(0.1)
                    continue
                for side in ready:
                    data = side.recv(65536)
                    if not data:
                        return
                    other[side].sendall(data)


@contextmanager
def cable(folder: Path) -> Iterator[Cable]:
    """Lay a cable to the server whose socket is in *folder*."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        laid = Cable(folder, listening.getsockname()[1])

        def accept() -> None:
            with suppress(OSError):
                while True:
                    near, _ = listening.accept()
                    carry = threading.Thread(target=_carried, args=(laid, near), daemon=True)
                    carry.start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield laid
        finally:
            laid.over.set()
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def _carried(laid: Cable, near: socket.socket) -> None:
    with suppress(OSError):
        laid.forward(near)
