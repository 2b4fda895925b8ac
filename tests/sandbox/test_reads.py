"""Reading: rows, pages, filters, orders, counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox.door import ADA, BO, DEPOT, ROW, ROWS, TEAM, Door, refused, sandbox_of


def users(number: int) -> Door:
    """Return a sandbox with so many users, named backwards."""
    return Door(
        sandbox_of(
            {
                "systemusers": [
                    {
                        "systemuserid": f"10000000-0000-4000-8000-{at:012}",
                        "domainname": f"u{number - at:03}",
                        "accessmode": at % 3,
                    }
                    for at in range(number)
                ]
            }
        )
    )


def names(rows: list[dict[str, Any]]) -> list[str]:
    """Return the users' names in order."""
    return [row["domainname"] for row in rows]


def test_a_row_shows_its_etag_its_key_and_what_is_selected(door: Door) -> None:
    """The key is in every row, lookups are `_x_value`, the ETag is the version."""
    page = door.get(f"{ROWS}?$select=_systemuserid_value,statecode,versionnumber")

    (row,) = page["value"]
    assert row == {
        "@odata.etag": f'W/"{row["versionnumber"]}"',
        "usermobileofflineprofilemembershipid": ROW,
        "_systemuserid_value": ADA,
        "statecode": 0,
        "versionnumber": row["versionnumber"],
    }
    assert page["@odata.context"].startswith(
        "http://contoso.example/api/data/v9.2/$metadata#usermobileofflineprofilememberships("
    )


def test_one_row_can_be_read_by_its_key(door: Door) -> None:
    """A GUID in any case finds it."""
    row = door.get(f"systemusers({ADA.upper()})?$select=fullname")

    assert row["fullname"] == "Ada Kuhn"
    assert row["systemuserid"] == ADA


def test_a_row_that_nobody_changed_is_not_sent_again(door: Door) -> None:
    """304 with the ETag; `If-None-Match: null`, the documented default, asks for the row."""
    tag = door.get(f"systemusers({ADA})")["@odata.etag"]

    again = door.send("GET", f"systemusers({ADA})", headers={"If-None-Match": tag})
    default = door.send("GET", f"systemusers({ADA})", headers={"If-None-Match": "null"})

    assert (again.status, again.content) == (304, b"")
    assert default.status == 200


def test_one_column_can_be_read(door: Door) -> None:
    """As `{"value": …}`; an empty one is 204."""
    assert door.get(f"systemusers({ADA})/fullname")["value"] == "Ada Kuhn"
    assert door.send("GET", f"systemusers({ADA})/employeeid").status == 204


def test_pages_follow_each_other_to_the_end() -> None:
    """Rows come in the order of their keys, each once, however they are cut."""
    pages = users(25).pages("systemusers?$select=domainname", "odata.maxpagesize=10")

    assert [len(page) for page in pages] == [10, 10, 5]
    assert names([row for page in pages for row in page]) == [f"u{25 - n:03}" for n in range(25)]


def test_a_last_page_that_is_full_has_no_link() -> None:
    """Nobody is sent after an empty page."""
    pages = users(20).pages("systemusers?$select=domainname", "odata.maxpagesize=10")

    assert [len(page) for page in pages] == [10, 10]


def test_no_page_is_longer_than_five_thousand() -> None:
    """A greater preference is not honoured, and none means the same."""
    many = users(5001)

    assert (
        len(many.get("systemusers?$select=domainname", "odata.maxpagesize=9000")["value"]) == 5000
    )
    assert len(many.get("systemusers?$select=domainname")["value"]) == 5000


def test_a_page_moves_with_the_table() -> None:
    """A cursor, not a snapshot: what is deleted ahead is gone, what is new behind is missed."""
    door = users(4)
    first = door.get("systemusers?$select=domainname", "odata.maxpagesize=2")
    door.send("DELETE", "systemusers(10000000-0000-4000-8000-000000000002)")
    user = {"domainname": "new", "internalemailaddress": "n@contoso.com"}
    behind = {"systemuserid": "00000000-0000-4000-8000-000000000000", **user}
    assert door.send("POST", "systemusers", behind).status == 204

    link = first["@odata.nextLink"].partition("v9.2/")[2]
    second = door.get(link, "odata.maxpagesize=2")

    assert names(second["value"]) == ["u001"]


