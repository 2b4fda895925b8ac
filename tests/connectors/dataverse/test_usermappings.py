"""Rows of `usermapping` are changed one by one, and every answer is understood."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from syncd.connectors.auth import NoAuth
from syncd.connectors.dataverse import DataverseTarget, open_target
from syncd.core.errors import TargetRefused
from syncd.core.plan import Result
from syncd.core.usermappings import Deed, Step, Wish
from syncd.sandbox import Sandbox, Store
from tests.connectors.dataverse.world import Clock
from tests.world import URL, Door

ROW = "80000000-0000-4000-8000-000000000001"
WISH = Wish(0, "smtp", "personalemailaddress")
OTHER = replace(WISH, column="windowsliveid")
CREATE = Step(Deed.CREATE, ROW, None, WISH, "why")
Answer = Callable[[httpx.Request], httpx.Response | None]


def target(door: Door, first: Answer = lambda _: None) -> DataverseTarget:
    """Open a sandbox; *first* may answer in its place."""
    clock = Clock()

    def answer(request: httpx.Request) -> httpx.Response:
        return first(request) or door.handle_request(request)

    return open_target(
        url=URL, auth=NoAuth(URL), transport=httpx.MockTransport(answer), lanes=1,
        clock=clock,
        sleep=clock.sleep,
    )  # fmt: skip


@pytest.fixture
def door() -> Door:
    """Give the door of an empty sandbox."""
    return Door(Sandbox(Store()))


def made(door: Door) -> Step:
    """Make the row, and return the step that changes it."""
    with target(door) as there:
        assert there.map(CREATE)[0] is Result.APPLIED
        (row,) = there.mappings()
    return Step(Deed.UPDATE, ROW, row, OTHER, "why")


def columns(door: Door) -> list[str | None]:
    """Return the columns that rows name."""
    with target(door) as there:
        return [row.column for row in there.mappings()]


def test_every_deed_reaches_the_table(door: Door) -> None:
    """Create, change, delete, and put where none is."""
    update = made(door)
    with target(door) as there:
        changed = there.map(update)
        (row,) = there.mappings()
        gone = there.map(Step(Deed.DELETE, ROW, row, None, "why"))
        put = there.map(Step(Deed.UPSERT, ROW, None, WISH, "why"))

    assert [changed[0], gone[0], put[0]] == [Result.APPLIED] * 3
    assert columns(door) == ["personalemailaddress"]


@pytest.mark.parametrize("deed", [Deed.UPDATE, Deed.DELETE])
def test_a_row_that_changed_meanwhile_is_left_alone(door: Door, deed: Deed) -> None:
    """The version that was read goes along."""
    update = made(door)
    with target(door) as there:
        there.map(replace(update, after=replace(WISH, column="domainname")))
        result, why = there.map(
            replace(update, deed=deed, after=update.after if deed is Deed.UPDATE else None)
        )

    assert result is Result.MOVED
    assert "usermappings plan" in why
    assert columns(door) == ["domainname"]


def test_a_row_that_is_gone_is_not_made_again_by_a_change(door: Door) -> None:
    """And to delete it is done already."""
    update = made(door)
    delete = replace(update, deed=Deed.DELETE, after=None)
    with target(door) as there:
        there.map(delete)
        changed, again = there.map(update), there.map(delete)

    assert (changed[0], again[0]) == (Result.MOVED, Result.ALREADY)
    assert columns(door) == []


@pytest.mark.parametrize("deed", [Deed.CREATE, Deed.UPSERT])
def test_a_row_that_somebody_else_put_there_is_not_overwritten(door: Door, deed: Deed) -> None:
    """If it is as declared all is well."""
    made(door)
    with target(door) as there:
        same = there.map(replace(CREATE, deed=deed))
        other = there.map(replace(CREATE, deed=deed, after=OTHER))

    assert (same[0], other[0]) == (Result.APPLIED, Result.MOVED)
    assert columns(door) == ["personalemailaddress"]


def test_an_answer_that_is_lost_is_settled_by_reading(door: Door) -> None:
    """Whether the work was done before or not."""
    lost = 0

    def after(request: httpx.Request) -> httpx.Response | None:
        nonlocal lost
        if request.method == "GET" or lost == 2:
            return None
        lost += 1
        if lost == 2:
            door.handle_request(request)
        raise httpx.ReadError("connection reset", request=request)

    with target(door, after) as there:
        result, _ = there.map(CREATE)

    assert (result, lost) == (Result.APPLIED, 2)
    assert columns(door) == ["personalemailaddress"]


def test_a_right_that_is_missing_is_a_sentence(door: Door) -> None:
    """Only administrators have it by default."""

    def refuse(request: httpx.Request) -> httpx.Response | None:
        error = {"code": "0x80040220", "message": "prvCreateUserMapping is missing"}
        return None if request.method == "GET" else httpx.Response(403, json={"error": error})

    with target(door, refuse) as there, pytest.raises(TargetRefused) as caught:
        there.map(CREATE)

    assert "create a row of usermappings: prvCreateUserMapping" in str(caught.value)
    assert "System Administrators" in str(caught.value)


def test_what_the_server_refuses_stays_undone(door: Door) -> None:
    """With its own words; it is not sent again."""
    sent: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response | None:
        sent.append(request.method)
        error = {"code": "0x80040203", "message": "no such claim"}
        return None if request.method == "GET" else httpx.Response(400, json={"error": error})

    with target(door, refuse) as there:
        result, why = there.map(CREATE)

    assert (result, sent) == (Result.FAILED, ["POST"])
    assert "no such claim" in why


def test_where_no_versions_are_compared_the_row_is_read_again(door: Door) -> None:
    """One that is as it was read is changed all the same."""
    update, refused = made(door), 0

    def versionless(request: httpx.Request) -> httpx.Response | None:
        nonlocal refused
        if request.headers.get("If-Match", "*") == "*":
            return None
        refused += 1
        error = {"code": "0x8006088d", "message": "not enabled"}
        return httpx.Response(400, content=json.dumps({"error": error}))

    with target(door, versionless) as there:
        result, _ = there.map(update)

    assert (result, refused) == (Result.APPLIED, 1)
    assert columns(door) == ["windowsliveid"]


def test_a_wait_that_is_asked_for_is_kept(door: Door) -> None:
    """Then it is sent again."""
    waits = [2, 1]

    def busy(request: httpx.Request) -> httpx.Response | None:
        if request.method == "GET" or not waits:
            return None
        waits.pop()
        return httpx.Response(429, headers={"Retry-After": "0"}, content=b"")

    with target(door, busy) as there:
        result, _ = there.map(CREATE)

    assert (result, waits) == (Result.APPLIED, [])
