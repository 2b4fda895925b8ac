"""
What reading the environment takes, and which part of it: the wire, decoding, storing.

    python -m tests.bench.reading FILE

reads users and memberships into an empty state database, in a process of its own, and prints one
JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar, cast

import httpx

from syncd.app import build
from syncd.connectors.auth import NoAuth
from syncd.connectors.dataverse import DataverseTarget, open_target
from syncd.core.hints import Hint
from syncd.core.model import Rung
from syncd.core.ports import MembershipRow, Pages, Remembered, Target, UserRow
from syncd.state import accounts, observed
from syncd.state.database import Database
from tests.bench.cycle import ENVIRONMENT

__all__ = ["Read", "lines"]

Row = TypeVar("Row")
SAMPLE = 40
"""Pages of each table that are decoded once more, to see what that takes by itself."""
LINK = re.compile(rb'"@odata\.nextLink":"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Read:
    """
    How the read of one table went, in seconds.

    `wire` is the time in which at least one request was out, `decoding` what the rows take
    where the answers are there already, `storing` the time in which no page was waited for.
    They overlap: `seconds` is less than their sum.
    """

    table: str
    rows: int
    seconds: float
    wire: float
    decoding: float
    storing: float


@dataclass(slots=True)
class _Wire:
    """Sends requests, takes the time in which any is out, and keeps the first answers."""

    inner: httpx.BaseTransport = field(default_factory=httpx.HTTPTransport)
    seconds: float = 0.0
    kept: dict[str, httpx.Response] = field(default_factory=dict)
    _out: int = 0
    _since: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._count(1)
        try:
            answer = self.inner.handle_request(request)
            answer.read()
        finally:
            self._count(-1)
        if len(self.kept) < SAMPLE:
            self.kept[str(request.url)] = answer
        return answer

    def _count(self, more: int) -> None:
        with self._lock:
            now = time.perf_counter()
            self.seconds += now - self._since if self._out else 0.0
            self._out, self._since = self._out + more, now

    def close(self) -> None:
        """Close the connections."""
        self.inner.close()


@dataclass(slots=True)
class _Again:
    """Gives the kept answers again; the last of them ends the table."""

    kept: dict[str, httpx.Response]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.kept[str(request.url)]
        link = LINK.search(answer.content)
        content = answer.content
        if link and link[1].decode() not in self.kept:
            content = LINK.sub(rb'"@odata.deltaLink":"\1"', content)
        headers = {"Content-Type": answer.headers["Content-Type"], "OData-Version": "4.0"}
        return httpx.Response(answer.status_code, headers=headers, content=content)

    def close(self) -> None:
        """There is nothing to close."""


@dataclass(slots=True)
class _Timed:
    """A target that takes the time in which its pages are waited for."""

    target: DataverseTarget
    rows: int = 0
    waiting: float = 0.0

    def users(
        self, known: set[str], hints: Sequence[Hint] = (), memory: Remembered | None = None
    ) -> Pages[UserRow]:
        """Give what the target gives."""
        return self._timed(self.target.users(known, hints, memory))

    def memberships(
        self, known: set[str], memory: Remembered | None = None
    ) -> Pages[MembershipRow]:
        """Give what the target gives."""
        return self._timed(self.target.memberships(known, memory))

    def _timed(self, read: Pages[Row]) -> Pages[Row]:
        read.pages = self._between(read.pages)
        return read

    def _between(self, pages: Iterator[Sequence[Row]]) -> Iterator[Sequence[Row]]:
        since = time.perf_counter()
        for page in pages:
            self.waiting += time.perf_counter() - since
            self.rows += len(page)
            yield page
            since = time.perf_counter()
        self.waiting += time.perf_counter() - since


def _reads(database: Database, url: str, match: Sequence[Rung]) -> Iterator[Read]:
    """Read both tables into the state database, in one transaction as a run does."""
    with database.begin() as tx:
        env = observed.environment(tx, ENVIRONMENT, url)
        rungs = ",".join(match)
        yield _measured("users", url, lambda target: accounts.users(tx, env, target, rungs))
        yield _measured("memberships", url, lambda target: observed.memberships(tx, env, target))


def _measured(table: str, url: str, store: Callable[[Target], object]) -> Read:
    wire = _Wire()
    with _open(url, wire) as target:
        timed = _Timed(target)
        since = time.perf_counter()
        store(cast("Target", timed))
        seconds = time.perf_counter() - since
    return Read(
        table=table,
        rows=timed.rows,
        seconds=seconds,
        wire=wire.seconds,
        decoding=_decoding(table, url, wire.kept, timed.rows),
        storing=seconds - timed.waiting,
    )


def _decoding(table: str, url: str, kept: dict[str, httpx.Response], rows: int) -> float:
    """Return how long so many rows take to be decoded, by a sample of the answers."""
    with _open(url, _Again(kept)) as target:
        pages = target.users(set()) if table == "users" else target.memberships(set())
        since = time.perf_counter()
        number = sum(len(page) for page in pages)
        return (time.perf_counter() - since) * rows / number


def _open(url: str, transport: _Wire | _Again) -> DataverseTarget:
    return open_target(url=url, auth=NoAuth(url), transport=cast("httpx.BaseTransport", transport))


def measure(file: Path) -> list[Read]:
    """Read with the settings of a configuration file."""
    app = build(file, os.environ)
    url = app.config.environments[ENVIRONMENT].url
    with app.database() as database:
        return list(_reads(database, url, app.config.policy(ENVIRONMENT).match))


def lines(found: Sequence[Read], database: str) -> Iterator[str]:
    """Give the lines that say how the reads went."""
    yield f"reading the environment into an empty state database, {database}"
    yield (
        f"  {'':14}{'rows':>10}{'seconds':>9}{'rows/s':>10}{'wire':>7}{'decode':>8}{'store':>7}"
        f"{'of sum':>8}{'bound':>7}"
    )
    for each in found:
        parts = each.wire, each.decoding, each.storing
        wire, decoding, storing = (f"{100 * part / sum(parts):.0f} %" for part in parts)
        yield (
            f"  {each.table:14}{each.rows:10,}{each.seconds:9.2f}"
            f"{each.rows / each.seconds:10,.0f}{wire:>7}{decoding:>8}{storing:>7}"
            f"{each.seconds / sum(parts):8.2f}{each.seconds / max(parts):7.2f}"
        )
    yield (
        "  wire: requests were out; decode: measured once more by itself; store: no page was "
        "waited for."
    )
    yield "  of sum: less than 1 where they overlap; bound: times of the longest of them"


def main() -> None:
    """Read, and print what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    print(json.dumps([asdict(each) for each in measure(parser.parse_args().file)]))


if __name__ == "__main__":
    main()
