"""
A token endpoint as Entra's, and the bearer tokens that come from it.

The facts are in identity-and-sources.md section 1. Until an application is registered, any client
with any secret gets a token, and no request needs one.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import jwt
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from syncd.sandbox.answers import Answer, Call, refusal
from syncd.sandbox.denials import Denied, denial
from syncd.sandbox.errors import Refused, SandboxError

__all__ = ["Application", "Authority", "SignIn"]

TENANT = "5a7d0c00-0000-4000-8000-000000000004"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DISCOVERY = ".well-known/openid-configuration"
HELD = 3599
"""Seconds for which a token is good, unless ordered otherwise."""
ALGORITHMS = ["RS256", "PS256"]
SKEW = 300
"""Seconds by which clocks may differ."""

Clock = Callable[[], float]


class Application(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    A registration and what it stands for in the environment.

    `certificates` are in PEM. Without `member` there is no application user for it; one that is
    not `enabled` may not sign in to the environment.
    """

    client_id: str
    tenant: str = TENANT
    secrets: list[str] = []
    expired_secrets: list[str] = []
    certificates: list[str] = []
    member: bool = True
    enabled: bool = True


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """How the environment takes tokens; `challenge` wants newer ones than those given so far."""

    required: bool | None = None
    token_seconds: int | None = None
    challenge: bool = False


class Issued(msgspec.Struct, frozen=True):
    """What a token says."""

    client_id: str
    audience: str
    expires: float
    number: int


