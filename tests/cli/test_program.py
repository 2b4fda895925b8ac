"""What holds for every command: help, usage errors, pipes, completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.office import Office, environ, opened, syncd

HEAVY = ("sqlalchemy", "httpx", "pydantic", "msal", "starlette", "cel", "structlog")


def test_help_teaches_and_lists_every_command(tmp_path: Path) -> None:
    """Whoever types `syncd --help` sees where to begin, and what there is."""
    done = syncd("--help", folder=tmp_path)

    assert done.code == 0
    assert "syncd demo" in done.out
    for command in ("plan", "apply", "reconcile", "explain", "status", "runs", "audit"):
        assert f"│ {command} " in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_commands_of_a_run_import_nothing_heavy() -> None:
    """Help and usage errors answer at once, so modules are imported by who needs them."""
    program = (
        "import sys; import syncd.cli.run, syncd.cli.look; "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["reconsile"], "Did you mean 'reconcile'?"),
        (["plan", "--jsn"], "--json"),
        (["apply"], "missing argument 'plan'"),
        (["plan", "--as-of"], "requires an argument"),
        (["status"], "syncd -c FILE"),
        (["-c", "nowhere.toml", "status"], "nowhere.toml"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_wrong_usage_is_one_sentence_and_64(
    words: list[str], sentence: str, tmp_path: Path
) -> None:
    """It says what is wrong and what to type instead."""
    done = syncd(*words, folder=tmp_path)

    assert done.code == 64
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert sentence in done.err


def test_words_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """No database stores a byte that is not UTF-8, and nobody is called so."""
    done = syncd("explain", "ada\udcff", folder=tmp_path)

    assert (done.code, done.out) == (64, "")
    assert done.err == "syncd: word 2 of the command is not UTF-8; type it again\n"


def test_what_is_typed_cannot_steer_a_terminal(tmp_path: Path) -> None:
    """A sentence quotes it, and names that come from other systems."""
    with opened(tmp_path) as office:
        office.reconcile()
        done = office("explain", "\x1b]0;owned\x07ada")

    assert done.code == 64
    assert done.err.startswith("syncd: \ufffd]0;owned\ufffdada: neither")


def test_an_environment_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The sentence lists those that are."""
    with opened(tmp_path) as office:
        done = office("plan", "--environment", "contosso")

    assert done.code == 64
    assert "there are contoso" in done.err


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """`| head` ends quietly, and a run keeps its exit code."""
    with opened(tmp_path) as office:
        codes = [_unread(office, *words) for words in (("reconcile", "--json"), ("audit",))]

    assert codes == [(0, False), (0, False)]


def _unread(office: Office, *words: str) -> tuple[int, bool]:
    """Run a command whose output nobody reads; return its code, and whether it complained."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "syncd", "-c", "syncd.toml", *words],
            check=False,
            cwd=office.folder,
            env={**environ(), "SYNCD_NOW": "2026-03-02T08:00:00Z"},
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        )
    return done.returncode, "BrokenPipe" in done.stderr or "syncd: " in done.stderr


def test_a_shell_can_complete_commands_and_environments(tmp_path: Path) -> None:
    """What `--install-completion` installs asks the program itself."""
    with opened(tmp_path, "fabrikam") as office:
        asked = {"_SYNCD_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
        commands = syncd(folder=office.folder, COMP_WORDS="syncd rec", **asked)
        asked["COMP_CWORD"] = "5"
        words = "syncd -c syncd.toml plan --environment fab"
        names = syncd(folder=office.folder, COMP_WORDS=words, **asked)

    assert commands.out.split() == ["reconcile"]
    assert names.out.split() == ["fabrikam"]
