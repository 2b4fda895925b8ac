"""A plan and what became of it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from syncd.core.model import Action, Situation

__all__ = ["Change", "Fault", "Outcome", "Result"]


class Result(StrEnum):
    """How a planned change ended."""

    APPLIED = "applied"
    ALREADY = "already"
    MOVED = "moved"
    FAILED = "failed"
    HELD = "held"


class Fault(StrEnum):
    """What kind of failure it was; decided once, where the answer is read."""

    THROTTLED = "throttled"
    TRANSIENT = "transient"
    ROW = "row"
    RIGHTS = "rights"
    CONFIGURATION = "configuration"


class Change(NamedTuple):  # a tuple, because a run may make a million
    """
    One change of one row, with the reason and the precondition under which it may be made.

    `before` and `after` are the profile ids that the row gives its user before and
    after; `version` is the etag as read, None where the row must not exist.
    `title` is the `name` a created row gets.
    """

    action: Action
    membership: str
    user: str | None
    before: str | None
    after: str | None
    version: str | None
    situation: Situation
    reason: str
    person: str | None = None
    user_name: str | None = None
    title: str | None = None
    number: int = 0


class Outcome(NamedTuple):  # likewise
    """How one change ended. `fault` is set exactly where `result` is FAILED."""

    number: int
    result: Result
    detail: str = ""
    fault: Fault | None = None
