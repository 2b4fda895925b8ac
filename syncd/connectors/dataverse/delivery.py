"""Changes are delivered in batches, and every one of them gets its outcome."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import httpx

from syncd.connectors.dataverse.batch import Operation, Part, decode, encode
from syncd.connectors.dataverse.faults import Judgement, Verdict, judge, read_error, worded
from syncd.connectors.dataverse.rounds import Item, arrange, blocked
from syncd.connectors.dataverse.writes import done, operation, untouched
from syncd.connectors.http import Channel, retry_after, seconds
from syncd.core.errors import Stopped, TargetError, TargetRefused, TargetThrottled
from syncd.core.model import Action, Membership
from syncd.core.plan import Change, Fault, Outcome, Result

__all__ = ["Delivery"]

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""The request did not leave."""
LOST = (httpx.TransportError, httpx.DecodingError)
REPEATS = 2
"""How often a change is sent again after its answer was lost and it was seen not to be done."""
MALFORMED = frozenset({"80048d19", "80060888"})
MOVED = "the row is no longer as it was read; the next run looks again"
UNKNOWN = "outcome unknown"

Group = list[tuple[Item, Operation]]
Unclear = tuple[Item, Judgement]
Read = Callable[[Sequence[str]], dict[str, Membership]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Deliver changes over *channel*, *size* in one batch; *read* shows rows as they are."""

    channel: Channel
    size: int
    read: Read

    def deliver(self, changes: Sequence[Change], run: int) -> list[Outcome]:
        """
        Send *changes* and return one outcome each, in order.

        Raises Stopped only if nothing was sent yet; every other trouble is an outcome.
        """
        rounds = arrange(changes)
        items = list(chain.from_iterable(rounds))
        try:
            for one in rounds:
                ready = self._ready(one)
                for start in range(0, len(ready), self.size):
                    self._send(ready[start : start + self.size], run)
        except Stopped as exc:
            if not any(item.outcome or item.doubtful for item in items):
                raise
            _abandon(items, exc)
        except TargetError as exc:
            _abandon(items, exc)
        return _outcomes(changes, items)

    def _ready(self, items: list[Item]) -> list[Item]:
        """Leave out what must not be sent; give the others the version to change."""
        open_ = [item for item in items if not (item.needs and blocked(item))]
        later = [item for item in open_ if item.previous is not None]
        if later:
            self._renew(later)
        return [item for item in open_ if item.outcome is None]

    def _renew(self, items: list[Item]) -> None:
        """Take the version that the change before left, if the row is as that left it."""
        known = [(item, item.previous) for item in items if item.previous is not None]
        rows = self._look(item for item, previous in known if previous.etag is None)
        for item, previous in known:
            row = None if rows is None else rows.get(item.change.membership)
            if previous.etag is not None:
                item.version = previous.etag
            elif rows is None:
                detail = "not sent: the row could not be read again after its first change"
                item.settle(Result.FAILED, detail, Fault.TRANSIENT)
            elif row is not None and done(previous.change, row):
                item.version = row.version
            else:
                item.settle(Result.MOVED, MOVED)

    def _look(self, items: Iterable[Item]) -> dict[str, Membership] | None:
        """Read the rows of *items*; None if that fails."""
        ids = [item.change.membership for item in items]
        try:
            return self.read(ids) if ids else {}
        except (TargetError, Stopped):
            return None

    def _send(self, items: list[Item], run: int) -> None:
        """Send one batch, and parts of it again, until every item has its outcome."""
        groups = deque([_checked(items, self.channel.path, run)])
        while groups:
            group = groups.popleft()
            if group:
                groups.extendleft(reversed(self._exchange(group)))

    def _exchange(self, group: Group) -> list[Group]:
        """Send *group* once. Returns what is to be sent again, as groups."""
        self.channel.throttle.wait()
        try:
            response = self._post([one for _, one in group])
        except UNSENT as exc:
            return self._unsent(group, self.channel.why(exc))
        except LOST as exc:
            why = f"the answer was lost ({self.channel.why(exc)})"
            return self._resolve(group, [_lost(item, why) for item, _ in group])
        kind = response.headers.get("Content-Type", "")
        if kind.lower().startswith("multipart/"):
            return self._parts(group, decode(kind, response.content, len(group)), response)
        return self._whole(group, response)

    def _post(self, operations: list[Operation]) -> httpx.Response:
        boundary = f"batch_{uuid.uuid4().hex}"
        headers = {
            "Content-Type": f'multipart/mixed; boundary="{boundary}"',
            "Prefer": "odata.continue-on-error",
        }
        content = encode(operations, boundary)
        return self.channel.send(
            "POST", f"{self.channel.root}$batch", headers=headers, content=content
        )

    def _unsent(self, group: Group, why: str) -> list[Group]:
        again = []
        for item, one in group:
            if item.tries < REPEATS:
                item.tries += 1
                again.append((item, one))
            else:
                start = UNKNOWN if item.doubtful else "not sent"
                detail = f"{start}: {self.channel.host} could not be reached: {why}"
                item.settle(Result.FAILED, detail, Fault.TRANSIENT)
        if again:
            self.channel.throttle.back_off(again[0][0].tries)
        return [again]

    def _parts(
        self,
        group: Group,
        parts: list[Part | None],
        response: httpx.Response,
    ) -> list[Group]:
        """Settle what is clear from its own answer, and look after the rest."""
        unclear: list[Unclear] = []
        waiting: list[Item] = []
        pause: list[float | None] = []
        for (item, _), part in zip(group, parts, strict=True):
            if part is None:
                unclear.append(_lost(item, "the batch came back without an answer to it"))
            elif 200 <= part.status < 300:
                item.settle(Result.APPLIED)
                item.etag = part.header("ETag") if item.followed else None
            else:
                judgement = judge(item.change.action, part.status, part.body)
                if judgement.verdict is Verdict.WAIT:
                    waiting.append(item)
                    pause.append(_pause(part, response))
                else:
                    unclear += _judged(item, judgement)
        if len(waiting) < len(group):
            self.channel.throttle.passed()
        if waiting:
            self.channel.throttle.told(max((one for one in pause if one), default=None))
        again = self._resolve(group, unclear)
        return [_only(group, waiting), *again]

    def _whole(self, group: Group, response: httpx.Response) -> list[Group]:
        """Look after a batch that was answered as a whole."""
        status, error = response.status_code, read_error(response.content)
        judgement = judge(Action.MOVE, status, response.content)
        if judgement.verdict is Verdict.WAIT:
            self.channel.throttle.told(retry_after(response))
            return [group]
        if status == 413 and len(group) > 1:
            return _halves(group)
        if status < 400 or judgement.verdict is Verdict.REPEAT:
            return self._gateway(group, response)
        refused = judgement.fault is not Fault.ROW and error.code not in MALFORMED
        if refused or (status == 404 and not error.code):
            fault = judgement.fault if refused else Fault.CONFIGURATION
            for item, _ in group:
                item.settle(Result.FAILED, f"the batch was refused: {judgement.detail}", fault)
            return []
        # Part of it may have run if somebody between us took the Prefer header away.
        repeats = REPEATS if len(group) > 1 else 0
        detail = f"the batch was refused: {worded(status, error)}"
        verdict = Judgement(Verdict.REPEAT, Fault.ROW, detail, repeats)
        for item, _ in group:
            item.doubtful, item.tries = True, 0
        return self._resolve(group, [(item, verdict) for item, _ in group], calm=True)

    def _gateway(self, group: Group, response: httpx.Response) -> list[Group]:
        pause = retry_after(response)
        if pause:
            self.channel.throttle.told(pause)
        why = f"{self.channel.host} answered {response.status_code} instead of a batch"
        return self._resolve(group, [_lost(item, why) for item, _ in group])

    def _resolve(self, group: Group, unclear: list[Unclear], *, calm: bool = False) -> list[Group]:
        """
        Read the rows in question and decide about each: done, to be sent again, or lost to others.

        What is to be sent again comes back in halves: a batch that took too long or
        holds one poisonous row fails less and less of its company.
        """
        if not unclear:
            return []
        rows = self._look(item for item, _ in unclear)
        again = []
        for item, judgement in unclear:
            if rows is None:
                item.settle(Result.FAILED, f"{UNKNOWN}: {judgement.detail}", Fault.TRANSIENT)
            elif _again(item, judgement, rows.get(item.change.membership)):
                again.append(item)
        if again and not calm:
            self.channel.throttle.back_off(again[0].tries)
        return _halves(_only(group, again))


def _checked(items: list[Item], path: str, run: int) -> Group:
    """Pair each item with its request; what may not become one fails here."""
    group = []
    for item in items:
        try:
            group.append((item, operation(item.change, path, run, item.version)))
        except ValueError as exc:
            item.settle(Result.FAILED, f"not sent: {exc}", Fault.ROW)
    return group


def _lost(item: Item, why: str) -> Unclear:
    item.doubtful = True
    return item, Judgement(Verdict.REPEAT, Fault.TRANSIENT, why)


def _judged(item: Item, judgement: Judgement) -> list[Unclear]:
    """Settle an item that its error settles; give back one that needs a look at the row."""
    match judgement.verdict:
        case Verdict.ALREADY:
            item.settle(Result.APPLIED if item.doubtful else Result.ALREADY)
        case Verdict.FAILED:
            item.settle(Result.FAILED, judgement.detail, judgement.fault)
        case _:
            return [(item, judgement)]
    return []


def _again(item: Item, judgement: Judgement, row: Membership | None) -> bool:
    """Settle *item* by its row as read, or say that it is to be sent again."""
    change = item.change
    look = judgement.verdict is Verdict.LOOK
    if done(change, row):
        item.settle(Result.ALREADY if look and not item.doubtful else Result.APPLIED)
    elif not untouched(change, row, item.version) or (look and row is None):
        item.settle(Result.MOVED, MOVED)
    elif look or item.tries >= judgement.repeats:
        item.settle(Result.FAILED, judgement.detail, judgement.fault)
    else:
        item.tries += 1
        return True
    return False


def _pause(part: Part, response: httpx.Response) -> float | None:
    own = part.header("Retry-After")
    return retry_after(response) if own is None else seconds(own, response)


def _only(group: Group, wanted: list[Item]) -> Group:
    chosen = {id(item) for item in wanted}
    return [pair for pair in group if id(pair[0]) in chosen] if chosen else []


def _halves(group: Group) -> list[Group]:
    middle = (len(group) + 1) // 2
    return [half for half in (group[:middle], group[middle:]) if half]


def _abandon(items: list[Item], exc: TargetError | Stopped) -> None:
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


def _outcomes(changes: Sequence[Change], items: list[Item]) -> list[Outcome]:
    by_change = {id(item.change): item.outcome for item in items}
    return [
        by_change[id(change)] or Outcome(change.number, Result.FAILED, UNKNOWN, Fault.TRANSIENT)
        for change in changes
    ]
