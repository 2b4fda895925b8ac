"""From a directory to rows in Dataverse: signed in at both, whole and by what changed."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from syncd.app import build
from syncd.sandbox import Application, Running
from syncd.sandbox.tls import make_certificate
from syncd.sandbox.tokens import TENANT
from tests.cli.office import ROWS, WORLD
from tests.connectors.sources.backends.graph import Tenant
from tests.connectors.sources.people import nothing_known
from tests.sandbox.door import sandbox_of

CLIENT, SECRET = "60000000-0000-4000-8000-000000000001", "correct horse"
SIGN_IN = f"""
method = "client-secret"
tenant_id = "{TENANT}"
client_id = "{CLIENT}"
client_secret = {{{{ env = "SECRET" }}}}
authority = "{{url}}"
"""
CONFIGURATION = f"""
[environments.contoso]
url = "{{url}}"
http = {{{{ ca_file = "ca.pem" }}}}
[environments.contoso.auth]{SIGN_IN}
[policy.certificate]
max_shrink_percent = 50
[[sources]]
name = "entra"
type = "graph"
url = "{{url}}"
groups = ["Crew"]
http = {{{{ ca_file = "ca.pem" }}}}
[sources.auth]{SIGN_IN}
[sources.person]
key = "id"
employee_id = "employeeId"
enabled = "accountEnabled"
[sources.person.attributes]
groups = {{{{ column = "groups", split = ";" }}}}
[[rules]]
name = "crew"
profile = "Field Crew"
when = '"Crew" in person.groups'
"""


@dataclass(slots=True)
class Signed:
    """Puts a token of the sandbox on each request."""

    client: httpx.Client
    url: str
    tenant: Tenant = field(init=False)

    def __post_init__(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scope": f"{self.url}/.default",
        }
        given = self.client.post(f"/{TENANT}/oauth2/v2.0/token", data=form).json()
        self.client.headers["Authorization"] = f"Bearer {given['access_token']}"
        self.tenant = Tenant(self.client, self.url)

    def rows(self) -> int:
        """Count the active rows of the environment that are for the crew."""
        answer = self.client.get(f"/api/data/v9.2/{ROWS}?$filter=statecode eq 0")
        return len(answer.json()["value"])


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Signed]:
    """Serve both faces over TLS, to whoever has a token."""
    certificate = make_certificate(tmp_path, "127.0.0.1")
    sandbox = sandbox_of({**WORLD, ROWS: []})
    sandbox.register(Application(client_id=CLIENT, secrets=[SECRET]))
    trust = ssl.create_default_context(cafile=str(certificate.certificate))
    with (
        Running(sandbox, tls=certificate) as running,
        httpx.Client(base_url=running.url, verify=trust, trust_env=False) as client,
    ):
        text = CONFIGURATION.format(url=running.url)
        text = text.replace("ca.pem", str(certificate.certificate))
        (tmp_path / "syncd.toml").write_text(text, encoding="utf-8")
        yield Signed(client, running.url)


def test_whoever_joins_a_group_gets_a_row_and_loses_it_with_the_group(
    signed: Signed, tmp_path: Path
) -> None:
    """First everything is read, then only what changed; a token that is too old is no trouble."""
    tenant = signed.tenant
    for number, key in ((1, "ada"), (2, "bo")):
        tenant.user(key, employeeId=f"E{number}")
    tenant.group("Crew", "ada")
    found: list[int] = []

    built = build(tmp_path / "syncd.toml", {"SECRET": SECRET})
    with built.database() as database:
        for step in range(4):
            if step == 1:
                tenant.group("Crew", "bo")
            if step == 2:
                tenant.leave("Crew", "ada")
            if step == 3:
                tenant.send("DELETE", "_sandbox/graph-tracking")
                tenant.delete("bo")
            with built.reconciler(database, "contoso") as reconciler:
                report = reconciler.reconcile(delta=step > 0)
            assert report.certificates[0].findings == ()
            found.append(signed.rows())

    assert found[:3] == [1, 2, 1]
    assert found[3] == 1  # not shown once is not gone: the second sighting decides


def test_a_secret_that_is_wrong_is_a_finding(signed: Signed, tmp_path: Path) -> None:
    """The environment may be fine; nothing is removed, and the secret is in no sentence."""
    built = build(tmp_path / "syncd.toml", {"SECRET": "not this one"})
    signed.tenant.user("ada", employeeId="E1")

    reading = built.sources()[0].source.read(nothing_known())
    pages = [record for page in reading for record in page]

    assert pages == []
    assert len(reading.facts.findings) == 1
    assert reading.facts.findings[0].startswith("127.0.0.1: signing in failed")
    assert "not this one" not in reading.facts.findings[0]
