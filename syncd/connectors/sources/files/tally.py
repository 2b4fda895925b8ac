"""What a read of a file has found so far."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

__all__ = ["Kind", "Tally"]

LISTED = 5
"""Findings of a kind that are given in full; a file that is wrong throughout says so once."""


class Kind(StrEnum):
    """What can be wrong with a single row; the words follow a number."""

    RAGGED = "rows with more or fewer cells than the header"
    KEYLESS = "rows without a key"
    BROKEN = "lines that are not a JSON object"
    CUT = "places from which nothing could be read"


@dataclass(slots=True)
class Tally:
    """
    Counts rows and collects findings of one attempt to read a file.

    `columns` are the names that its rows have, None until they are known, and `declared`
    says that each of them has all.
    """

    path: Path
    rows: int = 0
    listed: list[str] = field(default_factory=list)
    counts: Counter[Kind] = field(default_factory=Counter)
    columns: tuple[str, ...] | None = None
    declared: bool = True

    def note(self, kind: Kind, line: int, what: str) -> None:
        """Keep a finding at a line, or count it when enough of its kind are kept."""
        self.counts[kind] += 1
        if self.counts[kind] <= LISTED:
            self.listed.append(f"{self.path}, line {line}: {what}")

    def findings(self) -> tuple[str, ...]:
        """Return the sentences, with one for what is only counted."""
        more = [
            f"{self.path}: there are {count - LISTED} more {kind}"
            for kind, count in self.counts.items()
            if count > LISTED
        ]
        return (*self.listed, *more)
