"""People on scim2-server, a SCIM server that was not written here."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from syncd.connectors.auth.simple import HeaderAuth
from syncd.connectors.sources.scim import ScimSource
from syncd.core.cells import Field
from syncd.core.mapping import PersonMapping
from syncd.sandbox import SandboxError
from syncd.sandbox.registers.programs import find, free_port, running
from tests.connectors.sources.backends import Cells
from tests.connectors.sources.web import Asked, Reply, Web, relay, serve, site

TOKEN = "test-token"
CORE = "urn:ietf:params:scim:schemas:core:2.0"
EXTENSION = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
MAPPING = PersonMapping(
    Field("externalId"),
    employee_id=Field(f"{EXTENSION}:employeeNumber"),
    mail=Field('emails[type eq "work"].value'),
    attributes={"department": Field(f"{EXTENSION}:department")},
)


@cache
def server() -> str:
    """Start scim2-server once for all tests of this process, and return its address."""
    found, port = program(), free_port()
    folder, stack = Path(tempfile.mkdtemp(prefix="syncd-scim-")), ExitStack()
    stack.callback(shutil.rmtree, folder)
    command = [found, "--port", str(port), "--bearer-token", TOKEN, "--dynamic-tenants"]
    stack.enter_context(running(command, port, folder / "said"))
    atexit.register(stack.close)
    return f"http://127.0.0.1:{port}"


def program() -> str:
    """Return where scim2-server is. Skips the test, or fails it in CI, where it is missing."""
    try:
        return find("scim2-server", "pip install -e '.[test]'")
    except SandboxError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@dataclass(slots=True)
class Scim:
    """One tenant of the server, and a relay before it that can break answers off."""

    client: httpx.Client
    web: Web
    ids: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)

    def put(self, key: str, cells: Cells) -> None:
        emails = [
            {"value": "home@home.example", "type": "home"},
            {"value": cells["mail"], "type": "work", "primary": True},
        ]
        number, department = cells["employee_id"], cells["department"]
        enterprise = {"employeeNumber": number, "department": department}
        self.user(key, emails=emails, **{EXTENSION: enterprise})

    def user(self, key: str, **attributes: object) -> str:
        """Add a user, or replace one."""
        schemas = [f"{CORE}:User", *(name for name in attributes if name.startswith("urn:"))]
        row: dict[str, object] = {
            "schemas": schemas,
            "userName": key,
            "externalId": key,
            **attributes,
        }
        own = self.ids.get(key)
        self.ids[key] = self._put("Users", own, row)
        return self.ids[key]

    def group(self, name: str, *members: str) -> str:
        """Add a group of users and groups, or replace its members."""
        row: dict[str, object] = {
            "schemas": [f"{CORE}:Group"],
            "displayName": name,
            "members": [{"value": each} for each in members],
        }
        self.groups[name] = self._put("Groups", self.groups.get(name), row)
        return self.groups[name]

    def delete(self, key: str) -> None:
        self.client.delete(f"/v2/Users/{self.ids.pop(key)}").raise_for_status()

    def source(self, mapping: PersonMapping = MAPPING, **settings: object) -> ScimSource:
        url = f"{self.web.url}{self.client.base_url.path}v2"
        way = site(url, auth=HeaderAuth(url, "Authorization", f"Bearer {TOKEN}"))
        given = {"page_size": 3, **settings}
        return ScimSource("idp", way, mapping, **given)  # type: ignore[arg-type]  # as it has them

    def break_off(self) -> None:
        whole = self.web.answer

        def cut(asked: Asked) -> Reply:
            reply = whole(asked)
            half = "startIndex=4" in asked.target
            return Reply(reply.body, reply.status, reply.headers, cut=half)

        self.web.answer = cut

    def _put(self, kind: str, own: str | None, row: dict[str, object]) -> str:
        way = f"/v2/{kind}/{own}" if own else f"/v2/{kind}"
        answer = self.client.request("PUT" if own else "POST", way, json=row)
        answer.raise_for_status()
        return str(answer.json()["id"])


@contextmanager
def open_scim(_folder: Path) -> Iterator[Scim]:
    """Open a tenant of its own."""
    root = server()
    tenant = uuid4().hex
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/scim+json"}
    with (
        httpx.Client(base_url=f"{root}/{tenant}", headers=headers, trust_env=False) as client,
        serve(relay(root, client)) as web,
    ):
        yield Scim(client, web)
