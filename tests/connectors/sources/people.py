"""Files of people, and reading them to the end."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from syncd.connectors.sources.files import CsvSource, JsonlSource
from syncd.core.mapping import Field, PersonMapping
from syncd.core.ports import Known, ReadFacts, Record, Source

PEOPLE = PersonMapping(
    Field("EmployeeID"),
    user_name=Field("UPN"),
    attributes={"department": Field("Department")},
)
HEADER = ("EmployeeID", "UPN", "Department")


def nothing_known() -> Known:
    """Return what syncd knows of a source that it sees for the first time."""
    return Known(None, set)


def read(source: Source, known: Known | None = None) -> tuple[list[Record], ReadFacts]:
    """Read a source to the end."""
    reading = source.read(known or nothing_known())
    records = [record for page in reading for record in page]
    return records, reading.facts


def as_csv(rows: Iterable[Sequence[str]], *, delimiter: str = ",", quote: bool = False) -> str:
    """Write a table as CSV."""
    text = io.StringIO()
    dialect = csv.unix_dialect if quote else csv.excel
    csv.writer(text, dialect, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


def csv_source(
    path: Path, content: str | bytes, encoding: str = "utf-8", delimiter: str = ","
) -> CsvSource:
    """Write a file and return a source that reads it."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return CsvSource("hr", path, PEOPLE, encoding, delimiter)


def jsonl_source(path: Path, content: str | bytes, encoding: str = "utf-8") -> JsonlSource:
    """Write a file and return a source that reads it."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return JsonlSource("hr", path, PEOPLE, encoding)


def people(records: Iterable[Record]) -> list[tuple[str, str | None, str]]:
    """Return key, user name and attributes of records."""
    return [(record[0], record[4], record[9]) for record in records]
