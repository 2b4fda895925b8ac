"""Signing in: one token for one environment, and no secret in any sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr

from syncd.config.models import ClientSecret
from syncd.config.models import NoAuth as Nothing
from syncd.connectors.auth import EntraAuth, NoAuth, open_auth
from syncd.connectors.dataverse import DataverseTarget, open_target
from syncd.core.errors import ConfigError, TargetRefused, TargetUnreachable
from syncd.core.model import Action
from syncd.core.plan import Fault, Result
from tests.connectors.dataverse.world import P1, Clock, change, row_id, user_id

URL = "https://contoso.crm4.dynamics.com"
SECRET = "s3cret-value"


class Authority:
    """An authority that hands out T1, T2 and so on, and notes what it was asked."""

    def __init__(self, **refusal: str) -> None:
        self.refusal = refusal
        self.asked: list[dict[str, list[str]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            base = f"https://{request.url.host}/tenant1/oauth2/v2.0"
            return httpx.Response(
                200,
                json={
                    "authorization_endpoint": f"{base}/authorize",
                    "token_endpoint": f"{base}/token",
                },
            )
        self.asked.append(parse_qs(request.read().decode()))
        if self.refusal:
            return httpx.Response(400, json=self.refusal)
        token = {"access_token": f"T{len(self.asked)}", "token_type": "Bearer", "expires_in": 3599}
        return httpx.Response(200, json=token)


def signed(authority: Callable[[httpx.Request], httpx.Response], **more: Any) -> httpx.Auth:
    """Sign in with a secret at that authority."""
    return open_auth(
        URL,
        secret(SECRET),
        transport=httpx.MockTransport(authority),
        pause=lambda _: None,
        **more,
    )


def secret(text: str) -> ClientSecret:
    """Return the settings of an application with this secret."""
    return ClientSecret(
        method="client-secret",
        tenant_id="tenant1",
        client_id="app1",
        client_secret=SecretStr(text),
        authority="https://login.test",
    )


class Environment:
    """An environment that takes some tokens, and has nothing in it."""

    def __init__(self, *tokens: str, challenge: str = "") -> None:
        self.tokens = {f"Bearer {token}" for token in tokens}
        self.challenge = challenge
        self.seen: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request.headers.get("Authorization", ""))
        if self.seen[-1] in self.tokens:
            return httpx.Response(200, json={"value": []})
        headers = {"WWW-Authenticate": self.challenge}
        return httpx.Response(401, headers=headers, json={"error": {"message": "no"}})


def opened(
    auth: httpx.Auth, environment: Callable[[httpx.Request], httpx.Response]
) -> DataverseTarget:
    """Open a target on that environment."""
    clock = Clock()
    transport = httpx.MockTransport(environment)
    return open_target(url=URL, auth=auth, transport=transport, clock=clock, sleep=clock.sleep)


def test_a_token_is_asked_for_once_and_used_for_every_request() -> None:
    """The scope is the environment, the secret goes to the authority and nowhere else."""
    authority, environment = Authority(), Environment("T1")
    target = opened(signed(authority), environment)

    target.profiles()
    target.profiles()

    assert environment.seen == ["Bearer T1", "Bearer T1"]
    assert [one["scope"] for one in authority.asked] == [[f"{URL}/.default"]]
    assert authority.asked[0]["client_secret"] == [SECRET]


def test_a_token_that_is_not_taken_is_replaced_once() -> None:
    """401: drop it, get another one, and it works."""
    authority, environment = Authority(), Environment("T2")
    target = opened(signed(authority), environment)

    target.profiles()
    target.profiles()

    assert environment.seen == ["Bearer T1", "Bearer T2", "Bearer T2"]


def test_two_tokens_that_are_not_taken_are_enough() -> None:
    """Then it is a matter of rights: there is no application user."""
    authority, environment = Authority(), Environment()
    target = opened(signed(authority), environment)

    with pytest.raises(TargetRefused, match="application user"):
        target.profiles()

    assert environment.seen == ["Bearer T1", "Bearer T2"]


def test_a_challenge_for_claims_is_answered() -> None:
    """What the 401 asks for goes to the authority (identity-and-sources.md section 1.8)."""
    claims = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZX19fQ"
    challenge = f'Bearer realm="", error="insufficient_claims", claims="{claims}"'
    authority, environment = Authority(), Environment("T2", challenge=challenge)

    opened(signed(authority), environment).profiles()

    asked: dict[str, Any] = json.loads(authority.asked[1]["claims"][0])
    assert asked["access_token"]["nbf"] == {"essential": True}


@pytest.mark.parametrize("challenge", ['claims="%%%"', 'claims="/w=="', "Bearer"])
def test_a_challenge_that_cannot_be_read_is_ignored(challenge: str) -> None:
    """A new token is worth a try all the same."""
    environment = Environment("T2", challenge=challenge)

    opened(signed(Authority()), environment).profiles()

    assert environment.seen == ["Bearer T1", "Bearer T2"]


def test_a_refusal_names_the_code_and_no_secret() -> None:
    """AADSTS numbers can be looked up; descriptions may quote what was sent."""
    authority = Authority(
        error="invalid_client",
        error_description=f"AADSTS7000215: Invalid client secret {SECRET} provided. Trace ID: 1",
    )

    with pytest.raises(TargetRefused) as raised:
        opened(signed(authority), Environment()).profiles()

    assert "invalid_client AADSTS7000215" in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, json={"error": "invalid_tenant"}),
        httpx.Response(200, json={}),
        httpx.Response(
            200, json={"authorization_endpoint": "https://login.test/a", "token_endpoint": 7}
        ),
    ],
)
def test_a_tenant_that_is_not_there_is_a_refusal(answer: httpx.Response) -> None:
    """Discovery says no, or something else entirely: check what is configured."""

    def authority(_: httpx.Request) -> httpx.Response:
        return answer

    with pytest.raises(TargetRefused, match=r"auth\.tenant_id"):
        opened(signed(authority), Environment()).profiles()

    assert isinstance(signed(authority), EntraAuth)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, html="<html></html>"),
        httpx.Response(200, html="<html></html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, text='{"token_endpoint": "htt'),
        httpx.Response(302, headers={"Location": "https://evil.example"}),
    ],
)
def test_what_is_no_authority_is_not_taken_for_one(answer: httpx.Response) -> None:
    """Pages of proxies and ways to a login page: nobody said that a setting is wrong."""

    def authority(_: httpx.Request) -> httpx.Response:
        return answer

    with pytest.raises(TargetUnreachable, match=r"login\.test .* page .*http\.proxy"):
        opened(signed(authority), Environment()).profiles()

    assert isinstance(signed(authority), EntraAuth)


def test_a_clock_that_is_off_is_told_with_its_minutes() -> None:
    """The authority's answers say what time it is there."""
    there = format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)
    answer = Authority(error="invalid_client", error_description="AADSTS700024: expired.")

    def authority(request: httpx.Request) -> httpx.Response:
        response = answer(request)
        response.headers["Date"] = there
        return response

    with pytest.raises(TargetRefused, match=r"clock \(it is 10 minutes ahead of the authority's"):
        opened(signed(authority), Environment()).profiles()

    assert len(answer.asked) == 1


