"""What Entra ID says, in words: codes and remedies, and nothing else of its answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.connectors.auth.denials import MEANINGS, denial, no_identity


def said(code: str, description: str = "Something. Trace ID: 1") -> dict[str, object]:
    """Return an answer with this code."""
    return {"error": "invalid_client", "error_description": f"AADSTS{code}: {description}"}


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("7000215", "the secret is wrong"),
        ("7000222", "the secret has expired"),
        ("700016", "no such application"),
        ("90002", "no such directory"),
        ("900023", "no such directory"),
        ("700027", "certificate is not registered"),
        ("700024", "set this machine's clock"),
        ("70021", "federated credential"),
        ("700211", "federated credential"),
        ("700213", "federated credential"),
        ("500011", "does not know the environment"),
        ("65001", "consent"),
        ("53003", "Conditional Access"),
        ("50034", "no such application"),
        ("7000112", "disabled"),
    ],
)
def test_a_common_code_says_what_it_means_and_what_to_do(code: str, says: str) -> None:
    """The code stands there, too: it can be looked up and told to support."""
    sentence = denial(said(code))

    assert sentence.startswith(f"signing in failed (invalid_client AADSTS{code}): ")
    assert says in sentence
    assert "; " in sentence


def test_an_unknown_code_stands_alone() -> None:
    """Nothing is guessed about it."""
    assert denial(said("999999")) == (
        "signing in failed (invalid_client AADSTS999999); "
        "look the code up, then check the settings under auth"
    )


def test_codes_are_taken_from_their_list_where_the_text_has_none() -> None:
    """Both forms occur."""
    answer = {"error": "invalid_client", "error_codes": [7000222, "x"]}

    assert "(invalid_client AADSTS7000222): the secret has expired" in denial(answer)


@pytest.mark.parametrize(
    ("skew", "says"),
    [
        (620.0, "(it is 10 minutes ahead of the authority's)"),
        (-620.0, "(it is 10 minutes behind the authority's)"),
        (30.0, "and see"),
    ],
)
def test_a_clock_that_is_off_is_named_with_its_minutes(skew: float, says: str) -> None:
    """The authority's own date tells by how much."""
    sentence = denial(said("700024"), skew).replace("clock,", "clock")

    assert f"set this machine's clock {says}" in sentence


def test_an_identity_that_is_not_there_is_told() -> None:
    """Platforms have words of their own; a code of the directory goes before them."""
    gone = {"error": "invalid_request", "error_description": "Identity not found"}

    assert "no such managed identity" in no_identity(gone)
    assert "does not know the environment" in no_identity(said("500011"))


@given(
    code=st.sampled_from([*MEANINGS, "999999"]),
    quoted=st.text(st.characters(exclude_categories=["Cs"]), min_size=8).map("sEcReT-{}".format),
    where=st.sampled_from(["error_description", "error", "correlation_id", "claims"]),
)
def test_nothing_of_a_description_gets_into_a_sentence(code: str, quoted: str, where: str) -> None:
    """Authorities quote what they were sent: secrets and assertions."""
    answer = said(code)
    answer[where] = f"{answer.get(where, '')} {quoted}"

    assert "sEcReT" not in denial(answer)
