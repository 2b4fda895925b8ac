"""Put up what the demo needs, let the story be told, and take everything down again."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from syncd.app import App
from syncd.cli import render
from syncd.cli.story import Story, tell
from syncd.config import load
from syncd.sandbox import Running, Sandbox, Store, make_company, move_in, run_dump
from syncd.sandbox.registers import Kind, Register, open_register

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["perform"]

SEED = 1
POLICY = """
[policy]
ownership = "exclusive"   # syncd alone decides about the profiles that rules name
"""


@dataclass(slots=True)
class Clock:
    """Stands still while the story is told; shows the real time once `fixed` is None."""

    fixed: datetime | None = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.fixed or datetime.now(UTC)


def perform(people: int, kind: Kind, *, keep: bool, stop: Event) -> None:
    """
    Tell the story of a company with so many people, start to end; *kind* says where they are.

    With *keep* the sandbox runs on until somebody asks to stop, and the folder stays.
    Raises Stopped if that happens before the end, SandboxError if a program is missing.
    """
    out = render.console()
    # The story ends today, so that whoever plays on with it finds nothing from the future.
    clock = Clock(datetime.now(UTC) - timedelta(days=1))
    with (
        _folder() as (folder, stay),
        Running(Sandbox(Store(), clock=clock)) as sandbox,
        open_register(kind, folder, sandbox.url, lambda: clock().date()) as register,
    ):
        company = make_company(people, SEED, clock().date())
        configuration, known = move_in(company, sandbox.url, register, folder)
        with configuration.open("a", encoding="utf-8") as file:
            file.write(POLICY)
        app = App(load(configuration, {}), clock, stop)
        with app.database() as database:
            morning = clock() + timedelta(days=1)
            scene = Story(
                out, app, database, register, known, sandbox.url, lambda: _wake(clock, morning)
            )
            tell(scene)
        if keep:
            stay.set()
            clock.fixed = None
            _play_on(out, folder, sandbox.url, register, stop)


def _wake(clock: Clock, morning: datetime) -> None:
    clock.fixed = morning


@contextlib.contextmanager
def _folder() -> Iterator[tuple[Path, Event]]:
    """Give a folder, and what to set if it shall stay."""
    folder, stay = Path(tempfile.mkdtemp(prefix="syncd-demo-")), Event()
    try:
        yield folder, stay
    finally:
        if not stay.is_set():
            shutil.rmtree(folder, ignore_errors=True)


def _play_on(out: Console, folder: Path, url: str, register: Register, stop: Event) -> None:
    """Say how to play, wait until it is over, and leave a way back."""
    out.print()
    out.print(render.styled(("Everything is still running", "bold"), "; in another terminal:"))
    # No folding: a command must be copied in one piece.
    out.print(f"  export SYNCD_CONFIG={folder / 'syncd.toml'}", soft_wrap=True)
    commands = [
        ["syncd status", "how the environment stands"],
        ["syncd conflicts list", "who has rows that contradict each other"],
        ["syncd plan", "what would be done now"],
        ["syncd reconcile", "do it"],
    ]
    out.print(render.columns(commands))
    out.print(f"  syncd sandbox dump {url}", soft_wrap=True)
    out.print()
    for line in register.words.play:
        out.print(line, soft_wrap=True, markup=False, highlight=False)
    out.print("Ctrl-C ends the sandbox.")
    stop.wait()
    world = folder / "world.json"
    world.write_text(run_dump(url), encoding="utf-8")
    port = url.rpartition(":")[2]
    out.print()
    out.print("The folder stays. To go on where you left off:")
    out.print(f"  syncd sandbox serve --port {port} --load {world}", soft_wrap=True)
    if register.words.later:
        out.print(register.words.later)