def test_an_environment_of_another_directory_is_told() -> None:
    """The environment itself says to whom it belongs."""
    mine, theirs = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"
    where = f"Bearer authorization_uri=https://login.test/{theirs}/oauth2/authorize, resource_id=x"
    auth = open_auth(
        URL,
        secret(SECRET).model_copy(update={"tenant_id": mine}),
        transport=httpx.MockTransport(Authority()),
    )

    with pytest.raises(TargetRefused, match=f"belongs to the directory {theirs} .*tenant_id"):
        opened(auth, Environment(challenge=where)).profiles()

    assert mine != theirs


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://contoso.crm4.dynamics.com", "https://login.microsoftonline.com"),
        ("https://contoso.crm9.dynamics.com", "https://login.microsoftonline.com"),
        ("https://contoso.crm.microsoftdynamics.us", "https://login.microsoftonline.us"),
        ("https://contoso.crm.appsplatform.us", "https://login.microsoftonline.us"),
        ("https://contoso.crm.dynamics.cn", "https://login.partner.microsoftonline.cn"),
    ],
)
def test_each_cloud_has_its_authority(url: str, authority: str) -> None:
    """Who names none signs in where the environment is; the scope is the environment."""
    asked: list[str] = []
    issuer = Authority()

    def anywhere(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.url.scheme}://{request.url.host}")
        return issuer(request)

    settings = secret(SECRET).model_copy(update={"authority": None})
    auth = open_auth(url, settings, transport=httpx.MockTransport(anywhere))
    signed = next(auth.sync_auth_flow(httpx.Request("GET", url)))

    assert signed.headers["Authorization"] == "Bearer T1"
    assert set(asked) == {authority}
    assert issuer.asked[0]["scope"] == [f"{url}/.default"]


@pytest.mark.parametrize("status", [None, 500, 503])
def test_an_authority_that_does_not_answer_is_unreachable(status: int | None) -> None:
    """No token, so nothing is sent to the environment."""

    def authority(request: httpx.Request) -> httpx.Response:
        if status is None:
            raise httpx.ConnectError("no", request=request)
        return httpx.Response(status, text="busy")

    environment = Environment()
    with pytest.raises(TargetUnreachable):
        opened(signed(authority), environment).profiles()

    assert environment.seen == []


def test_signing_in_that_fails_is_an_outcome_of_a_change() -> None:
    """Apply never raises for it: some changes may have been made before."""
    authority = Authority(error="unauthorized_client", error_description="AADSTS700016: gone")
    target = opened(signed(authority), Environment())

    (outcome,) = target.apply([change(Action.CREATE, row_id(1), user=user_id(1), after=P1)], 1)

    assert (outcome.result, outcome.fault) == (Result.FAILED, Fault.RIGHTS)
    assert "AADSTS700016" in outcome.detail


def test_lanes_share_one_token() -> None:
    """Eight threads with nothing in the cache make one request to the authority."""
    authority, environment = Authority(), Environment("T2")
    target = opened(signed(authority), environment)
    ready = Barrier(8)

    def lane() -> None:
        ready.wait(30)
        target.profiles()

    with ThreadPoolExecutor(8) as pool:
        for one in [pool.submit(lane) for _ in range(8)]:
            one.result(30)

    # One for the start, one because the first is not taken; whoever comes second gets that.
    assert len(authority.asked) == 2


def test_a_token_goes_to_its_environment_only() -> None:
    """A client that is used for another host by mistake sends nothing there."""
    auth = signed(Authority())
    sent: list[str] = []

    def anywhere(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.host)
        return httpx.Response(200)

    with (
        httpx.Client(auth=auth, transport=httpx.MockTransport(anywhere)) as client,
        pytest.raises(TargetRefused, match="nothing was sent"),
    ):
        client.get("https://evil.example/")

    assert sent == []


def test_no_sign_in_is_for_this_machine() -> None:
    """Method none elsewhere is a configuration error."""
    here = open_auth("http://127.0.0.1:1", Nothing(method="none"))

    with pytest.raises(ConfigError, match="sandbox"):
        open_auth(URL, Nothing(method="none"))

    assert isinstance(here, NoAuth)
