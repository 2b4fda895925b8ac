"""What must be done so that rows of `usermapping` are as declared."""

from __future__ import annotations

from uuid import NAMESPACE_URL

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.hints import Declared
from syncd.core.usermappings import Deed, Step, Wish, compare, fulfilled, own_id, unfit

SPACE = NAMESPACE_URL
OWN = own_id(SPACE, 0, "smtp")
ROW = "80000000-0000-4000-8000-000000000001"
ELSE = "80000000-0000-4000-8000-000000000002"
SMTP = Wish(0, "smtp", "personalemailaddress")


def row(ident: str, claim: str | None = "smtp", column: str | None = "personalemailaddress",
        application: int | None = 0) -> Declared:  # fmt: skip
    """Describe a row as it was read."""
    return Declared(ident, application, claim, column, 'W/"1"')


def deeds(*wishes: Wish, rows: list[Declared]) -> list[tuple[str, str]]:
    """Return what is done to which row."""
    return [(str(step.deed), step.id) for step in compare(wishes, rows, SPACE).steps]


def test_what_is_declared_and_not_there_is_created_with_an_id_that_follows() -> None:
    """Sent twice it meets its own row, under whatever name the claim is declared."""
    assert deeds(SMTP, rows=[]) == [("create", OWN)]
    assert own_id(SPACE, 0, "EMail") == OWN != own_id(SPACE, 1, "smtp")


def test_a_row_with_an_id_of_its_own_is_put_there() -> None:
    """Only where none is."""
    wish = Wish(0, "smtp", "personalemailaddress", ROW)

    assert deeds(wish, rows=[]) == [("upsert", ROW)]
    assert deeds(wish, rows=[row(ROW)]) == []
    assert deeds(wish, rows=[row(ELSE)]) == [("upsert", ROW), ("delete", ELSE)]


def test_whoever_made_it_a_row_is_changed_where_it_is_declared_otherwise() -> None:
    """The claim's name counts, too: it is what is sent."""
    assert deeds(SMTP, rows=[row(ROW, column="windowsliveid")]) == [("update", ROW)]
    assert deeds(SMTP, rows=[row(ROW, claim="EMAIL")]) == [("update", ROW)]
    assert deeds(SMTP, rows=[row(ROW)]) == []


def test_of_several_rows_for_one_claim_the_right_one_stays() -> None:
    """Then ours, then the first."""
    wrong = row(OWN, column="windowsliveid")

    assert deeds(SMTP, rows=[wrong, row(ROW)]) == [("delete", OWN)]
    assert deeds(SMTP, rows=[wrong, row(ROW, column="x")]) == [("update", OWN), ("delete", ROW)]


def test_a_row_of_ours_that_somebody_changed_is_changed_back() -> None:
    """Its id is taken, so that a create would meet it."""
    assert deeds(SMTP, rows=[row(OWN, claim="upn")]) == [("update", OWN)]


def test_only_what_syncd_made_goes_when_it_is_declared_no_more() -> None:
    """Rows of others go where a declaration says so."""
    compared = compare([], [row(OWN), row(ROW), row(ELSE, None, None, None)], SPACE)
    absent = Wish(0, "email", None)

    assert [(step.deed, step.id) for step in compared.steps] == [(Deed.DELETE, OWN)]
    assert [each.id for each in compared.others] == [ROW, ELSE]
    assert deeds(absent, rows=[row(ROW), row(ELSE, "upn")]) == [("delete", ROW)]


def test_columns_that_users_do_not_have_are_all_named() -> None:
    """Also that of a row that would not change."""
    wishes = [SMTP, Wish(0, "upn", "nowhere"), Wish(1, "x", "neither"), Wish(0, "y", None)]

    assert len(unfit(wishes, {"personalemailaddress"})) == 2


claims = st.sampled_from(["smtp", "EMAIL", "upn", "nameid", "other"])
columns = st.sampled_from(["personalemailaddress", "windowsliveid"])
tables = st.lists(
    st.builds(
        row, st.sampled_from([OWN, ROW, ELSE, own_id(SPACE, 0, "upn")]),
        st.one_of(st.none(), claims),
        st.one_of(st.none(), columns), st.sampled_from([0, 1, None]),
    ),
    unique_by=lambda each: each.id,
)  # fmt: skip
declared = st.lists(
    st.builds(Wish, st.just(0), st.sampled_from(["smtp", "upn", "other"]), columns),
    unique_by=lambda wish: wish.claim,
)


def done(rows: list[Declared], steps: tuple[Step, ...]) -> list[Declared]:
    """Return the table after these changes."""
    table = {each.id: each for each in rows}
    for step in steps:
        if step.after is None:
            del table[step.id]
        else:
            after = step.after
            table[step.id] = Declared(step.id, after.application, after.claim, after.column, "2")
    return list(table.values())


@given(declared, tables)
def test_afterwards_all_is_in_step(wishes: list[Wish], rows: list[Declared]) -> None:
    """A second look plans nothing, and every declaration has its one row."""
    after = done(rows, compare(wishes, rows, SPACE).steps)
    again = compare(wishes, after, SPACE)

    assert again.steps == ()
    assert all(sum(fulfilled(wish, each) for each in after) == 1 for wish in wishes)
