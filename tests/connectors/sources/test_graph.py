"""People in Entra ID: properties, groups, changes, and everything that Graph does meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from syncd.connectors.auth import authority_of
from syncd.connectors.sources.graph import GraphSource, Site
from syncd.connectors.throttle import Throttle
from syncd.core.cells import Field, Type
from syncd.core.errors import Stopped
from syncd.core.mapping import PersonMapping
from syncd.core.ports import Known, ReadFacts, Record
from syncd.sandbox import Running, Sandbox
from tests.connectors.sources.backends.graph import MAPPING, Tenant, tenant_at

IN_GROUPS = PersonMapping(Field("mailNickname"), attributes={"groups": Field("groups", split=";")})
CREWS = ("Crew", "Depot")


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """Serve a sandbox for all tests."""
    with Running(Sandbox()) as running:
        yield running


@pytest.fixture
def tenant(server: Running) -> Iterator[Tenant]:
    """Give an empty tenant with pages of three."""
    with tenant_at(server.url) as opened:
        yield opened


def people(tenant: Tenant, count: int) -> None:
    """Put some users in: K0, K1 and so on."""
    for which in range(count):
        tenant.user(f"K{which}", employeeId=f"E{which}")


def read(source: GraphSource, token: str | None = None) -> tuple[dict[str, Record], ReadFacts]:
    """Read to the end, everything or from a token on; nobody comes twice."""
    reading = source.read(Known(None, set, token))
    records = [record for page in reading for record in page]
    given = {record[0]: record for record in records}
    assert len(given) == len(records)
    return given, reading.facts


def mapped(tenant: Tenant, **attributes: Field) -> GraphSource:
    """Return a source that maps some attributes."""
    mapping = PersonMapping(Field("mailNickname"), attributes=attributes)
    return GraphSource("entra", tenant.site(), mapping)


def crews(tenant: Tenant, *groups: str) -> GraphSource:
    """Return a source that knows groups."""
    return GraphSource("entra", tenant.site(), IN_GROUPS, groups or CREWS)


def attributes(record: Record) -> Any:
    """Return the attributes of a record."""
    return json.loads(record[9])


def groups_of(given: dict[str, Record]) -> dict[str, list[str]]:
    """Return the groups of each person."""
    return {key: attributes(record)["groups"] for key, record in given.items()}


# --- properties ----------------------------------------------------------------------------


def test_what_hr_keeps_in_the_directory_is_read(tenant: Tenant) -> None:
    """Texts, what is inside an object, and moments as their days."""
    tenant.user(
        "K1",
        jobTitle="Fitter",
        employeeOrgData={"division": "North", "costCenter": "4130"},
        onPremisesExtensionAttributes={"extensionAttribute7": "van"},
        employeeHireDate="2026-03-01T00:00:00Z",
    )
    tenant.user("K2", employeeHireDate="0001-01-01T00:00:00Z")
    source = mapped(
        tenant,
        title=Field("jobTitle"),
        cost_center=Field("employeeOrgData.costCenter"),
        extra=Field("onPremisesExtensionAttributes.extensionAttribute7"),
        hired=Field("employeeHireDate", Type.DATE),
        left=Field("employeeLeaveDateTime", Type.DATE),
    )

    given, facts = read(source)

    assert facts.findings == ()
    assert attributes(given["K1"]) == {
        "title": "Fitter",
        "cost_center": "4130",
        "extra": "van",
        "hired": {"d": "2026-03-01"},
        "left": None,
    }
    assert attributes(given["K2"])["hired"] is None


def test_a_column_with_a_format_is_left_as_it_is(tenant: Tenant) -> None:
    """Whoever writes a format knows what stands there."""
    tenant.user("K1", employeeHireDate="2026-03-01T07:30:00Z")
    source = mapped(
        tenant,
        hired=Field("employeeHireDate", Type.DATE, format="%Y-%m-%dT%H:%M:%SZ"),
        moment=Field("createdDateTime"),
    )

    given, _ = read(source)

    assert attributes(given["K1"])["hired"] == {"d": "2026-03-01"}
    assert "T" in attributes(given["K1"])["moment"]


def test_guests_are_nobody_unless_they_are_wanted(tenant: Tenant) -> None:
    """A member who becomes a guest is gone."""
    people(tenant, 2)
    tenant.user("K2", userType="Guest")
    source = GraphSource("entra", tenant.site(), MAPPING)
    given, facts = read(source)
    tenant.user("K1", userType="Guest")
    later, changes = read(source, facts.token)

    assert sorted(given) == ["K0", "K1"]
    assert (later, len(changes.gone)) == ({}, 1)
    assert len(read(replace(source, guests=True))[0]) == 3


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ("departmnt", 'users have no property "departmnt"; check the columns of person'),
        ("employeeOrgData.costCentre", 'is it "employeeOrgData.costCenter" now?'),
        ("employeeOrgData", 'the mapped column "employeeOrgData" is absent'),
        ("groups", 'the mapped column "groups" is absent'),
    ],
)
def test_a_column_that_users_do_not_have_is_named(tenant: Tenant, column: str, says: str) -> None:
    """Nothing is used of such a read."""
    people(tenant, 1)

    given, facts = read(mapped(tenant, odd=Field(column)))

    assert (given, facts.token) == ({}, None)
    assert len(facts.findings) == 1
    assert says in facts.findings[0]


# --- pages ---------------------------------------------------------------------------------


def test_empty_pages_are_not_the_end(tenant: Tenant) -> None:
    """Only a delta link is."""
    people(tenant, 8)
    tenant.order(empty=True)

    given, facts = read(GraphSource("entra", tenant.site(), MAPPING))

    assert (len(given), facts.rows, facts.findings) == (8, 8, ())


def test_a_user_whom_two_pages_show_is_one_person(tenant: Tenant) -> None:
    """The last word counts, and nobody is held for it."""
    people(tenant, 8)
    tenant.order(twice=True)

    given, facts = read(GraphSource("entra", tenant.site(), MAPPING))

    assert (len(given), facts.rows, facts.findings) == (8, 8, ())


def test_a_word_that_comes_too_late_is_asked_for_next_time(tenant: Tenant) -> None:
    """Who was given on already comes with the changes, and only once."""
    people(tenant, 8)
    tenant.order(twice=True)
    source = GraphSource("entra", tenant.site(), MAPPING, held=1)

    given, facts = read(source)
    late, after = read(source, facts.token)
    nobody, _ = read(source, after.token)

    assert len(given) == 8
    assert sorted(late) == ["K2", "K5"]
    assert after.partial
    assert nobody == {}


# --- changes -------------------------------------------------------------------------------


def test_deletions_come_as_changes_softly_or_for_good(tenant: Tenant) -> None:
    """Both say `@removed`; who is restored comes back."""
    people(tenant, 4)
    source = GraphSource("entra", tenant.site(), MAPPING)
    _, facts = read(source)
    for key in ("K1", "K2", "K3"):
        tenant.delete(key)
    tenant.send("DELETE", f"v1.0/directory/deletedItems/{tenant.ids['K2']}")
    tenant.send("POST", f"v1.0/directory/deletedItems/{tenant.ids['K3']}/restore")
    given, changes = read(source, facts.token)

    assert sorted(given) == ["K3"]
    assert len(changes.gone) == 2
    assert changes.findings == ()


def test_without_changes_nothing_comes_and_nobody_leaves(tenant: Tenant) -> None:
    """The marks of the picture are not even asked for."""
    people(tenant, 4)
    source = GraphSource("entra", tenant.site(), MAPPING)
    _, facts = read(source)
    given, changes = read(source, facts.token)

    assert (given, changes.rows, changes.gone) == ({}, 0, set())
    assert changes.partial
    assert changes.token is not None


@pytest.mark.parametrize("status", [410, 400])
@pytest.mark.parametrize("groups", [(), CREWS])
def test_a_token_that_is_too_old_ends_in_a_full_read(
    tenant: Tenant, status: int, groups: tuple[str, ...]
) -> None:
    """Within the same read, which says that it is one."""
    people(tenant, 4)
    for name in CREWS:
        tenant.group(name)
    source = GraphSource("entra", tenant.site(), IN_GROUPS if groups else MAPPING, groups)
    _, facts = read(source)
    tenant.order(lost=status)
    tenant.send("DELETE", "_sandbox/graph-tracking")
    given, again = read(source, facts.token)
    nobody, changes = read(source, again.token)

    assert (len(given), again.partial, again.findings) == (4, False, ())
    assert (nobody, changes.partial) == ({}, True)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "[]",
        '{"users":"https://elsewhere.example/v1.0/users/delta?$deltatoken=x"}',
        '{"users":"not an address"}',
    ],
)
def test_a_token_of_somebody_else_ends_in_a_full_read(tenant: Tenant, token: str) -> None:
    """Our access token goes to no other host."""
    people(tenant, 4)

    given, facts = read(GraphSource("entra", tenant.site(), MAPPING), token)

    assert (len(given), facts.partial, facts.findings) == (4, False, ())


def test_a_token_that_ends_while_changes_are_read_is_a_finding(tenant: Tenant) -> None:
    """Rows are out already: this read cannot begin anew, the next one does."""
    people(tenant, 8)
    source = GraphSource("entra", tenant.site(), MAPPING, held=1)
    _, facts = read(source)
    for which in range(8):
        tenant.user(f"K{which}", department="depot")
    tenant.fault(kind="error", status=410, code="resyncRequired", path="users/delta", skip=1)
    given, changes = read(source, facts.token)

    assert len(given) == 3
    assert changes.findings == (
        "127.0.0.1 lost what had been read so far; run again: all is read anew",
    )
    assert changes.token is None


# --- groups --------------------------------------------------------------------------------


def test_groups_count_through_other_groups_also_in_circles(tenant: Tenant) -> None:
    """Each person has a list of those that were asked for, in the order of the configuration."""
    people(tenant, 5)
    tenant.group("Depot", "K0", "K1")
    tenant.group("Nested", "K2", "Depot")
    tenant.group("Crew", "K0", "Nested")
    tenant.group("Depot", "Crew")
    tenant.group("Others", "K4")

    given, facts = read(crews(tenant))

    assert facts.findings == ()
    assert groups_of(given) == {
        "K0": ["Crew", "Depot"],
        "K1": ["Crew", "Depot"],
        "K2": ["Crew", "Depot"],
        "K3": [],
        "K4": [],
    }


def test_a_group_may_be_named_by_its_id(tenant: Tenant) -> None:
    """It is called what the configuration calls it; a quote in a name is no trouble."""
    people(tenant, 2)
    ident = tenant.group("Crew", "K0")
    tenant.group("K'1 and friends", "K1")

    given, _ = read(crews(tenant, ident, "K'1 and friends"))

    assert groups_of(given) == {"K0": [ident], "K1": ["K'1 and friends"]}


def test_more_groups_than_fit_in_a_batch_are_read(tenant: Tenant) -> None:
    """Twenty requests at a time, and each person's questions in as many parts as they need."""
    people(tenant, 2)
    names = [f"Group {which}" for which in range(45)]
    for name in names:
        tenant.group(name, "K0")
    source = crews(tenant, *names)
    given, facts = read(source)
    tenant.user("K0", jobTitle="Fitter", mailNickname="K0x")
    later, _ = read(source, facts.token)

    assert groups_of(given) == {"K0": names, "K1": []}
    assert groups_of(later) == {"K0x": names}


