"""Gates look at the whole plan before its first write (behaviour.md section 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from syncd.core.model import Action
from syncd.core.settings import Limits, Policy

__all__ = ["Gate", "Verdict", "allowed", "check"]

RUN = "run"


@dataclass(frozen=True, slots=True)
class Gate:
    """How many risky changes one scope has and may have. `passed` names the pass it used."""

    gate: str
    scope: str
    count: int
    allowed: int
    tripped: bool
    passed: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gates say: which actions of the plan are held."""

    gates: tuple[Gate, ...]

    @property
    def tripped(self) -> bool:
        """Whether any gate stops something."""
        return any(gate.tripped for gate in self.gates)

    def holds(self, action: Action) -> bool:
        """Tell whether changes of this kind must wait. Any trip stops the risky part."""
        if action.risky:
            return self.tripped
        creates = any(gate.tripped for gate in self.gates if gate.gate == "creates")
        return creates and action in (Action.CREATE, Action.REACTIVATE)


def allowed(limits: Limits, base: int) -> int:
    """Return how many risky changes *base* rows may bear."""
    return max(
        limits.floor, min(limits.absolute, floor(Fraction(str(limits.percent)) * base / 100))
    )


def check(
    counts: Iterable[tuple[Action, str | None, str | None, int]],
    base: Mapping[str, int],
    policy: Policy,
    passes: Mapping[str, tuple[str, int]],
) -> Verdict:
    """
    Judge a plan.

    *counts* are (action, profile before, profile after, how many), *base* the active
    rows that are ours at the start by profile, *passes* the open passes by scope:
    (id, maximum). Scopes are "run" and "profile:" + the profile's key in *base*.
    """
    removals: Counter[str] = Counter()
    creates: Counter[str] = Counter()
    for action, before, after, number in counts:
        if action.risky:
            removals[RUN] += number
            if before is not None:
                removals[f"profile:{before}"] += number
        elif action in (Action.CREATE, Action.REACTIVATE):
            creates[RUN] += number
            creates[f"profile:{after}"] += number
    gates = _judge("removals", removals, base, policy.removals, passes)
    if policy.creates is not None:
        gates += _judge("creates", creates, base, policy.creates, {})
    return Verdict(tuple(gates))


def _judge(
    name: str,
    counts: Mapping[str, int],
    base: Mapping[str, int],
    limits: Limits,
    passes: Mapping[str, tuple[str, int]],
) -> list[Gate]:
    gates = []
    for scope in sorted({RUN, *counts}, key=lambda scope: (scope != RUN, scope)):
        count = counts.get(scope, 0)
        rows = sum(base.values()) if scope == RUN else base.get(scope.removeprefix("profile:"), 0)
        limit = allowed(limits, rows)
        used = None
        if count > limit and scope in passes:
            used, most = passes[scope]
            limit = max(limit, most)
        tripped = count > limit
        gates.append(Gate(name, scope, count, limit, tripped, None if tripped else used))
    return gates
