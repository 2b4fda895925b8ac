"""How a command ends (behaviour.md section 9)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

__all__ = ["ExitCode", "gravest"]


class ExitCode(IntEnum):
    """What a command tells the shell that started it."""

    DONE = 0
    FAILED = 2
    GATE = 3
    NOT_BELIEVED = 4
    TARGET = 5
    LEASE = 6
    CONFIGURATION = 64
    INTERNAL = 70


def gravest(codes: Iterable[int]) -> int:
    """
    Return the code that a command for several environments ends with.

    The order of gravity in behaviour.md section 9 is that of the numbers.
    """
    return max(codes, default=ExitCode.DONE)
