"""The watermark of a table: the newest value of a column, as it is kept between two reads."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Date, DateTime, Float, Numeric, String
from sqlalchemy.types import TypeEngine

__all__ = ["Unordered", "back", "before", "load", "save", "sql_type"]

SECOND = len("2026-03-01 08:00:00")
DAY = len("2026-03-01")


class Unordered(Exception):
    """A value cannot be a watermark; the text says why."""


def save(origin: str, value: object) -> str:
    """Write a watermark and what it is of. Raises Unordered for what cannot be one."""
    match value:
        case datetime():
            kind, written = "moment", value.isoformat()
        case date():
            kind, written = "day", value.isoformat()
        case bool():
            raise Unordered("holds true or false")
        case int():
            kind, written = "number", str(value)
        case Decimal() if value.is_finite():
            kind, written = "number", str(value)
        case float() if math.isfinite(value):
            kind, written = "float", repr(value)
        case str() if _is_moment(value):
            kind, written = "text", value
        case str():
            raise Unordered("holds texts that do not begin as 2026-03-01 08:00:00 does")
        case _:
            raise Unordered("holds neither moments, days nor numbers")
    return json.dumps([origin, kind, written])


def load(origin: str, token: str) -> object | None:
    """Read a watermark. None if it is of something else: of another database, query or column."""
    try:
        made_of, kind, written = json.loads(token)
    except ValueError:
        return None
    if made_of != origin:
        return None
    match kind:
        case "moment":
            return datetime.fromisoformat(written)
        case "day":
            return date.fromisoformat(written)
        case "float":
            return float(written)
        case "number":
            number = Decimal(written)
            return int(number) if number == number.to_integral_value() else number
    return str(written)


def before(one: object, other: object) -> bool:
    """Tell whether a value is lower than another. Raises Unordered where they do not compare."""
    try:
        return bool(one < other)  # type: ignore[operator]  # that is what the except is for
    except TypeError:
        raise Unordered("holds values of several kinds") from None


def back(value: object, overlap: timedelta | int) -> object:
    """
    Return the watermark less the overlap.

    Raises Unordered where a number stands for a time, or a time for a number.
    """
    if isinstance(value, int | float | Decimal):
        if isinstance(overlap, timedelta):
            raise Unordered('holds numbers; write the overlap as a number, too, and not as "5m"')
        return value - overlap
    if isinstance(overlap, int):
        raise Unordered('holds moments; write the overlap as a duration such as "5m"')
    if isinstance(value, datetime):
        return value - overlap
    if isinstance(value, date):
        return (datetime(value.year, value.month, value.day) - overlap).date()  # noqa: DTZ001 - a day has no zone
    return _text_back(str(value), overlap)


def _text_back(value: str, overlap: timedelta) -> str:
    """Go back in a text that is ordered like the moments it means; fractions and zone are cut."""
    moment = datetime.fromisoformat(value[:SECOND]) - overlap
    if len(value) < SECOND:
        return moment.date().isoformat()
    return moment.isoformat(sep=value[DAY], timespec="seconds")


def _is_moment(value: str) -> bool:
    try:
        datetime.fromisoformat(value[:SECOND])
    except ValueError:
        return False
    return len(value) >= SECOND or len(value) == DAY


def sql_type(value: object) -> TypeEngine[Any]:
    """Return the type by which a watermark is sent to the database."""
    match value:
        case datetime():
            return DateTime(timezone=value.tzinfo is not None)
        case date():
            return Date()
        case int():
            return BigInteger()
        case float():
            return Float()
        case Decimal():
            return Numeric()
    return String()
