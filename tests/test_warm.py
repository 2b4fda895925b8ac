"""The copy that stands for `syncd` in most tests behaves as the command does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm

COLD = (sys.executable, "-m", "syncd")


@pytest.mark.parametrize("words", [["--version"], ["plan"], ["nonsense"], ["sandbox"]])
def test_it_says_and_returns_what_the_command_does(words: list[str], tmp_path: Path) -> None:
    """Output, errors and exit code are the same, in a folder without a configuration."""
    cold, copy = (
        subprocess.run([*start, *words], check=False, cwd=tmp_path, capture_output=True)
        for start in (COLD, warm.command())
    )

    assert (copy.returncode, copy.stdout, copy.stderr) == (
        cold.returncode,
        cold.stdout,
        cold.stderr,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_it(number: int) -> None:
    """Whoever asks the caller to stop asks the command to stop."""
    with serving() as process:
        os.kill(process.pid, number)

        assert process.wait(20) == 0


def test_it_dies_with_its_caller() -> None:
    """Its output ends, because nobody holds it any more."""
    with serving() as process:
        assert process.stdout is not None
        process.kill()

        assert process.stdout.read() == b""


def serving() -> subprocess.Popen[bytes]:
    """Start a sandbox, which runs until it is stopped; it runs when this returns."""
    words = [*warm.command(), "sandbox", "serve"]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"http://")
    return process
