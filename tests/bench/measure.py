"""Measure the cycles of one company on one database, in turn with the yardstick."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx

from tests.bench.bare import READING
from tests.bench.company import Company, Part, configuration, profiles
from tests.bench.cycle import Measured, Phase
from tests.bench.expected import Expected, differences, expected
from tests.bench.processes import BenchError, cycle, run, served

__all__ = ["Bench", "Cycle", "Figures", "NewState", "sqlite_program"]

BATCH = 100
BOUNDARY = "bench"

NewState = Callable[[], AbstractContextManager[str]]
"""Gives the URL of an empty state database, for the length of a with-block."""


@dataclass(slots=True)
class Cycle:
    """All measurements of one kind of cycle."""

    name: str
    runs: list[Measured] = field(default_factory=list)

    @property
    def typical(self) -> Measured:
        """The run in the middle."""
        return sorted(self.runs, key=Measured.seconds)[len(self.runs) // 2]

    @property
    def seconds(self) -> float:
        """How long a cycle takes up to its plan."""
        return self.typical.seconds()

    @property
    def peak(self) -> float:
        """The most memory of any run, in megabytes."""
        return max(run.peak for run in self.runs)


@dataclass(slots=True)
class Figures:
    """
    What was measured for one company on one database.

    `imports` are the yardstick's times: seconds on the wall, and of its processor; `bare` those
    of a program that reads, stores and joins the same, and decides nothing; `reading` those of
    one that only reads.
    """

    company: Company
    database: str
    imports: list[tuple[float, float]] = field(default_factory=list)
    bare: list[tuple[float, float]] = field(default_factory=list)
    reading: list[tuple[float, float]] = field(default_factory=list)
    cycles: dict[str, Cycle] = field(default_factory=dict)

    @property
    def yardstick(self) -> tuple[float, float]:
        """The import in the middle."""
        return _middle(self.imports)

    @property
    def least(self) -> tuple[float, float]:
        """The bare program in the middle."""
        return _middle(self.bare)

    @property
    def unkept(self) -> tuple[float, float]:
        """The reading in the middle of which nothing is kept."""
        return _middle(self.reading)


def sqlite_program() -> str:
    """Return the path of the yardstick. Raises BenchError if it is not installed."""
    found = shutil.which("sqlite3")
    if found is None:
        raise BenchError(
            "the program sqlite3 is the yardstick of this benchmark and is not installed; "
            "install it (Debian: apt-get install sqlite3)"
        )
    return found


@dataclass(slots=True)
class Bench:
    """One company in a folder of its own; `say` is told what is being done."""

    company: Company
    ownership: str
    batch: int
    database: str
    rounds: int
    folder: Path
    say: Callable[[str], None]
    figures: Figures = field(init=False)

    def __post_init__(self) -> None:
        self.figures = Figures(self.company, self.database)

    @property
    def csv(self) -> Path:
        """The file of the day."""
        return self.folder / "people.csv"

    def run(self, new_state: NewState) -> Figures:
        """Measure every kind of cycle. Raises BenchError if one finds what is not there."""
        self.say("making people and environment")
        self.company.write(self.csv, 1)
        with served(self.company) as url:
            for number in range(1, self.rounds + 1):
                last = number == self.rounds
                with new_state() as state:
                    self._configure(url, state)
                    if number == 1:
                        self.say("reading the environment once, unmeasured")
                        run(["tests.bench.cycle", str(self._file), "--warm"], 1)
                    self._import()
                    self._bare(url)
                    self._measure("cold", 1, self._expect(1, settled=False), apply=last)
                    if last:
                        self._settled()
                        self._second_day(url)
        return self.figures

    # --- parts ---------------------------------------------------------------------------

    @property
    def _file(self) -> Path:
        return self.folder / "syncd.toml"

    def _expect(self, day: int, *, settled: bool) -> Expected:
        return expected(self.company, self.ownership, day, settled=settled)

    def _configure(self, url: str, state: str) -> None:
        text = configuration(
            self.company,
            url=url,
            state=state,
            source=self.csv,
            ownership=self.ownership,
            batch_size=self.batch,
        )
        self._file.write_text(text, encoding="utf-8")

    def _settled(self) -> None:
        """Measure cycles in which nothing has changed; the first reads what the plan wrote."""
        wanted = self._expect(1, settled=True)
        self._measure("settling", 1, wanted, apply=True)
        for _ in range(self.rounds):
            self._import()
            _swap_last_lines(self.csv)
            self._measure("full no-op", 1, wanted, apply=True)
            self._import()
            self._measure("idle", 1, wanted, apply=True)
            self._measure("nothing new", 1, wanted, apply=True, delta=True)

    def _second_day(self, url: str) -> None:
        self.say("making the second day")
        self.company.write(self.csv, 2)
        _contradict(url, self.company)
        self._import()
        self._measure("second day", 2, self._expect(2, settled=False), apply=True)

    def _import(self) -> None:
        """Time the yardstick: a fresh file database, the program's own settings."""
        target = self.folder / "import.db"
        target.unlink(missing_ok=True)
        command = [sqlite_program(), str(target), f".import --csv {self.csv} people"]
        started, worked = time.perf_counter(), _worked()
        subprocess.run(command, check=True)
        self.figures.imports.append((time.perf_counter() - started, _worked() - worked))
        target.unlink()

    def _bare(self, url: str) -> None:
        """Time the least that a first cycle can take in this language, on SQLite."""
        found = json.loads(run(["tests.bench.bare", str(self.csv), url], 1))
        phases = [Phase(**each) for each in found]
        for alone, times in ((True, self.figures.reading), (False, self.figures.bare)):
            parts = [each for each in phases if (each.name == READING) is alone]
            times.append((sum(each.seconds for each in parts), sum(each.cpu for each in parts)))

    def _measure(
        self, name: str, day: int, wanted: Expected, *, apply: bool, delta: bool = False
    ) -> None:
        self.say(f"{name} cycle")
        options = [("--apply", apply), ("--delta", delta)]
        measured = cycle(self._file, day, *(option for option, on in options if on))
        self._check(name, wanted, measured, apply=apply)
        self.figures.cycles.setdefault(name, Cycle(name)).runs.append(measured)

    def _check(self, name: str, wanted: Expected, found: Measured, *, apply: bool) -> None:
        wrong = differences(wanted.situations, found.situations)
        wrong += differences(wanted.changes, found.changes)
        if apply:
            planned = sum(wanted.changes.values())
            wrong += differences({"applied": planned}, {"applied": found.applied})
            wrong += [found.problem] if found.problem else []
        if wrong:
            size, place = self.company.people, self.database
            raise BenchError(f"{name} cycle, {size} people, {place}: {'; '.join(wrong)}")