def test_whoever_joins_or_leaves_comes_with_the_changes(tenant: Tenant) -> None:
    """Although nothing of the user itself changed."""
    people(tenant, 6)
    tenant.group("Crew", "K0", "K1", "K2", "K3")
    tenant.group("Depot")
    source = crews(tenant)
    _, facts = read(source)
    tenant.leave("Crew", "K1")
    tenant.group("Depot", "K2", "K4")
    given, changes = read(source, facts.token)

    assert changes.partial
    assert groups_of(given) == {"K1": [], "K2": ["Crew", "Depot"], "K4": ["Depot"]}
    assert read(source, changes.token)[0] == {}


def test_a_group_that_is_nested_or_taken_out_brings_its_members(tenant: Tenant) -> None:
    """Also those of groups within it, and what happens in any of them later."""
    people(tenant, 5)
    tenant.group("Crew", "K0")
    tenant.group("Depot")
    tenant.group("Inner", "K2")
    tenant.group("Outer", "K1", "Inner")
    source = crews(tenant)
    _, facts = read(source)
    tenant.group("Crew", "Outer")
    joined, facts = read(source, facts.token)
    tenant.group("Inner", "K3")
    tenant.group("Outer", "K4")
    inside, facts = read(source, facts.token)
    tenant.leave("Crew", "Outer")
    left, _ = read(source, facts.token)

    assert groups_of(joined) == {"K1": ["Crew"], "K2": ["Crew"]}
    assert groups_of(inside) == {"K3": ["Crew"], "K4": ["Crew"]}
    assert groups_of(left) == {"K1": [], "K2": [], "K3": [], "K4": []}


