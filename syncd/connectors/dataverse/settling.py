"""How a change ends: by its answer, by its row as read, or by what kept it from being sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import httpx

from syncd.connectors.dataverse.batch import Part
from syncd.connectors.dataverse.faults import REFUSALS, Judgement, Verdict, read_error
from syncd.connectors.dataverse.refusals import remedy
from syncd.connectors.dataverse.rounds import Item
from syncd.connectors.dataverse.writes import done, untouched
from syncd.connectors.http import retry_after, seconds
from syncd.core.errors import Stopped, TargetError, TargetRefused, TargetThrottled
from syncd.core.model import Membership
from syncd.core.plan import Change, Fault, Outcome, Result

__all__ = [
    "MOVED",
    "UNKNOWN",
    "Group",
    "Unclear",
    "abandon",
    "halves",
    "judged",
    "lost",
    "of_row",
    "outcomes",
    "pause_in",
    "repeated",
]

MOVED = "the row is no longer as it was read; the next run looks again"
UNKNOWN = "outcome unknown"

Group = list[Item]
Unclear = tuple[Item, Judgement]


def lost(item: Item, why: str) -> Unclear:
    """Note that nobody knows what became of an item."""
    item.doubtful = True
    return item, Judgement(Verdict.REPEAT, Fault.TRANSIENT, why)


def of_row(judgement: Judgement, part: Part) -> Judgement:
    """Let what is said of a message that works here be said of the row alone."""
    if read_error(part.body).code in REFUSALS:
        return replace(judgement, fault=Fault.ROW)
    return judgement


def _advised(judgement: Judgement, part: Part) -> str:
    """Add what to do where it is a matter of who we are."""
    known = remedy(read_error(part.body)) if judgement.fault is Fault.RIGHTS else None
    return f"{judgement.detail}; {known[1]}" if known else judgement.detail


def judged(item: Item, judgement: Judgement, part: Part) -> list[Unclear]:
    """Settle an item that its error settles; give back one that needs a look at the row."""
    match judgement.verdict:
        case Verdict.ALREADY:
            item.settle(Result.APPLIED if item.doubtful else Result.ALREADY)
        case Verdict.FAILED:
            item.settle(Result.FAILED, _advised(judgement, part), judgement.fault)
        case _:
            return [(item, judgement)]
    return []


def repeated(item: Item, judgement: Judgement, row: Membership | None) -> bool:
    """Settle *item* by its row as read, or say that it is to be sent again."""
    change = item.change
    look = judgement.verdict is Verdict.LOOK
    if done(change, row):
        item.settle(Result.ALREADY if look and not item.doubtful else Result.APPLIED)
    elif not untouched(change, row, item.version, item.stage) or (look and row is None):
        item.settle(Result.MOVED, MOVED)
    elif look or item.tries >= judgement.repeats:
        item.settle(Result.FAILED, judgement.detail, judgement.fault)
    else:
        item.tries += 1
        return True
    return False


def pause_in(part: Part, response: httpx.Response) -> float | None:
    """Return how long the server wants to be left alone, said for one part or for all."""
    own = part.header("Retry-After")
    return retry_after(response) if own is None else seconds(own, response)


def halves(group: Group) -> list[Group]:
    """Cut a group in two, if it has as many."""
    middle = (len(group) + 1) // 2
    return [half for half in (group[:middle], group[middle:]) if half]


def abandon(items: list[Item], exc: TargetError | Stopped) -> None:
    """Say of everything that has no outcome yet why it will get no better one."""
    match exc:
        case TargetThrottled():
            fault = Fault.THROTTLED
        case TargetRefused():
            fault = Fault.RIGHTS
        case _:
            fault = Fault.TRANSIENT
    for item in items:
        if item.outcome is None:
            start = UNKNOWN if item.doubtful else "not sent"
            item.settle(Result.FAILED, f"{start}: {exc}", fault)


def outcomes(changes: Sequence[Change], items: list[Item]) -> list[Outcome]:
    """Return one outcome for each change, in their order."""
    by_change = {id(item.change): item.outcome for item in items}
    return [
        by_change[id(change)] or Outcome(change.number, Result.FAILED, UNKNOWN, Fault.TRANSIENT)
        for change in changes
    ]
