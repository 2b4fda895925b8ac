"""
Orders to a running sandbox, beside the Web API: `/_sandbox/<what>`.

    POST   /_sandbox/messages  {"table", "refuse": ["Create", ...], "status", "code"}
    POST   /_sandbox/tables    {"table", "optimistic_concurrency": false, "change_tracking": false}
    POST   /_sandbox/faults    one fault or a list; they come on top of those still at work
    DELETE /_sandbox/faults    none from now on
    POST   /_sandbox/lacking   {"privileges": ["prvReadTeam", ...]}: what the caller may not do
    POST   /_sandbox/metadata  {"table", "column", "change": {"MaxLength": 50} or null: is gone}
    DELETE /_sandbox/tracking  the delta tokens given so far are too old from now on
    POST   /_sandbox/protection  limits of service protection (those of the documentation: {})
    GET    /_sandbox/protection  what came in since, and how much of it was refused
    DELETE /_sandbox/protection  no limits
    POST   /_sandbox/applications  a registration or a list; from then on tokens are required
    POST   /_sandbox/graph  how deltas of Graph behave: {"page_size", "empty", "twice", "lost"}
    DELETE /_sandbox/graph  an empty tenant
    DELETE /_sandbox/graph-tracking  the delta tokens that Graph gave are too old from now on
    POST   /_sandbox/sign-in  {"required": false, "token_seconds": 60, "challenge": true}

`table` is the user memberships where it is not given. They answer 204 (GET: 200, JSON),
or 400 with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from syncd.sandbox.answers import Answer, refusal
from syncd.sandbox.definitions import Definitions
from syncd.sandbox.errors import Refused, SandboxError
from syncd.sandbox.faults import Faults, read_faults
from syncd.sandbox.protection import Limits, Protection
from syncd.sandbox.rights import privileges
from syncd.sandbox.store import Store
from syncd.sandbox.switches import MEMBERSHIP, Switches, known
from syncd.sandbox.tokens import Application, Authority, SignIn
from syncd.sandbox.tracking import Tracker

__all__ = ["PREFIX", "Control", "Order", "protection_orders", "sign_in_orders"]

PREFIX = "/_sandbox/"
DONE = Answer(204)

Order = Callable[[bytes], object]
"""Takes a body and returns what is to be shown, or None."""


class Messages(msgspec.Struct, forbid_unknown_fields=True):
    """Which messages a table refuses from now on, and how."""

    refuse: list[str]
    table: str = MEMBERSHIP
    status: int = 400
    code: str = "0x80044824"


class Features(msgspec.Struct, forbid_unknown_fields=True):
    """Which features a table has; None leaves one as it is."""

    table: str = MEMBERSHIP
    optimistic_concurrency: bool | None = None
    change_tracking: bool | None = None


class Lacking(msgspec.Struct, forbid_unknown_fields=True):
    """All privileges that the caller lacks from now on."""

    privileges: list[str]


class Drift(msgspec.Struct, forbid_unknown_fields=True):
    """What metadata says otherwise of a column from now on; None: that it is not there."""

    column: str
    change: dict[str, Any] | None
    table: str = MEMBERSHIP


class Control:
    """Carries out orders. Whoever calls holds the lock."""

    def __init__(
        self,
        switches: Switches,
        faults: Faults,
        tracker: Tracker,
        store: Store,
        definitions: Definitions,
    ) -> None:
        self._store = store
        self._definitions = definitions
        self._switches = switches
        self._faults = faults
        self._tracker = tracker
        self._orders: dict[tuple[str, str], Order] = {
            ("POST", "messages"): self._messages,
            ("POST", "tables"): self._tables,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._no_faults,
            ("DELETE", "tracking"): self._expire,
            ("POST", "lacking"): self._lack,
            ("POST", "metadata"): self._drift,
        }

    def add(self, orders: Mapping[tuple[str, str], Order]) -> None:
        """Carry out these orders too, by method and name."""
        self._orders.update(orders)

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Carry out one order, or say what is wrong with it."""
        order = self._orders.get((method, path.removeprefix(PREFIX)))
        if order is None:
            known = ", ".join(f"{verb} {PREFIX}{name}" for verb, name in self._orders)
            return refusal(Refused(404, "", f"{method} {path} is no order. There are: {known}."))
        try:
            shown = order(body)
        except SandboxError as error:
            return refusal(Refused(400, "", str(error)))
        if shown is None:
            return DONE
        return Answer(200, {"Content-Type": "application/json"}, msgspec.json.encode(shown))

    def _messages(self, body: bytes) -> None:
        asked = _read(body, Messages)
        self._switches.refuse(asked.table, asked.refuse, asked.status, asked.code)

    def _tables(self, body: bytes) -> None:
        asked = _read(body, Features)
        self._switches.set_features(
            asked.table, asked.optimistic_concurrency, asked.change_tracking
        )

    def _add_faults(self, body: bytes) -> None:
        self._faults.add(read_faults(body, "order"))

    def _no_faults(self, _body: bytes) -> None:
        self._faults.clear()

    def _expire(self, _body: bytes) -> None:
        self._tracker.expire()

    def _lack(self, body: bytes) -> None:
        names = {name.lower() for name in _read(body, Lacking).privileges}
        unknown = names - {name.lower() for name in privileges()}
        if unknown:
            raise SandboxError(f"{min(unknown)} is no privilege here.")
        self._store.lacking = names

    def _drift(self, body: bytes) -> None:
        asked = _read(body, Drift)
        known(asked.table)
        self._definitions.alter(asked.table, asked.column, asked.change)


def protection_orders(protection: Protection) -> Mapping[tuple[str, str], Order]:
    """Return the orders that set limits, end them, and tell how they were met."""
    return {
        ("POST", "protection"): lambda body: protection.set(_read(body, Limits)),
        ("GET", "protection"): lambda _: protection.seen,
        ("DELETE", "protection"): lambda _: protection.set(None),
    }


def sign_in_orders(authority: Authority) -> Mapping[tuple[str, str], Order]:
    """Return the orders about tokens."""

    def register(body: bytes) -> None:
        asked = _read(body, Application | list[Application])
        authority.register(asked if isinstance(asked, list) else [asked])

    return {
        ("POST", "applications"): register,
        ("POST", "sign-in"): lambda body: authority.set(_read(body, SignIn)),
    }


def _read(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise SandboxError(f"The order cannot be read: {error}.") from error
