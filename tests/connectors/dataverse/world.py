"""A small environment in the sandbox, and a clock that jumps instead of waiting."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any
from urllib.parse import unquote

import httpx

from syncd.connectors.auth import NoAuth
from syncd.connectors.dataverse import DataverseTarget, open_target
from syncd.core.model import Action, Membership, Situation
from syncd.core.plan import Change
from syncd.sandbox.dataverse import Sandbox
from syncd.sandbox.faults import Fault

URL = "http://127.0.0.1:5000"
ROWS = "usermobileofflineprofilememberships"
P1 = "20000000-0000-4000-8000-000000000001"
P2 = "20000000-0000-4000-8000-000000000002"
Row = tuple[str | None, str | None, bool, bool]


def user_id(number: int) -> str:
    """Name a user."""
    return f"10000000-0000-4000-8000-{number:012x}"


def row_id(number: int) -> str:
    """Name a row."""
    return f"30000000-0000-4000-8000-{number:012x}"


@dataclass
class Clock:
    """Time that passes only when somebody sleeps."""

    now: float = 1000.0
    naps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


class World(httpx.BaseTransport):
    """A sandbox without a socket: everything that is sent to it goes through here."""

    def __init__(self) -> None:
        self.sandbox = Sandbox()
        self.clock = Clock()
        self.stop = Event()
        self.sent: list[str] = []
        self.post("mobileofflineprofiles", profile(P1, "Field Crew"))
        self.post("mobileofflineprofiles", profile(P2, "Office"))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        target = request.extensions["target"].decode()
        path, _, query = target.partition("?")
        self.sent.append(f"{request.method} {path.rpartition('/')[2]}")
        body = request.read()
        answer = self.sandbox.answer(
            request.method, unquote(path), query, dict(request.headers), body
        )
        if answer.cut:
            raise httpx.ReadError("connection reset", request=request)
        return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.content)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do what an administrator does."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Host": "127.0.0.1:5000"}
        root, _, query = f"/api/data/v9.2/{path}".partition("?")
        answer = self.sandbox.answer(method, root, query, headers, content)
        assert answer.status < 300, answer.content
        shown: dict[str, Any] = json.loads(answer.content or b"{}")
        return shown

    def post(self, entity_set: str, row: dict[str, Any]) -> None:
        self.call("POST", entity_set, row)

    def user(self, number: int, **columns: object) -> str:
        """Add a user."""
        name = f"user{number}@contoso.com"
        given = {"systemuserid": user_id(number), "domainname": name, "fullname": f"User {number}"}
        self.post("systemusers", {**given, "internalemailaddress": name, **columns})
        return user_id(number)

    def row(
        self,
        number: int,
        user: str,
        profile: str = P1,
        *,
        active: bool = True,
        flagged: bool = False,
    ) -> str:
        """Add a row."""
        self.post(
            ROWS,
            {
                "usermobileofflineprofilemembershipid": row_id(number),
                "name": f"row {number}",
                "SystemUserId@odata.bind": f"/systemusers({user})",
                "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({profile})",
                "hasmobileofflineprofileidconflict": flagged,
            },
        )
        if not active:
            self.call("PATCH", f"{ROWS}({row_id(number)})", {"statecode": 1, "statuscode": 2})
        return row_id(number)

    def rows(self) -> dict[str, Row]:
        """Return all rows: user, profile, active, flagged."""
        shown = self.call("GET", ROWS)
        return {
            row["usermobileofflineprofilemembershipid"]: (
                row["_systemuserid_value"],
                row["_mobileofflineprofileid_value"],
                row["statecode"] == 0,
                bool(row["hasmobileofflineprofileidconflict"]),
            )
            for row in shown["value"]
        }

    def misbehave(self, *faults: Fault) -> None:
        self.sandbox.misbehave(faults)

    def open(self, **settings: Any) -> DataverseTarget:
        """Open the target on this world."""
        given: dict[str, Any] = {
            "url": URL,
            "auth": NoAuth(URL),
            "transport": self,
            "clock": self.clock,
            "sleep": self.clock.sleep,
            "jitter": lambda: 1.0,
            "stop": self.stop,
        }
        return open_target(**{**given, **settings})


def profile(
    key: str, name: str, published_on: str | None = "2025-06-01T09:00:00Z"
) -> dict[str, Any]:
    """Describe a profile."""
    return {
        "mobileofflineprofileid": key,
        "name": name,
        "componentstate": 0,
        "publishedon": published_on,
    }


def change(
    action: Action,
    row: Membership | str,
    *,
    user: str | None = None,
    after: str | None = None,
    number: int = 0,
) -> Change:
    """Plan a change of a row as read, or of one that is not there."""
    if isinstance(row, str):
        return Change(
            action, row, user, None, after, None, Situation.ABSENT, "rule x",
            title="Ada | Field Crew", number=number,
        )  # fmt: skip
    left = None if action.removes else after or row.profile
    return Change(
        action, row.id, row.user, row.profile if row.active else None, left, row.version,
        Situation.CONFIRMED, "rule x", number=number,
    )  # fmt: skip


def numbered(changes: Sequence[Change]) -> list[Change]:
    """Give changes numbers, in order."""
    return [
        Change(
            one.action, one.membership, one.user, one.before, one.after, one.version,
            one.situation, one.reason, title=one.title, number=number,
        )
        for number, one in enumerate(changes, 1)
    ]  # fmt: skip