class Authority:
    """Gives tokens and knows them again. Whoever calls holds the lock."""

    def __init__(self, clock: Clock = time.time) -> None:
        self.required = False
        self._clock = clock
        self._applications: dict[str, Application] = {}
        self._tokens: dict[str, Issued] = {}
        self._seconds = HELD
        self._number = self._wanted = 0

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def register(self, applications: Sequence[Application]) -> None:
        """Know these too, and want tokens from now on. Raises SandboxError for a certificate."""
        for each in applications:
            for pem in each.certificates:
                try:
                    x509.load_pem_x509_certificate(pem.encode())
                except ValueError as error:
                    raise SandboxError(
                        f"A certificate of the application {each.client_id} is no PEM: {error}."
                    ) from error
        self._applications |= {each.client_id.lower(): each for each in applications}
        self.required = True

    def set(self, asked: SignIn) -> None:
        """Take tokens like this from now on."""
        if asked.required is not None:
            self.required = asked.required
        if asked.token_seconds is not None:
            self._seconds = asked.token_seconds
        if asked.challenge:
            self._wanted = self._number + 1

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, origin: str
    ) -> Answer | None:
        """Answer what is for the authority; None for any other path."""
        tenant, _, rest = path.removeprefix("/").partition("/")
        match method, rest:
            case "GET", wanted if wanted.removeprefix("v2.0/") == DISCOVERY:
                return self._document(tenant, origin)
            case "GET", "discovery/v2.0/keys":
                return _json({"keys": [self._public()]})
            case "GET", "discovery/instance":
                document = f"{origin}/{tenant}/v2.0/{DISCOVERY}"
                return _json({"tenant_discovery_endpoint": document, "metadata": []})
            case "POST", "oauth2/v2.0/token":
                try:
                    return self._token(tenant, headers, body, origin)
                except Denied as denied:
                    return denial(denied, self._clock())
        return None

    def refusal(self, call: Call) -> Answer | None:
        """Return the answer to a request that has no good token; None if it has one."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        issued = self._tokens.get(token.strip()) if scheme.lower() == "bearer" else None
        origin = "/".join(call.base.split("/")[:3])
        if issued is None or issued.audience.rstrip("/") != origin:
            return _unauthorized(origin, "0x0", "The request carries no token for this environment")
        if issued.expires <= self._clock():
            return _unauthorized(origin, "0x8005f101", "The access token has expired")
        if issued.number < self._wanted:
            return _challenge(origin, self._clock())
        application = self._applications.get(issued.client_id)
        if application is not None and not application.member:
            said = f"The user is not a member of the organization: client {issued.client_id}."
            return refusal(Refused(403, "0x80072560", said))
        if application is not None and not application.enabled:
            said = f"The user of client {issued.client_id} is disabled."
            return refusal(Refused(403, "0x8004a112", said))
        return None

    def client(self, call: Call) -> str:
        """Return who sends a request: the client of its token, or nobody in particular."""
        issued = self._tokens.get(call.headers.get("authorization", "").partition(" ")[2].strip())
        return issued.client_id if issued else ""

    def _document(self, tenant: str, origin: str) -> Answer:
        if not self._has_tenant(tenant):
            return denial(_no_tenant(tenant), self._clock())
        root = f"{origin}/{tenant}"
        return _json(
            {
                "issuer": f"{root}/v2.0",
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "jwks_uri": f"{root}/discovery/v2.0/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            }
        )

    def _has_tenant(self, tenant: str) -> bool:
        known = {each.tenant.lower() for each in self._applications.values()}
        return not known or tenant.lower() in known

    def _token(self, tenant: str, headers: Mapping[str, str], body: bytes, origin: str) -> Answer:
        if not headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            raise Denied(900144, "invalid_request", "The request body must be a form.")
        form = dict(parse_qsl(body.decode("utf-8", "replace")))
        if not self._has_tenant(tenant):
            raise _no_tenant(tenant)
        if form.get("grant_type") != "client_credentials":
            said = f"The app requested an unsupported grant type '{form.get('grant_type')}'."
            raise Denied(70003, "unsupported_grant_type", said)
        client = form.get("client_id", "").lower()
        resource = form.get("scope", "").removesuffix("/.default")
        if not resource or resource == form["scope"]:
            said = f"The provided value for scope {form.get('scope')} is not valid."
            raise Denied(1002012, "invalid_scope", f"{said} It must end with /.default.")
        self._authenticate(tenant, client, form, f"{origin}/{tenant}/oauth2/v2.0/token")
        if resource.rstrip("/") != origin and self._applications:
            said = f"The resource principal named {resource} was not found in the tenant {tenant}."
            raise Denied(500011, "invalid_resource", said)
        return self._give(tenant, client, resource, origin)

    def _authenticate(
        self, tenant: str, client: str, form: Mapping[str, str], endpoint: str
    ) -> None:
        """Raise Denied unless the client is known and proves who it is."""
        application = self._applications.get(client)
        if application is None and self._applications:
            said = f"Application with identifier '{client}' was not found in '{tenant}'."
            raise Denied(700016, "unauthorized_client", said)
        if form.get("client_assertion_type") == ASSERTION and form.get("client_assertion"):
            known = application.certificates if application else []
            self._assertion(client, form["client_assertion"], known, endpoint)
            return
        secret = form.get("client_secret")
        if not secret:
            said = "The request needs 'client_assertion' or 'client_secret'."
            raise Denied(7000216, "invalid_client", said)
        if application is None or _among(secret, application.secrets):
            return
        if _among(secret, application.expired_secrets):
            said = f"The provided client secret keys for app '{client}' are expired."
            raise Denied(7000222, "invalid_client", said)
        raise Denied(7000215, "invalid_client", "Invalid client secret provided.")

    def _assertion(
        self, client: str, assertion: str, certificates: Sequence[str], endpoint: str
    ) -> None:
        try:
            header = jwt.get_unverified_header(assertion)
        except jwt.PyJWTError:
            raise Denied(50027, "invalid_request", "JWT token is invalid or malformed.") from None
        certificate = _signer(header, certificates)
        if certificate is None:
            said = "The key was not found: no certificate of the application has its thumbprint."
            raise Denied(700027, "invalid_client", f"Client assertion failed validation. {said}")
        try:
            claims: dict[str, Any] = jwt.decode(
                assertion,
                certificate.public_key(),  # type: ignore[arg-type]  # PyJWT refuses what is none
                algorithms=ALGORITHMS,
                options={
                    "require": ["exp", "aud", "iss", "sub"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                },
            )
        except jwt.PyJWTError as error:
            said = f"Client assertion failed signature validation: {error}."
            raise Denied(700027, "invalid_client", said) from None
        self._claims(client, claims, endpoint)

    def _claims(self, client: str, claims: Mapping[str, Any], endpoint: str) -> None:
        if str(claims["iss"]).lower() != client or str(claims["sub"]).lower() != client:
            said = "Client assertion application identifier doesn't match 'client_id' parameter."
            raise Denied(700021, "invalid_client", said)
        issuer = endpoint.removesuffix("/oauth2/v2.0/token") + "/v2.0"
        if claims["aud"] not in {endpoint, issuer}:
            said = "Client assertion audience claim does not match Realm issuer."
            raise Denied(700023, "invalid_client", said)
        now = self._clock()
        if now > float(claims["exp"]) + SKEW or now < float(claims.get("nbf", 0)) - SKEW:
            said = "Client assertion is not within its valid time range."
            raise Denied(700024, "invalid_client", said)

    def _give(self, tenant: str, client: str, resource: str, origin: str) -> Answer:
        now = self._clock()
        self._number += 1
        claims = {
            "aud": resource, "iss": f"{origin}/{tenant}/v2.0", "iat": int(now), "nbf": int(now),
            "exp": int(now) + self._seconds, "appid": client, "tid": tenant,
            "idtyp": "app", "uti": str(uuid4()), "ver": "1.0",
        }  # fmt: skip
        token = jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "sandbox"})
        self._tokens = {
            text: each for text, each in self._tokens.items() if each.expires > now - HELD
        }
        self._tokens[token] = Issued(client, resource, now + self._seconds, self._number)
        return _json(
            {
                "token_type": "Bearer",
                "expires_in": self._seconds,
                "ext_expires_in": self._seconds,
                "access_token": token,
            }
        )

    def _public(self) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(
            jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key())
        )
        return {**made, "kid": "sandbox", "use": "sig", "alg": "RS256"}


def _among(secret: str, known: Sequence[str]) -> bool:
    return any(hmac.compare_digest(secret.encode(), each.encode()) for each in known)


def _signer(header: Mapping[str, Any], certificates: Sequence[str]) -> x509.Certificate | None:
    """Return the certificate whose thumbprint the head of an assertion names."""
    for pem in certificates:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        prints = {
            "x5t": certificate.fingerprint(hashes.SHA1()),  # noqa: S303  # as the header wants it
            "x5t#S256": certificate.fingerprint(hashes.SHA256()),
        }
        for name, value in prints.items():
            encoded = base64.urlsafe_b64encode(value).decode().rstrip("=")
            if str(header.get(name, "")).rstrip("=") == encoded:
                return certificate
    return None


def _no_tenant(tenant: str) -> Denied:
    said = f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
    return Denied(90002, "invalid_request", said)


def _json(content: object) -> Answer:
    headers = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
    return Answer(200, headers, msgspec.json.encode(content))


def _unauthorized(origin: str, code: str, said: str, more: str = "") -> Answer:
    answer = refusal(Refused(401, code, f"{said}."))
    where = f"authorization_uri={origin}/{TENANT}/oauth2/authorize, resource_id={origin}/"
    headers = {**answer.headers, "WWW-Authenticate": f"Bearer {where}{more}"}
    return Answer(answer.status, headers, answer.content)


def _challenge(origin: str, now: float) -> Answer:
    """Ask for a token that is newer, as continuous access evaluation does."""
    wanted = {"access_token": {"nbf": {"essential": True, "value": str(int(now))}}}
    claims = base64.b64encode(json.dumps(wanted).encode()).decode()
    more = f', error="insufficient_claims", claims="{claims}"'
    return _unauthorized(origin, "0x0", "A newer token is needed", more)
