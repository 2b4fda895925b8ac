"""Sign-in: MSAL and plain requests at the token endpoint, and requests that need a token."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
import msal
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from syncd.sandbox import Answer, Application, Running, Sandbox, SandboxError, run_serve
from syncd.sandbox.tls import make_certificate
from syncd.sandbox.tokens import TENANT
from tests.sandbox.door import SMALL, Door, refused, sandbox_of

CLIENT = "60000000-0000-4000-8000-000000000001"
SECRET = "correct horse"
WHO = "/api/data/v9.2/WhoAmI"
HOST = "contoso.example"
BEHIND_TLS = {"Host": HOST, "X-Forwarded-Proto": "https"}


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def private_pem(self) -> str:
        """The key in PEM."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()


def make_pair() -> Pair:
    """Make a key and a certificate for it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a daemon")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return Pair(key, certificate)


@pytest.fixture(scope="module")
def pair() -> Pair:
    """Give a certificate that is registered."""
    return make_pair()


@pytest.fixture
def door(pair: Pair) -> Door:
    """Give a door into a sandbox that knows one application and wants tokens."""
    door = Door()
    door.sandbox.register(
        Application(
            client_id=CLIENT.upper(),
            secrets=[SECRET],
            expired_secrets=["last year's"],
            certificates=[make_pair().pem, pair.pem],
        )
    )
    return door


def ask(door: Door, tenant: str = TENANT, **form: str) -> Answer:
    """Ask for a token with a secret, or otherwise as *form* says."""
    whole = {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "grant_type": "client_credentials",
        "scope": f"https://{HOST}/.default",
        **form,
    }
    body = urlencode({name: value for name, value in whole.items() if value}).encode()
    headers = {**BEHIND_TLS, "Content-Type": "application/x-www-form-urlencoded"}
    return door.sandbox.answer("POST", f"/{tenant}/oauth2/v2.0/token", "", headers, body)


def token_of(answer: Answer) -> str:
    """Return the token of an answer that has one."""
    assert answer.status == 200, answer.content
    return str(json.loads(answer.content)["access_token"])


def who(door: Door, token: str) -> Answer:
    """Send a request with this token."""
    headers = {**BEHIND_TLS, "Authorization": f"Bearer {token}"}
    return door.send("GET", "WhoAmI", headers=headers)


def order(door: Door, what: str, body: object) -> None:
    """Give the sandbox an order."""
    answer = door.sandbox.answer("POST", f"/_sandbox/{what}", "", {}, json.dumps(body).encode())
    assert answer.status == 204, answer.content


def test_a_plain_sandbox_wants_no_token() -> None:
    """And gives one to anybody."""
    door = Door()

    answer = ask(door, client_id="anyone", client_secret="anything")

    assert door.send("GET", "WhoAmI").status == 200
    assert json.loads(answer.content)["token_type"] == "Bearer"


def test_a_secret_is_good_for_a_token_and_that_for_requests(door: Door) -> None:
    """Which says whose it is, for what, and until when."""
    token = token_of(ask(door))

    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["aud"], claims["appid"], claims["tid"]) == (f"https://{HOST}", CLIENT, TENANT)
    assert claims["exp"] - claims["iat"] == 3599
    assert who(door, token).status == 200


def test_the_signature_is_that_of_the_published_key(door: Door) -> None:
    """Whoever wants to verify a token can."""
    token = token_of(ask(door))
    keys = door.sandbox.answer("GET", f"/{TENANT}/discovery/v2.0/keys", "", {}, b"")

    key = jwt.PyJWKSet.from_json(keys.content.decode()).keys[0]

    assert jwt.decode(token, key, algorithms=["RS256"], audience=f"https://{HOST}")


@pytest.mark.parametrize(
    ("form", "number", "error"),
    [
        ({"client_secret": "wrong"}, 7000215, "invalid_client"),
        ({"client_secret": "last year's"}, 7000222, "invalid_client"),
        ({"client_secret": ""}, 7000216, "invalid_client"),
        ({"client_id": TENANT}, 700016, "unauthorized_client"),
        ({"tenant": CLIENT}, 90002, "invalid_request"),
        ({"grant_type": "password"}, 70003, "unsupported_grant_type"),
        ({"scope": f"https://{HOST}"}, 1002012, "invalid_scope"),
        ({"scope": ""}, 1002012, "invalid_scope"),
        ({"scope": "https://elsewhere.example/.default"}, 500011, "invalid_resource"),
    ],
)
def test_a_denial_is_in_entras_form(
    door: Door, form: Mapping[str, str], number: int, error: str
) -> None:
    """With its number, twice, and what OAuth calls it."""
    answer = ask(door, **form)

    said = json.loads(answer.content)
    assert answer.status == (401 if error == "invalid_client" else 400)
    assert (said["error"], said["error_codes"]) == (error, [number])
    assert said["error_description"].startswith(f"AADSTS{number}: ")
    assert SECRET not in answer.content.decode()


def assertion(pair: Pair, **more: Any) -> dict[str, str]:
    """Return the form fields of an assertion, good unless *more* says otherwise."""
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "aud": f"https://{HOST}/{TENANT}/oauth2/v2.0/token",
        "iss": CLIENT,
        "sub": CLIENT,
        "nbf": now,
        "exp": now + 600,
        **more,
    }
    thumbprint = base64.urlsafe_b64encode(pair.certificate.fingerprint(hashes.SHA256())).decode()
    signed = jwt.encode(claims, pair.key, "PS256", headers={"x5t#S256": thumbprint.rstrip("=")})
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {
        "client_assertion": signed,
        "client_assertion_type": kind,
        "client_secret": "",
    }


def test_an_assertion_is_good_for_a_token(door: Door, pair: Pair) -> None:
    """Signed with the key of a registered certificate, for this endpoint."""
    assert who(door, token_of(ask(door, **assertion(pair)))).status == 200


@pytest.mark.parametrize(
    ("claims", "number"),
    [
        ({"aud": "https://elsewhere.example/token"}, 700023),
        ({"iss": TENANT}, 700021),
        ({"sub": TENANT}, 700021),
        ({"exp": 1000}, 700024),
        ({"nbf": 4000000000}, 700024),
        ({"exp": None}, 700027),
    ],
)
def test_an_assertion_that_is_not_right_is_denied(
    door: Door, pair: Pair, claims: Mapping[str, Any], number: int
) -> None:
    """Its audience, whose it is, and when."""
    answer = ask(door, **assertion(pair, **claims))

    assert (answer.status, json.loads(answer.content)["error_codes"]) == (401, [number])


def test_an_assertion_of_another_key_is_denied(door: Door, pair: Pair) -> None:
    """Whether its certificate is unknown or only named."""
    stranger = make_pair()
    forged = assertion(Pair(stranger.key, pair.certificate))

    unknown, named = ask(door, **assertion(stranger)), ask(door, **forged)
    torn = ask(door, **(assertion(pair) | {"client_assertion": "torn"}))

    assert json.loads(unknown.content)["error_codes"] == [700027]
    assert json.loads(named.content)["error_codes"] == [700027]
    assert json.loads(torn.content)["error_codes"] == [50027]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x.y.z", "Basic dXNlcg=="])
def test_a_request_without_a_good_token_is_told_where_to_go(door: Door, header: str | None) -> None:
    """401 in the form of any error; the header names authority and resource."""
    more = {} if header is None else {"Authorization": header}

    answer = door.send("GET", "WhoAmI", headers={**BEHIND_TLS, **more})

    assert refused(answer) == (401, "0x0")
    assert answer.headers["WWW-Authenticate"] == (
        f"Bearer authorization_uri=https://{HOST}/{TENANT}/oauth2/authorize, "
        f"resource_id=https://{HOST}/"
    )


def test_a_token_is_for_one_environment_and_for_a_time(door: Door) -> None:
    """Another host does not take it, and an old one has a code of its own."""
    token = token_of(ask(door))
    elsewhere = {**BEHIND_TLS, "Host": "other.example", "Authorization": f"Bearer {token}"}
    order(door, "sign-in", {"token_seconds": -1})

    foreign = door.sandbox.answer("GET", WHO, "", elsewhere, b"")
    old = who(door, token_of(ask(door)))

    assert refused(foreign) == (401, "0x0")
    assert refused(old) == (401, "0x8005f101")
    assert who(door, token).status == 200


def test_a_claims_challenge_wants_a_newer_token(door: Door) -> None:
    """The header carries what is to be said at the token endpoint."""
    token = token_of(ask(door))
    order(door, "sign-in", {"challenge": True})

    answer = who(door, token)

    header = answer.headers["WWW-Authenticate"]
    claims = base64.b64decode(header.partition('claims="')[2].rstrip('"'))
    assert (answer.status, 'error="insufficient_claims"' in header) == (401, True)
    assert "nbf" in json.loads(claims)["access_token"]
    assert who(door, token_of(ask(door))).status == 200


@pytest.mark.parametrize(
    ("what", "code"), [({"member": False}, "0x80072560"), ({"enabled": False}, "0x8004a112")]
)
def test_a_token_alone_is_not_enough(what: Mapping[str, bool], code: str) -> None:
    """The environment needs an application user for the client, and an enabled one."""
    door = Door()
    order(door, "applications", {"client_id": CLIENT, "secrets": [SECRET], **what})

    answer = who(door, token_of(ask(door)))

    assert refused(answer) == (403, code)
    assert CLIENT.encode() in answer.content


def test_orders_need_no_token(door: Door) -> None:
    """They come from whoever plays the platform; a wrong certificate is a sentence."""
    order(door, "sign-in", {"required": False})
    body = json.dumps({"client_id": "x", "certificates": ["no PEM"]}).encode()

    wrong = door.sandbox.answer("POST", "/_sandbox/applications", "", {}, body)

    assert door.send("GET", "WhoAmI").status == 200
    assert b"application x is no PEM" in wrong.content


@dataclass(frozen=True)
class Served:
    """A sandbox over https that wants tokens."""

    sandbox: Sandbox
    url: str
    trust: ssl.SSLContext


@pytest.fixture
def served(tmp_path: Path, pair: Pair) -> Iterator[Served]:
    """Serve a sandbox that knows one application."""
    sandbox = sandbox_of(SMALL)
    sandbox.register(Application(client_id=CLIENT, secrets=[SECRET], certificates=[pair.pem]))
    certificate = make_certificate(tmp_path, "127.0.0.1")
    with Running(sandbox, tls=certificate) as running:
        trust = ssl.create_default_context(cafile=certificate.certificate)
        yield Served(sandbox, running.url, trust)


class Wire:
    """What MSAL sends its requests with: httpx, forms encoded as MSAL means them."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, url: str, headers: Any = None, **_: Any) -> httpx.Response:
        """Send a GET."""
        return self._client.get(url, headers=headers)

    def post(self, url: str, data: Any = None, headers: Any = None, **_: Any) -> httpx.Response:
        """Send a form."""
        form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._client.post(url, content=urlencode(data).encode(), headers=form)

    def close(self) -> None:
        """Do nothing: the client is closed by whoever opened it."""


