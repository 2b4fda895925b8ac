"""A door into a sandbox, for tests: JSON in, JSON out, no network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from syncd.sandbox import Answer, Sandbox, Store, world

ROOT = "/api/data/v9.2/"
NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
ADA = "10000000-0000-4000-8000-000000000001"
BO = "10000000-0000-4000-8000-000000000002"
CREW = "20000000-0000-4000-8000-000000000001"
DEPOT = "20000000-0000-4000-8000-000000000002"
ROW = "30000000-0000-4000-8000-000000000001"
NEW = "30000000-0000-4000-8000-0000000000ff"
ROWS = "usermobileofflineprofilememberships"
TEAM = "50000000-0000-4000-8000-000000000001"
SMALL: Mapping[str, Sequence[Mapping[str, object]]] = {
    "systemusers": [
        {
            "systemuserid": ADA,
            "fullname": "Ada Kuhn",
            "domainname": "ada@contoso.com",
            "internalemailaddress": "ada@contoso.com",
            "_mobileofflineprofileid_value": DEPOT,
        },
        {
            "systemuserid": BO,
            "fullname": "Bo O'Neill",
            "domainname": "bo@contoso.com",
            "internalemailaddress": "bo@contoso.com",
        },
    ],
    "mobileofflineprofiles": [
        {"mobileofflineprofileid": CREW, "name": "Field Crew"},
        {"mobileofflineprofileid": DEPOT, "name": "Depot"},
    ],
    ROWS: [
        {
            "usermobileofflineprofilemembershipid": ROW,
            "_systemuserid_value": ADA,
            "_mobileofflineprofileid_value": CREW,
            "name": "by hand",
        }
    ],
    "teams": [{"teamid": TEAM, "name": "Storm"}],
    "teammemberships": [{"teamid": TEAM, "systemuserid": ADA}],
    "teammobileofflineprofilememberships": [
        {"_teamid_value": TEAM, "_mobileofflineprofileid_value": DEPOT}
    ],
    "usermappings": [],
}
"""Two users, two profiles, one row, one team with a member and a profile."""


@dataclass
class Door:
    """Speaks to one sandbox."""

    sandbox: Sandbox = field(default_factory=lambda: sandbox_of(SMALL))

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request below the root; a body becomes JSON."""
        content = b"" if body is None else json.dumps(body).encode()
        sent = {"Host": "contoso.example", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        address, _, query = path.partition("?")
        return self.sandbox.answer(method, ROOT + address, query, sent, content)

    def get(self, path: str, prefer: str = "") -> Any:
        """Return what a read that succeeds answers."""
        answer = self.send("GET", path, headers={"Prefer": prefer} if prefer else None)
        assert answer.status == 200, answer.content
        return json.loads(answer.content)

    def pages(self, path: str, prefer: str) -> list[list[dict[str, Any]]]:
        """Follow next links to the end."""
        found, link = [], path
        while link:
            page = self.get(link, prefer)
            found.append(page["value"])
            link = page.get("@odata.nextLink", "").partition(ROOT)[2]
        return found

    def batch(self, content: bytes, *, onward: bool = True, boundary: str = "b_1") -> Answer:
        """Send a batch as it is."""
        headers = {"Content-Type": f'multipart/mixed; boundary="{boundary}"', "Host": "x"}
        if onward:
            headers["Prefer"] = "odata.continue-on-error"
        return self.sandbox.answer("POST", ROOT + "$batch", "", headers, content)


def sandbox_of(rows: Mapping[str, Sequence[Mapping[str, object]]]) -> Sandbox:
    """Return a sandbox that holds these rows; its clock stands still."""
    store = Store()
    world.fill(store, rows, "2026-01-01T00:00:00Z")
    return Sandbox(store, clock=lambda: NOW)


def refused(answer: Answer) -> tuple[int, str]:
    """Return status and code of an error in Dataverse's form."""
    error = json.loads(answer.content)["error"]
    assert error["message"]
    return answer.status, error["code"]


def membership(**more: object) -> dict[str, object]:
    """Return the body of a create."""
    return {
        "usermobileofflineprofilemembershipid": NEW,
        "name": "Bo | Field Crew",
        "SystemUserId@odata.bind": f"/systemusers({BO})",
        "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({CREW})",
        **more,
    }


def part(method: str, path: str, body: object = None, **headers: str) -> bytes:
    """Return one operation of a batch, from its part headers to its last line."""
    identity = headers.pop("content_id", None)
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if identity:
        lines.append(f"Content-ID: {identity}")
    lines += ["", f"{method} {ROOT if not path.startswith('$') else ''}{path} HTTP/1.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines += ["Content-Type: application/json", "", json.dumps(body)]
    else:
        lines += ["", ""]
    return ("\r\n".join(lines) + "\r\n").encode()


def envelope(*parts: bytes, boundary: str = "b_1") -> bytes:
    """Return a batch, or the inside of a change set."""
    mark = b"--" + boundary.encode()
    return b"".join(mark + b"\r\n" + each for each in parts) + mark + b"--\r\n"


def change_set(*parts: bytes) -> bytes:
    """Return a change set as a part of a batch."""
    head = b'Content-Type: multipart/mixed; boundary="c_1"\r\n\r\n'
    return head + envelope(*parts, boundary="c_1")
