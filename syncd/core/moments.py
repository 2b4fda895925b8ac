"""Moments as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["moment_of"]


def moment_of(text: str) -> datetime | None:
    """
    Read a day or a moment; without a zone it is UTC, and a day is its first moment.

    None if it is neither, or not of the years 1900 to 9000: sums of days around it must stay
    within the calendar.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 1900 <= found.year <= 9000:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