def test_a_group_within_that_is_deleted_ends_in_a_full_read(tenant: Tenant) -> None:
    """Nobody can say any more who was in it."""
    people(tenant, 3)
    tenant.group("Inner", "K1")
    tenant.group("Crew", "K0", "Inner")
    tenant.group("Depot")
    source = crews(tenant)
    _, facts = read(source)
    tenant.send("DELETE", f"v1.0/groups/{tenant.ids['Inner']}")
    given, again = read(source, facts.token)

    assert not again.partial
    assert groups_of(given) == {"K0": ["Crew"], "K1": [], "K2": []}


def test_a_big_change_of_a_group_is_spread_over_pages(tenant: Tenant) -> None:
    """Each slice of its members counts; none stands for all of them."""
    people(tenant, 8)
    tenant.group("Crew")
    tenant.group("Depot")
    source = crews(tenant)
    _, facts = read(source)
    tenant.group("Crew", *(f"K{which}" for which in range(8)))
    given, _ = read(source, facts.token)

    assert len(groups_of(given)) == 8
    assert set(map(tuple, groups_of(given).values())) == {("Crew",)}


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        (("Crew", "Depo"), 'there is no group "Depo", or syncd may not see it'),
        (("Crew", "Twins"), 'more than one group is called "Twins"; write its id in groups'),
        (("Crew", "crew"), '"Crew" and "crew" are the same group; keep one of them'),
        (("0f1e2d3c-4b5a-4968-8776-5a4b3c2d1e0f",), 'there is no group "0f1e2d3c'),
    ],
)
def test_a_group_that_is_not_clear_stops_the_read(
    tenant: Tenant, groups: tuple[str, ...], says: str
) -> None:
    """Nobody falls out of a rule because of a name: nothing is read."""
    people(tenant, 3)
    tenant.group("Crew", "K0")
    tenant.group("Twins")
    del tenant.ids["Twins"]
    tenant.group("Twins")

    given, facts = read(crews(tenant, *groups))

    assert given == {}
    assert len(facts.findings) == 1
    assert says in facts.findings[0]


