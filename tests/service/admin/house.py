"""A daemon's board over a real state database, served on a port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pydantic import SecretStr

from syncd.app import App, build
from syncd.config import Config
from syncd.config.service import Admin
from syncd.core.errors import UsageError
from syncd.engine.parts import Clock
from syncd.service.admin import Check, EnvironmentState, Server, serve
from syncd.state.database import Database
from tests.cli.office import DAY, opened

TOKEN = "correct horse battery staple"


@dataclass
class FakeBoard:
    """A daemon that does nothing but say what it was told to say."""

    app: App
    database: Database
    well: bool = True
    beats: bool = True
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    refusal: str | None = None
    scrapes: int = 0
    broken: bool = False
    hold: threading.Event | None = None

    @property
    def config(self) -> Config:
        return self.app.config

    @property
    def clock(self) -> Clock:
        return self.app.clock

    def exposition(self) -> tuple[bytes, str]:
        self.scrapes += 1
        if self.hold is not None:
            self.hold.wait(10)
        return b"# HELP syncd_state_bytes Size.\nsyncd_state_bytes 1\n", "text/plain; version=0.0.4"

    def alive(self) -> bool:
        return self.beats

    def checks(self) -> Sequence[Check]:
        return [
            Check("database", ok=True, detail="answers"),
            Check("preflight contoso", ok=self.well, detail="rights are <complete> & fresh"),
        ]

    def environments(self) -> Sequence[EnvironmentState]:
        if self.broken:
            raise ZeroDivisionError
        return [
            EnvironmentState(
                name, kept_here=True, next={"delta": "2026-03-02T08:05:00Z"}, quarantined=None
            )
            for name in self.config.environments
        ]

    def request(self, environment: str, task: str, who: str) -> str:
        if self.refusal is not None:
            raise UsageError(self.refusal)
        self.asked.append((environment, task, who))
        return "started"


@contextmanager
def boards(folder: Path, *further: str, state: str | None = None) -> Iterator[FakeBoard]:
    """Give the board of a company that was reconciled once; *state* is a database's URL."""
    with opened(folder, *further) as office:
        if state is not None:
            with (folder / "syncd.toml").open("a", encoding="utf-8") as file:
                file.write(f'[state]\nurl = "{state}"\n')
        for name in ("contoso", *further):
            office.reconcile(name)
        app = build(folder / "syncd.toml", {"SYNCD_NOW": DAY})
        with app.database() as database:
            yield FakeBoard(app, database)


def settings(token: str | None = None, **more: object) -> Admin:
    """Return settings of a server on a port of the system's choice."""
    found = Admin.model_validate({"listen": "127.0.0.1:0", **more})
    return found.model_copy(update={"token": SecretStr(token)}) if token else found


@contextmanager
def served(board: FakeBoard, admin: Admin, patience: float | None = None) -> Iterator[Server]:
    """Serve a board."""
    server = serve(board, admin) if patience is None else Server(board, admin, patience)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def client(server: Server, headers: Mapping[str, str] | None = None) -> Iterator[httpx.Client]:
    """Give a client of a server."""
    base = f"http://127.0.0.1:{server.port}"
    with httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=30) as found:
        yield found
