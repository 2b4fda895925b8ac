"""What every source owes the engine, shown on each of them against the real system."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import pytest

from syncd.core.ports import Known, ReadFacts, Record, Source
from tests.connectors.sources.backends import Backend

BACKENDS = {
    "csv": "files.open_csv",
    "csv-drops": "files.open_drops",
    "jsonl": "files.open_jsonl",
    "graph": "graph.open_graph",
    "sql-postgresql": "sql.open_postgresql",
    "sql-sqlite": "sql.open_sqlite",
    "openldap": "openldap.open_people",
    "scim": "scim.open_scim",
    "http-json": "http_json.open_export",
    "samba-usn": "samba.open_usn",
    "samba-dirsync": "samba.open_dirsync",
}
"""By name: a module of `backends` and the context manager in it that opens one in a folder."""
SERVERS = {
    "sql-postgresql": "postgresql_server",
    "samba-usn": "domain_controller",
    "samba-dirsync": "domain_controller",
}
"""Fixtures of servers that start once for all tests; the opener takes one beside the folder."""
INCREMENTAL: tuple[str, ...] = ("graph", "http-json", "samba-usn", "samba-dirsync")
"""Those that can read only what changed, deletions too."""
SLOW = {"samba-usn", "samba-dirsync"}
"""Those that take long to lay out; they have their turn in the campaign."""
PEOPLE = 7


def cells(which: int, department: str = "field") -> dict[str, str]:
    """Describe somebody."""
    return {
        "employee_id": f"E{which}",
        "mail": f"person{which}@contoso.com",
        "department": department,
    }


def turns(names: Iterable[str]) -> list[object]:
    """Give the backends as parameters; the slow ones are marked."""
    slow = pytest.mark.campaign
    return [pytest.param(each, marks=slow) if each in SLOW else each for each in names]


@pytest.fixture(params=turns(BACKENDS))
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Give each system in turn, with seven people."""
    module, opener = BACKENDS[request.param].split(".")
    opened = getattr(import_module(f"tests.connectors.sources.backends.{module}"), opener)
    server = SERVERS.get(request.param)
    needed = [] if server is None else [request.getfixturevalue(server)]
    with opened(tmp_path, *needed) as system:
        for which in range(PEOPLE):
            system.put(f"K{which}", cells(which))
        yield system


@dataclass(slots=True)
class Memory:
    """What the engine keeps of a source: the marks of all rows, and where changes go on."""

    marks: dict[bytes, str] = field(default_factory=dict)
    content: bytes | None = None
    token: str | None = None

    def read(self, source: Source, *, delta: bool = False) -> tuple[dict[str, Record], ReadFacts]:
        """Read, remember what a certified read would, and return what was given."""
        token = self.token if delta else None
        reading = source.read(Known(self.content, lambda: set(self.marks), token))
        given = {record[0]: record for page in reading for record in page}
        facts = reading.facts
        if not facts.findings:
            if not facts.partial:
                self.marks = {m: k for m, k in self.marks.items() if m not in facts.gone}
            self.marks |= {record[1]: key for key, record in given.items() if record[1]}
            self.content, self.token = facts.content, facts.token
        return given, facts


def test_a_first_read_gives_everybody(backend: Backend) -> None:
    """Once each, mapped, with a mark; it has nothing to complain of."""
    given, facts = Memory().read(backend.source())

    assert sorted(given) == [f"K{which}" for which in range(PEOPLE)]
    assert [given["K3"][place] for place in (3, 5, 9)] == [
        "E3",
        "person3@contoso.com",
        '{"department":"field"}',
    ]
    assert len({record[1] for record in given.values()}) == PEOPLE
    assert (facts.rows, facts.findings, facts.usable) == (PEOPLE, (), True)


def test_what_is_known_is_not_given_again(backend: Backend) -> None:
    """A second read gives nothing, and misses nobody."""
    memory, source = Memory(), backend.source()
    memory.read(source)
    given, facts = memory.read(source)

    assert given == {}
    assert facts.gone == set()
    assert facts.unchanged or facts.rows == PEOPLE


def test_only_what_changed_is_given(backend: Backend) -> None:
    """Somebody new, somebody else, and whoever is not shown any more."""
    memory, source = Memory(), backend.source()
    memory.read(source)
    before = dict(memory.marks)
    backend.put("K1", cells(1, "depot"))
    backend.put("K9", cells(9))
    backend.delete("K2")
    given, facts = memory.read(source)

    assert sorted(given) == ["K1", "K9"]
    assert given["K1"][9] == '{"department":"depot"}'
    assert sorted(before[mark] for mark in facts.gone) == ["K1", "K2"]
    assert facts.rows == PEOPLE


def test_a_read_that_breaks_off_has_a_finding(backend: Backend) -> None:
    """One sentence, no exception; and nothing to go on from."""
    memory, source = Memory(), backend.source()
    memory.read(source)
    backend.break_off()
    _, facts = memory.read(source)

    assert len(facts.findings) == 1
    assert "Traceback" not in facts.findings[0]
    assert facts.token is None


def test_the_shape_says_when_records_are_made_in_another_way(backend: Backend) -> None:
    """The same settings have the same shape."""
    assert backend.source().shape == backend.source().shape


@pytest.mark.parametrize("backend", turns(INCREMENTAL), indirect=True)
def test_changes_are_read_as_changes(backend: Backend) -> None:
    """With a token only what changed comes, deletions by the beginning of their mark."""
    memory, source = Memory(), backend.source()
    memory.read(source)
    before = {mark[:8]: key for mark, key in memory.marks.items()}
    backend.put("K1", cells(1, "depot"))
    backend.put("K9", cells(9))
    backend.delete("K2")
    given, facts = memory.read(source, delta=True)
    again, later = memory.read(source, delta=True)

    assert facts.partial
    assert {"K1", "K9"} <= given.keys()
    assert "K2" not in given
    assert [before[beginning] for beginning in facts.gone] == ["K2"]
    assert later.findings == ()
    assert again.keys() <= given.keys()
