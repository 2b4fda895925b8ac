"""The way to one host: nothing is sent to another one, and nothing sticks."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from syncd import __version__
from syncd.connectors.http import Channel, is_loopback, open_client, retry_after
from syncd.connectors.throttle import Throttle
from syncd.core.errors import ConfigError, TargetIncomplete, TargetUnreachable
from tests.connectors.dataverse.world import Clock

URL = "http://127.0.0.1:5000/"


def channel(answer: object, url: str = URL) -> Channel:
    """Open a channel to a server that is that function."""
    clock = Clock()
    transport = httpx.MockTransport(answer)  # type: ignore[arg-type]  # a function of a request
    return Channel(
        open_client(url, transport=transport), url, Throttle(clock=clock, sleep=clock.sleep)
    )


def test_every_request_carries_what_the_web_api_wants() -> None:
    """Headers of dataverse-web-api.md section 1.1."""
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200)

    way = channel(answer)
    way.get(way.root + "WhoAmI")

    names = ("Accept", "OData-MaxVersion", "OData-Version", "If-None-Match", "User-Agent")
    assert [seen[0][name] for name in names] == [
        "application/json", "4.0", "4.0", "null", f"syncd/{__version__}"
    ]  # fmt: skip


def test_no_cookie_ever_comes_back() -> None:
    """An affinity cookie would tie all lanes to one server (dataverse-web-api.md section 5.2)."""
    seen: list[bool] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append("Cookie" in request.headers)
        return httpx.Response(200, headers={"Set-Cookie": "ARRAffinity=abc; Path=/"})

    way = channel(answer)
    for _ in range(3):
        way.get(way.root)

    assert seen == [False] * 3
    assert way.requests == 3


def test_redirects_are_answers_and_not_followed() -> None:
    """A sign-in page elsewhere must not get our token."""
    hosts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(302, headers={"Location": "https://evil.example/"})

    way = channel(answer)
    response = way.get(way.root)

    assert (response.status_code, hosts) == (302, ["127.0.0.1"])


def test_another_host_is_refused_before_anything_is_sent() -> None:
    """Whoever asks, and whatever the url looks like."""
    way = channel(lambda _: pytest.fail("something was sent"))

    with pytest.raises(TargetIncomplete):
        way.send("GET", "http://127.0.0.1:5001/api/data/v9.2/")

    assert way.requests == 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "37"}, 37.0),
        ({"Retry-After": " 37 "}, 37.0),
        ({"Retry-After": "0"}, 0.0),
        (
            {
                "Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT",
                "Date": "Fri, 31 Dec 1999 23:58:59 GMT",
            },
            60.0,
        ),
        (
            {
                "Retry-After": "Fri, 31 Dec 1999 23:58:59 GMT",
                "Date": "Fri, 31 Dec 1999 23:59:59 GMT",
            },
            0.0,
        ),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(
    headers: dict[str, str], seconds: float | None
) -> None:
    """Seconds, or a date by the server's own clock; nonsense counts as silence."""
    given = [(name.encode(), text.encode("latin-1", "replace")) for name, text in headers.items()]

    assert retry_after(httpx.Response(429, headers=given)) == seconds


def test_a_read_that_is_cut_off_each_time_is_incomplete() -> None:
    """And one whose connection fails is unreachable: the first look differs."""

    def cut(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("peer closed connection", request=request)

    def slow(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too slow", request=request)

    with pytest.raises(TargetIncomplete, match="broke off"):
        channel(cut).get(URL)
    with pytest.raises(TargetUnreachable, match=r"http\.timeout"):
        channel(slow).get(URL)


def test_a_certificate_that_is_not_trusted_names_the_setting() -> None:
    """Behind a proxy that opens TLS this is the first thing that goes wrong."""

    def answer(request: httpx.Request) -> httpx.Response:
        text = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"
        raise httpx.ConnectError(text, request=request)

    with pytest.raises(TargetUnreachable, match=r"http\.ca_file"):
        channel(answer).get(URL)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:80", True),
        ("http://localhost:80", True),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
        ("http://10.0.0.1", False),
        ("https://contoso.crm4.dynamics.com", False),
    ],
)
def test_loopback_is_this_machine_only(url: str, loopback: bool) -> None:  # noqa: FBT001  # a parameter
    """Names that merely look like it are not."""
    assert is_loopback(url) is loopback


def test_a_certificate_file_that_cannot_be_used_is_a_matter_of_configuration(
    tmp_path: Path,
) -> None:
    """Not there, or no PEM file: said before anything is sent."""
    bad = tmp_path / "ca.pem"
    bad.write_text("not a certificate")

    with pytest.raises(ConfigError, match=r"http\.ca_file"):
        open_client("https://contoso.example", ca_file=str(bad))
    with pytest.raises(ConfigError, match=r"http\.ca_file"):
        open_client("https://contoso.example", ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match=r"http\.proxy"):
        open_client("https://contoso.example", proxy="nonsense://x")

    assert bad.exists()
