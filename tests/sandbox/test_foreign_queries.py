"""Microsoft's own client for Python asks: definitions, FetchXML, SQL, what its builder writes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken, TokenCredential
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.models.filters import col
from PowerPlatform.Dataverse.models.query_builder import ExpandOption

from syncd.sandbox import Running
from syncd.sandbox.tls import make_certificate
from tests.sandbox.door import ADA, SMALL, sandbox_of

TABLE = "usermobileofflineprofilemembership"
MEMBERS = "systemuser_usermobileofflineprofilemembership_SystemUserId"


class Credential(TokenCredential):
    """A credential that always has a token."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """Give it."""
        return AccessToken("a token", int(time.time()) + 3600)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataverseClient]:
    """Give a client of a sandbox with nine users, for all of these tests: they only read."""
    folder: Path = tmp_path_factory.mktemp("tls")
    certificate = make_certificate(folder, "127.0.0.1")
    users = [
        {"systemuserid": f"10000000-0000-4000-8000-{at:012}", "fullname": f"User {at}"}
        for at in range(10, 17)
    ]
    sandbox = sandbox_of({**SMALL, "systemusers": [*SMALL["systemusers"], *users]})
    with (
        pytest.MonkeyPatch.context() as patch,
        Running(sandbox, tls=certificate) as running,
    ):
        patch.setenv("REQUESTS_CA_BUNDLE", str(certificate.certificate))
        with DataverseClient(running.url, Credential()) as client:
            yield client


def records(found: Iterable[Any]) -> list[Any]:
    """Return the records of a result: its type says less than it is."""
    return list(found)


def test_tables_and_columns_are_described(client: DataverseClient) -> None:
    """By name, by filter, and one column at a time."""
    table = client.tables.get(TABLE)
    lookups = client.tables.list_columns(
        TABLE, select=["LogicalName"], filter="AttributeType eq 'Lookup'"
    )
    name = client.tables.get_column(TABLE, "name")

    assert table is not None
    assert table.entity_set_name == f"{TABLE}s"
    assert table.primary_name_attribute == "name"
    assert {"systemuserid", "mobileofflineprofileid"} <= {each["LogicalName"] for each in lookups}
    assert name is not None
    assert name["MaxLength"] == 100
    assert client.tables.get_alternate_keys(TABLE) == []


def test_tables_can_be_listed(client: DataverseClient) -> None:
    """All that are not private, and those that a filter names."""
    some = client.tables.list(filter="SchemaName eq 'Team'", select=["LogicalName"])

    assert len(client.tables.list()) == 20
    assert [each["LogicalName"] for each in some] == ["team"]


def test_relationships_are_described(client: DataverseClient) -> None:
    """One by name, those of a table, and those of a kind."""
    one = client.tables.get_relationship("MobileOfflineProfile_SystemUser")
    kind = "Microsoft.Dynamics.CRM.RelationshipType'ManyToManyRelationship'"
    pairs = client.tables.list_relationships(
        filter=f"RelationshipType eq {kind}", select=["SchemaName"]
    )
    around = client.tables.list_table_relationships(TABLE)

    assert one is not None
    assert one.referenced_entity == "mobileofflineprofile"
    assert {each["SchemaName"] for each in pairs} == {
        "teammembership_association",
        "systemuserroles_association",
    }
    assert len(around) == 13


def test_navigation_names_are_found_for_binds(client: DataverseClient) -> None:
    """With the case that the platform has (domain.md section 14)."""
    found = {each["nav_property"]: each for each in client.query.odata_expands(TABLE)}

    assert found["SystemUserId"]["target_entity_set"] == "systemusers"
    assert found["MobileOfflineProfileId"]["target_table"] == "mobileofflineprofile"


def test_fetchxml_goes_over_pages(client: DataverseClient) -> None:
    """The client follows the cookie and warns of nothing."""
    xml = (
        '<fetch count="4"><entity name="systemuser"><attribute name="fullname"/>'
        '<order attribute="fullname" descending="true"/></entity></fetch>'
    )

    pages = [[each["fullname"] for each in page] for page in
             client.query.fetchxml(xml).execute_pages()]  # fmt: skip

    found = [name for page in pages for name in page]
    assert [len(page) for page in pages] == [4, 4, 1]
    assert found == sorted(found, reverse=True)


def test_sql_chooses_rows(client: DataverseClient) -> None:
    """One SELECT of one table."""
    statement = f"SELECT TOP 5 name FROM {TABLE} WHERE statecode = 0 ORDER BY name"  # noqa: S608  # the sandbox runs none

    found = client.query.sql(statement)

    assert [each["name"] for each in found] == ["by hand"]


def test_the_builder_filters_orders_and_expands(client: DataverseClient) -> None:
    """As it writes queries itself."""
    users = client.query.builder("systemuser").select("fullname")
    liked = users.where(col("fullname").like("User%")).order_by("fullname", descending=True)
    ada = client.query.builder("systemuser").select("fullname").where(col("systemuserid") == ADA)
    inner = ExpandOption(MEMBERS).select("name").filter("statecode eq 0").order_by("name").top(2)

    names = [each["fullname"] for each in records(liked.top(2).execute())]
    (row,) = records(ada.expand(inner).execute())

    assert names == ["User 16", "User 15"]
    assert [each["name"] for each in row[MEMBERS]] == ["by hand"]
