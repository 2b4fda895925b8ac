"""What the systems that keep people have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Register", "Row", "Words", "iso_day"]

Row = Mapping[str, str]
"""What is on record about somebody, by the names in `company.HR_COLUMNS`."""


@dataclass(frozen=True, slots=True)
class Words:
    """
    How one speaks of a system.

    `place` is where the people are, `news` says that it tells something new, `broken` what a
    gate would stop. `play` says how to change somebody, `later` what stays when all has ended.
    """

    place: str
    news: str
    broken: str
    play: Sequence[str]
    later: str


class Register(Protocol):
    """A system with the people of a made-up company, as it is opened empty."""

    @property
    def words(self) -> Words:
        """How one speaks of it."""
        ...

    @property
    def source(self) -> str:
        """The settings by which syncd reads it, as TOML; files are beside the configuration."""
        ...

    def put(self, people: Sequence[Row]) -> Mapping[str, str]:
        """
        Add people, or change what is on record, each known by the employee number.

        Returns the object ids that the system gave to whom it added, by number; most give
        none. Raises SandboxError if it cannot take them.
        """
        ...


def iso_day(text: str) -> str:
    """Write a day of HR's, 31.12.2026, as 2026-12-31."""
    day, month, year = text.split(".")
    return f"{year}-{month}-{day}"
