"""Structured lines on standard error, without names."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

__all__ = ["MASK", "PERSONAL", "configure", "mask"]

PERSONAL = frozenset(
    {"person", "user", "user_name", "full_name", "name", "mail", "employee_id", "object_id"}
)
"""Fields that tell who somebody is."""

MASK = "***"
ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


def configure(
    *,
    style: str = "json",
    level: str = "info",
    personal_data: bool = False,
    stream: TextIO | None = None,
) -> None:
    """
    Prepare the log: *style* is json or console, *level* the least important line written.

    Nothing ever goes to standard output. Unless *personal_data* is allowed, fields that
    name people and everything that looks like an address are masked.
    """
    out = stream if stream is not None else sys.stderr
    last: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(() if personal_data else (mask,)),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )


def mask(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Hide who somebody is."""
    for name, value in event.items():
        event[name] = MASK if name in PERSONAL and value is not None else _masked(value)
    return event


def _masked(value: Any) -> Any:
    """Hide addresses in texts, also inside lists and tables."""
    if isinstance(value, str):
        return ADDRESS.sub(MASK, value)
    if isinstance(value, dict):
        return {name: _masked(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each) for each in value]
    return value
