"""Whatever happens in a directory: reads of changes end where a full read does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.connectors.sources.graph import GraphSource
from syncd.core.cells import Field
from syncd.core.mapping import PersonMapping
from syncd.core.ports import Known, Record
from syncd.sandbox import Running, Sandbox
from tests.connectors.sources.backends.graph import Tenant, tenant_at
from tests.properties.stage import searching

MAPPING = PersonMapping(
    Field("id"),
    mail=Field("mail"),
    attributes={"department": Field("department"), "groups": Field("groups", split=";")},
)
WANTED, GROUPS = ("G0", "G1"), ("G0", "G1", "G2", "G3")
USERS = tuple(f"U{which}" for which in range(5))
INNER = GROUPS[2:]

user, group = st.sampled_from(USERS), st.sampled_from(GROUPS)
STEPS = st.one_of(
    st.tuples(st.just("department"), user, st.sampled_from(["field", "depot"])),
    st.tuples(st.just("delete"), user, st.sampled_from(["softly", "for good", "by mistake"])),
    st.tuples(st.just("guest"), user, st.sampled_from(["Guest", "Member"])),
    st.tuples(st.just("join"), group, st.sampled_from(USERS + GROUPS)),
    st.tuples(st.just("part"), group, st.sampled_from(USERS + GROUPS)),
    st.tuples(st.just("forget"), st.sampled_from(INNER), st.just("")),
    st.tuples(st.just("read"), st.just(""), st.just("")),
)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """Serve a sandbox for all examples."""
    with Running(Sandbox()) as running:
        yield running


def do(tenant: Tenant, what: str, whom: str, how: str) -> None:
    """Let something happen; what cannot be is refused, and that is that."""
    ids = tenant.ids
    match what:
        case "department":
            tenant.client.patch(f"/v1.0/users/{ids[whom]}", json={"department": how})
        case "guest":
            tenant.client.patch(f"/v1.0/users/{ids[whom]}", json={"userType": how})
        case "delete":
            deleted = f"/v1.0/directory/deletedItems/{ids[whom]}"
            tenant.client.delete(f"/v1.0/users/{ids[whom]}")
            if how == "for good":
                tenant.client.delete(deleted)
            if how == "by mistake":
                tenant.client.post(f"{deleted}/restore")
        case "join":
            reference = {"@odata.id": f"{tenant.url}/v1.0/directoryObjects/{ids[how]}"}
            tenant.client.post(f"/v1.0/groups/{ids[whom]}/members/$ref", json=reference)
        case "part":
            tenant.client.delete(f"/v1.0/groups/{ids[whom]}/members/{ids[how]}/$ref")
        case "forget":
            tenant.client.delete(f"/v1.0/groups/{ids[whom]}")


def read(
    source: GraphSource, picture: dict[str, Record], token: str | None
) -> tuple[dict[str, Record], str | None]:
    """Read on from a token, and return the picture as it is then."""
    reading = source.read(Known(None, set, token))
    given = {record[0]: record for page in reading for record in page}
    facts = reading.facts
    assert facts.findings == ()
    if not facts.partial:
        return given, facts.token
    kept = {key: each for key, each in picture.items() if (each[1] or b"")[:8] not in facts.gone}
    return {**kept, **given}, facts.token


@given(
    steps=st.lists(STEPS, max_size=25),
    habits=st.fixed_dictionaries({"empty": st.booleans(), "twice": st.booleans()}),
    held=st.sampled_from([1, 2, 5000]),
)
@searching(0.5)
def test_reads_of_changes_end_where_a_full_read_does(
    server: Running, steps: list[tuple[str, str, str]], habits: dict[str, bool], held: int
) -> None:
    """Users, guests, deletions, groups within groups, small pages, words that come late."""
    with tenant_at(server.url) as tenant:
        for name in GROUPS:
            tenant.group(name)
        for name in USERS:
            tenant.user(name)
        for name, members in (("G3", ["U0"]), ("G2", ["G3", "U1"]), ("G0", ["G2"]), ("G1", ["U2"])):
            tenant.group(name, *members)
        tenant.order(page_size=2, **habits)
        source = GraphSource("entra", tenant.site(), MAPPING, WANTED, held=held)
        picture, token = read(source, {}, None)
        for what, whom, how in [*steps, ("read", "", ""), ("read", "", "")]:
            if what == "read":
                picture, token = read(source, picture, token)
            else:
                do(tenant, what, whom, how)

        assert picture == read(source, {}, None)[0]
