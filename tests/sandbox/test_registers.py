"""Programs that are started to keep people, and what is said where one is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

from syncd.sandbox import SandboxError
from syncd.sandbox.registers.programs import find, free_port, running

SERVER = "-m", "http.server", "--bind", "127.0.0.1", "--directory"


def test_a_missing_program_is_named_with_what_to_install() -> None:
    """One sentence, with the remedy that belongs to it."""
    with pytest.raises(SandboxError) as caught:
        find("no-such-program", "install it with: apt install something")

    said = "The program no-such-program is not installed; install it with: apt install something."
    assert str(caught.value) == said


def test_a_program_that_does_not_start_says_why(tmp_path: Path) -> None:
    """The last thing that it said is the reason; nobody waits for the deadline."""
    command = ["/bin/sh", "-c", "echo starting; echo no room on the disk >&2; exit 3"]

    with pytest.raises(SandboxError) as caught, running(command, free_port(), tmp_path / "said"):
        pass

    assert str(caught.value) == "sh did not start: no room on the disk"


def test_a_program_ends_with_its_block(tmp_path: Path) -> None:
    """It answers inside, and its port is free afterwards."""
    port = free_port()
    command = [sys.executable, *SERVER, str(tmp_path), str(port)]

    with running(command, port, tmp_path / "said"):
        inside = httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)

    assert inside.status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
