"""Signing in at the server of a source: fixed secrets, and OAuth 2.0 at a server of Authlib."""

from __future__ import annotations

import ssl
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import flask
import pytest
import trustme
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientCredentialsGrant
from pydantic import SecretStr
from werkzeug.serving import WSGIRequestHandler, make_server

from syncd.config.person import FieldSettings, PersonSettings
from syncd.config.web import (
    Basic,
    Bearer,
    Cursor,
    Header,
    HttpJsonSource,
    OAuth,
    SourceHttp,
    Unsigned,
    WebAuth,
)
from syncd.connectors.auth import open_web_auth
from syncd.connectors.http import open_client
from syncd.connectors.sources.http_json import open_http_json
from syncd.core.errors import ConfigError, TargetError, TargetRefused
from syncd.core.ports import ReadFacts
from tests.connectors.sources.people import read
from tests.connectors.sources.web import Asked, Reply, serve

SECRET = "s3cret value: & more+"
URL = "https://hr.contoso.com/people"


class _Grant(ClientCredentialsGrant):  # type: ignore[misc]  # Authlib ships no types
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # Werkzeug's name
        """Say nothing."""


@dataclass(slots=True)
class Company:
    """An authority, and the export that takes its tokens."""

    root: str
    ca_file: Path
    method: str = "client_secret_basic"
    life: int = 3600
    given: list[str] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    forms: list[dict[str, str]] = field(default_factory=list)

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"

    def check_client_secret(self, secret: str) -> bool:
        return SECRET in {secret, unquote_plus(secret)}

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == self.method


def _app(company: Company) -> flask.Flask:
    app = flask.Flask(__name__)
    server = AuthorizationServer(
        app, lambda each: company if each == "syncd" else None, lambda *_: None
    )
    server.register_grant(_Grant)

    def make(**_: object) -> dict[str, object]:
        company.given.append(f"token-{len(company.given) + 1}")
        text = company.given[-1]
        return {"access_token": text, "token_type": "Bearer", "expires_in": company.life}

    server.register_token_generator("default", make)

    @app.post("/token")
    def token() -> Any:
        company.forms.append(dict(flask.request.form))
        return server.create_token_response()

    @app.get("/people")
    def people() -> Any:
        shown = flask.request.headers.get("Authorization", "").removeprefix("Bearer ")
        if shown not in company.given or shown in company.revoked:
            return {"error": "invalid_token"}, 401
        at = int(flask.request.args.get("cursor", "0"))
        return {"items": [{"id": at}], "next": at + 1 if at < 2 else None}

    return app


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """Run both over TLS of a private authority."""
    with _running(tmp_path) as found:
        yield found


@contextmanager
def _running(folder: Path) -> Iterator[Company]:
    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    ca.cert_pem.write_to_path(folder / "ca.pem")
    company = Company("", folder / "ca.pem")
    server = make_server(
        "localhost",
        0,
        _app(company),
        threaded=True,
        ssl_context=context,
        request_handler=_Quiet,
    )
    company.root = f"https://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield company
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def oauth(company: Company, **settings: Any) -> OAuth:
    """Return how to sign in there."""
    given: dict[str, Any] = {
        "token_url": f"{company.root}/token",
        "client_id": "syncd",
        "client_secret": SecretStr(SECRET),
        **settings,
    }
    return OAuth(method="oauth", **given)


def read_people(
    company: Company, auth: WebAuth, *, trusted: bool = True
) -> tuple[list[str], ReadFacts]:
    """Read the export as the program would, from settings."""
    settings = HttpJsonSource(
        name="hr",
        type="http-json",
        url=f"{company.root}/people",
        auth=auth,
        http=SourceHttp(ca_file=company.ca_file if trusted else None),
        rows="items",
        paging=Cursor(method="cursor", path="next"),
        person=PersonSettings(key=FieldSettings(column="id")),
    )
    records, facts = read(open_http_json(settings, threading.Event()))
    return [each[0] for each in records], facts


@pytest.mark.parametrize("place", ["header", "form"])
def test_a_token_is_asked_for_once_and_goes_along(company: Company, place: str) -> None:
    """With id and secret where the server wants them, and what else must be said."""
    company.method = "client_secret_basic" if place == "header" else "client_secret_post"
    settings = {"credentials_in": place, "scope": "people.read", "audience": "hr"}

    found, facts = read_people(company, oauth(company, **settings))

    secret = {} if place == "header" else {"client_id": "syncd", "client_secret": SECRET}
    said = {"grant_type": "client_credentials", "scope": "people.read", "audience": "hr"}
    assert (found, facts.findings) == (["0", "1", "2"], ())
    assert company.forms == [said | secret]


