"""The systems behind the sources, as the conformance suite wants them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from syncd.core.cells import Field
from syncd.core.mapping import PersonMapping
from syncd.core.ports import Source

__all__ = ["MAPPING", "Backend", "Cells"]

Cells = Mapping[str, str]
"""What is on record about somebody: employee id, mail and department, by these names."""

MAPPING = PersonMapping(
    Field("key"),
    employee_id=Field("employee_id"),
    mail=Field("mail"),
    attributes={"department": Field("department")},
)
"""For backends that can name their columns as they like."""


class Backend(Protocol):
    """One system with people in it, real and empty when it is opened."""

    def put(self, key: str, cells: Cells) -> None:
        """Add somebody, or change what is on record."""
        ...

    def delete(self, key: str) -> None:
        """Take somebody out."""
        ...

    def source(self) -> Source:
        """Return the source, wired to this system; its keys are those of `put`."""
        ...

    def break_off(self) -> None:
        """Let each read fail from now on: half way where that can be arranged."""
        ...


class Opener(Protocol):
    """Opens a backend in a folder; it is closed when the test ends."""

    def __call__(self, folder: Path) -> Backend:
        """Open it. Skips the test, or fails it in CI, where a program is missing."""
        ...
