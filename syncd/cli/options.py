"""Options that several commands have, with what a shell may complete."""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from syncd.core.errors import UsageError
from syncd.core.moments import moment_of

__all__ = ["MOST", "EnvironmentOption", "JsonOption", "LimitOption", "moment"]

MOST = 1_000_000_000
"""The largest number that a database is asked for; every column of theirs holds it."""


def _environments(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Name the environments of the configuration; a shell that asks must never see an error."""
    path = context.find_root().params.get("config")
    try:
        found = tomllib.loads(Path(str(path)).read_text(encoding="utf-8"))["environments"]
        return [
            (name, str(each.get("url", ""))) for name, each in found.items() if incomplete in name
        ]
    except (OSError, ValueError, KeyError, AttributeError, RecursionError):
        return []


EnvironmentOption = Annotated[
    str | None,
    typer.Option(
        "--environment",
        "-e",
        metavar="NAME",
        help="Only this environment; otherwise all, one after the other.",
        autocompletion=_environments,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="The same facts as JSON, one document a line.")
]
LimitOption = Annotated[
    int, typer.Option("--limit", "-n", min=1, max=MOST, help="How many lines at most.")
]


def moment(text: str, option: str) -> datetime:
    """
    Read a day or a moment; a day is its first moment in UTC.

    Raises UsageError, naming *option*.
    """
    found = moment_of(text)
    if found is None:
        raise UsageError(
            f"{option} {text}: that is no date of the years 1900 to 9000; write 2026-03-08 or "
            "2026-03-08T06:00:00Z"
        )
    return found