def test_a_token_that_is_not_taken_any_more_is_renewed(company: Company) -> None:
    """In the middle of a read, once; it goes on where it was."""
    auth = open_web_auth(
        f"{company.root}/people", oauth(company), ca_file=str(company.ca_file), pause=lambda _: None
    )
    with open_client(company.root, auth=auth, ca_file=str(company.ca_file)) as client:
        first = client.get(f"{company.root}/people")
        company.revoked.add("token-1")
        second = client.get(f"{company.root}/people")

    assert (first.status_code, second.status_code) == (200, 200)
    assert company.given == ["token-1", "token-2"]


def test_a_token_that_is_never_taken_is_a_finding(company: Company) -> None:
    """One new one is tried, and no more."""
    company.revoked |= {f"token-{each}" for each in range(9)}

    _, facts = read_people(company, oauth(company))

    assert len(facts.findings) == 1
    assert "does not accept how syncd signs in (status 401); check auth" in facts.findings[0]
    assert len(company.given) == 2


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"client_secret": SecretStr("wrong")}, "answered invalid_client; check auth.client_id"),
        ({"client_id": "somebody"}, "answered invalid_client; check auth.client_id"),
        ({"credentials_in": "form"}, "auth.client_secret and auth.credentials_in"),
    ],
)
def test_a_refused_sign_in_is_one_sentence(
    company: Company, settings: dict[str, Any], says: str
) -> None:
    """It names what to check, and no secret."""
    _, facts = read_people(company, oauth(company, **settings))

    assert len(facts.findings) == 1
    assert says in facts.findings[0]
    assert "s3cret" not in facts.findings[0]
    assert "wrong" not in facts.findings[0]


def test_an_authority_that_is_not_trusted_is_a_finding(company: Company) -> None:
    """The certificate decides, not the address."""
    _, facts = read_people(company, oauth(company), trusted=False)

    assert len(facts.findings) == 1
    assert "certificate is not trusted; name the issuing authority in http.ca_file" in str(
        facts.findings
    )
    assert company.forms == []


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply({"token_type": "bearer"}), "gave no bearer token"),
        (Reply({"access_token": "x", "token_type": "mac"}), "gave no bearer token"),
        (Reply({"error": "invalid_scope"}, 400), "gave no bearer token (invalid_scope)"),
        (Reply(b"<html>"), "answered with a page instead of a token"),
        (Reply(b"", 302, {"Location": "/login"}), "sent it to another page"),
    ],
)
def test_what_is_no_token_is_refused(reply: Reply, says: str) -> None:
    """Whatever else an address may answer."""
    with serve(lambda _: reply) as web:
        place = Company(web.url, Path())
        auth = open_web_auth(f"{web.url}/people", oauth(place), pause=lambda _: None)
        with (
            open_client(web.url, auth=auth) as client,
            pytest.raises(TargetError) as caught,
        ):
            client.get(f"{web.url}/people")

    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        (Bearer(method="bearer", token=SecretStr(" t0ken\n")), "Authorization", "Bearer t0ken"),
        (Header(method="header", name="X-Api-Key", value=SecretStr("k3y")), "X-Api-Key", "k3y"),
    ],
)
def test_a_fixed_secret_stands_in_its_header(auth: WebAuth, name: str, value: str) -> None:
    """On each request."""
    seen: list[str | None] = []

    def answer(asked: Asked) -> Reply:
        seen.append(asked.headers.get(name))
        return Reply({})

    with serve(answer) as web, open_client(web.url, auth=open_web_auth(web.url, auth)) as client:
        client.get(web.url)

    assert seen == [value]


def test_a_password_is_sent_as_basic() -> None:
    """Both in UTF-8, as RFC 7617 wants it."""
    auth = Basic(method="basic", user="kühn", password=SecretStr("pä:ss"))
    seen: list[str] = []

    def answer(asked: Asked) -> Reply:
        seen.append(asked.headers["Authorization"])
        return Reply({})

    with serve(answer) as web, open_client(web.url, auth=open_web_auth(web.url, auth)) as client:
        client.get(web.url)

    assert b64decode(seen[0].removeprefix("Basic ")).decode() == "kühn:pä:ss"


def test_a_secret_goes_to_one_host_only() -> None:
    """Whoever sends the request, and wherever to."""
    auth = open_web_auth(URL, Bearer(method="bearer", token=SecretStr("t0ken")))

    with (
        serve(lambda _: Reply({})) as web,
        open_client(web.url, auth=auth) as client,
        pytest.raises(TargetRefused, match="nothing was sent") as caught,
    ):
        client.get(web.url)

    assert web.asked == []
    assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize(
    "auth",
    [
        Unsigned(method="none"),
        Bearer(method="bearer", token=SecretStr("two\nlines")),
        Header(method="header", name="X-Api-Key", value=SecretStr("schlüssel")),
    ],
)
def test_what_cannot_be_sent_is_refused_beforehand(auth: WebAuth) -> None:
    """And nobody reads the secret in the sentence."""
    with pytest.raises(ConfigError) as caught:
        open_web_auth(URL, auth)

    assert "lines" not in str(caught.value)
    assert "schl" not in str(caught.value)