def test_a_link_that_was_tampered_with_is_refused() -> None:
    """The skip token is followed byte for byte, or not at all."""
    door = users(3)
    page = door.get("systemusers", "odata.maxpagesize=2")
    link = page["@odata.nextLink"].partition("v9.2/")[2]

    assert refused(door.send("GET", link.replace("cookie", "cookies"))) == (400, "0x80060888")
    assert "%2522" in link or "%255B" in link or "%25255B" in link


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("fullname eq 'ADA kuhn'", [ADA]),
        ("fullname eq 'Bo O''Neill'", [BO]),
        ("fullname ne 'Ada Kuhn'", [BO]),
        ("employeeid eq null", [ADA, BO]),
        ("employeeid ne 'x'", [ADA, BO]),
        ("not (employeeid eq null)", []),
        (f"systemuserid eq {ADA}", [ADA]),
        (f"systemuserid eq {ADA} or systemuserid eq {BO}", [ADA, BO]),
        (f"systemuserid eq {ADA} and isdisabled eq true", []),
        ("isdisabled eq false and (accessmode eq 1 or accessmode lt 1)", [ADA, BO]),
        ("contains(domainname,'DA@')", [ADA]),
        ("startswith(domainname,'bo') or endswith(fullname,'Kuhn')", [ADA, BO]),
        ("createdon ge 2026-01-01T00:00:00Z and createdon lt 2026-01-02", [ADA, BO]),
        (f"_mobileofflineprofileid_value eq {DEPOT}", [ADA]),
        ("_mobileofflineprofileid_value eq null", [BO]),
        ("mobileofflineprofileid/name eq 'depot'", [ADA]),
        ("versionnumber gt 1", [BO]),
        (
            f"Microsoft.Dynamics.CRM.In(PropertyName='systemuserid',PropertyValues=['{BO}'])",
            [BO],
        ),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='domainname',PropertyValues=['ADA@contoso.com'])",
            [ADA],
        ),
        ("Microsoft.Dynamics.CRM.In(PropertyName='accessmode',PropertyValues=['0'])", [ADA, BO]),
    ],
)
def test_filters_choose_rows(door: Door, text: str, found: list[str]) -> None:
    """Texts compare without regard to case; an empty column differs from every value."""
    page = door.get(f"systemusers?$select=systemuserid&$filter={quote(text)}")
    count = door.send("GET", f"systemusers/$count?$filter={quote(text)}")

    assert [row["systemuserid"] for row in page["value"]] == found
    assert count.content.decode("utf-8-sig") == str(len(found))


def test_a_parameter_alias_stands_for_its_value(door: Door) -> None:
    """`@p` in a filter is what `@p` in the query says."""
    page = door.get("systemusers?$filter=fullname%20eq%20@n&@n='Ada%20Kuhn'")

    assert [row["systemuserid"] for row in page["value"]] == [ADA]


@pytest.mark.parametrize(
    "query",
    [
        "$select=nosuchcolumn",
        "$select=SystemUserId",
        "$filter=nosuchcolumn eq 1",
        "$filter=fullname eq 1",
        "$filter=fullname like 'x'",
        "$filter=isdisabled eq 'true'",
        "$filter=systemuserid eq 'x'",
        "$filter=fullname eq 'a' and",
        "$filter=(fullname eq 'a'",
        "$filter=length(fullname) eq 3",
        "$filter=fullname eq @p",
        "$orderby=nosuchcolumn",
        "$orderby=fullname sideways",
        "$top=-1",
        "$count=perhaps",
        "$skip=5",
        "$search=x",
        "$format=json",
        "$apply=aggregate(nosuchcolumn with sum as n)",
        "$expand=nosuchlookup",
        "$skiptoken=5",
        "page=2",
        "$select=fullname&$select=domainname",
    ],
)
def test_what_is_not_offered_is_an_error(door: Door, query: str) -> None:
    """Unknown columns, wrong types and options that do not exist are never passed over."""
    answer = door.send("GET", f"systemusers?{query.replace(' ', '%20')}")

    assert refused(answer) == (400, "0x80060888")


@pytest.mark.parametrize("path", ["nosuchset", "systemusers/nosuchthing", "systemusers(1)/x/y"])
def test_a_path_that_leads_nowhere_is_not_found(door: Door, path: str) -> None:
    """404 with the code of an unknown segment; a key that is none is a wrong query."""
    assert refused(door.send("GET", path)) in {(404, "0x8006088a"), (400, "0x80060888")}


def test_a_row_that_is_not_there_is_not_found(door: Door) -> None:
    """404 with the code of a missing object."""
    assert refused(door.send("GET", f"{ROWS}({BO})")) == (404, "0x80040217")


def test_a_count_begins_with_a_byte_order_mark(door: Door) -> None:
    """As the platform sends it."""
    assert door.send("GET", "systemusers/$count").content == b"\xef\xbb\xbf2"


