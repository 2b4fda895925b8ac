"""Signing in at an authority that verifies: with each credential, and with each wrong one."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import flask
import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from syncd.config.models import Auth, Certificate, ClientSecret, Federated
from syncd.connectors.auth import open_auth
from syncd.core.errors import TargetError, TargetRefused, TargetUnreachable
from tests.connectors.authority import (
    TENANT,
    Application,
    Authority,
    FederatedCredential,
    serve,
)
from tests.connectors.pairs import Pair, make_pair

SECRET = "s3cret-value"
WHO_AM_I = "/api/data/v9.2/WhoAmI"
ISSUER = "https://cluster.test"
SUBJECT = "system:serviceaccount:syncd:syncd"
KEY = RSAKey.generate_key(2048)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """Give an authority for all tests of this file."""
    with serve(tmp_path_factory.mktemp("authority")) as authority:
        yield authority


@pytest.fixture
def authority(running: Authority) -> Authority:
    """Give the authority as if nobody had asked it anything."""
    running.applications.clear()
    running.life, running.audience, running.instead, running.demand = 3600, None, None, ""
    for each in (running.asked, running.headers, running.tokens, running.seen):
        each.clear()
    running.register(Application("app", secret=SECRET))
    return running


@pytest.fixture(scope="module")
def pair() -> Pair:
    """Give a certificate and its key."""
    return make_pair("CN=syncd.contoso.test")


def secret(authority: Authority, text: str = SECRET, **other: Any) -> ClientSecret:
    """Return the settings of the application with a secret."""
    given = {"tenant_id": TENANT, "client_id": "app", "authority": authority.root} | other
    return ClientSecret(method="client-secret", client_secret=SecretStr(text), **given)


def certificate(authority: Authority, path: Path, **other: Any) -> Certificate:
    """Return the settings of the application with a certificate."""
    given = {"tenant_id": TENANT, "client_id": "app", "authority": authority.root} | other
    return Certificate(method="certificate", certificate=path, **given)


def who_am_i(authority: Authority, auth: Auth, times: int = 1, **more: Any) -> list[int]:
    """Ask the environment so many times; return the statuses of its answers."""
    ca_file = str(authority.ca_file)
    given: dict[str, Any] = {"pause": lambda _: None, "ca_file": ca_file} | more
    signed = open_auth(authority.root, auth, **given)
    with reach(authority, signed) as client:
        return [client.get(WHO_AM_I).status_code for _ in range(times)]


def reach(authority: Authority, auth: httpx.Auth) -> httpx.Client:
    """Return a client of the environment."""
    trust = ssl.create_default_context(cafile=str(authority.ca_file))
    return httpx.Client(base_url=authority.root, auth=auth, verify=trust, trust_env=False)


def test_a_right_secret_comes_in(authority: Authority) -> None:
    """One question to the authority serves many requests; we say that we answer challenges."""
    assert who_am_i(authority, secret(authority), times=3) == [200, 200, 200]

    (asked,) = authority.asked
    assert asked["scope"] == f"{authority.root}/.default"
    assert json.loads(asked["claims"]) == {"access_token": {"xms_cc": {"values": ["CP1"]}}}


def test_a_wrong_secret_is_told_apart_and_not_told(authority: Authority) -> None:
    """The code, what it means and what to do; the authority quotes the secret, we do not."""
    with pytest.raises(TargetRefused) as raised:
        who_am_i(authority, secret(authority, "wr0ng-value"))

    assert str(raised.value) == (
        "signing in failed (invalid_client AADSTS7000215): the secret is wrong; give the "
        "secret's value, which is not its id, as auth.client_secret"
    )


@pytest.mark.parametrize(
    ("settings", "code", "says"),
    [
        ({"client_id": "nobody"}, "AADSTS700016", "no such application"),
        ({"tenant_id": "contoso.test"}, "AADSTS90002", "no such directory"),
    ],
)
def test_a_name_that_the_directory_does_not_know_is_told(
    authority: Authority, settings: dict[str, str], code: str, says: str
) -> None:
    """Also where it is the discovery that is refused."""
    with pytest.raises(TargetRefused) as raised:
        who_am_i(authority, secret(authority, **settings))

    assert f"{code})" in str(raised.value)
    assert says in str(raised.value)


@pytest.mark.parametrize("kind", ["pem", "locked pem", "pfx", "locked pfx"])
@pytest.mark.parametrize("way", ["thumbprint", "chain"])
def test_a_certificate_comes_in(
    authority: Authority, pair: Pair, tmp_path: Path, kind: str, way: str
) -> None:
    """By thumbprint it is known to the application; with the chain its names are trusted."""
    lock, _, suffix = kind.rpartition(" ")
    locked, send_chain = bool(lock), way == "chain"
    path = pair.write(tmp_path, suffix, "s3sam" if locked else None)
    known = Application("app", certificates=(pair.certificate,))
    named = Application("app", issuer=pair.certificate, subject="CN=syncd.contoso.test")
    authority.register(named if send_chain else known)
    passphrase = SecretStr("s3sam") if locked else None
    auth = certificate(authority, path, passphrase=passphrase, send_chain=send_chain)

    assert who_am_i(authority, auth) == [200]

    (headers,) = authority.headers
    assert ("x5c" in headers, headers["alg"]) == (
        (True, "PS256") if send_chain else (False, "RS256")
    )
    assert ("x5t#S256" if send_chain else "x5t") in headers


def test_a_certificate_that_is_not_registered_is_told(
    authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    """The authority quotes the assertion, we do not."""
    authority.register(Application("app", certificates=(make_pair("CN=other").certificate,)))

    with pytest.raises(TargetRefused, match=r"AADSTS700027.*not registered") as raised:
        who_am_i(authority, certificate(authority, pair.write(tmp_path, "pem")))

    assert "eyJ" not in str(raised.value)


def test_a_subject_name_that_is_not_trusted_is_told(
    authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    """The chain is right, the name is another one."""
    authority.register(Application("app", issuer=pair.certificate, subject="CN=other"))
    auth = certificate(authority, pair.write(tmp_path, "pem"), send_chain=True)

    with pytest.raises(TargetRefused, match=r"AADSTS700030.*subject name"):
        who_am_i(authority, auth)


class Cluster:
    """Another issuer, which writes tokens to a file."""

    def __init__(self, folder: Path) -> None:
        self.key = KEY
        self.path = folder / "token"

    def write(self, subject: str = SUBJECT, issuer: str = ISSUER, **other: Any) -> str:
        """Write a new token; return it."""
        claims = {"iss": issuer, "sub": subject, "aud": "api://AzureADTokenExchange"}
        claims |= {"exp": int(time.time()) + 3600} | other
        token = jwt.encode({"alg": "RS256"}, claims, self.key)
        self.path.write_text(f"{token}\n")
        return token

    def auth(self, authority: Authority) -> Federated:
        """Return the settings of an application that trusts this issuer."""
        credential = FederatedCredential(ISSUER, SUBJECT, self.key)
        authority.register(Application("app", federated=credential))
        return Federated(
            method="federated",
            tenant_id=TENANT,
            client_id="app",
            token_file=self.path,
            authority=authority.root,
        )


def test_a_federated_token_is_read_anew_for_each_sign_in(
    authority: Authority, tmp_path: Path
) -> None:
    """Who provides it changes the file under way."""
    cluster = Cluster(tmp_path)
    auth = cluster.auth(authority)
    first = cluster.write()
    clock = [0.0]
    signed = open_auth(authority.root, auth, ca_file=str(authority.ca_file), clock=lambda: clock[0])

    with reach(authority, signed) as client:
        before = client.get(WHO_AM_I).status_code
        second = cluster.write(jti="2")
        clock[0] = 3600.0
        after = client.get(WHO_AM_I).status_code

    assert (before, after) == (200, 200)
    assert [each["client_assertion"] for each in authority.asked] == [first, second]


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"subject": "other"}, "AADSTS700213.*federated credential"),
        ({"issuer": "https://other.test"}, "AADSTS700211.*federated credential"),
        ({"aud": "other"}, "AADSTS700212.*federated credential"),
        ({"exp": 1}, "AADSTS700024.*over or not yet valid.*auth.token_file is renewed"),
    ],
)
def test_a_federated_token_that_does_not_fit_is_told(
    authority: Authority, tmp_path: Path, claims: dict[str, Any], says: str
) -> None:
    """Issuer, subject and audience are what to compare."""
    cluster = Cluster(tmp_path)
    token = cluster.write(**claims)

    with pytest.raises(TargetRefused, match=says) as raised:
        who_am_i(authority, cluster.auth(authority))

    assert token not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "holds no token"),
        (b"not a token", "holds no token"),
    ],
)
def test_a_token_file_without_a_token_is_told(
    authority: Authority, tmp_path: Path, content: bytes | None, says: str
) -> None:
    """Nothing is asked; the sentence names the file."""
    cluster = Cluster(tmp_path)
    if content is not None:
        cluster.path.write_bytes(content)

    with pytest.raises(TargetRefused, match=f"auth.token_file {cluster.path} {says}"):
        who_am_i(authority, cluster.auth(authority))

    assert authority.asked == []


def test_a_token_file_that_is_a_folder_is_told(authority: Authority, tmp_path: Path) -> None:
    """It is there and cannot be read."""
    cluster = Cluster(tmp_path)
    cluster.path.mkdir()

    with pytest.raises(TargetRefused, match=r"cannot be read \(Is a directory\)"):
        who_am_i(authority, cluster.auth(authority))


def test_threads_that_begin_together_ask_once(authority: Authority) -> None:
    """Whoever has no token waits for the one who asks."""
    signed = open_auth(authority.root, secret(authority), ca_file=str(authority.ca_file))
    ready = Barrier(6)

    def lane(_: int) -> int:
        ready.wait(30)
        return client.get(WHO_AM_I).status_code

    with (
        reach(authority, signed) as client,
        ThreadPoolExecutor(6) as pool,
    ):
        statuses = list(pool.map(lane, range(6)))

    assert statuses == [200] * 6
    assert len(authority.asked) == 1


def test_a_claims_challenge_is_met(authority: Authority) -> None:
    """The environment wants a newer token; the one it gets is made for what it demands."""
    authority.demand = '{"access_token":{"nbf":{"essential":true,"value":"1767225600"}}}'

    assert who_am_i(authority, secret(authority), times=2) == [200, 200]

    assert len(authority.asked) == 2
    wanted = json.loads(authority.asked[1]["claims"])["access_token"]
    assert wanted["nbf"] == {"essential": True, "value": "1767225600"}
    assert wanted["xms_cc"] == {"values": ["CP1"]}


def test_tokens_that_the_environment_does_not_take_are_told(authority: Authority) -> None:
    """Twice 401: the url, the directory, the application user. It is not tried on and on."""
    authority.audience = "https://other.crm4.dynamics.com"
    signed = open_auth(authority.root, secret(authority), ca_file=str(authority.ca_file))
    sentences = []
    with reach(authority, signed) as client:
        for _ in range(3):
            with pytest.raises(TargetRefused) as raised:
                client.get(WHO_AM_I)
            sentences.append(str(raised.value))

    assert len(set(sentences)) == 1
    assert sentences[0].startswith("localhost accepts neither of two new tokens (status 401)")
    assert "application user" in sentences[0]
    assert (len(authority.asked), len(authority.seen)) == (2, 2)


def test_a_token_that_is_taken_back_in_mid_run_is_replaced(authority: Authority) -> None:
    """The next request gets a 401, a new token, and its answer."""
    signed = open_auth(authority.root, secret(authority), ca_file=str(authority.ca_file))
    with reach(authority, signed) as client:
        before = client.get(WHO_AM_I).status_code
        authority.key = RSAKey.generate_key(2048, {"kid": "2"})
        after = [client.get(WHO_AM_I).status_code for _ in range(2)]

    assert (before, after) == (200, [200, 200])
    assert (len(authority.asked), len(authority.seen)) == (2, 4)


def test_tokens_that_are_over_when_they_come_end_in_a_sentence(authority: Authority) -> None:
    """An authority whose clock is off is not asked for ever."""
    authority.life = -3600

    with pytest.raises(TargetRefused, match="neither of two new tokens"):
        who_am_i(authority, secret(authority))

    assert len(authority.asked) == 2


def cut() -> flask.Response:
    """Answer less than is announced."""
    response = flask.Response(b'{"access_tok', mimetype="application/json")
    response.headers["Content-Length"] = "4000"
    return response


INSTEAD = {
    "html": (lambda: flask.Response("<html>Blocked</html>"), "answered with a page"),
    "login": (lambda: flask.redirect("https://login.proxy.test/"), "sent it to another page"),
    "half a document": (lambda: flask.Response('{"access_to'), "answered with a page"),
    "cut": (cut, "its answer broke off"),
    "busy": (lambda: flask.Response("busy", 503), "it answered 503"),
    "throttled": (lambda: flask.Response("{}", 429, {"Retry-After": "1"}), "it answered 429"),
    "patience": (lambda: flask.Response("{}", 429, {"Retry-After": "600"}), "it answered 429"),
}


@pytest.mark.parametrize("kind", INSTEAD)
def test_what_is_no_answer_of_an_authority_is_told(authority: Authority, kind: str) -> None:
    """One sentence, and no request to the environment."""
    answer, says = INSTEAD[kind]
    authority.instead = answer  # type: ignore[assignment]  # redirect gives Werkzeug's response

    with pytest.raises(TargetUnreachable, match=f"^localhost .*{says}") as raised:
        who_am_i(authority, secret(authority))

    assert SECRET not in str(raised.value)
    assert authority.seen == []


def test_an_authority_that_ails_for_a_moment_is_asked_again(authority: Authority) -> None:
    """Pauses grow, or are as long as it wants."""
    answers = iter([flask.Response("", 503), flask.Response("", 429, {"Retry-After": "7"})])
    pauses: list[float] = []
    authority.instead = lambda: next(answers)

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            authority.instead = None

    assert who_am_i(authority, secret(authority), pause=pause) == [200]
    assert pauses == [1.0, 7.0]


def test_a_certificate_that_is_not_trusted_is_told(authority: Authority) -> None:
    """A private authority needs its CA file; it is not asked again and again."""
    pauses: list[float] = []

    with pytest.raises(TargetUnreachable, match=r"not trusted; .*http\.ca_file"):
        who_am_i(authority, secret(authority), ca_file=None, pause=pauses.append)

    assert pauses == []


def test_nobody_who_listens_is_told(authority: Authority) -> None:
    """A wrong address of the authority: what to check."""
    auth = secret(authority).model_copy(update={"authority": "https://localhost:1"})

    with pytest.raises(TargetUnreachable, match=r"auth\.authority, the network and http\.proxy"):
        who_am_i(authority, auth)

    assert authority.asked == []


def test_an_authority_is_asked_through_the_proxy(authority: Authority) -> None:
    """What is configured for the environment holds for the authority; here nobody listens."""
    with pytest.raises(TargetUnreachable, match="Connection refused"):
        who_am_i(authority, secret(authority), proxy="http://localhost:1")

    assert authority.asked == []


def test_requests_for_tokens_are_counted(authority: Authority) -> None:
    """Metrics see them, the lost ones too."""
    told: list[tuple[str, str]] = []

    def observe(operation: str, status: str, seconds: float) -> None:
        assert seconds >= 0
        told.append((operation, status))

    who_am_i(authority, secret(authority), observe=observe)
    with pytest.raises(TargetError):
        who_am_i(authority, secret(authority, "wrong"), observe=observe)
    with pytest.raises(TargetError):
        who_am_i(authority, secret(authority), observe=observe, ca_file=None)

    assert told == [
        ("token", "200"),
        ("token", "200"),
        ("token", "200"),
        ("token", "401"),
        ("token", "lost"),
    ]


def test_a_token_of_the_authority_is_what_the_environment_gets(authority: Authority) -> None:
    """Nothing else stands in the header."""
    who_am_i(authority, secret(authority))

    assert [
        hashlib.sha256(each.encode()).hexdigest() for each in authority.tokens
    ] == authority.seen
    assert base64.b64decode(authority.tokens[0].split(".")[0] + "==").startswith(b"{")
