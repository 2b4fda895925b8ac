"""`fetchXml=` and `sql=`: two more ways to ask for rows."""

# ruff: noqa: S608  # the statements go to the sandbox, which runs none

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox.door import ADA, BO, CREW, ROW, ROWS, Door, refused, sandbox_of

COOKIE = "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
MORE = "@Microsoft.Dynamics.CRM.morerecords"
PAGED = f'odata.include-annotations="{COOKIE[1:]},{MORE[1:]}"'


def people(number: int) -> Door:
    """Return a sandbox with so many users."""
    return Door(
        sandbox_of({
            "systemusers": [
                {
                    "systemuserid": f"10000000-0000-4000-8000-{at:012}",
                    "domainname": f"u{at:04}",
                    "accessmode": at % 3,
                }
                for at in range(number)
            ]
        })
    )  # fmt: skip


def fetched(door: Door, xml: str, prefer: str = "", path: str = "systemusers") -> dict[str, Any]:
    """Return what a query finds."""
    return dict(door.get(f"{path}?fetchXml={quote(xml)}", prefer))


def asked(door: Door, statement: str, path: str = "systemusers") -> list[dict[str, Any]]:
    """Return what a statement finds."""
    return list(door.get(f"{path}?sql={quote(statement)}")["value"])


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ('attribute="fullname" operator="eq" value="ADA kuhn"', [ADA]),
        ('attribute="fullname" operator="ne" value="Ada Kuhn"', [BO]),
        ('attribute="employeeid" operator="null"', [ADA, BO]),
        ('attribute="mobileofflineprofileid" operator="not-null"', [ADA]),
        ('attribute="domainname" operator="like" value="%@contoso.com"', [ADA, BO]),
        ('attribute="domainname" operator="like" value="b_@%"', [BO]),
        ('attribute="domainname" operator="not-like" value="bo%"', [ADA]),
        ('attribute="domainname" operator="begins-with" value="ada"', [ADA]),
        ('attribute="accessmode" operator="eq" value="0"', [ADA, BO]),
        ('attribute="isdisabled" operator="eq" value="1"', []),
        ('attribute="accessmode" operator="gt" value="0"', []),
        (f'attribute="systemuserid" operator="eq" value="{{{ADA.upper()}}}"', [ADA]),
        ('attribute="createdby" operator="eq-userid"', [ADA, BO]),
    ],
)
def test_conditions_choose_rows(door: Door, condition: str, found: list[str]) -> None:
    """The operators of the documentation, without regard to case."""
    page = fetched(
        door,
        '<fetch><entity name="systemuser"><attribute name="systemuserid"/>'
        f"<filter><condition {condition}/></filter></entity></fetch>",
    )

    assert [row["systemuserid"] for row in page["value"]] == found


def test_filters_nest_and_lists_have_values(door: Door) -> None:
    """Or inside of and; in, not-in and between."""
    xml = (
        '<fetch><entity name="systemuser"><attribute name="fullname"/><filter type="or">'
        f'<condition attribute="systemuserid" operator="in"><value>{ADA}</value></condition>'
        '<filter><condition attribute="fullname" operator="like" value="bo%"/>'
        '<condition attribute="accessmode" operator="between"><value>0</value><value>2</value>'
        "</condition></filter></filter></entity></fetch>"
    )

    found = fetched(door, xml)["value"]

    assert [row["systemuserid"] for row in found] == [ADA, BO]
    assert found[0].keys() == {"@odata.etag", "systemuserid", "fullname"}


def test_tables_are_linked_inner_and_outer(door: Door) -> None:
    """Their columns are shown under the alias, annotations included."""

    def xml(kind: str) -> str:
        return (
            '<fetch><entity name="systemuser"><attribute name="fullname"/>'
            '<order attribute="fullname" descending="true"/>'
            f'<link-entity name="mobileofflineprofile" from="mobileofflineprofileid" '
            f'to="mobileofflineprofileid" link-type="{kind}" alias="p">'
            '<attribute name="name"/><attribute name="componentstate"/></link-entity>'
            "</entity></fetch>"
        )

    inner = fetched(door, xml("inner"), 'odata.include-annotations="*"')["value"]
    outer = fetched(door, xml("outer"))["value"]

    assert [(row["fullname"], row["p.name"]) for row in inner] == [("Ada Kuhn", "Depot")]
    assert inner[0]["p.componentstate@OData.Community.Display.V1.FormattedValue"] == "Published"
    assert [row["fullname"] for row in outer] == ["Bo O'Neill", "Ada Kuhn"]
    assert "p.name" not in outer[0]