# --- faults --------------------------------------------------------------------------------


def test_graph_is_left_alone_for_as_long_as_it_asks(tenant: Tenant) -> None:
    """Whatever it throttles: a page, or single parts of a batch."""
    people(tenant, 5)
    for name in CREWS:
        tenant.group(name, "K0")
    tenant.fault(kind="429", path="users/delta", skip=1, retry_after=17)
    tenant.fault(kind="operation", path="transitiveMembers", status=429, retry_after=23)

    given, facts = read(crews(tenant))

    assert (len(given), facts.findings) == (5, ())
    assert groups_of(given)["K0"] == list(CREWS)
    assert tenant.pauses == [23.0, 17.0]


def test_patience_has_an_end(tenant: Tenant) -> None:
    """A pause that is too long is a finding."""
    people(tenant, 5)
    tenant.fault(kind="429", path="users/delta", retry_after=3000)

    _, facts = read(GraphSource("entra", tenant.site(), MAPPING))

    assert facts.findings == (
        "127.0.0.1 asks to be left alone for longer than a run waits; run again later, or less "
        "often",
    )


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut"},
        {"kind": "503", "retry_after": 2},
        {"kind": "504"},
        {"kind": "operation", "status": 503, "path": "checkMemberGroups"},
    ],
)
def test_what_fails_now_and_then_is_asked_again(tenant: Tenant, fault: dict[str, Any]) -> None:
    """As often as it may help."""
    people(tenant, 5)
    for name in CREWS:
        tenant.group(name, "K0")
    source = crews(tenant)
    _, facts = read(source)
    tenant.user("K0", mailNickname="K0x")
    tenant.fault(**{"path": "users/delta", "count": 3, **fault})
    given, changes = read(source, facts.token)

    assert changes.findings == ()
    assert groups_of(given) == {"K0x": list(CREWS)}


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"kind": "503"}, "answered 503 4 times; see whether Microsoft reports an outage"),
        (
            {"kind": "403", "code": "Authorization_RequestDenied"},
            "grant the application permissions User.Read.All, for groups GroupMember.Read.All",
        ),
        ({"kind": "401"}, "does not accept how syncd signs in (status 401); check auth"),
        ({"kind": "404", "code": "Request <odd>"}, "turned the read down (status 404); check url"),
        (
            {"kind": "raw", "status": 302, "headers": {"Location": "https://proxy.example/"}},
            "sends syncd to another page (status 302), which was not followed",
        ),
        (
            {"kind": "raw", "status": 200, "content": "<html>Sign in</html>"},
            "gave an answer that is not what Graph gives",
        ),
        (
            {"kind": "raw", "status": 200, "content": '{"value":[{"mail":"a@b"}]}'},
            "gave a page that is not a list of objects with ids",
        ),
        (
            {"kind": "raw", "status": 200, "content": '{"value":[]}'},
            "gave a page that leads nowhere, so the read is not complete",
        ),
        (
            {
                "kind": "raw",
                "status": 200,
                "content": '{"value":[],"@odata.nextLink":"https://elsewhere.example/x"}',
            },
            "gave a link that does not lead back to it, so it was not followed",
        ),
    ],
)
def test_what_goes_wrong_is_one_sentence(tenant: Tenant, fault: dict[str, Any], says: str) -> None:
    """It names the host and what to do, and there is nothing to go on from."""
    people(tenant, 8)
    tenant.fault(**{"path": "users/delta", "skip": 1, "count": None, **fault})

    _, facts = read(GraphSource("entra", tenant.site(), MAPPING))

    assert len(facts.findings) == 1
    assert facts.findings[0].startswith("127.0.0.1")
    assert says in facts.findings[0]
    assert facts.token is None


