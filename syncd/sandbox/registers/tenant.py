"""A tenant of Entra ID, in the sandbox: people are put in the way Microsoft Graph takes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from syncd.sandbox.client import send
from syncd.sandbox.errors import SandboxError
from syncd.sandbox.registers.parts import Row, Words, iso_day

__all__ = ["opened"]

BATCH = 20
"""The most requests in one (identity-and-sources.md section 2)."""
JSON = {"Content-Type": "application/json"}
SOURCE = """\
[[sources]]
name = "entra"
type = "graph"
url = "{url}"
auth = {{ method = "none" }}
[sources.person]
key = "employeeId"
employee_id = "employeeId"
object_id = "id"
user_name = "userPrincipalName"
mail = "mail"
enabled = "accountEnabled"
starts_on = "employeeHireDate"
leaves_on = "employeeLeaveDateTime"
[sources.person.attributes]
department = "department"
site = "officeLocation"
grade = {{ column = "onPremisesExtensionAttributes.extensionAttribute1", type = "int" }}
"""


@dataclass(slots=True)
class Tenant:
    """Users by their employee numbers."""

    url: str
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The settings by which syncd reads it."""
        return SOURCE.format(url=self.url)

    @property
    def words(self) -> Words:
        """How one speaks of it."""
        ident = next(iter(self.ids.values()), "ID")
        change = '{"department": "Warehouse"}'
        return Words(
            place="Entra ID",
            news="Entra ID has changed",
            broken="A broken answer of Graph",
            play=[
                "Change somebody, such as:",
                f"  curl -X PATCH {self.url}/v1.0/users/{ident} \\",
                f"    -H 'Content-Type: application/json' -d '{change}'",
            ],
            later="The tenant's people have ended with the sandbox; the rows are kept.",
        )

    def put(self, people: Sequence[Row]) -> Mapping[str, str]:
        """Create users or update them, twenty in one request. Raises SandboxError."""
        new = [person["EmployeeID"] for person in people if person["EmployeeID"] not in self.ids]
        for start in range(0, len(people), BATCH):
            self._send(people[start : start + BATCH])
        return {number: self.ids[number] for number in new}

    def _send(self, people: Sequence[Row]) -> None:
        requests = [
            {"id": person["EmployeeID"], "headers": JSON, **self._request(person)}
            for person in people
        ]
        body = json.dumps({"requests": requests}).encode()
        answer = json.loads(send("POST", f"{self.url}/v1.0/$batch", JSON, body))
        for each in answer["responses"]:
            if each["status"] >= 300:
                said = each["body"]["error"]["message"]
                raise SandboxError(f"{self.url} takes no user {each['id']}: {said}")
            if each["status"] == 201:
                self.ids[each["id"]] = each["body"]["id"]

    def _request(self, person: Row) -> Mapping[str, object]:
        ident = self.ids.get(person["EmployeeID"])
        if ident is None:
            return {"method": "POST", "url": "/users", "body": _new(person)}
        return {"method": "PATCH", "url": f"/users/{ident}", "body": _properties(person)}


def _new(person: Row) -> Mapping[str, object]:
    number = person["EmployeeID"]
    name = person["UPN"] or f"{number.lower()}@contoso.onmicrosoft.com"
    nick = name.partition("@")[0]
    names = {"userPrincipalName": name, "mailNickname": nick, "displayName": nick}
    return {"employeeId": number, **names, **_properties(person)}


def _properties(person: Row) -> Mapping[str, object]:
    return {
        "mail": person["Email"] or None,
        "accountEnabled": person["Status"] != "Left",
        "employeeHireDate": _moment(person["Hire date"]),
        "employeeLeaveDateTime": _moment(person["Last day"]),
        "department": person["Department"],
        "officeLocation": person["Site"],
        "onPremisesExtensionAttributes": {"extensionAttribute1": person["Grade"]},
    }


def _moment(day: str) -> str | None:
    return f"{iso_day(day)}T00:00:00Z" if day else None


@contextmanager
def opened(url: str) -> Iterator[Tenant]:
    """Open the tenant of a sandbox, which is emptied."""
    address = url.rstrip("/")
    send("DELETE", f"{address}/_sandbox/graph")
    yield Tenant(address)
