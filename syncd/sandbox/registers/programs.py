"""Programs of others, started for as long as somebody needs them, and never longer."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from syncd.sandbox.errors import SandboxError

__all__ = ["find", "free_port", "running"]

PATIENCE = 30.0
"""Seconds in which a program must take connections."""
GUARDED = 'exec 3<&0; (read -r _ <&3; kill $$ 2>&-) & exec "$@" </dev/null 3<&-'
"""A shell that becomes the program, with a watcher that ends it when our end of a pipe closes."""
BESIDE = ("/usr/sbin", "/usr/local/sbin", "/usr/local/libexec")
"""Where servers are that not everybody has on the PATH."""


def find(name: str, remedy: str) -> str:
    """Return where a program is. Raises SandboxError, which says how to get it."""
    beside = Path(sys.executable).with_name(name)
    if beside.exists():
        return str(beside)
    found = shutil.which(name) or shutil.which(name, path=":".join(BESIDE))
    if found is None:
        raise SandboxError(f"The program {name} is not installed; {remedy}.")
    return found


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def running(command: Sequence[str], port: int, said: Path) -> Iterator[None]:
    """
    Run a program that listens on a port; what it says goes to a file.

    It ends with the block, and also if this process ends without another word. Raises
    SandboxError if it does not listen in time.
    """
    with said.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # programs that registers name
            ["/bin/sh", "-c", GUARDED, "sh", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # who types Ctrl-C asks syncd, which ends this in good order
        )
    try:
        _await(process, port, command[0], said)
        yield
    finally:
        _end(process)


def _await(process: subprocess.Popen[bytes], port: int, name: str, said: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
            break
    lines = said.read_text("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    raise SandboxError(f"{Path(name).name} did not start: {last[-200:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close our end of the pipe; a program that stays is killed."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
