"""One token for all lanes: renewed in good time by one of them, while the others go on."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.connectors.auth.tokens import BARE, Token, Tokens
from syncd.core.errors import Stopped, TargetError, TargetRefused, TargetUnreachable

Answer = Token | Exception


class Issuer:
    """An authority that gives what it is told to, and counts."""

    def __init__(self, *answers: Answer, life: float = 3600.0) -> None:
        self.answers = list(answers)
        self.life = life
        self.claims: list[str | None] = []
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self, claims: str | None) -> Token:
        self.claims.append(claims)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer or Token(f"T{len(self.claims)}", self.life, self.life)

    def tokens(self) -> Tokens:
        """Return what keeps this authority's tokens."""
        return Tokens(self, "login.test", pause=self.pauses.append, clock=lambda: self.now)


def test_a_token_is_used_until_it_is_due() -> None:
    """Ten minutes before its end it is renewed, and not earlier."""
    issuer = Issuer()
    tokens = issuer.tokens()

    seen = []
    for issuer.now in (0.0, 2999.0, 3001.0, 3002.0):
        seen.append(tokens.current())

    assert seen == ["T1", "T1", "T2", "T2"]


def test_the_authority_may_want_it_renewed_earlier() -> None:
    """Its soft date holds where it lies before ours."""
    issuer = Issuer(Token("T1", 86400.0, 43200.0))
    tokens = issuer.tokens()

    seen = []
    for issuer.now in (0.0, 43199.0, 43201.0):
        seen.append(tokens.current())

    assert seen == ["T1", "T1", "T2"]


def test_others_go_on_with_the_old_token_while_one_renews_it() -> None:
    """A slow authority holds nobody up but the one who asks."""
    asked, answer = threading.Event(), threading.Event()
    issuer = Issuer()

    def slow(claims: str | None) -> Token:
        if issuer.claims:
            asked.set()
            assert answer.wait(30)
        return issuer(claims)

    tokens = Tokens(slow, "login.test", clock=lambda: issuer.now)
    tokens.current()
    issuer.now = 3100.0

    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(tokens.current)
        assert asked.wait(30)
        meanwhile = [tokens.current() for _ in range(3)]
        answer.set()

    assert meanwhile == ["T1", "T1", "T1"]
    assert (renewing.result(), tokens.current()) == ("T2", "T2")


def test_nobody_uses_a_token_to_its_last_second() -> None:
    """A batch that begins with it must still be through: then all wait for a new one."""
    issuer = Issuer(Token("T1", 3600.0, 3600.0), TargetUnreachable("no"), TargetUnreachable("no"))
    tokens = issuer.tokens()
    tokens.current()

    issuer.now = 3600.0 - BARE - 1
    old = tokens.current()
    issuer.now = 3600.0 - BARE
    with pytest.raises(TargetUnreachable):
        tokens.current()

    assert old == "T1"
    assert len(issuer.claims) == 3


@pytest.mark.parametrize(
    "failure", [TargetRefused("no"), TargetUnreachable("no"), httpx.ConnectError("no")]
)
def test_a_renewal_that_fails_is_tried_again_a_minute_later(failure: Exception) -> None:
    """The old token still does; the authority is not knocked at with each request."""
    issuer = Issuer(Token("T1", 3600.0, 3600.0), failure)
    tokens = issuer.tokens()

    seen = []
    for issuer.now in (0.0, 3010.0, 3011.0, 3069.0, 3071.0):
        seen.append(tokens.current())

    assert seen == ["T1", "T1", "T1", "T1", "T3"]
    assert issuer.pauses == []


def test_a_platform_without_a_newer_token_is_not_asked_each_time() -> None:
    """Metadata services keep tokens themselves and give the same one until it is nearly over."""
    issuer = Issuer(Token("T1", 3600.0, 3600.0), Token("T1", 500.0, 500.0))
    tokens = issuer.tokens()

    seen = []
    for issuer.now in (0.0, 3100.0, 3101.0, 3150.0):
        seen.append(tokens.current())

    assert seen == ["T1"] * 4
    assert len(issuer.claims) == 2


def test_whoever_comes_second_gets_the_new_token_of_the_first() -> None:
    """Eight lanes whose token is not taken make one question."""
    issuer = Issuer()
    tokens = issuer.tokens()
    stale = tokens.current()

    got = [tokens.renewed(stale, '{"access_token":{}}') for _ in range(8)]

    assert got == ["T2"] * 8
    assert issuer.claims == [None, '{"access_token":{}}']


@pytest.mark.parametrize(("refusal", "respite"), [(TargetRefused, 60.0), (TargetUnreachable, 5.0)])
def test_a_refusal_is_remembered_for_a_while(refusal: type[TargetError], respite: float) -> None:
    """A thousand changes are not a thousand failed sign-ins."""
    issuer = Issuer(refusal("signing in failed"))
    tokens = issuer.tokens()

    for issuer.now in (0.0, respite - 1):
        with pytest.raises(refusal, match="signing in failed"):
            tokens.current()
    issuer.now = respite

    assert tokens.current() == "T2"


def test_connections_that_break_are_tried_four_times() -> None:
    """Pauses grow."""
    issuer = Issuer(*[httpx.ReadError("gone") for _ in range(4)])

    with pytest.raises(TargetUnreachable, match=r"^login\.test .*broke off"):
        issuer.tokens().current()

    assert issuer.pauses == [1.0, 2.0, 4.0]


def test_who_asks_to_stop_does_not_wait_for_a_sign_in() -> None:
    """The pause ends at once and nothing more is asked."""
    issuer = Issuer(httpx.ConnectError("no"))
    tokens = Tokens(issuer, "login.test", pause=lambda _: True)

    with pytest.raises(Stopped):
        tokens.current()

    assert len(issuer.claims) == 1


@given(life=st.floats(0, 100_000), soft=st.floats(0, 100_000), steps=st.lists(st.floats(0, 9000)))
def test_no_token_is_used_beyond_its_end(life: float, soft: float, steps: list[float]) -> None:
    """Whatever lives and soft dates an authority gives, and whenever somebody comes."""
    ends: dict[str, float] = {}
    issuer = Issuer()

    def ask(_: str | None) -> Token:
        text = f"T{len(ends)}"
        ends[text] = issuer.now + life
        return Token(text, life, soft)

    tokens = Tokens(ask, "login.test", clock=lambda: issuer.now)
    for step in steps:
        issuer.now += step

        assert ends[tokens.current()] >= issuer.now


def test_no_text_of_a_token_is_shown() -> None:
    """Neither in a log nor in a traceback."""
    token = Token("eyJ-secret", 3600.0, 3600.0)
    tokens = Issuer(token).tokens()
    tokens.current()

    assert "eyJ-secret" not in f"{token!r} {tokens!r} {vars(tokens)!r}"
