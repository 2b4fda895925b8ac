"""The words of the console, and how it writes moments and numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from syncd.core.words import SAYS

__all__ = ["FILTERS", "GLOBALS"]

ENDED: Mapping[int | None, str] = {
    None: "not ended",
    0: "done",
    2: "some changes failed",
    3: "a gate held",
    4: "a source was not believed",
    5: "the environment failed",
    6: "another run was writing",
    64: "configuration",
    70: "internal error",
}

BECAME: Mapping[str, str] = {
    "": "planned",
    "applied": "done",
    "already": "was so already",
    "moved": "no longer fits, skipped",
    "failed": "failed",
    "held": "held by a gate",
    "blackout": "waits for the end of a blackout",
    "escrow": "failed before, waits for its next try",
    "quarantine": "waits while too much fails",
    "capability": "waits for an emptied row, since the environment makes none",
}


def moment(text: str) -> str:
    """Write a moment with its zone; what is only a day, or no moment, stays as it is."""
    at = _read(text)
    return text if at is None else at.strftime("%Y-%m-%d %H:%M:%S UTC")


def stamp(text: str) -> str:
    """Write a moment for programs that read a page."""
    at = _read(text)
    return text if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if at.tzinfo is None else at.astimezone(UTC)


def number(value: int) -> str:
    """Write a number so that its size can be seen."""
    return f"{value:,}"


def ended(run: Mapping[str, Any]) -> str:
    """Say how a run ended."""
    code = run["exit_code"]
    word = "killed" if run["killed"] else ENDED.get(code, "stopped")
    return word if code is None else f"{word} (exit code {code})"


def seconds(value: float | None) -> str:
    """Write a duration; nothing where it is not known."""
    return "" if value is None else f"{value:,.1f} s"


def told(value: object) -> str:
    """Write what a source says of somebody; nothing for null."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return "; ".join(map(str, value))
        case _:
            return str(value)


def counts(values: Mapping[str, int]) -> str:
    """Write numbers with what they count."""
    return ", ".join(f"{value:,} {name}" for name, value in values.items() if value) or "none"


def moved(before: str | None, after: str | None) -> str:
    """Write what a change does to a profile."""
    if before and after and before != after:
        return f"{before} → {after}"
    return after or (f"{before} → none" if before else "")


FILTERS: Mapping[str, Callable[..., Any]] = {
    "counts": counts,
    "ended": ended,
    "moment": moment,
    "number": number,
    "seconds": seconds,
    "stamp": stamp,
    "told": told,
}
GLOBALS: Mapping[str, Any] = {"became": BECAME, "moved": moved, "says": SAYS}
