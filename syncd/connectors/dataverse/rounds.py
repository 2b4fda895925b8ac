"""In which rounds changes are sent, so that nobody is left without a profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncd.core.model import Action
from syncd.core.plan import Change, Fault, Outcome, Result

__all__ = ["Item", "arrange", "blocked"]

GAINS = (Action.CREATE, Action.MOVE, Action.REACTIVATE)
DONE = (Result.APPLIED, Result.ALREADY)


@dataclass(slots=True)
class Item:
    """
    One change on its way. `tries` counts lost replies, `doubtful` says that there was one.

    `stage` says how many of its requests were done, where it takes more than one.
    `needs` must have been done before this one is sent; `previous` is the change of
    the same row before it. One that is `followed` by another keeps in `etag` the
    version that it left, if the server says so.
    """

    change: Change
    version: str | None
    needs: tuple[Item, ...] = ()
    previous: Item | None = None
    level: int = 0
    stage: int = 0
    tries: int = 0
    doubtful: bool = False
    followed: bool = False
    outcome: Outcome | None = None
    etag: str | None = None

    def settle(self, result: Result, detail: str = "", fault: Fault | None = None) -> None:
        """Say how it ended."""
        self.outcome = Outcome(self.change.number, result, detail, fault)


def arrange(changes: Sequence[Change]) -> list[list[Item]]:
    """
    Sort *changes* into rounds; all of a round may be sent together.

    The parts of a batch are attempted whatever becomes of the others, so a change
    that relies on another one must not ride with it: the second change of a row, a
    removal after a gain of the same user, an unflag after anything of the same user.
    """
    rounds: list[list[Item]] = [[]]
    rows: dict[str, Item] = {}
    users: dict[str, list[Item]] = {}
    for change in changes:
        item = Item(change, change.version)
        if change.membership in rows or change.user in users:
            _relate(item, rows.get(change.membership), users.get(change.user or "", []))
            if item.level == len(rounds):
                rounds.append([])
        rounds[item.level].append(item)
        rows[change.membership] = item
        if change.user is not None:
            users.setdefault(change.user, []).append(item)
    return rounds


def _relate(item: Item, previous: Item | None, before: list[Item]) -> None:
    """Note what *item* needs, and so which round is its."""
    item.previous = previous
    if previous is not None:
        previous.followed = True
    item.needs = _needs(item.change, previous, before)
    item.level = 1 + max((need.level for need in item.needs), default=-1)


def _needs(change: Change, previous: Item | None, before: list[Item]) -> tuple[Item, ...]:
    needs = [] if previous is None else [previous]
    if change.action is Action.UNFLAG:
        needs += before
    elif change.action.removes:
        needs += [item for item in before if item.change.action in GAINS]
    return tuple(needs)


def blocked(item: Item) -> bool:
    """Settle *item* as its cause ended if one that it needs was not done, and say so."""
    for need in item.needs:
        ended = need.outcome
        if ended is not None and ended.result in DONE:
            continue
        result = Result.MOVED if ended and ended.result is Result.MOVED else Result.FAILED
        item.settle(
            result,
            f"not sent: the {need.change.action} of this user that goes before it was not done",
            None if result is Result.MOVED else (ended and ended.fault) or Fault.TRANSIENT,
        )
        return True
    return False