def test_links_go_through_an_intersection(door: Door) -> None:
    """Two levels deep, with a condition on the last."""
    xml = (
        '<fetch><entity name="systemuser"><attribute name="fullname"/>'
        '<link-entity name="teammembership" from="systemuserid" to="systemuserid">'
        '<link-entity name="team" from="teamid" to="teamid" alias="t"><filter>'
        '<condition attribute="name" operator="eq" value="Storm"/></filter></link-entity>'
        "</link-entity></entity></fetch>"
    )

    assert [row["systemuserid"] for row in fetched(door, xml)["value"]] == [ADA]


def test_pages_follow_by_cookie() -> None:
    """Each row once; the cookie is encoded twice, as the platform does it."""
    door, found, page, cookie = people(25), [], 1, ""
    while True:
        xml = (
            f'<fetch count="10" page="{page}" paging-cookie={quoteattr(cookie)}>'
            '<entity name="systemuser"><attribute name="domainname"/></entity></fetch>'
        )
        answer = fetched(door, xml, PAGED)
        found += [row["domainname"] for row in answer["value"]]
        if not answer[MORE]:
            break
        shown = re.search(r'pagenumber="(\d+)" pagingcookie="([^"]+)"', answer[COOKIE])
        assert shown is not None
        page, cookie = int(shown[1]), unquote(unquote(shown[2]))

    assert found == [f"u{at:04}" for at in range(25)]
    assert cookie.startswith('<cookie page="2"><systemuserid last="{')
    assert COOKIE not in answer


@given(st.integers(1, 40), st.integers(1, 15))
def test_pages_by_number_show_every_row_once(number: int, size: int) -> None:
    """Whatever the size of the page, in any order."""
    door, found, page = people(number), [], 1
    while True:
        xml = (
            f'<fetch count="{size}" page="{page}"><entity name="systemuser">'
            '<attribute name="domainname"/><order attribute="accessmode" descending="true"/>'
            "</entity></fetch>"
        )
        answer = fetched(door, xml, PAGED)
        found += [row["domainname"] for row in answer["value"]]
        page += 1
        if not answer[MORE]:
            break

    assert sorted(found) == [f"u{at:04}" for at in range(number)]


def test_top_totals_and_distinct_values() -> None:
    """Top cuts, the total is an annotation, distinct rows are shown once."""
    door = people(9)

    top = fetched(door, '<fetch top="4"><entity name="systemuser"/></fetch>')
    total = fetched(
        door, '<fetch returntotalrecordcount="true" count="2"><entity name="systemuser"/></fetch>'
    )

    assert len(top["value"]) == 4
    assert "accessmode" in top["value"][0]
    assert total["@Microsoft.Dynamics.CRM.totalrecordcount"] == 9
    assert len(total["value"]) == 2


def test_aggregates_count_and_group() -> None:
    """By alias, ordered by alias."""
    xml = (
        '<fetch aggregate="true"><entity name="systemuser">'
        '<attribute name="accessmode" groupby="true" alias="mode"/>'
        '<attribute name="systemuserid" aggregate="count" alias="n"/>'
        '<attribute name="domainname" aggregate="max" alias="last"/>'
        '<order alias="n" descending="true"/></entity></fetch>'
    )

    found = fetched(people(10), xml)["value"]

    assert found[0] == {"mode": 0, "n": 4, "last": "u0009"}
    assert sum(row["n"] for row in found) == 10


