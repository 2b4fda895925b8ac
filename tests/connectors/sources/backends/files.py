"""Files of people, written anew for each change."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from syncd.connectors.sources.files import CsvSource, JsonlSource
from syncd.core.ports import Source
from tests.connectors.sources.backends import MAPPING, Cells

HEADER = ("key", "employee_id", "mail", "department")


@dataclass(slots=True)
class Files:
    """A CSV or a JSON Lines file."""

    path: Path
    people: dict[str, Cells] = field(default_factory=dict)

    def put(self, key: str, cells: Cells) -> None:
        self.people[key] = cells
        self._write()

    def delete(self, key: str) -> None:
        del self.people[key]
        self._write()

    def source(self) -> Source:
        if self.path.suffix == ".csv":
            return CsvSource("hr", self.path, MAPPING)
        return JsonlSource("hr", self.path, MAPPING)

    def break_off(self) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write('{"key": ' if self.path.suffix == ".jsonl" else 'K9,"')

    def _write(self) -> None:
        with self.path.open("w", encoding="utf-8", newline="") as file:
            rows = [{"key": key, **cells} for key, cells in self.people.items()]
            if self.path.suffix == ".csv":
                writer = csv.DictWriter(file, HEADER)
                writer.writeheader()
                writer.writerows(rows)
            else:
                file.writelines(json.dumps(row) + "\n" for row in rows)


@contextmanager
def open_csv(folder: Path) -> Iterator[Files]:
    """Open a CSV file."""
    yield Files(folder / "people.csv")


@contextmanager
def open_jsonl(folder: Path) -> Iterator[Files]:
    """Open a JSON Lines file."""
    yield Files(folder / "people.jsonl")
