"""Moments that stand somewhere in a text, such as the name of a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

__all__ = ["stamp_reader"]

DIRECTIVES = {
    "%Y": "[0-9]{4}",
    "%y": "[0-9]{2}",
    "%m": "[0-9]{2}",
    "%d": "[0-9]{2}",
    "%j": "[0-9]{3}",
    "%H": "[0-9]{2}",
    "%M": "[0-9]{2}",
    "%S": "[0-9]{2}",
    "%b": r"[^\W\d]{3,}",
    "%B": r"[^\W\d]{3,}",
    "%z": r"(?:Z|[+-][0-9]{2}:?[0-9]{2})",
    "%%": "%",
}
"""What each directive looks like; other ones of strptime have no fixed look."""

SAMPLE = datetime(2026, 11, 23, 14, 5, 6, tzinfo=UTC)


def stamp_reader(form: str) -> Callable[[str], datetime | None]:
    """
    Return what finds the first moment written as *form* in a text, None where there is none.

    What is around the directives must stand there as it is. Without a zone the moment is
    in UTC, without a time it is midnight. Raises ValueError, a sentence, for a form that
    does not name a day or has a directive that cannot be looked for.
    """
    pattern = re.compile(f"(?=({''.join(_parts(form))}))")
    if _read(SAMPLE.strftime(form), form).date() != SAMPLE.date():
        raise ValueError('does not name year, month and day, such as "%Y-%m-%d"')

    def find(text: str) -> datetime | None:
        for match in pattern.finditer(text):
            try:
                return _read(match[1], form)
            except ValueError:
                continue  # digits that are no date
        return None

    return find


def _parts(form: str) -> Iterator[str]:
    for part in re.findall("%.?|[^%]+", form, re.DOTALL):
        if not part.startswith("%"):
            yield re.escape(part)
        elif part in DIRECTIVES:
            yield DIRECTIVES[part]
        else:
            known = " ".join(sorted(DIRECTIVES))
            raise ValueError(f'has "{part}", which cannot be looked for; use {known}')


def _read(text: str, form: str) -> datetime:
    moment = datetime.strptime(text, form)  # noqa: DTZ007 - the next line gives it one
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
