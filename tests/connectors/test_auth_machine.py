"""Managed identities: the two endpoints of the platform, as they are documented."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from syncd.config.models import ManagedIdentity
from syncd.connectors.auth import open_auth
from syncd.core.errors import TargetRefused, TargetUnreachable

URL = "https://contoso.crm4.dynamics.com"
MINE = "66666666-7777-4888-9999-aaaaaaaaaaaa"
HEADER = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a"

Answer = tuple[int, dict[str, Any] | str]


@dataclass(slots=True)
class Platform:
    """A machine with a system-assigned identity, and with one assigned by a user."""

    root: str
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    instead: list[Answer] = field(default_factory=list)

    def answer(self, path: str, query: dict[str, str], headers: dict[str, str]) -> Answer:
        """Answer as the metadata service of a machine, or as App Service."""
        self.asked.append((path, query))
        if self.instead:
            return self.instead.pop(0)
        if path == "/metadata/identity/oauth2/token":
            return self._machine(query, headers)
        return self._app_service(query, headers)

    def _machine(self, query: dict[str, str], headers: dict[str, str]) -> Answer:
        if headers.get("metadata") != "true" or query.get("api-version") != "2018-02-01":
            return 400, {"error": "invalid_request", "error_description": "Required header"}
        if query.get("client_id", MINE) != MINE:
            return 400, {"error": "invalid_request", "error_description": "Identity not found"}
        return 200, self._token(query) | {"expires_in": "3599"}

    def _app_service(self, query: dict[str, str], headers: dict[str, str]) -> Answer:
        if headers.get("x-identity-header") != HEADER or query["api-version"] != "2019-08-01":
            return 401, {"statusCode": 401, "message": "Unauthorized"}
        if query.get("client_id", MINE) != MINE:
            return 400, {"statusCode": 400, "message": "No User Assigned Managed Identity found"}
        return 200, self._token(query) | {"expires_on": str(int(time.time()) + 3600)}

    def _token(self, query: dict[str, str]) -> dict[str, Any]:
        text = f"T-{query['resource']}-{query.get('client_id', 'system')}"
        return {"access_token": text, "token_type": "Bearer", "resource": query["resource"]}


@pytest.fixture(scope="module")
def running() -> Iterator[Platform]:
    """Run the endpoints on this machine."""
    holder: list[Platform] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, body = holder[0].answer(parts.path, dict(parse_qsl(parts.query)), headers)
            content = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        holder.append(Platform(f"http://127.0.0.1:{server.server_port}"))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield holder[0]
        server.shutdown()
        thread.join()


@pytest.fixture
def platform(running: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Give the platform with nothing asked and no variable set."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "IMDS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    running.asked.clear()
    running.instead.clear()
    return running


@pytest.fixture
def machine(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Be on a machine with a metadata service."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", platform.root)
    return platform


@pytest.fixture
def app_service(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Be in App Service or Container Apps."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{platform.root}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", HEADER)
    return platform


def signed(
    client_id: str | None = None, pause: Callable[[float], Any] = lambda _: None, **more: Any
) -> str:
    """Return how a request to the environment is signed."""
    auth = ManagedIdentity(method="managed-identity", client_id=client_id)
    flow = open_auth(URL, auth, pause=pause, **more)
    return next(flow.sync_auth_flow(httpx.Request("GET", URL))).headers["Authorization"]


@pytest.mark.parametrize("where", ["machine", "app_service"])
@pytest.mark.parametrize("client_id", [None, MINE])
def test_the_platform_gives_a_token_for_the_environment(
    request: pytest.FixtureRequest, where: str, client_id: str | None
) -> None:
    """The resource is the environment; no proxy is asked."""
    platform: Platform = request.getfixturevalue(where)

    assert signed(client_id) == f"Bearer T-{URL}-{client_id or 'system'}"

    (asked,) = platform.asked
    assert asked[1]["resource"] == URL
    assert asked[1].get("client_id") == client_id


@pytest.mark.parametrize("where", ["machine", "app_service"])
def test_an_identity_that_is_not_assigned_is_told(
    request: pytest.FixtureRequest, where: str
) -> None:
    """What to do: assign it, or give the right client id."""
    request.getfixturevalue(where)

    with pytest.raises(TargetRefused, match=r"no such managed identity .*auth\.client_id"):
        signed("00000000-0000-0000-0000-000000000000")

    assert request.getfixturevalue(where).asked


def test_what_passes_is_asked_again(machine: Platform) -> None:
    """A metadata service that is being renewed says 404 or 410, a busy one 429 or 500."""
    pauses: list[float] = []
    machine.instead += [(404, "{}"), (410, "{}"), (500, "{}")]

    assert signed(pause=pauses.append) == f"Bearer T-{URL}-system"
    assert pauses == [1.0, 2.0, 4.0]


def test_what_does_not_pass_is_told(machine: Platform) -> None:
    """After four tries."""
    machine.instead += [(429, "{}")] * 4

    with pytest.raises(TargetUnreachable, match=r"^the metadata service of the machine .* 429"):
        signed()

    assert len(machine.asked) == 4


@pytest.mark.parametrize("body", ["<html></html>", "{", "[]", ""])
def test_an_answer_that_is_none_is_told(machine: Platform, body: str) -> None:
    """Something else listens there."""
    machine.instead.append((200, body))

    with pytest.raises(TargetUnreachable, match="answered with a page instead of a token"):
        signed()

    assert len(machine.asked) == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"access_token": "", "expires_in": "3599"}, {"access_token": "T", "expires_in": "soon"}],
)
def test_an_answer_without_a_token_is_told(machine: Platform, body: dict[str, Any]) -> None:
    """It is JSON, and that is all."""
    machine.instead.append((200, body))

    with pytest.raises(TargetRefused, match=r"signing in failed.*identity"):
        signed()

    assert len(machine.asked) == 1


def test_a_machine_elsewhere_is_told(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers where the metadata service would be."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")

    with pytest.raises(TargetUnreachable, match=r"is for a machine in Azure"):
        signed()

    assert platform.asked == []


def test_requests_to_the_platform_are_counted(machine: Platform) -> None:
    """They are requests for tokens like any other."""
    told: list[tuple[str, str]] = []
    machine.instead += [(500, "{}")]

    signed(observe=lambda operation, status, _: told.append((operation, status)))

    assert told == [("token", "500"), ("token", "200")]


def test_service_fabric_is_refused_in_words(
    app_service: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its endpoint wants another kind of trust than the rest."""
    monkeypatch.setenv("IDENTITY_SERVER_THUMBPRINT", "0" * 40)

    with pytest.raises(TargetRefused, match="Service Fabric"):
        signed()

    assert app_service.asked == []