def test_links_that_lead_in_a_circle_are_left(tenant: Tenant) -> None:
    """A read must end."""
    people(tenant, 1)
    link = f"{tenant.url}/v1.0/users/delta?$skiptoken=again"
    content = json.dumps({"value": [], "@odata.nextLink": link})
    tenant.fault(kind="raw", status=200, content=content, path="users/delta", count=None)

    _, facts = read(GraphSource("entra", tenant.site(), MAPPING))

    assert len(facts.findings) == 1
    assert "leads in a circle from page to page" in facts.findings[0]


def test_a_host_that_is_not_there_is_a_finding(tenant: Tenant) -> None:
    """Nothing is raised for it."""
    site = Site("http://127.0.0.1:1", throttle=tenant.throttle)

    given, facts = read(GraphSource("entra", site, MAPPING))

    assert given == {}
    assert facts.findings == ("127.0.0.1 could not be reached; check url, the network",)


def test_whoever_asks_to_stop_need_not_wait_for_the_last_page(tenant: Tenant) -> None:
    """The read ends before its next request."""
    people(tenant, 8)
    stop = Event()
    site = Site(tenant.url, throttle=lambda: Throttle(stop=stop))
    pages = iter(GraphSource("entra", site, MAPPING, held=1).read(Known(None, set)))
    next(pages)
    stop.set()

    with pytest.raises(Stopped):
        next(pages)


def test_every_cloud_has_its_authority() -> None:
    """Graph's address says which cloud it is."""
    clouds = {
        "https://graph.microsoft.com": "https://login.microsoftonline.com",
        "https://graph.microsoft.us": "https://login.microsoftonline.us",
        "https://dod-graph.microsoft.us": "https://login.microsoftonline.us",
        "https://microsoftgraph.chinacloudapi.cn": "https://login.partner.microsoftonline.cn",
    }

    assert {url: authority_of(url) for url in clouds} == clouds
