"""What the mapping makes of the first rows, from sources of every form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from syncd.connectors.records import Batch, Course, RowReading, Unread
from syncd.connectors.sources.files import CsvSource, JsonlSource
from syncd.core.cells import Field, Type
from syncd.core.mapping import PersonMapping
from syncd.core.ports import Known, Source
from syncd.engine.checking import FieldSeen, Preview, preview
from syncd.engine.parts import Silent

MAPPING = PersonMapping(
    Field("id"),
    enabled=Field("on", type=Type.BOOL),
    leaves_on=Field("last", type=Type.DATE),
    attributes={"team": Field("team"), "roles": Field("roles", split=";")},
)
ROWS = [
    {"id": f"E{n}", "on": "yes", "last": "2026-09-30" if n else "", "team": "A", "roles": "x;y",
     "site": "Lyon"}
    for n in range(9)
]  # fmt: skip


@dataclass
class Paged:
    """A source of rows by name that comes in pages of two, and breaks off where it is told to."""

    broken: int | None = None
    given: list[int] = field(default_factory=list)
    name: str = "hr"
    shape: str = "1"

    def read(self, known: Known) -> RowReading:
        """Read all of it."""
        return RowReading("hr", known, MAPPING, self._read)

    def _read(self, _token: str | None, _course: Course) -> Iterator[Batch]:
        for start in range(0, len(ROWS), 2):
            if start == self.broken:
                raise Unread("the server is gone")
            self.given.append(start)
            yield Batch([(None, row) for row in ROWS[start : start + 2]])


def sources(folder: Path) -> Iterator[Source]:
    """Give the same rows in every form."""
    names = list(ROWS[0])
    lines = [",".join(names), *(",".join(row.values()) for row in ROWS)]
    (folder / "hr.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    objects = [str(row).replace("'", '"') for row in ROWS]
    (folder / "hr.jsonl").write_text("\n".join(objects) + "\n", encoding="utf-8")
    yield CsvSource("hr", folder / "hr.csv", MAPPING)
    yield JsonlSource("hr", folder / "hr.jsonl", MAPPING)
    yield Paged()


def looked(source: Source, rows: int = 0, people: int = 1) -> Preview:
    """Look at the first rows of a source."""
    return preview(source, MAPPING, Silent(), people=people, rows=rows)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_preview_is_the_same_from_every_form(tmp_path: Path, which: int) -> None:
    """Values are as rules see them; empty cells are counted; other columns are named."""
    found = looked(list(sources(tmp_path))[which], people=2)

    assert (found.rows, found.whole, found.findings, found.held, found.doubled) == (
        9, True, (), 0, 0,
    )  # fmt: skip
    assert found.unmapped == ("site",)
    assert found.fields == (
        FieldSeen("key", "id", 0),
        FieldSeen("enabled", "on", 0),
        FieldSeen("leaves_on", "last", 1),
        FieldSeen("team", "team", 0),
        FieldSeen("roles", "roles", 0),
    )
    assert found.people[1]["leaves_on"] == date(2026, 9, 30)
    assert found.people[1]["roles"] == ("x", "y")
    assert found.people[1]["enabled"] is True


def test_no_more_is_read_than_is_looked_at() -> None:
    """A directory of a million people answers at once; its columns are known all the same."""
    source = Paged()
    found = looked(source, rows=3)

    assert (found.rows, found.whole) == (3, False)
    assert source.given == [0, 2]
    assert found.unmapped == ("site",)


def test_a_read_that_breaks_off_shows_what_came() -> None:
    """And says why there is no more."""
    found = looked(Paged(broken=4))

    assert found.rows == 4
    assert found.findings == ("the server is gone",)


def test_cells_that_do_not_fit_are_quoted(tmp_path: Path) -> None:
    """A format that was forgotten is seen before anybody is held."""
    (tmp_path / "hr.csv").write_text("id,on,last,team,roles\nE1,yes,30.9.26,A,\n", "utf-8")
    found = looked(CsvSource("hr", tmp_path / "hr.csv", MAPPING))

    assert found.held == 1
    assert len(found.problems) == 1
    assert '"last"' in found.problems[0]
