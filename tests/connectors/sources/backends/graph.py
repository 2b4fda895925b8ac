"""A tenant of Entra ID behind Microsoft Graph, in a sandbox that is served over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from syncd.connectors.sources.graph import GraphSource, Site
from syncd.connectors.throttle import Throttle
from syncd.core.cells import Field
from syncd.core.mapping import PersonMapping
from syncd.sandbox import Running, Sandbox
from tests.connectors.sources.backends import Cells

MAPPING = PersonMapping(
    Field("mailNickname"),
    employee_id=Field("employeeId"),
    mail=Field("mail"),
    attributes={"department": Field("department")},
)
PAGE = 3


@dataclass(slots=True)
class Tenant:
    """Users and groups by names of ours; what is put in goes the way Graph wants it."""

    client: httpx.Client
    url: str
    ids: dict[str, str] = field(default_factory=dict)
    pauses: list[float] = field(default_factory=list)

    def put(self, key: str, cells: Cells) -> None:
        properties = {
            "employeeId": cells["employee_id"],
            "mail": cells["mail"],
            "department": cells["department"],
        }
        self.user(key, **properties)

    def delete(self, key: str) -> None:
        self.send("DELETE", f"v1.0/users/{self.ids[key]}")

    def source(self) -> GraphSource:
        return GraphSource("entra", self.site(), MAPPING)

    def break_off(self) -> None:
        self.fault(kind="cut", path="users/delta", skip=1, count=None)

    def site(self) -> Site:
        """Return how syncd reaches it; it waits without waiting, and notes how long."""
        return Site(self.url, throttle=self.throttle)

    def throttle(self) -> Throttle:
        clock = [0.0]

        def sleep(seconds: float) -> None:
            self.pauses.append(seconds)
            clock[0] += seconds

        return Throttle(sleep=sleep, clock=lambda: clock[0], jitter=lambda: 1.0)

    def user(self, key: str, **properties: object) -> str:
        """Put a user in, or change one."""
        if key in self.ids:
            self.send("PATCH", f"v1.0/users/{self.ids[key]}", properties)
        else:
            given = {
                "mailNickname": key,
                "displayName": key,
                "userPrincipalName": f"{key}@contoso.com",
                "accountEnabled": True,
                **properties,
            }
            self.ids[key] = self.send("POST", "v1.0/users", given)["id"]
        return self.ids[key]

    def group(self, name: str, *members: str) -> str:
        """Put a group in, or members into one."""
        if name not in self.ids:
            given = {
                "displayName": name,
                "mailNickname": name.replace(" ", ""),
                "mailEnabled": False,
                "securityEnabled": True,
            }
            self.ids[name] = self.send("POST", "v1.0/groups", given)["id"]
        for member in members:
            reference = {"@odata.id": f"{self.url}/v1.0/directoryObjects/{self.ids[member]}"}
            self.send("POST", f"v1.0/groups/{self.ids[name]}/members/$ref", reference)
        return self.ids[name]

    def leave(self, name: str, member: str) -> None:
        """Take a member out of a group."""
        group, ident = self.ids[name], self.ids[member]
        self.send("DELETE", f"v1.0/groups/{group}/members/{ident}/$ref")

    def order(self, **habits: object) -> None:
        """Say how deltas behave."""
        self.send("POST", "_sandbox/graph", {"page_size": PAGE, **habits})

    def fault(self, **fault: object) -> None:
        """Let something go wrong."""
        self.send("POST", "_sandbox/faults", fault)

    def send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Send one request, which must succeed."""
        answer = self.client.request(method, f"/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@contextmanager
def open_graph(folder: Path) -> Iterator[Tenant]:  # noqa: ARG001  # it keeps nothing
    """Serve an empty tenant whose pages are small."""
    with Running(Sandbox()) as running, tenant_at(running.url) as tenant:
        yield tenant


@contextmanager
def tenant_at(url: str) -> Iterator[Tenant]:
    """Empty the tenant of a sandbox, and make its pages small."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        tenant = Tenant(client, url)
        tenant.send("DELETE", "_sandbox/graph")
        tenant.send("DELETE", "_sandbox/faults")
        tenant.order()
        yield tenant
