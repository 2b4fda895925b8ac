"""
Everything syncd raises on purpose.

    SyncdError
    ├── ConfigError          the configuration is wrong: every problem at once
    ├── UsageError           a command was asked for something that is not there
    ├── PlanError            a saved plan cannot be applied (unknown, expired, other configuration)
    ├── StateError           the state database cannot be used
    │   ├── StateLocked      another process is writing to it
    │   ├── StateUnusable    wrong address, no permission, from the future
    │   │   └── StateAway    the server does not answer, and may again
    │   └── StateBroken      corrupt, or the disk is full
    ├── LeaseHeld            another run is writing to this environment
    ├── LeaseLost            another run may be, after this one was silent for too long
    ├── TargetError          the environment could not be read or written
    │   ├── TargetUnreachable
    │   ├── TargetIncomplete a read broke off, or its answer is not what it claims
    │   ├── TargetThrottled  told to wait longer than we are willing to
    │   ├── TargetRefused    signing in failed, or a right is missing
    │   └── TokenExpired     nobody knows any more what changed since; everything is read anew
    └── Stopped              somebody asked the process to stop

Each message is one sentence: what, where, and what to do. The exit codes belong
to `syncd.cli`.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "ConfigError",
    "LeaseHeld",
    "LeaseLost",
    "PlanError",
    "StateAway",
    "StateBroken",
    "StateError",
    "StateLocked",
    "StateUnusable",
    "Stopped",
    "SyncdError",
    "TargetError",
    "TargetIncomplete",
    "TargetRefused",
    "TargetThrottled",
    "TargetUnreachable",
    "TokenExpired",
    "UsageError",
]


class SyncdError(Exception):
    """Whatever syncd raises on purpose; its text is fit to be shown to a person."""


class ConfigError(SyncdError):
    """The configuration is wrong. Carries every problem, one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class UsageError(SyncdError):
    """A command names something that does not exist or cannot be done."""


class PlanError(SyncdError):
    """A saved plan cannot be applied. Nothing was sent."""


class StateError(SyncdError):
    """The state database cannot be used."""


class StateLocked(StateError):
    """Another process is writing to the state database."""


class StateUnusable(StateError):
    """The state database is not there, may not be written, or has another schema."""


class StateAway(StateUnusable):
    """The server of the state database does not answer; it may later."""


class StateBroken(StateError):
    """The state database is damaged, or its disk is full."""


class LeaseHeld(SyncdError):
    """Another run is writing to this environment."""


class LeaseLost(SyncdError):
    """The process was silent for so long that another may have taken the environment over."""


class TargetError(SyncdError):
    """The environment could not be read or written."""


class TargetUnreachable(TargetError):
    """No connection, no answer in time, or only errors of gateways."""


class TargetIncomplete(TargetError):
    """A read broke off, or the answer is not what it claims to be."""


class TargetThrottled(TargetError):
    """The environment asks for more patience than a run has."""


class TargetRefused(TargetError):
    """Signing in failed or a right is missing; knocking again does not help."""


class TokenExpired(TargetError):
    """What changed since the last read cannot be told any more; everything must be read."""


class Stopped(SyncdError):
    """The process was asked to stop. What was in flight is journaled."""
