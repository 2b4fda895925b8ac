"""
What differs between environments: messages that are refused, features that are off.

All of them are on until somebody switches one off, so that a sandbox takes what Dataverse takes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from syncd.sandbox.errors import Refused, SandboxError
from syncd.sandbox.tables import TABLES

__all__ = ["BULK", "LISTED", "MEMBERSHIP", "MESSAGES", "Refusal", "Switches", "known", "reference"]

MEMBERSHIP = "usermobileofflineprofilemembership"
BULK = frozenset({"CreateMultiple", "UpdateMultiple", "UpsertMultiple"})
WRITES = frozenset({"Create", "Update", "Upsert", "Delete", "Associate", "Disassociate"})
READS = frozenset({"Retrieve", "RetrieveMultiple"})
MESSAGES = WRITES | READS | BULK
"""What a table takes here. `DeleteMultiple` is for elastic tables, and none is here."""
LISTED: Mapping[str, frozenset[str]] = MappingProxyType(
    {MEMBERSHIP: frozenset({"Associate", "Disassociate"})}
)
"""What a reference page lists, though reading works all the same (domain.md section 8)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Messages that a table does not take, and how it says so."""

    messages: frozenset[str]
    status: int = 400
    code: str = "0x80044824"


@dataclass(slots=True)
class Switches:
    """The switches of one sandbox. Tables are named by their logical names."""

    refusals: dict[str, Refusal] = field(default_factory=dict)
    unversioned: set[str] = field(default_factory=set)
    """Tables without optimistic concurrency: a version in a precondition is refused."""
    untracked: set[str] = field(default_factory=set)
    """Tables without change tracking."""

    def refuse(self, table: str, messages: Collection[str], status: int, code: str) -> None:
        """
        Refuse these messages of a table from now on; none takes all of them again.

        Raises SandboxError for a table or a message that is not here.
        """
        known(table)
        strange = sorted(set(messages) - MESSAGES)
        if strange:
            raise SandboxError(
                f"{strange[0]} is no message here. There are: {', '.join(sorted(MESSAGES))}."
            )
        self.refusals.pop(table, None)
        if messages:
            self.refusals[table] = Refusal(frozenset(messages), status, code)

    def set_features(self, table: str, versions: bool | None, tracking: bool | None) -> None:  # noqa: FBT001  # as an order names them
        """Switch concurrency control and change tracking of a table; None leaves one as it is."""
        known(table)
        for off, wanted in ((self.unversioned, versions), (self.untracked, tracking)):
            if wanted is not None:
                (off.discard if wanted else off.add)(table)

    def registered(self, table: str) -> frozenset[str]:
        """Return the messages that a table takes at the moment."""
        refusal = self.refusals.get(table)
        return MESSAGES - refusal.messages if refusal else MESSAGES

    def admit(self, table: str, message: str) -> None:
        """
        Do nothing if a table takes a message. Raises Refused if not.

        A bulk action that is not registered is not even declared, so its segment is unknown.
        """
        refusal = self.refusals.get(table)
        if refusal is None or message not in refusal.messages:
            return
        if message in BULK:
            name = f"Microsoft.Dynamics.CRM.{message}"
            raise Refused(404, "0x8006088a", f"Resource not found for the segment '{name}'.")
        raise Refused(
            refusal.status,
            refusal.code,
            f"The '{message}' method does not support entities of type '{table}'.",
        )

    def admit_version(self, table: str) -> None:
        """Raise Refused if a table keeps no versions to compare with (section 2.2)."""
        if table in self.unversioned:
            raise Refused(
                400,
                "0x8006088d",
                f"Optimistic concurrency isn't enabled for entity type {table}. "
                "The IfVersionMatches value of ConcurrencyBehavior can only be used if "
                "optimistic concurrency is enabled.",
            )

    def admit_tracking(self, table: str) -> None:
        """Raise Refused if the changes of a table are not tracked (section 1.5)."""
        if table in self.untracked:
            said = f"Change tracking is not enabled for the entity '{table}'."
            raise Refused(400, "0x80072491", said)


def known(table: str) -> None:
    """Raise SandboxError for a table that is not here."""
    if table not in TABLES:
        raise SandboxError(f"{table} is no table here. There are: {', '.join(sorted(TABLES))}.")


def reference() -> Switches:
    """Return the switches of an environment that takes writes only as its reference lists them."""
    refusals = {table: Refusal(MESSAGES - READS - listed) for table, listed in LISTED.items()}
    return Switches(refusals)
