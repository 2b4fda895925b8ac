"""Reads of what changed: new, changed and deleted rows, and tokens that are no good any more."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
import pytest

from syncd.connectors.auth import NoAuth
from syncd.connectors.dataverse import DataverseTarget, open_target
from syncd.core.errors import TargetIncomplete, TargetRefused, TokenExpired
from syncd.core.ports import Pages
from tests.connectors.dataverse.world import P2, ROWS, URL, World, row_id, user_id

Row = TypeVar("Row")
ROOT = f"{URL}/api/data/v9.2/"
TABLE = "usermobileofflineprofilemembership"


def drained(read: Pages[Row]) -> tuple[list[Row], set[str], str]:
    """Read to the end: the rows, the ids of those that are gone, the next token."""
    rows = [row for page in read for row in page]
    assert read.token is not None
    return rows, read.gone, read.token


def test_a_read_of_everything_says_where_changes_go_on(world: World) -> None:
    """New, changed and deleted rows come; what did not change does not."""
    for n in (1, 2, 3):
        world.row(n, world.user(n))
    with world.open(page_size=2) as target:
        _, _, token = drained(target.memberships(set()))
        bound = {"MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({P2})"}
        world.call("PATCH", f"{ROWS}({row_id(1)})", bound)
        world.call("DELETE", f"{ROWS}({row_id(2)})")
        world.row(4, user_id(3), P2)
        rows, gone, later = drained(target.memberships_since(token))

        assert sorted((row[0], row[2], row[3]) for row in rows) == [
            (row_id(1), user_id(1), P2),
            (row_id(4), user_id(3), P2),
        ]
        assert gone == {row_id(2)}
        assert drained(target.memberships_since(later))[:2] == ([], set())


def test_users_are_read_likewise(world: World) -> None:
    """With the columns that the first read asked for."""
    world.user(1, employeeid="E1")
    world.user(2)
    with world.open() as target:
        _, _, token = drained(target.users(set()))
        world.call("PATCH", f"systemusers({user_id(1)})", {"isdisabled": True})
        world.call("DELETE", f"systemusers({user_id(2)})")
        rows, gone, _ = drained(target.users_since(token))

    assert [(row[0], row[5], row[8]) for row in rows] == [(user_id(1), "E1", True)]
    assert gone == {user_id(2)}


def test_where_changes_are_not_tracked_everything_is_read_all_the_same(world: World) -> None:
    """And nothing is said about a next time."""
    world.row(1, world.user(1))
    world.sandbox.switches.set_features(TABLE, None, False)
    with world.open() as target:
        read = target.memberships(set())
        rows = [row for page in read for row in page]

    assert [row[0] for row in rows] == [row_id(1)]
    assert read.token is None


def test_a_token_that_is_too_old_is_told_apart(world: World) -> None:
    """Whoever reads then reads everything: it is no trouble of the environment."""
    world.row(1, world.user(1))
    with world.open() as target:
        _, _, token = drained(target.memberships(set()))
        world.sandbox.answer("DELETE", "/_sandbox/tracking", "", {}, b"")

        with pytest.raises(TokenExpired, match="full sync"):
            drained(target.memberships_since(token))


Answer = Callable[[httpx.Request], httpx.Response]


def answering(answer: Answer) -> DataverseTarget:
    """Open a target whose environment is that function."""
    return open_target(url=URL, auth=NoAuth(URL), transport=httpx.MockTransport(answer))


def page(*entries: Any, **more: str) -> httpx.Response:
    """Answer with entries and links."""
    links = {f"@odata.{name}": link for name, link in more.items()}
    return httpx.Response(200, json={"value": entries, **links})


DELETED = {"@odata.context": f"{ROOT}$metadata#{ROWS}/$deletedEntity", "reason": "deleted"}


@pytest.mark.parametrize(
    "entry",
    [
        {**DELETED, "id": "no guid, and 36 characters in all, yes"[:36]},
        {"@odata.etag": 'W/"1"', "usermobileofflineprofilemembershipid": "short"},
        {"what": "is this"},
        7,
    ],
)
def test_an_entry_that_is_no_change_is_refused(entry: object) -> None:
    """Neither a row nor a deletion: nothing is used."""
    answer = page(entry, deltaLink=f"{ROOT}{ROWS}?$deltatoken=2")
    with answering(lambda _: answer) as target, pytest.raises(TargetIncomplete):
        drained(target.memberships_since(f"{ROOT}{ROWS}?$deltatoken=1"))


def test_changes_without_a_next_token_are_not_believed() -> None:
    """They may have been cut short; everything is read instead."""
    with answering(lambda _: page()) as target, pytest.raises(TokenExpired):
        drained(target.memberships_since(f"{ROOT}{ROWS}?$deltatoken=1"))


def test_a_token_that_leads_to_another_host_is_not_followed() -> None:
    """Our credentials would go along."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return page()

    with answering(answer) as target, pytest.raises(TargetIncomplete):
        drained(target.memberships_since("http://elsewhere.example/api/data/v9.2/x?$deltatoken=1"))

    assert asked == []


def test_a_right_that_is_missing_is_no_old_token() -> None:
    """To read everything would meet the same."""
    body = {"error": {"code": "0x80040220", "message": "Principal lacks prvRead"}}
    answer = httpx.Response(403, content=json.dumps(body))
    with answering(lambda _: answer) as target, pytest.raises(TargetRefused, match="prvRead"):
        drained(target.memberships_since(f"{ROOT}{ROWS}?$deltatoken=1"))
