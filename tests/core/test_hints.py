"""What rows of `usermapping` say about users, and when they say nothing (domain.md section 10)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.hints import SHAREPOINT, Declared, Hint, Hints, glean

USABLE = frozenset(
    {"personalemailaddress", "domainname", "windowsliveid", "userpuid", "employeeid"}
)
SMTP = ("smtp", "personalemailaddress")
MAIL = Hint("mail", "personalemailaddress", "windowsliveid")


def look(
    *rows: tuple[str | None, str | None],
    application: int | None = SHAREPOINT,
    fields: Mapping[str, str] | None = None,
) -> Hints:
    """Glean rows of claim and column."""
    declared = [Declared(str(at), application, *row) for at, row in enumerate(rows)]
    return glean(declared, USABLE, fields or {})


@pytest.mark.parametrize(
    ("claim", "field", "instead"),
    [
        ("smtp", "mail", "windowsliveid"),
        (" SMTP ", "mail", "windowsliveid"),
        ("Email", "mail", "windowsliveid"),
        ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "mail",
         "windowsliveid"),
        ("upn", "user_name", None),
        ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "user_name", None),
    ],
)  # fmt: skip
def test_a_claim_is_known_by_all_its_names(claim: str, field: str, instead: str | None) -> None:
    """Mail is compared for e-mail claims, the user name for user principal names."""
    found = look((claim, "personalemailaddress"))

    assert found == Hints((Hint(field, "personalemailaddress", instead),))


def test_a_column_that_is_built_in_has_no_other() -> None:
    """There is nothing to fall back to."""
    assert look(("smtp", "windowsliveid")).used == (Hint("mail", "windowsliveid"),)


@pytest.mark.parametrize(
    "row", [(None, "personalemailaddress"), ("smtp", None), (" ", "personalemailaddress"),
            ("smtp", "")],
)  # fmt: skip
def test_a_row_that_lacks_a_text_says_nothing(row: tuple[str | None, str | None]) -> None:
    """Both are optional for the server."""
    assert look(row) == Hints()


@pytest.mark.parametrize("application", [1, None])
def test_only_rows_of_sharepoint_count(application: int | None) -> None:
    """The other application is internal."""
    assert look(SMTP, application=application) == Hints()


def test_two_columns_for_one_claim_are_no_answer() -> None:
    """Nothing is guessed, under whatever names the claim is declared."""
    found = look(SMTP, ("email", "windowsliveid"), ("upn", "domainname"))

    assert found.used == (Hint("user_name", "domainname"),)
    assert len(found.remarks) == 1
    assert "2 columns for the claim email (personalemailaddress, windowsliveid)" in found.remarks[0]


def test_two_rows_that_agree_are_one() -> None:
    """There is no uniqueness on the table."""
    assert look(SMTP, ("email", "personalemailaddress")) == Hints((MAIL,))


@pytest.mark.parametrize("column", ["personalemailadress", "PersonalEMailAddress", "fullname"])
def test_a_column_that_cannot_be_read_is_left_aside(column: str) -> None:
    """It is free text and may be misspelt; a right one beside it is no answer either."""
    alone, beside = look(("smtp", column)), look(SMTP, ("smtp", column))

    assert alone.used == beside.used == ()
    assert "no column of systemuser" in alone.remarks[0]


@pytest.mark.parametrize("claim", ["nameid", "urn:badge"])
def test_a_claim_that_people_have_no_field_for_needs_one_in_the_configuration(claim: str) -> None:
    """What it is compared with is nobody's guess."""
    without, named = look((claim, "employeeid")), look(
        (claim, "employeeid"), fields={claim.upper(): "employee_id"}
    )  # fmt: skip

    assert without.used == ()
    assert "[usermapping] claims" in without.remarks[0]
    assert [(hint.field, hint.column) for hint in named.used] == [("employee_id", "employeeid")]


rows = st.lists(
    st.tuples(
        st.sampled_from(["smtp", "EMAIL", "upn", "x/upn", "nameid", "", "other"]),
        st.sampled_from([*sorted(USABLE), "nowhere", ""]),
    ),
    max_size=6,
)


@given(rows, st.randoms())
def test_the_order_of_rows_says_nothing(declared: list[tuple[str, str]], random: object) -> None:
    """Nor does a row that is there twice."""
    shuffled = [*declared, *declared]
    getattr(random, "shuffle")(shuffled)  # noqa: B009  # Hypothesis gives any source of chance

    assert look(*shuffled) == look(*declared)
