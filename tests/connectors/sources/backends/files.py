"""Files of people, written anew for each change."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

from syncd.connectors.sources.files import CsvSource, Delivery, JsonlSource
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
        self.write()

    def delete(self, key: str) -> None:
        del self.people[key]
        self.write()

    def source(self) -> Source:
        if self.path.suffix == ".csv":
            return CsvSource("hr", self.path, MAPPING)
        return JsonlSource("hr", self.path, MAPPING)

    def break_off(self) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write('{"key": ' if self.path.suffix == ".jsonl" else 'K9,"')

    def write(self) -> None:
        """Write everybody."""
        with self.path.open("w", encoding="utf-8", newline="") as file:
            rows = [{"key": key, **cells} for key, cells in self.people.items()]
            if self.path.suffix == ".csv":
                writer = csv.DictWriter(file, HEADER)
                writer.writeheader()
                writer.writerows(rows)
            else:
                file.writelines(json.dumps(row) + "\n" for row in rows)


@dataclass(slots=True)
class Drops:
    """A folder with a packed CSV file for each change, its checksum and its marker."""

    folder: Path
    people: dict[str, Cells] = field(default_factory=dict)
    number: int = 0

    def put(self, key: str, cells: Cells) -> None:
        self.people[key] = cells
        self._deliver()

    def delete(self, key: str) -> None:
        del self.people[key]
        self._deliver()

    def source(self) -> Source:
        delivery = Delivery(done=".done", checksum=".sha256", repeated="finding")
        return CsvSource("hr", self.folder / "hr-*.zip", MAPPING, delivery=delivery)

    def break_off(self) -> None:
        path = self._deliver()
        path.write_bytes(path.read_bytes()[:-9])
        path.with_suffix(".done").touch()

    def _deliver(self) -> Path:
        self.number += 1
        path = self.folder / f"hr-{self.number}.zip"
        content = Files(self.folder / "unpacked.csv", self.people)
        content.write()
        with ZipFile(path, "w") as archive:
            archive.write(content.path, "hr.csv")
        path.with_suffix(".sha256").write_text(sha256(path.read_bytes()).hexdigest())
        path.with_suffix(".done").touch()
        return path


@contextmanager
def open_drops(folder: Path) -> Iterator[Drops]:
    """Open a folder of drops."""
    yield Drops(folder)


@contextmanager
def open_csv(folder: Path) -> Iterator[Files]:
    """Open a CSV file."""
    yield Files(folder / "people.csv")


@contextmanager
def open_jsonl(folder: Path) -> Iterator[Files]:
    """Open a JSON Lines file."""
    yield Files(folder / "people.jsonl")
