"""Microsoft's own client for Python walks through the sandbox, over https."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken, TokenCredential
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.record import Record

from syncd.sandbox import Running, Sandbox
from syncd.sandbox.faults import Fault, FaultKind
from syncd.sandbox.tls import make_certificate
from tests.sandbox.door import BO, CREW, DEPOT, NEW, ROW, SMALL, sandbox_of

TABLE = "usermobileofflineprofilemembership"
KEY = "usermobileofflineprofilemembershipid"


class Credential(TokenCredential):
    """A credential that always has a token."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """Give it."""
        return AccessToken("a token", int(time.time()) + 3600)


@pytest.fixture
def sandbox() -> Sandbox:
    """Give two users, two profiles and one row."""
    return sandbox_of(SMALL)


@pytest.fixture
def client(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DataverseClient]:
    """Give a client of that sandbox, which trusts its certificate."""
    certificate = make_certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.certificate))
    with (
        Running(sandbox, tls=certificate) as running,
        DataverseClient(running.url, Credential()) as client,
    ):
        yield client


def status(work: Callable[[], object]) -> int | None:
    """Return the status that a call is refused with; None if it is not."""
    try:
        work()
    except HttpError as error:
        return error.status_code
    return None


def row(client: DataverseClient, key: str, table: str = TABLE) -> Record:
    """Return a row that is there."""
    found = client.records.retrieve(table, key)
    assert found is not None
    return found


def names(client: DataverseClient) -> list[str]:
    """Return what the rows are called."""
    return [each["name"] for each in client.records.list(TABLE, select=["name"])]


def test_rows_are_created_with_binds_and_an_id_of_their_own(client: DataverseClient) -> None:
    """The id comes back; the same one again is refused."""
    given = {
        KEY: NEW,
        "name": "made there",
        "SystemUserId@odata.bind": f"/systemusers({BO})",
        "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({CREW})",
    }

    made = client.records.create(TABLE, given)

    shown = client.records.retrieve(TABLE, NEW, select=["name"], expand=["SystemUserId"])
    assert made == NEW
    assert shown is not None
    assert shown["SystemUserId"]["systemuserid"] == BO
    assert status(lambda: client.records.create(TABLE, given)) == 412


def test_rows_are_listed_over_pages(client: DataverseClient) -> None:
    """Filtered, ordered, counted and annotated."""
    ids = client.records.create(TABLE, [{"name": f"row {number}"} for number in range(12)])
    wanted = "name eq 'row 3' or name eq 'row 5'"

    pages = [len(page) for page in client.records.list_pages(TABLE, select=["name"], page_size=5)]
    found = client.records.list(TABLE, filter=wanted, select=["name"], orderby=["name desc"])
    shown = client.records.list(TABLE, select=["statecode"], include_annotations="*", count=True)

    assert (len(ids), pages) == (12, [5, 5, 3])
    assert [each["name"] for each in found] == ["row 5", "row 3"]
    label = "statecode@OData.Community.Display.V1.FormattedValue"
    assert {each[label] for each in shown} == {"Active"}


def test_rows_are_changed_and_deleted(client: DataverseClient) -> None:
    """One and many; what is gone is 404."""
    made = client.records.create(TABLE, [{"name": "a"}, {"name": "b"}])

    client.records.update(TABLE, ROW, {"name": "one"})
    client.records.update(TABLE, made, {"name": "all"})
    client.records.update(TABLE, made, [{"name": "each"}, {"name": "other"}])
    changed = sorted(names(client))
    client.records.delete(TABLE, ROW)
    job = client.records.delete(TABLE, made)
    done = row(client, str(job), "asyncoperation")

    assert changed == ["each", "one", "other"]
    assert done["statuscode"] == 30
    assert names(client) == []
    assert status(lambda: client.records.delete(TABLE, ROW)) == 404


def test_rows_are_upserted(client: DataverseClient) -> None:
    """By the key's column, one and many."""

    def item(key: str, name: str) -> dict[str, object]:
        return {"alternate_key": {KEY: key}, "record": {"name": name}}

    client.records.upsert(TABLE, [item(NEW, "made")])
    client.records.upsert(TABLE, [item(NEW, "changed"), item(NEW[:-1] + "e", "made, too")])

    assert sorted(names(client)) == ["by hand", "changed", "made, too"]


def test_a_lookup_is_pointed_elsewhere_and_emptied(client: DataverseClient) -> None:
    """By binding it to another row, or to none."""
    nav = "MobileOfflineProfileId@odata.bind"

    def profile() -> object:
        return row(client, ROW)["_mobileofflineprofileid_value"]

    client.records.update(TABLE, ROW, {nav: f"/mobileofflineprofiles({DEPOT})"})
    pointed = profile()
    client.records.update(TABLE, ROW, {nav: None})

    assert (pointed, profile()) == (DEPOT, None)


def test_a_batch_does_all_kinds_of_work(client: DataverseClient) -> None:
    """A change set whose items refer to each other, bulk actions, and reads as it writes them."""
    batch = client.batch.new()
    batch.records.list(TABLE, filter="name eq 'by hand'", select=["name"], top=5)
    batch.records.create(TABLE, [{"name": "b1"}, {"name": "b2"}])
    batch.records.retrieve(TABLE, ROW, select=["name"])
    with batch.changeset() as together:
        made = together.records.create("mobileofflineprofile", {"name": "Night"})
        bound = {"name": "in the set", "MobileOfflineProfileId@odata.bind": made}
        together.records.create(TABLE, bound)
        together.records.update("mobileofflineprofile", made, {"description": "of the set"})
    batch.records.delete(TABLE, NEW)
    batch.tables.get(TABLE)

    result = batch.execute(continue_on_error=True)

    statuses = [each.status_code for each in result.responses]
    assert statuses == [200, 200, 200, 204, 204, 204, 404, 200]
    assert sorted(names(client)) == ["b1", "b2", "by hand", "in the set"]


def test_a_change_set_that_fails_leaves_nothing(client: DataverseClient) -> None:
    """One answer stands for it."""
    batch = client.batch.new()
    with batch.changeset() as together:
        together.records.create(TABLE, {"name": "never"})
        together.records.create(TABLE, {KEY: ROW, "name": "taken"})

    result = batch.execute(continue_on_error=True)

    assert [each.status_code for each in result.responses] == [412]
    assert names(client) == ["by hand"]


def test_metadata_is_what_it_expects(client: DataverseClient) -> None:
    """Tables, columns, keys, relationships, and what they say about queries."""
    relation = "systemuser_usermobileofflineprofilemembership_SystemUserId"

    table = client.tables.get(TABLE)
    columns = {each["LogicalName"] for each in client.tables.list_columns(TABLE)}
    found = client.tables.get_relationship(relation)

    assert table is not None
    assert table.entity_set_name == "usermobileofflineprofilememberships"
    assert {KEY, "systemuserid", "statecode"} <= columns
    assert client.tables.get_alternate_keys(TABLE) == []
    assert found is not None
    assert found.referencing_entity == TABLE


def test_throttling_is_understood(client: DataverseClient, sandbox: Sandbox) -> None:
    """The status, the code and the seconds to wait."""
    client.records.list(TABLE, select=["name"])  # after that it knows the table
    sandbox.misbehave([Fault(kind=FaultKind.THROTTLE, retry_after=7)])

    with pytest.raises(HttpError) as caught:
        client.records.list(TABLE, select=["name"])

    assert caught.value.status_code == 429
    assert caught.value.details["retry_after"] == 7
    assert names(client) == ["by hand"]
