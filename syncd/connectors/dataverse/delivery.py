"""Changes are delivered in requests, and every one of them gets its outcome."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import httpx

from syncd.connectors.dataverse.batch import Operation, Part, decode
from syncd.connectors.dataverse.faults import (
    NO_VERSIONS,
    Judgement,
    Verdict,
    judge,
    read_error,
    refuses,
    worded,
)
from syncd.connectors.dataverse.parcels import (
    BY_REFERENCE,
    Form,
    Parcel,
    given_ids,
    pack,
    post,
    single,
    unguarded,
)
from syncd.connectors.dataverse.refusals import reason
from syncd.connectors.dataverse.rounds import Item, arrange, blocked
from syncd.connectors.dataverse.settling import (
    MOVED,
    UNKNOWN,
    Group,
    Unclear,
    abandon,
    halves,
    judged,
    lost,
    of_row,
    outcomes,
    pause_in,
    repeated,
)
from syncd.connectors.dataverse.writes import Refused, Wire, done, untouched
from syncd.connectors.http import Channel, read_code, retry_after
from syncd.core.errors import Stopped, TargetError, TargetRefused
from syncd.core.free import recycles
from syncd.core.ledger import Ledger, Message
from syncd.core.model import Action, Membership
from syncd.core.plan import Change, Fault, Outcome, Result

__all__ = ["Delivery"]

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""The request did not leave."""
LOST = (httpx.TransportError, httpx.DecodingError)
REPEATS = 2
"""How often a change is sent again after its answer was lost and it was seen not to be done."""
MALFORMED = frozenset({"80048d19", "80060888"})
EMPTIED = "emptied instead of deleted: this environment refuses {}"

