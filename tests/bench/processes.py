"""The processes that a measurement is made of: the environment, and whatever is measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.company import NOW, Company
from tests.bench.cycle import Measured, Phase

__all__ = ["BenchError", "cycle", "run", "served"]

ROOT = Path(__file__).parents[2]


class BenchError(Exception):
    """The benchmark cannot go on; its text says why."""


@contextmanager
def served(company: Company) -> Iterator[str]:
    """Start a sandbox with a company in it and yield its address; it is gone afterwards."""
    command = [sys.executable, "-m", "tests.bench.environment"]
    command += ["--people", str(company.people), "--seed", str(company.seed)]
    command += ["--restless"] if company.restless else []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                raise BenchError("the sandbox did not start; its words are above")
            yield url
        finally:
            process.terminate()


def run(module: Sequence[str], day: int) -> str:
    """Run one of our modules on a day; return what it prints. Raises BenchError if it fails."""
    environ = {**os.environ, "SYNCD_NOW": NOW[day]}
    done = subprocess.run(
        [sys.executable, "-m", *module],
        check=False,
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode != 0:
        raise BenchError(f"{module[0]} ended with {done.returncode}; its words are above")
    return done.stdout


def cycle(file: Path, day: int, *options: str) -> Measured:
    """Run one cycle in a process of its own. Raises BenchError if it fails."""
    found = json.loads(run(["tests.bench.cycle", str(file), *options], day))
    return Measured(**{**found, "phases": [Phase(**each) for each in found["phases"]]})
