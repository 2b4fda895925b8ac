"""The sandbox as people start it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.office import ADA, WORLD, environ, syncd


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Serve a sandbox in a process of its own, for the length of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "syncd", "sandbox", "serve", *words],
        cwd=folder,
        env=environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def first_line(process: subprocess.Popen[str]) -> str:
    """Wait for what a sandbox prints once it listens."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_what_was_loaded_is_dumped(tmp_path: Path) -> None:
    """The first line is the URL; the dump can be loaded again, and says the same."""
    (tmp_path / "world.json").write_text(json.dumps(WORLD), encoding="utf-8")
    with serving(tmp_path, "--load", "world.json") as first:
        dump = syncd("sandbox", "dump", first_line(first), folder=tmp_path)
    (tmp_path / "again.json").write_text(dump.out, encoding="utf-8")
    with serving(tmp_path, "--load", "again.json") as second:
        again = syncd("sandbox", "dump", first_line(second), folder=tmp_path)

    assert (dump.code, first.returncode) == (0, 0)
    assert dump.json["systemusers"][0]["systemuserid"] == ADA
    assert again.out == dump.out


def test_a_seeded_company_can_be_planned_at_once(tmp_path: Path) -> None:
    """The files that seed writes fit the sandbox that it filled, which --db keeps."""
    with serving(tmp_path, "--db", "rows.db") as process:
        url = first_line(process)
        seeded = syncd("sandbox", "seed", url, "--people", "60", "--seed", "3", "--out", "co",
                       folder=tmp_path)  # fmt: skip
        planned = syncd("-c", "co/syncd.toml", "plan", "--json", folder=tmp_path)
    with serving(tmp_path, "--db", "rows.db") as process:
        kept = syncd("sandbox", "dump", first_line(process), folder=tmp_path)

    assert (seeded.code, planned.code) == (0, 0)
    assert seeded.out.split() == [str(Path("co/hr.csv")), str(Path("co/syncd.toml"))]
    assert sum(planned.json["situations"].values()) > 60
    assert len(kept.json["systemusers"]) > 60


def test_a_sandbox_may_speak_https(tmp_path: Path) -> None:
    """The second line names the certificate to trust."""
    with serving(tmp_path, "--tls") as process:
        url, certificate = first_line(process), first_line(process)
        there = Path(certificate).exists()
        dump = syncd("sandbox", "dump", url, folder=tmp_path)

    assert url.startswith("https://127.0.0.1:")
    assert there
    assert dump.json["systemusers"] == []


def test_what_cannot_be_served_is_one_sentence(tmp_path: Path) -> None:
    """A world, faults or an address that cannot be used end with 64."""
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    done = [
        syncd("sandbox", *words, folder=tmp_path)
        for words in (
            ("serve", "--load", "bad.json"),
            ("serve", "--faults", "absent.json"),
            ("serve", "--port", "99999"),
            ("dump", "http://127.0.0.1:1"),
            ("seed", "http://127.0.0.1:1"),
        )
    ]

    assert [each.code for each in done] == [64] * 5
    assert all(len(each.err.splitlines()) == 1 for each in done)