def _middle(times: list[tuple[float, float]]) -> tuple[float, float]:
    return sorted(times)[len(times) // 2]


def _worked() -> float:
    """Return the processor's seconds of all processes that we have started and that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _swap_last_lines(path: Path) -> None:
    """Change the order of the last two rows: another file for its digest, the same people."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - 4096)
        file.seek(start)
        lines = file.read().splitlines(keepends=True)
        lines[-2:] = [lines[-1], lines[-2]]
        file.seek(start)
        file.write(b"".join(lines))


def _contradict(url: str, company: Company) -> None:
    """Let somebody give a second row to the users whose rows contradict on the second day."""
    ids = [ident for ident, _ in profiles()]
    chosen = [n for n in range(company.people) if company.part(n, 2) is Part.CONFLICT]
    headers = {"Content-Type": f"multipart/mixed; boundary={BOUNDARY}"}
    with httpx.Client(base_url=f"{url}/api/data/v9.2/", headers=headers, timeout=60) as client:
        for start in range(0, len(chosen), BATCH):
            parts = []
            for place, number in zip(count(1), chosen[start : start + BATCH], strict=False):
                person = company.person(number)
                profile = ids[company.another(company.profile(person, 2))]
                parts.append(_create(place, person.second, person.user, profile))
            answer = client.post("$batch", content="".join([*parts, f"--{BOUNDARY}--\r\n"]))
            if answer.text.count("HTTP/1.1 204") != len(parts):
                raise BenchError(f"the sandbox refused rows: {answer.text[:500]}")


def _create(place: int, row: str, user: str, profile: str) -> str:
    body = {
        "usermobileofflineprofilemembershipid": row,
        "SystemUserId@odata.bind": f"/systemusers({user})",
        "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({profile})",
    }
    return (
        f"--{BOUNDARY}\r\nContent-Type: application/http\r\n"
        f"Content-Transfer-Encoding: binary\r\nContent-ID: {place}\r\n\r\n"
        "POST /api/data/v9.2/usermobileofflineprofilememberships HTTP/1.1\r\n"
        f"Content-Type: application/json\r\n\r\n{json.dumps(body)}\r\n"
    )
