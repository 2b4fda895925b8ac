"""Which column of a file says what about a person: guessed by names and by a few cells."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

__all__ = ["Sample", "attribute", "guess", "look_into"]

BYTES = 200_000
ROWS = 200
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
KNOWN: Mapping[str, tuple[str, ...]] = {
    "employee_id": (
        "employeeid", "employeenumber", "personnelnumber", "personnelno", "staffid", "empid",
        "personid", "personalnummer", "id", "key",
    ),
    "object_id": ("entraobjectid", "objectid", "azureadobjectid", "aadobjectid", "entraid"),
    "user_name": ("userprincipalname", "upn", "username", "login", "loginname", "account"),
    "mail": ("email", "mail", "emailaddress", "workemail", "businessemail"),
    "enabled": ("status", "active", "enabled", "accountenabled", "isactive", "employmentstatus"),
    "starts_on": (
        "hiredate", "startdate", "starton", "startson", "firstday", "employeehiredate", "hired",
        "entrydate", "start", "eintritt",
    ),
    "leaves_on": (
        "lastday", "enddate", "leavedate", "leaveson", "terminationdate", "exitdate", "end",
        "employeeleavedatetime", "lastworkingday", "austritt",
    ),
}  # fmt: skip
"""Names that columns have, without case, blanks and marks; the more telling ones first."""
RULED = (
    "department", "unit", "division", "team", "site", "location", "office", "country", "grade",
    "jobtitle", "title", "role", "company", "costcenter", "groups",
)  # fmt: skip
"""Names of columns that rules are likely to ask for."""
TRUE = {"active", "aktiv", "actif", "activo", "onleave", "employed", "current"}
BOOL = {"true", "false", "yes", "no", "1", "0", ""}
DATES = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%Y/%m/%d")


@dataclass(frozen=True, slots=True)
class Sample:
    """The columns of a file, and some of the texts in each."""

    columns: tuple[str, ...]
    texts: Mapping[str, frozenset[str]]


def look_into(path: Path, kind: str) -> Sample | None:
    """Look at the beginning of a CSV or JSON Lines file; None if it is not there or not plain."""
    if path.suffix.lower() in {".gz", ".zip"} or any(mark in path.name for mark in "*?["):
        return None
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            text = _decoded(file.read(BYTES))
        return _csv(text) if kind == "csv" else _jsonl(text)
    except (OSError, ValueError, RecursionError, csv.Error):
        return None


def _decoded(beginning: bytes) -> str:
    """Read what is whole of the beginning of a file: its last line may be cut."""
    encoding = next((MARKS[mark] for mark in MARKS if beginning.startswith(mark)), "utf-8")
    whole = len(beginning) < BYTES
    try:
        text = beginning.decode(encoding, "strict" if whole else "ignore")
    except UnicodeDecodeError:
        text = beginning.decode("cp1252", "replace")
    return text if whole else text.rpartition("\n")[0]


def _csv(text: str) -> Sample | None:
    head = text.partition("\n")[0]
    delimiter = max(",;\t|", key=head.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns = [name.strip() for name in next(lines, [])]
    found = [dict(zip(columns, line, strict=False)) for line in islice(lines, ROWS)]
    return _sample(columns, found)


def _jsonl(text: str) -> Sample | None:
    lines = [line for line in text.splitlines() if line.strip()]
    found = [row for row in map(json.loads, lines[:ROWS]) if isinstance(row, dict)]
    return _sample(list(dict.fromkeys(name for row in found for name in row)), found)


def _sample(columns: Sequence[str], found: Sequence[Mapping[str, object]]) -> Sample | None:
    named = tuple(name for name in columns if name)
    if not named:
        return None
    texts = {name: frozenset(_text(row.get(name)) for row in found) for name in named}
    return Sample(named, texts)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value).strip()


def guess(sample: Sample) -> tuple[dict[str, object], dict[str, object]]:
    """
    Return what fields of a person and what attributes are read from, as a configuration has it.

    There is always a key: the most telling column, or the first.
    """
    left = {_bare(name): name for name in reversed(sample.columns)}
    fields: dict[str, object] = {}
    for field, names in KNOWN.items():
        column = next((left.pop(name) for name in names if name in left), None)
        if column is not None:
            said = _field(field, column, sample.texts.get(column, frozenset()))
            if said is not None:
                fields[field] = said
    key = fields.get("employee_id", sample.columns[0])
    ruled = [left[name] for name in RULED if name in left]
    ruled = ruled or [name for name in sample.columns if name in left.values() and name != key][:1]
    return {"key": key, **fields}, {attribute(name): name for name in ruled}


def _field(field: str, column: str, texts: Iterable[str]) -> object | None:
    """Say how a column is read; None where its cells do not fit the field."""
    texts = [text for text in texts if text]
    if field == "enabled":
        true = sorted(text for text in texts if _bare(text) in TRUE)
        if all(text.lower() in BOOL for text in texts):
            return column
        return {"column": column, "true_values": true} if true else None
    if field in ("starts_on", "leaves_on"):
        fitting = next(
            (each for each in DATES if all(_is_date(text, each) for text in texts)), None
        )
        if fitting is None:
            return None
        return column if fitting == DATES[0] else {"column": column, "format": fitting}
    return column


def _is_date(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007  # a day has no zone
    except ValueError:
        return False
    return True


def _bare(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def attribute(column: str) -> str:
    """Name an attribute after its column, so that rules can say `person.NAME`."""
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in column.casefold()).split()
    name = "_".join(words)
    return name if name[:1].isalpha() else f"column_{name}" if name else "attribute"
