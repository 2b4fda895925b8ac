"""How identities compare, and the ids that follow from them (behaviour.md sections 3 and 8)."""

from __future__ import annotations

from unicodedata import normalize
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.identity import guid, login, text
from syncd.core.ids import environment_space, membership_id

URL = "https://contoso.crm4.dynamics.com"
USER = "10000000-0000-4000-8000-00000000000a"
WORDS = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    "written",
    [
        "ABCDEF00-0000-4000-8000-00000000000A",
        "{abcdef00-0000-4000-8000-00000000000a}",
        " {ABCDEF00-0000-4000-8000-00000000000a} ",
    ],
)
def test_guids_compare_in_lower_case_without_braces(written: str) -> None:
    """Section 3: GUIDs have one normal form."""
    assert guid(written) == "abcdef00-0000-4000-8000-00000000000a"


@pytest.mark.parametrize(
    ("written", "form"),
    [
        (" Ada@Contoso.com ", "ada@contoso.com"),
        ("JOSE\u0301@x.org", "jos\u00e9@x.org"),
        ("STRASSE@x.org", "strasse@x.org"),
        ("stra\u00dfe@x.org", "strasse@x.org"),
        ("\u00a0ada@x.org\u2003", "ada@x.org"),
    ],
)
def test_user_names_and_mail_compare_trimmed_composed_and_folded(written: str, form: str) -> None:
    """Section 3: trimmed, NFC, case-folded, which is more than lower case."""
    assert login(written) == form


@pytest.mark.parametrize(
    ("written", "form"), [(" 007 ", "007"), ("e1", "e1"), ("E1", "E1"), ("Cafe\u0301", "Caf\u00e9")]
)
def test_employee_ids_compare_exactly(written: str, form: str) -> None:
    """Section 3: they are text; neither case nor leading zeros are dropped."""
    assert text(written) == form


@given(WORDS)
def test_composed_and_decomposed_texts_are_one(word: str) -> None:
    """Sections 1 and 3: how an accent is encoded makes no other identity."""
    assert text(normalize("NFD", word)) == text(normalize("NFC", word))
    assert login(normalize("NFD", word)) == login(normalize("NFC", word))


@pytest.mark.parametrize("url", [URL, f"{URL}/", "https://Contoso.CRM4.dynamics.com/"])
def test_an_environment_is_one_however_its_url_is_written(url: str) -> None:
    """Section 8: the namespace is of the url without trailing slash, lower case."""
    assert environment_space(url) == uuid5(NAMESPACE_URL, "https://contoso.crm4.dynamics.com")


def test_a_created_row_is_named_after_its_user() -> None:
    """Section 8: UUIDv5 in the environment's namespace; written out, so that it never changes."""
    space = environment_space(URL)

    assert membership_id(space, USER) == str(uuid5(space, USER))
    assert space == UUID("fd97b1cf-59d4-5323-b163-cb867294ca1c")
    assert membership_id(space, USER) == "6584fe0d-ccad-51a8-a5f8-338c18f1e2b7"


@pytest.mark.parametrize("attempt", [2, 3, 10])
def test_a_taken_name_is_followed_by_the_next(attempt: int) -> None:
    """Section 8: where a row has that id, the name is the user's id with /2, /3, and so on."""
    space = environment_space(URL)

    assert membership_id(space, USER, attempt) == str(uuid5(space, f"{USER}/{attempt}"))


def test_two_environments_never_share_an_id() -> None:
    """Section 8: the namespace is part of the id."""
    here, there = environment_space(URL), environment_space("https://fabrikam.crm4.dynamics.com")

    assert membership_id(here, USER) != membership_id(there, USER)
