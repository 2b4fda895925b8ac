"""
`syncd` in a process of its own, without the second that Python needs to import it.

One process imports the program and then waits; each command runs in a copy of it, with the folder,
the environment, the input and the outputs of its caller. Signals and exit codes are passed on, and
a command dies with its caller. Tests about starting, or about what kills a process, start
`python -m syncd` instead.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

__all__ = ["command"]


@cache
def command() -> tuple[str, ...]:
    """Return the words that stand for `syncd`, until this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="syncd-warm-")
    atexit.register(folder.cleanup)
    path = str(Path(folder.name, "socket"))
    process = subprocess.Popen(
        [sys.executable, "-X", "utf8", "-m", "tests.warm", path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    atexit.register(process.kill)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n", "the program cannot be imported"
    return (sys.executable, "-S", "-E", str(Path(__file__).parent / "call.py"), path)