def test_an_aggregate_of_too_many_rows_is_refused() -> None:
    """As `$apply` is."""
    door = Door(sandbox_of({ROWS: [{} for _ in range(50_001)]}))
    xml = (
        '<fetch aggregate="true"><entity name="usermobileofflineprofilemembership">'
        '<attribute name="name" aggregate="count" alias="n"/></entity></fetch>'
    )

    answer = door.send("GET", f"{ROWS}?fetchXml={quote(xml)}")

    assert refused(answer) == (400, "0x8004e023")


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ("<fetch", "0x80040203"),
        ("<!DOCTYPE x><fetch/>", "0x80040203"),
        ('<fetch><entity name="team"/></fetch>', "0x80040203"),
        ('<fetch><entity name="systemuser"><attribute name="x"/></entity></fetch>', "0x80041103"),
        ('<fetch><entity name="systemuser"><link-entity name="x"/></entity></fetch>', "0x80041102"),
        ('<fetch top="1" page="2"><entity name="systemuser"/></fetch>', "0x80040203"),
        ('<fetch count="x"><entity name="systemuser"/></fetch>', "0x80040203"),
        ('<fetch paging-cookie="x"><entity name="systemuser"/></fetch>', "0x80040203"),
        (
            '<fetch><entity name="systemuser"><filter><condition attribute="fullname" '
            'operator="sounds-like" value="x"/></filter></entity></fetch>',
            "0x80040203",
        ),
    ],
)
def test_a_query_that_is_wrong_is_refused(door: Door, xml: str, code: str) -> None:
    """XML, entities, attributes, operators, pages."""
    assert refused(door.send("GET", f"systemusers?fetchXml={quote(xml)}")) == (400, code)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("SELECT fullname FROM systemuser", [ADA, BO]),
        ("select * from systemuser where fullname = 'ada kuhn'", [ADA]),
        ("SELECT u.fullname FROM systemuser AS u WHERE u.domainname LIKE 'bo%'", [BO]),
        ("SELECT fullname FROM systemuser WHERE fullname = 'Bo O''Neill'", [BO]),
        ("SELECT fullname FROM systemuser ORDER BY fullname DESC", [BO, ADA]),
        ("SELECT TOP 1 fullname FROM systemuser ORDER BY fullname DESC, domainname", [BO]),
        ("SELECT fullname FROM systemuser WHERE mobileofflineprofileid IS NULL", [BO]),
        ("SELECT fullname FROM systemuser WHERE mobileofflineprofileid IS NOT NULL", [ADA]),
        ("SELECT fullname FROM systemuser WHERE isdisabled = 0 AND NOT (accessmode <> 0)",
         [ADA, BO]),
        ("SELECT fullname FROM systemuser WHERE accessmode BETWEEN 1 AND 5 OR domainname IN "
         "('ada@contoso.com', 'x')", [ADA]),
        (f"SELECT [fullname] FROM [systemuser] WHERE systemuserid = '{BO}';", [BO]),
    ],
)  # fmt: skip
def test_statements_choose_rows(door: Door, statement: str, found: list[str]) -> None:
    """Columns, conditions and orders of one table."""
    assert [row["systemuserid"] for row in asked(door, statement)] == found


def test_a_statement_shows_lookups_and_counts(door: Door) -> None:
    """A lookup under the name that reads have for it."""
    table = ROWS[:-1]

    (row,) = asked(door, f"SELECT mobileofflineprofileid FROM {table}", ROWS)
    counted = asked(door, f"SELECT COUNT(*) AS n FROM {table}", ROWS)

    assert (row["_mobileofflineprofileid_value"], row[f"{table}id"]) == (CREW, ROW)
    assert counted == [{"n": 1}]


def test_a_long_result_has_a_next_link() -> None:
    """That leads to the rest."""
    door = people(5003)
    first = door.get(f"systemusers?sql={quote('SELECT domainname FROM systemuser')}")

    rest = door.get(first["@odata.nextLink"].partition("v9.2/")[2])

    assert len(first["value"]) == 5000
    assert [row["domainname"] for row in rest["value"]] == ["u5000", "u5001", "u5002"]
    assert "@odata.nextLink" not in rest


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM systemuser",
        "SELECT",
        "SELECT fullname",
        "SELECT fullname FROM team",
        "SELECT nope FROM systemuser",
        "SELECT x.fullname FROM systemuser u",
        "SELECT fullname FROM systemuser WHERE",
        "SELECT fullname FROM systemuser WHERE fullname ~ 'x'",
        "SELECT fullname FROM systemuser ORDER fullname",
        "SELECT fullname FROM systemuser; DROP TABLE systemuser",
        "SELECT fullname FROM systemuser WHERE accessmode = 'x'",
    ],
)
def test_a_statement_that_is_wrong_is_refused(door: Door, statement: str) -> None:
    """Other verbs, tables, columns, syntax."""
    answer = door.send("GET", f"systemusers?sql={quote(statement)}")

    assert refused(answer)[0] == 400
