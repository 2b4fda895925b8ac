"""An identity platform: people on scim2-server, a SCIM 2.0 server from PyPI."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from syncd.sandbox.client import send
from syncd.sandbox.registers.parts import Row, Words, iso_day
from syncd.sandbox.registers.programs import find, free_port, running

__all__ = ["REMEDY", "opened"]

REMEDY = 'install it with: pip install "scim2-server==0.8.3"'
TOKEN = "scim-token"  # noqa: S105  # the name of the file that holds it
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
SOURCE = f"""\
[[sources]]
name = "platform"
type = "scim"
url = "{{url}}"
auth = {{{{ method = "bearer", token = {{{{ file = "{TOKEN}" }}}} }}}}
# This platform knows no days: who has not started yet is not active.
[sources.person]
key = "{ENTERPRISE}:employeeNumber"
employee_id = "{ENTERPRISE}:employeeNumber"
object_id = "externalId"
user_name = "userName"
mail = 'emails[type eq "work"].value'
enabled = "active"
[sources.person.attributes]
department = "{ENTERPRISE}:department"
site = 'addresses[type eq "work"].locality'
grade = {{{{ column = 'roles[type eq "grade"].value', type = "int" }}}}
"""


@dataclass(slots=True)
class Platform:
    """Users by their employee numbers."""

    folder: Path
    url: str
    today: Callable[[], date]
    token: str
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The settings by which syncd reads it."""
        return SOURCE.format(url=self.url)

    @property
    def words(self) -> Words:
        """How one speaks of it."""
        ident = next(iter(self.ids.values()), "ID")
        change = '{"Operations": [{"op": "replace", "path": "active", "value": false}]}'
        return Words(
            place="the identity platform",
            news="The identity platform has changed",
            broken="A broken answer of the platform",
            play=[
                "Change somebody, such as:",
                f"  curl -X PATCH {self.url}/Users/{ident} \\",
                f'    -H "Authorization: Bearer $(cat {self.folder / TOKEN})" \\',
                f"    -H 'Content-Type: application/scim+json' -d '{change}'",
            ],
            later="The platform's people have ended with its server; the rows are kept.",
        )

    def put(self, people: Sequence[Row]) -> Mapping[str, str]:
        """Create users or replace them, one after the other. Raises SandboxError."""
        for person in people:
            number = person["EmployeeID"]
            own = self.ids.get(number)
            body = json.dumps(self._user(person)).encode()
            way = f"{self.url}/Users/{own}" if own else f"{self.url}/Users"
            headers = {
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/scim+json",
            }
            answer = send("PUT" if own else "POST", way, headers, body)
            self.ids[number] = json.loads(answer)["id"]
        return {}

    def _user(self, person: Row) -> Mapping[str, object]:
        started = iso_day(person["Hire date"]) <= self.today().isoformat()
        user: dict[str, object] = {
            "schemas": [CORE, ENTERPRISE],
            "userName": person["UPN"] or person["EmployeeID"],
            "active": person["Status"] != "Left" and started,
            "addresses": [{"type": "work", "locality": person["Site"]}],
            "roles": [{"type": "grade", "value": person["Grade"]}],
            ENTERPRISE: {
                "employeeNumber": person["EmployeeID"],
                "department": person["Department"],
            },
        }
        if person["EntraObjectId"]:
            user["externalId"] = person["EntraObjectId"]
        if person["Email"]:
            user["emails"] = [{"type": "work", "value": person["Email"], "primary": True}]
        return user


@contextmanager
def opened(folder: Path, today: Callable[[], date]) -> Iterator[Platform]:
    """Start a server without people, and stop it. Raises SandboxError."""
    program, port = find("scim2-server", REMEDY), free_port()
    token = secrets.token_hex()  # as an argument it must not begin with a dash
    path = folder / TOKEN
    path.touch(mode=0o600)
    path.write_text(token, encoding="utf-8")
    command = [program, "--port", str(port), "--bearer-token", token]
    with running(command, port, folder / "scim.log"):
        yield Platform(folder, f"http://127.0.0.1:{port}/v2", today, token)
