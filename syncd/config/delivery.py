"""Settings of how a system delivers its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from syncd.config.person import STRICT
from syncd.config.values import Duration, File, Text
from syncd.core.stamps import stamp_reader

__all__ = ["DeliverySettings", "FilePattern"]


def _date(form: str) -> str:
    stamp_reader(form)
    return form


def _ending(ending: str) -> str:
    if not ending.startswith(".") or "/" in ending:
        raise ValueError('must be the ending of a name, such as ".done"')
    return ending


def _pattern(path: Path) -> Path:
    """Require that only the name is a pattern: one folder is one delivery."""
    if any(mark in str(path.parent) for mark in "*?"):
        raise ValueError("may have * and ? in the name of the file only, not in a folder's")
    return path


FilePattern = Annotated[File, AfterValidator(_pattern)]
"""A path whose last part may have `*`, `?` and `[…]`, as a shell has them."""
Ending = Annotated[Text, AfterValidator(_ending)]


class DeliverySettings(BaseModel):
    """How a system delivers its files, where `path` is not simply one that is always there."""

    model_config = STRICT

    newest: Literal["name", "time", "date"] = Field(
        "name",
        description=(
            "Which of the files that `path` fits counts: the last by name (digits as numbers), by "
            "the time of the file, or by `date` in the name."
        ),
    )
    done: Ending | None = Field(
        None,
        description=(
            "The ending of a marker that is written after the file: `.done` for `hr.csv.done` or "
            "`hr.done` beside `hr.csv`. A file without one is not complete and does not count."
        ),
    )
    checksum: Ending | None = Field(
        None,
        description="The ending of a file beside it that holds its SHA-256; it must be right.",
    )
    date: Annotated[str, AfterValidator(_date)] | None = Field(
        None,
        description=(
            "How the date of a file is written, with what stands around it: `hr-%Y%m%d`. UTC, and "
            "midnight if it names no time. Without it the time of the file counts."
        ),
    )
    date_in: Literal["name", "content"] = Field(
        "name", description="Where the date stands: in the name, or in the first 4096 bytes."
    )
    max_age: Duration | None = Field(
        None, description="An older file is not believed: nobody is removed because of it."
    )
    repeated: Literal["allow", "finding"] = Field(
        "allow",
        description=(
            "What it means that the newest file has the content of the one before it: nothing, or "
            "that it is not believed."
        ),
    )
