"""What the token endpoint answers to a client that gets no token."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import msgspec

from syncd.sandbox.answers import Answer

__all__ = ["Denied", "denial"]

UNAUTHORIZED = frozenset({7000215, 7000216, 7000222, 700021, 700023, 700024, 700027})


class Denied(Exception):
    """A sign-in that Entra would refuse: its AADSTS number, the OAuth error, and a sentence."""

    def __init__(self, number: int, error: str, message: str) -> None:
        self.number = number
        self.error = error
        self.message = message
        super().__init__(message)


def denial(denied: Denied, now: float) -> Answer:
    """Return the answer, in Entra's form; *now* is in seconds since 1970."""
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace, correlation = str(uuid4()), str(uuid4())
    content = {
        "error": denied.error,
        "error_description": f"AADSTS{denied.number}: {denied.message} Trace ID: {trace} "
        f"Correlation ID: {correlation} Timestamp: {moment}",
        "error_codes": [denied.number],
        "timestamp": moment,
        "trace_id": trace,
        "correlation_id": correlation,
    }
    status = 401 if denied.number in UNAUTHORIZED else 400
    headers = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
    return Answer(status, headers, msgspec.json.encode(content))