@pytest.mark.parametrize("kind", ["secret", "thumbprint", "chain"])
def test_msal_signs_in_and_the_environment_takes_its_token(
    served: Served, pair: Pair, kind: str
) -> None:
    """With a secret, and with a certificate in both ways of naming it."""
    digest = pair.certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303  # as MSAL names it
    credential = {
        "secret": SECRET,
        "thumbprint": {"private_key": pair.private_pem, "thumbprint": digest},
        "chain": {"private_key": pair.private_pem, "public_certificate": pair.pem},
    }[kind]
    with httpx.Client(verify=served.trust) as client:
        app = msal.ConfidentialClientApplication(
            CLIENT,
            authority=f"{served.url}/{TENANT}",
            client_credential=credential,
            instance_discovery=False,
            http_client=Wire(client),
        )
        result = app.acquire_token_for_client([f"{served.url}/.default"])
        assert "access_token" in result, result
        token = {"Authorization": f"Bearer {result['access_token']}"}
        answer = client.get(f"{served.url}{WHO}", headers=token)
        without = client.get(f"{served.url}{WHO}")

    assert answer.json()["@odata.context"].startswith(f"{served.url}/api/data/v9.2/$metadata#")
    assert without.status_code == 401


@pytest.mark.parametrize(("content", "says"), [(None, "cannot be read"), ("[{}]", "client_id")])
def test_registrations_that_cannot_be_read_are_one_clear_sentence(
    tmp_path: Path, content: str | None, says: str
) -> None:
    """Before anything is served."""
    path = tmp_path / "applications.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(SandboxError, match=rf"applications\.json.*{says}"):
        run_serve(applications=path)
