"""Signing in with the directory: real tokens, real keys, a directory on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest

from syncd.service.admin.entra import Directory
from syncd.service.admin.refusal import Refusal
from tests.service.admin.directory import AUDIENCE, KEYS, ROLE, TENANT, Entra, directory_served


@dataclass(frozen=True)
class Rights:
    """The settings of `admin.entra`."""

    tenant_id: str = TENANT
    audience: str = AUDIENCE
    role: str = ROLE


@pytest.fixture
def entra() -> Iterator[Entra]:
    """Give a directory with one key, and one of a kind that is never used."""
    with directory_served(Entra(keys={"one": KEYS["one"], "curve": KEYS["curve"]})) as found:
        yield found


@dataclass
class Clock:
    """Stands still until it is set."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that is set by hand."""
    return Clock()


@pytest.fixture
def directory(entra: Entra, clock: Clock) -> Directory:
    """Give what judges tokens of that directory."""
    return Directory(Rights(), lambda: httpx.Client(trust_env=False), entra.url, clock)


def _refused(directory: Directory, token: str) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        directory.who(token)
    return caught.value.status, caught.value.sentence


def test_whoever_has_the_role_is_let_in(directory: Directory, entra: Entra) -> None:
    """The audit log names them as the directory does."""
    assert directory.who(entra.token()) == "ada@contoso.example"


def test_a_program_is_named_by_its_id(directory: Directory, entra: Entra) -> None:
    """It has no user name."""
    assert directory.who(entra.token(preferred_username=None, azp="app-7")) == "app-7"


def test_tokens_of_the_first_version_count_too(directory: Directory, entra: Entra) -> None:
    """An application gets those unless its registration asks for others."""
    issuer = f"https://sts.windows.net/{TENANT}/"
    token = entra.token(ver="1.0", iss=issuer, preferred_username=None, upn="bo@contoso.example")

    assert directory.who(token) == "bo@contoso.example"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "api://other"},
        {"aud": None},
        {"iss": "https://evil.example/v2.0"},
        {"iss": f"https://sts.windows.net/{TENANT}/"},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"nbf": 2**33},
        {"kid": "curve", "algorithm": "ES256"},
        {"kid": "stranger"},
        {"kid": "nobody"},
    ],
    ids=str,
)
def test_any_other_token_is_refused(
    directory: Directory, entra: Entra, changes: dict[str, Any]
) -> None:
    """Made for somebody else, by somebody else, too old, or not signed by a key we know."""
    assert _refused(directory, entra.token(**changes))[0] == 401


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\u00e4.\u00f6.\u00fc", "." * 2000])
def test_what_is_no_token_is_refused(directory: Directory, token: str) -> None:
    """Without asking the directory."""
    assert _refused(directory, token)[0] == 401


def test_a_token_without_a_signature_is_refused(directory: Directory, entra: Entra) -> None:
    """Nor is one that is signed with what everybody can read."""
    claims = jwt.decode(entra.token(), options={"verify_signature": False})
    bare = jwt.encode(claims, "", "none", headers={"kid": "one"})
    public = "x" * 64
    mixed = jwt.encode(claims, public, "HS256", headers={"kid": "one"})

    assert _refused(directory, bare)[0] == 401
    assert _refused(directory, mixed)[0] == 401


@pytest.mark.parametrize("roles", [None, [], ["Other"], ROLE, {ROLE: True}])
def test_whoever_lacks_the_role_is_not_let_in(
    directory: Directory, entra: Entra, roles: object
) -> None:
    """Being one of ours is not enough; the sentence names the role."""
    status, sentence = _refused(directory, entra.token(roles=roles))

    assert status == 403
    assert ROLE in sentence


def test_keys_are_asked_for_once(directory: Directory, entra: Entra) -> None:
    """Not for every token."""
    for _ in range(5):
        directory.who(entra.token())

    assert len(entra.asked) == 2


def test_a_new_key_is_found(directory: Directory, entra: Entra, clock: Clock) -> None:
    """Directories change their keys; unknown ones make us ask again, but rarely."""
    directory.who(entra.token())
    entra.keys = {"two": KEYS["two"]}
    too_early = _refused(directory, entra.token("two"))[0]
    clock.now = 301.0

    assert too_early == 401
    assert directory.who(entra.token("two")) == "ada@contoso.example"
    assert len(entra.asked) == 4


def test_a_directory_that_does_not_answer_lets_nobody_in(
    directory: Directory, entra: Entra
) -> None:
    """The sentence says that it is not the token's fault."""
    entra.down = True

    assert _refused(directory, entra.token())[0] == 503


def test_keys_are_not_taken_from_another_host(directory: Directory, entra: Entra) -> None:
    """Whoever could change the metadata could else sign for everybody."""
    entra.elsewhere = "http://127.0.0.2:9/keys"

    assert _refused(directory, entra.token())[0] == 503