APPLIED = Result.APPLIED
Read = Callable[[Sequence[str]], dict[str, Membership]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Deliver changes over *channel*; *read* shows rows as they are."""

    channel: Channel
    read: Read

    @property
    def ledger(self) -> Ledger:
        """What the environment was seen to do and not to do."""
        return self.channel.governor.ledger

    def deliver(self, changes: Sequence[Change], run: int) -> list[Outcome]:
        """
        Send *changes* and return one outcome each, in order.

        Raises Stopped only if nothing was sent yet; every other trouble is an outcome.
        """
        rounds = arrange(changes)
        items = list(chain.from_iterable(rounds))
        wire = Wire(self.channel.path, self.channel.root, run)
        try:
            for one in rounds:
                ready = deque(self._ready(one))
                while ready:
                    size = min(len(ready), self.channel.governor.size)
                    self._send([ready.popleft() for _ in range(size)], wire)
        except Stopped as exc:
            if not any(item.outcome or item.doubtful for item in items):
                raise
            abandon(items, exc)
        except TargetError as exc:
            abandon(items, exc)
        return outcomes(changes, items)

    def _ready(self, items: Group) -> Group:
        """Leave out what must not be sent; give the others the version to change."""
        open_ = [item for item in items if not (item.needs and blocked(item))]
        later = [item for item in open_ if item.previous is not None]
        if later:
            self._renew(later)
        return [item for item in open_ if item.outcome is None]

    def _renew(self, items: Group) -> None:
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

    def _send(self, items: Group, wire: Wire) -> None:
        """Send changes that do not rely on each other, until every one has its outcome."""
        groups = deque([items])
        while groups:
            refused = dict(self.ledger.refused)  # as it is now: other lanes may learn meanwhile
            group = self._compared(groups.popleft(), refused)
            again: list[Group] = []
            for parcel in pack(group, wire, refused):
                again += self._exchange(parcel)
            groups.extendleft(reversed([one for one in again if one]))

    def _compared(self, group: Group, refused: Refused) -> Group:
        """Compare versions ourselves, right before, where the server will not."""
        bare = [item for item in group if unguarded(item, refused)] if refused else []
        if not bare:
            return group
        rows = self._look(bare)
        for item in bare:
            row = None if rows is None else rows.get(item.change.membership)
            if rows is None:
                start = UNKNOWN if item.doubtful else "not sent"
                detail = f"{start}: the row could not be read again right before its change"
                item.settle(Result.FAILED, detail, Fault.TRANSIENT)
            elif done(item.change, row):
                item.settle(Result.APPLIED if item.doubtful else Result.ALREADY)
            elif not untouched(item.change, row, item.version, item.stage):
                item.settle(Result.MOVED, MOVED)
        return [item for item in group if item.outcome is None]

    def _exchange(self, parcel: Parcel) -> list[Group]:
        """Send *parcel* once. Returns what is to be sent again, as groups."""
        try:
            response = post(self.channel, parcel)
        except UNSENT as exc:
            return self._unsent(parcel, self.channel.why(exc))
        except LOST as exc:
            if isinstance(exc, httpx.TimeoutException):
                self.channel.governor.shrink()
            why = f"the answer was lost ({self.channel.why(exc)})"
            return self._resolve([lost(item, why) for item in parcel.items])
        if parcel.form is Form.SINGLE:
            return self._lone(parcel, response)
        if parcel.form is Form.BATCH:
            kind = response.headers.get("Content-Type", "")
            if kind.lower().startswith("multipart/"):
                self.ledger.work(Message.BATCH)
                parts = decode(kind, response.content, len(parcel.items))
                return self._parts(parcel, parts, response)
        elif response.is_success:
            return self._bulk(parcel, response)
        return self._whole(parcel, response)

    def _unsent(self, parcel: Parcel, why: str) -> list[Group]:
        again = []
        for item in parcel.items:
            if item.tries < REPEATS:
                item.tries += 1
                again.append(item)
            else:
                start = UNKNOWN if item.doubtful else "not sent"
                detail = f"{start}: {self.channel.host} could not be reached: {why}"
                item.settle(Result.FAILED, detail, Fault.TRANSIENT)
        if again:
            self.channel.throttle.back_off(again[0].tries)
        return [again]

    # --- answers -----------------------------------------------------------------------

    def _lone(self, parcel: Parcel, response: httpx.Response) -> list[Group]:
        """Take the answer to a single request; where a right is missing, others lack it too."""
        coded = bool(read_error(response.content).code)
        again = self._parts(parcel, [single(response, coded=coded)], response)
        outcome = parcel.items[0].outcome
        if outcome is not None and outcome.fault is Fault.RIGHTS:
            raise TargetRefused(outcome.detail)
        return again

    def _bulk(self, parcel: Parcel, response: httpx.Response) -> list[Group]:
        """Settle a bulk call that was done, if it says what it did."""
        ids = given_ids(response.content) if parcel.form is Form.CREATES else None
        genuine = response.status_code == 204 and parcel.form is Form.UPDATES
        if ids is None and not genuine:
            return self._gateway(parcel, response)
        self.channel.throttle.passed()
        self.ledger.work(Message(parcel.form.value))
        sent = [item.change.membership for item in parcel.items]
        if ids is not None and sorted(ids) != sorted(sent):
            for item in parcel.items:
                item.settle(Result.FAILED, self._renamed(), Fault.CONFIGURATION)
            return []
        for item in parcel.items:
            item.settle(Result.APPLIED)
        return []

    def _renamed(self) -> str:
        return (
            f"{self.channel.host} gave new rows other ids than they were asked for, so that a "
            "lost answer could make twins; see what changes the key of a new row there"
        )

    def _parts(
        self, parcel: Parcel, parts: Sequence[Part | None], response: httpx.Response
    ) -> list[Group]:
        """Settle what is clear from its own answer, and look after the rest."""
        unclear: list[Unclear] = []
        refused: list[tuple[Item, Operation, Part]] = []
        again: Group = []
        ledger = self.ledger
        plain = set() if recycles(ledger.refused) else ledger.worked - BY_REFERENCE
        for item, made, part in zip(parcel.items, parcel.requests, parts, strict=True):
            if part is None:
                unclear.append(lost(item, "the answer came back without one to it"))
            elif 200 <= part.status < 300 and made.message in plain:
                item.settle(APPLIED)
                item.etag = part.header("ETag") if item.followed else None
            elif 200 <= part.status < 300:
                again += self._applied(item, made.message, part)
            else:
                refused.append((item, made, part))
        waiting: Group = []
        pauses: list[float | None] = []
        for item, made, part in refused:  # after those that show what works here
            judgement = judge(item.change.action, part.status, part.body)
            if judgement.verdict is Verdict.WAIT:
                waiting.append(item)
                pauses.append(pause_in(part, response))
            elif self._steps_down(made, part):
                again.append(item)
            else:
                unclear += judged(item, of_row(judgement, part), part)
        if len(waiting) < len(parcel.items):
            self.channel.throttle.passed()
        if waiting:
            code = read_code(b" ".join(part.body for *_, part in refused))
            self.channel.governor.told(max((one for one in pauses if one), default=None), code)
        return [waiting, again, *self._resolve(unclear)]

    def _applied(self, item: Item, message: Message, part: Part) -> Group:
        """Settle what was done; give it back if it takes another request."""
        change, ledger = item.change, self.ledger
        if message not in ledger.worked:
            address = part.header("OData-EntityId") if message is Message.CREATE else None
            if address is not None and change.membership not in address.lower():
                item.settle(Result.FAILED, self._renamed(), Fault.CONFIGURATION)
                return []
            ledger.work(message)
        if change.action is Action.CREATE and message is Message.ASSOCIATE and not item.stage:
            item.stage = 1
            return [item]
        emptied = change.action is Action.REMOVE and message is not Message.DELETE
        cause = Message.CREATE if ledger.allows(Message.DELETE) else Message.DELETE
        item.settle(Result.APPLIED, EMPTIED.format(cause) if emptied else "")
        item.etag = part.header("ETag") if item.followed else None
        return []

    def _steps_down(self, made: Operation, part: Part) -> bool:
        """Note that a message, or comparing versions, is refused here whatever the row."""
        error, ledger, message = read_error(part.body), self.ledger, made.message
        if error.code == NO_VERSIONS:
            ledger.refuse(Message.VERSIONS, worded(part.status, error))
            return made.etag not in (None, "*")
        if message in ledger.worked:  # then it spoke of this row only
            return False
        if refuses(part.status, error, address=message in BY_REFERENCE):
            ledger.refuse(message, worded(part.status, error))
            return True
        return False

    def _whole(self, parcel: Parcel, response: httpx.Response) -> list[Group]:
        """Look after a request that was answered as a whole."""
        status, error = response.status_code, read_error(response.content)
        judgement = judge(Action.MOVE, status, response.content)
        group, message = list(parcel.items), Message(parcel.form.value)
        if judgement.verdict is Verdict.WAIT:
            self.channel.governor.told(retry_after(response))
            return [group]
        if status == 413 and len(group) > 1:
            self.channel.governor.shrink()
            return halves(group)
        if refuses(status, error, address=True) and message not in self.ledger.worked:
            self.ledger.refuse(message, worded(status, error))
            return [group]
        repeat = judgement.verdict is Verdict.REPEAT
        if status < 400 or (repeat and not (parcel.form.bulk and error.code)):
            return self._gateway(parcel, response)
        refused = judgement.fault is not Fault.ROW and error.code not in MALFORMED and not repeat
        if refused or (status == 404 and not error.code):
            fault = judgement.fault if refused else Fault.CONFIGURATION
            why = reason(response, self.channel.host) or judgement.detail
            for item in group:
                item.settle(Result.FAILED, f"the batch was refused: {why}", fault)
            return []
        if parcel.form.bulk:  # all or nothing, and it was nothing
            if repeat:
                self.channel.governor.shrink()
            return halves(group)
        # Part of it may have run if somebody between us took the Prefer header away.
        repeats = REPEATS if len(group) > 1 else 0
        detail = f"the batch was refused: {worded(status, error)}"
        verdict = Judgement(Verdict.REPEAT, Fault.ROW, detail, repeats)
        for item in group:
            item.doubtful, item.tries = True, 0
        return self._resolve([(item, verdict) for item in group], calm=True)

    def _gateway(self, parcel: Parcel, response: httpx.Response) -> list[Group]:
        pause = retry_after(response)
        if pause:
            self.channel.throttle.told(pause)
        if response.status_code in (408, 504):
            self.channel.governor.shrink()
        why = f"{self.channel.host} answered {response.status_code} instead of a batch"
        return self._resolve([lost(item, why) for item in parcel.items])

    def _resolve(self, unclear: list[Unclear], *, calm: bool = False) -> list[Group]:
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
            elif repeated(item, judgement, rows.get(item.change.membership)):
                again.append(item)
        if again and not calm:
            self.channel.throttle.back_off(again[0].tries)
        return halves(again)