def test_a_count_beside_the_rows_stops_at_five_thousand() -> None:
    """`@odata.count` says no more, the annotations say that there are more."""
    many = users(5002)

    page = many.get(
        "systemusers?$select=systemuserid&$top=1&$count=true",
        'odata.include-annotations="Microsoft.Dynamics.CRM.*"',
    )

    assert page["@odata.count"] == 5000
    assert page["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is True


def test_top_limits_unless_a_page_size_is_preferred() -> None:
    """The two do not combine; then `$top` is ignored."""
    door = users(9)

    assert len(door.get("systemusers?$top=4")["value"]) == 4
    assert "@odata.nextLink" not in door.get("systemusers?$top=4")
    assert len(door.get("systemusers?$top=4", "odata.maxpagesize=6")["value"]) == 6


@pytest.mark.parametrize("order", ["accessmode desc,domainname", "domainname desc", "accessmode"])
def test_an_order_holds_across_pages(order: str) -> None:
    """Equals come in the order of their keys, so that no row repeats or vanishes."""
    door = users(20)
    whole = door.get(f"systemusers?$orderby={quote(order)}")["value"]

    pages = door.pages(f"systemusers?$orderby={quote(order)}", "odata.maxpagesize=7")

    rank: Callable[[dict[str, Any]], Any] = {
        "accessmode desc,domainname": lambda row: (-row["accessmode"], row["domainname"]),
        "domainname desc": lambda row: [-ord(letter) for letter in row["domainname"]],
        "accessmode": lambda row: (row["accessmode"], row["systemuserid"]),
    }[order]
    assert [row for page in pages for row in page] == whole
    assert whole == sorted(whole, key=rank)


def test_a_reader_sees_what_was_written_since() -> None:
    """Pages and orders that were read before are not shown again."""
    door = users(3)
    queries = (
        "systemusers?$select=domainname",
        "systemusers?$orderby=domainname&$select=domainname",
    )
    before = [names(door.get(query)["value"]) for query in queries]
    first = "systemusers(10000000-0000-4000-8000-000000000000)"

    door.send("PATCH", first, {"domainname": "u000"}, {"If-Match": "*"})

    assert before == [["u003", "u002", "u001"], ["u001", "u002", "u003"]]
    assert names(door.get(queries[0])["value"]) == ["u000", "u002", "u001"]
    assert names(door.get(queries[1])["value"]) == ["u000", "u001", "u002"]


def test_a_row_that_is_gone_is_found_through_no_lookup(door: Door) -> None:
    """A filter by the user does not meet what the user once had."""
    door.send("DELETE", f"{ROWS}({ROW})")

    found = door.get(f"{ROWS}?$filter=_systemuserid_value%20eq%20{ADA}")

    assert found["value"] == []


def test_an_ordered_page_goes_on_where_it_stopped_though_the_table_moved() -> None:
    """The cookie holds the last row's values, not its place."""
    door = users(6)
    first = door.get("systemusers?$orderby=domainname%20desc", "odata.maxpagesize=3")
    door.send("DELETE", f"systemusers({first['value'][0]['systemuserid']})")

    link = first["@odata.nextLink"].partition("v9.2/")[2]
    rest = door.get(link, "odata.maxpagesize=3")["value"]

    assert names(first["value"] + rest) == ["u006", "u005", "u004", "u003", "u002", "u001"]


def test_annotations_come_when_they_are_asked_for(door: Door) -> None:
    """A lookup's name and table, an option's label; an empty value has none."""
    wanted = 'odata.include-annotations="*"'
    row = door.get(
        f"{ROWS}({ROW})?$select=_systemuserid_value,statecode,importsequencenumber", wanted
    )

    assert row["_systemuserid_value@OData.Community.Display.V1.FormattedValue"] == "Ada Kuhn"
    assert row["_systemuserid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "systemuser"
    assert row["statecode@OData.Community.Display.V1.FormattedValue"] == "Active"
    assert not any(name.startswith("importsequencenumber@") for name in row)


def test_a_lookup_can_be_expanded(door: Door) -> None:
    """By its navigation property, with a selection."""
    page = door.get(f"{ROWS}?$select=name&$expand=SystemUserId($select=domainname)")

    assert page["value"][0]["SystemUserId"]["domainname"] == "ada@contoso.com"


def test_members_of_teams_are_plain_ids_with_a_second_name(door: Door) -> None:
    """Dataverse shows the intersection's ids as they are; `_x_value` is understood as well."""
    row = door.get("teammemberships?$select=teamid,systemuserid")["value"][0]
    same = door.get(f"teammemberships?$filter=_systemuserid_value%20eq%20{ADA}")["value"]

    assert (row["teamid"], row["systemuserid"]) == (TEAM, ADA)
    assert len(same) == 1


def test_everybody_may_ask_who_they_are(door: Door) -> None:
    """WhoAmI names user, business unit and organization; the hint says how many may work."""
    answer = door.send("GET", "WhoAmI")

    assert json.loads(answer.content).keys() >= {"UserId", "BusinessUnitId", "OrganizationId"}
    assert int(answer.headers["x-ms-dop-hint"]) > 0


@given(st.sets(st.uuids(), max_size=60), st.integers(1, 20), st.data())
def test_every_row_is_on_exactly_one_page(
    keys: set[object], size: int, data: st.DataObject
) -> None:
    """Whatever was created and deleted before, pages give the rows in order, each once."""
    door = Door(sandbox_of({}))
    for key in keys:
        door.send("POST", "usermappings", {"usermappingid": str(key)})
    gone = data.draw(st.sets(st.sampled_from(sorted(keys, key=str)))) if keys else set()
    for key in gone:
        door.send("DELETE", f"usermappings({key})")

    pages = door.pages("usermappings?$select=claimtype", f"odata.maxpagesize={size}")

    found = [row["usermappingid"] for page in pages for row in page]
    assert found == sorted(str(key) for key in keys - gone)
    assert all(len(page) == size for page in pages[:-1])
