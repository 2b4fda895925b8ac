"""What an environment was asked for, what it refused, and how fast it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

__all__ = ["AGAIN", "Capability", "Ledger", "Message", "learned", "refusing"]

AGAIN = timedelta(days=1)
"""After this time what was refused is tried again: an environment may have been upgraded."""


class Message(StrEnum):
    """A way to write that an environment may refuse (domain.md section 8)."""

    CREATE_MULTIPLE = "CreateMultiple"
    UPDATE_MULTIPLE = "UpdateMultiple"
    BATCH = "$batch"
    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"
    ASSOCIATE = "Associate"
    DISASSOCIATE = "Disassociate"
    VERSIONS = "optimistic concurrency"

    __hash__ = str.__hash__  # that of enumerations is slow, and a run asks a million times


@dataclass(slots=True)
class Ledger:
    """
    What a target learns and spends while it is in use; one for each environment.

    `refused` holds the server's sentence for each way that is not taken, of which those
    `recalled` were learned before and not tried; `worked` is what was seen to work.
    `requests` counts what was sent, `operations` what the daily entitlement counts: each
    part of a batch, each row of a bulk call; `kept` of both are on record. `rate` is in
    rows a second over all lanes, None while nothing was measured; it came with `lanes`
    lanes and `size` changes in one request.
    """

    refused: dict[Message, str] = field(default_factory=dict)
    recalled: set[Message] = field(default_factory=set)
    worked: set[Message] = field(default_factory=set)
    requests: int = 0
    operations: int = 0
    rate: float | None = None
    lanes: int = 0
    size: int = 0
    kept: tuple[int, int] = (0, 0)

    def unkept(self) -> tuple[int, int]:
        """Return the requests and operations since this was asked last."""
        before, self.kept = self.kept, (self.requests, self.operations)
        return self.kept[0] - before[0], self.kept[1] - before[1]

    def recall(self, refused: Mapping[Message, str]) -> None:
        """Take over what earlier runs learned, and forget what is to be tried again."""
        for message in self.recalled - refused.keys():
            self.refused.pop(message, None)
        self.refused.update(refused)
        self.recalled = set(refused)

    def allows(self, message: Message) -> bool:
        """Tell whether a way may be taken."""
        return message not in self.refused

    def refuse(self, message: Message, why: str) -> None:
        """Note that the environment does not do this."""
        self.recalled.discard(message)
        self.refused[message] = why

    def work(self, message: Message) -> None:
        """Note that it does; whoever said otherwise spoke of one row."""
        self.worked.add(message)
        self.refused.pop(message, None)


@dataclass(frozen=True, slots=True)
class Capability:
    """
    What is known of one way: whether it works, since when, and up to when a refusal holds.

    `detail` is the server's sentence where it was refused.
    """

    message: Message
    works: bool
    detail: str
    learned: datetime
    due: datetime | None = None


def refusing(known: Mapping[Message, Capability], now: datetime) -> dict[Message, str]:
    """Return what is not to be tried yet, with the server's sentence."""
    return {
        message: each.detail
        for message, each in known.items()
        if not each.works and each.due is not None and now < each.due
    }


def learned(
    known: Mapping[Message, Capability], ledger: Ledger, now: datetime
) -> dict[Message, Capability]:
    """
    Add to what was known what a run has learned.

    A refusal that was recalled, and so not met, keeps its time: it ends.
    """
    after = dict(known)
    for message, detail in ledger.refused.items():
        if message not in ledger.recalled:
            after[message] = Capability(message, False, detail, now, now + AGAIN)
    for message in ledger.worked:
        before = known.get(message)
        if before is None or not before.works:
            after[message] = Capability(message, True, "", now)
    return after
