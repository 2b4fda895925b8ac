"""Stand-ins for what would be hard to bring about: a process that dies at a chosen moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from syncd.state.database import Database, Tx

__all__ = ["Killed", "MortalDatabase", "MortalDoor", "Reaper"]


class Killed(BaseException):
    """The process is gone. No part of the program catches this."""


@dataclass(slots=True)
class Reaper:
    """Counts the moments at which a process can die, and lets it die at the chosen one."""

    at: int | None = None
    dead: bool = False
    moments: list[str] = field(default_factory=list)

    def moment(self, name: str) -> None:
        """Die here, if this is the moment; stay dead for ever after."""
        if self.dead:
            raise Killed
        self.moments.append(name)
        if self.at is not None and len(self.moments) > self.at:
            self.dead = True
            raise Killed

    def choose(self, number: int) -> int:
        """Choose a moment of a life that was lived to its end; seven in eight after the plan."""
        planned = self.moments.index("after plan") if "after plan" in self.moments else 0
        first = 0 if number % 8 == 0 else planned
        return first + number // 8 % (len(self.moments) - first)


@dataclass(slots=True)
class MortalDoor(httpx.BaseTransport):
    """A transport that dies before a request leaves, or after the other side has done its work."""

    door: httpx.BaseTransport
    reaper: Reaper

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name = f"{request.method} {request.url.path.rpartition('/')[2]}"
        self.reaper.moment(f"before {name}")
        response = self.door.handle_request(request)
        self.reaper.moment(f"after {name}")
        return response


@dataclass(slots=True)
class MortalDatabase:
    """A state database whose process dies before or after a commit."""

    database: Database
    reaper: Reaper

    @contextmanager
    def begin(self) -> Iterator[Tx]:
        """Open a transaction that may never be committed."""
        with self._watched("plan"), self.database.begin() as tx:
            yield tx
            self.reaper.moment("before plan")

    @contextmanager
    def durable(self) -> Iterator[Tx]:
        """Likewise."""
        with self._watched("journal"), self.database.durable() as tx:
            yield tx
            self.reaper.moment("before journal")

    def __getattr__(self, name: str) -> object:
        return getattr(self.database, name)

    @contextmanager
    def _watched(self, name: str) -> Iterator[None]:
        if self.reaper.dead:
            raise Killed
        yield
        self.reaper.moment(f"after {name}")
