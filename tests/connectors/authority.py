"""
An OAuth 2.0 authority over TLS that verifies what it is given, and an environment beside it.

Authlib serves the token endpoint and signs the tokens; joserfc, not the library that MSAL
signs with, verifies assertions. Errors are worded as those of Entra ID.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import trustme
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientCredentialsGrant, InvalidClientError, OAuth2Request
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server

__all__ = ["TENANT", "Application", "Authority", "FederatedCredential", "serve"]

TENANT = "11111111-2222-4333-8444-555555555555"
ALGORITHMS = jws.JWSRegistry(algorithms=["RS256", "PS256"])
ALGORITHMS.max_header_length = 8192  # a certificate comes along
EXCHANGE = "api://AzureADTokenExchange"


@dataclass(frozen=True, slots=True)
class FederatedCredential:
    """Whose tokens an application is content with instead of a secret."""

    issuer: str
    subject: str
    key: RSAKey


@dataclass(slots=True)
class Application:
    """An application as it is registered: with what it may prove who it is."""

    client_id: str
    secret: str | None = None
    certificates: tuple[x509.Certificate, ...] = ()
    issuer: x509.Certificate | None = None
    subject: str | None = None
    federated: FederatedCredential | None = None

    def get_client_id(self) -> str:
        return self.client_id

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint == "token" and method in {"secret", "assertion"}


@dataclass(slots=True)
class Authority:
    """What tests see of the server, and may change in it while it runs."""

    root: str
    ca_file: Path
    applications: dict[str, Application] = field(default_factory=dict)
    life: int = 3600
    audience: str | None = None
    """Whom tokens are made for; None: for whom they are asked."""
    instead: Callable[[], flask.Response] | None = None
    """What is answered instead of a token or a document."""
    demand: str = ""
    """Claims that the environment wants to see as granted, as JSON."""
    asked: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    used: set[str] = field(default_factory=set)

    @property
    def token_endpoint(self) -> str:
        """Where tokens are asked for."""
        return f"{self.root}/{TENANT}/oauth2/v2.0/token"

    def register(self, application: Application) -> None:
        """Let an application sign in."""
        self.applications[application.client_id] = application


def _refuse(code: int, says: str) -> InvalidClientError:
    said = f"AADSTS{code}: {says} Trace ID: 0f1e"
    return InvalidClientError(description=said, status_code=401)


class _Grant(ClientCredentialsGrant):  # type: ignore[misc]  # Authlib ships no types
    TOKEN_ENDPOINT_AUTH_METHODS = ("secret", "assertion")


class _Signed(JWTBearerTokenGenerator):  # type: ignore[misc]  # Authlib ships no types
    """Access tokens as RFC 9068 wants them: for one audience, and signed."""

    def __init__(self, authority: Authority) -> None:
        super().__init__(issuer=f"{authority.root}/{TENANT}/v2.0")
        self._authority = authority
        self.expires_generator = lambda *_: authority.life

    def get_jwks(self) -> Any:
        return KeySet([self._authority.key])

    def get_audiences(self, _client: Any, _user: Any, scope: str) -> str:
        return self._authority.audience or scope.removesuffix("/.default")

    def get_extra_claims(self, *_: Any) -> dict[str, Any]:
        return {"claims": flask.request.form.get("claims", "")}


def _by_secret(query: Callable[[str], Application | None], request: OAuth2Request) -> Any:
    """Verify a secret that came in the form."""
    form = request.form
    if "client_secret" not in form:
        return None
    client = _known(query, form)
    if client.secret is None or form["client_secret"] != client.secret:
        raise _refuse(7000215, f"Invalid client secret provided: {form['client_secret']}.")
    return client


def _known(query: Callable[[str], Application | None], form: Mapping[str, str]) -> Application:
    client = query(form["client_id"])
    if client is None:
        raise _refuse(700016, f"Application '{form['client_id']}' was not found.")
    return client


def _by_assertion(authority: Authority) -> Callable[..., Any]:
    """Return what verifies assertions: by certificate or of another issuer."""

    def verify(query: Callable[[str], Application | None], request: OAuth2Request) -> Any:
        text = request.form.get("client_assertion")
        if text is None:
            return None
        client = _known(query, request.form)
        headers = jws.extract_compact(text.encode(), registry=ALGORITHMS).headers()
        authority.headers.append(headers)
        if client.federated is not None:
            _federated(client.federated, text)
            return client
        key = _certificate_key(client, headers)
        claims = _claims(text, key)
        _valid(
            claims,
            iss={"essential": True, "value": client.client_id},
            sub={"essential": True, "value": client.client_id},
            aud={"essential": True, "value": authority.token_endpoint},
            exp={"essential": True},
        )
        if claims["jti"] in authority.used:
            raise _refuse(700024, "The assertion was used before.")
        authority.used.add(claims["jti"])
        return client

    return verify


def _claims(text: str, key: RSAKey) -> dict[str, Any]:
    try:
        return dict(jwt.decode(text, key, registry=ALGORITHMS).claims)
    except JoseError as exc:
        raise _refuse(700027, f"The certificate is not registered: {text}.") from exc


def _certificate_key(client: Application, headers: Mapping[str, Any]) -> RSAKey:
    """Find the key by the certificate that comes along, or by a registered one's thumbprint."""
    if "x5c" in headers and client.issuer is not None:
        leaf = x509.load_der_x509_certificate(base64.b64decode(headers["x5c"][0]))
        leaf.verify_directly_issued_by(client.issuer)
        if leaf.subject.rfc4514_string() != client.subject:
            raise _refuse(700030, "The subject name is not authorized.")
        return _public(leaf)
    for each in client.certificates:
        prints = {
            "x5t": each.fingerprint(hashes.SHA1()),  # noqa: S303  # what x5t is
            "x5t#S256": each.fingerprint(hashes.SHA256()),
        }
        if any(
            _text(value) == str(headers.get(name)).rstrip("=") for name, value in prints.items()
        ):
            return _public(each)
    raise _refuse(700027, "The certificate is not registered with the application.")


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _public(certificate: x509.Certificate) -> RSAKey:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # for this alone

    return RSAKey.import_key(
        certificate.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _federated(credential: FederatedCredential, text: str) -> None:
    claims = _claims(text, credential.key)
    if claims["iss"] != credential.issuer:
        raise _refuse(700211, f"No matching issuer {claims['iss']}.")
    if claims["sub"] != credential.subject:
        raise _refuse(700213, f"No matching subject {claims['sub']}.")
    if claims["aud"] != EXCHANGE:
        raise _refuse(700212, f"No matching audience {claims['aud']}.")
    _valid(claims, exp={"essential": True})


def _valid(claims: Mapping[str, Any], **wanted: Any) -> None:
    try:
        jwt.JWTClaimsRegistry(leeway=300, **wanted).validate(dict(claims))
    except JoseError as exc:
        raise _refuse(700024, f"Client assertion is not within its valid time: {exc}.") from exc


def _app(authority: Authority) -> flask.Flask:
    app = flask.Flask(__name__)
    server = AuthorizationServer(app, authority.applications.get, lambda *_: None)
    server.register_grant(_Grant)
    server.register_client_auth_method("secret", _by_secret)
    server.register_client_auth_method("assertion", _by_assertion(authority))
    server.register_token_generator("default", _Signed(authority))
    document = "/<tenant>/v2.0/.well-known/openid-configuration"

    @app.get(document)
    def discovery(tenant: str) -> Any:
        if authority.instead is not None:
            return authority.instead()
        if tenant != TENANT:
            says = f"AADSTS90002: Tenant '{tenant}' not found."
            return {"error": "invalid_tenant", "error_description": says}, 400
        return {
            "issuer": f"{authority.root}/{TENANT}/v2.0",
            "authorization_endpoint": authority.token_endpoint.replace("/token", "/authorize"),
            "token_endpoint": authority.token_endpoint,
        }

    @app.post("/<tenant>/oauth2/v2.0/token")
    def token(tenant: str) -> Any:
        assert tenant == TENANT
        authority.asked.append(dict(flask.request.form))
        if authority.instead is not None:
            return authority.instead()
        response = server.create_token_response()
        authority.tokens += [str((response.get_json() or {}).get("access_token"))]
        return response

    app.add_url_rule("/api/data/v9.2/<what>", view_func=lambda what: _entered(authority, what))
    return app


def _entered(authority: Authority, what: str) -> Any:
    """Answer as an environment: whoever has a token made for it, by its directory, comes in."""
    text = flask.request.headers.get("Authorization", "").removeprefix("Bearer ")
    authority.seen.append(hashlib.sha256(text.encode()).hexdigest())
    where = f'Bearer authorization_uri="{authority.root}/{TENANT}/oauth2/authorize"'
    try:
        claims = jwt.decode(text, authority.key, algorithms=["RS256"]).claims
        jwt.JWTClaimsRegistry(aud={"essential": True, "value": authority.root}).validate(claims)
    except (JoseError, ValueError):
        return {"error": {"code": "0x0", "message": "no"}}, 401, {"WWW-Authenticate": where}
    granted = json.loads(str(claims["claims"]) or "{}").get("access_token", {})
    wanted = json.loads(authority.demand or "{}").get("access_token", {})
    if any(granted.get(name) != value for name, value in wanted.items()):
        packed = base64.b64encode(authority.demand.encode()).decode()
        where = f'{where}, error="insufficient_claims", claims="{packed}"'
        return {"error": {"code": "0x0", "message": "more"}}, 401, {"WWW-Authenticate": where}
    return {"UserId": str(uuid4())} if what == "WhoAmI" else {"value": []}


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # Werkzeug's name
        """Say nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[Authority]:
    """Run an authority with a certificate of a private CA, whose file is in *folder*."""
    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    ca_file = folder / "ca.pem"
    ca.cert_pem.write_to_path(ca_file)
    holder: list[Any] = []

    def dispatch(environ: Any, start: Any) -> Any:
        return holder[0](environ, start)

    server = make_server(
        "localhost", 0, dispatch, threaded=True, ssl_context=context, request_handler=_Quiet
    )
    authority = Authority(f"https://localhost:{server.server_port}", ca_file)
    holder.append(_app(authority))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield authority
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
