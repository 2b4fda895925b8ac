"""Answers that are not what they should be: nothing is done twice, and one sentence says it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from syncd.connectors.dataverse.refusals import reason
from syncd.core.model import Action
from syncd.core.plan import Change, Fault, Outcome, Result
from tests.connectors.dataverse.world import P1, P2, ROWS, World, change, numbered, row_id

HOST = "contoso.crm4.dynamics.com"
Pieces = list[bytes]


class Mangling(httpx.BaseTransport):
    """A way on which the parts of batch answers get out of order, the first time."""

    def __init__(self, world: World, mangle: Callable[[Pieces], Pieces]) -> None:
        self.world, self.mangle, self.left = world, mangle, 1

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.world.handle_request(request)
        kind = response.headers["Content-Type"]
        if not kind.startswith("multipart") or not self.left:
            return response
        self.left = 0
        mark = b"--" + kind.partition("boundary=")[2].strip('"').encode()
        first, *pieces, last = response.content.split(mark)
        content = mark.join([first, *self.mangle(pieces), last])
        return httpx.Response(200, headers={"Content-Type": kind}, content=content)


def mixed(world: World) -> list[Change]:
    """Plan a move, a removal, a create, and a move that fails as its row was touched."""
    ids = [world.row(number, world.user(number)) for number in (1, 2, 4)]
    rows = world.open().fetch(ids)
    world.call("PATCH", f"{ROWS}({row_id(4)})", {"name": "touched"})
    return numbered(
        [
            change(Action.MOVE, rows[ids[0]], after=P2),
            change(Action.REMOVE, rows[ids[1]]),
            change(Action.CREATE, row_id(3), user=world.user(3), after=P2),
            change(Action.MOVE, rows[ids[2]], after=P2),
        ]
    )


MANGLED: dict[str, Callable[[Pieces], Pieces]] = {
    "in order": lambda parts: parts,
    "backwards": lambda parts: parts[::-1],
    "one too few": lambda parts: parts[1:],
    "none but one": lambda parts: parts[2:3],
    "one twice": lambda parts: [*parts, parts[0]],
    "one in place of another": lambda parts: [*parts[:3], parts[0]],
    "none": lambda _: [],
    "half of one": lambda parts: [*parts[:1], parts[1][: len(parts[1]) // 3], *parts[2:]],
}


@pytest.mark.parametrize("how", MANGLED)
def test_each_change_gets_its_own_answer_or_is_looked_at(world: World, how: str) -> None:
    """Parts are known by their ids; one that is missing or contradicted is settled by reading."""
    planned = mixed(world)

    outcomes = world.open(transport=Mangling(world, MANGLED[how])).apply(planned, 1)

    assert [one.result for one in outcomes] == [*[Result.APPLIED] * 3, Result.MOVED]
    held = {row[:2] for row in world.rows().values()}
    assert held == {(planned[0].user, P2), (planned[2].user, P2), (planned[3].user, P1)}


class Answering(httpx.BaseTransport):
    """An environment that answers everything alike."""

    def __init__(self, response: Callable[[], httpx.Response]) -> None:
        self.response = response

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        del request
        return self.response()


def refused(code: str, message: str, status: int = 403) -> Callable[[], httpx.Response]:
    """Answer with an error of the Web API."""
    return lambda: httpx.Response(status, json={"error": {"code": code, "message": message}})


LACKS = "Principal user (Id=7, type=8) is missing prvCreateUserMobileOfflineProfileMembership (x)"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refused("0x80072560", "The user is not a member of the organization."), "add one in"),
        (refused("0x8004a112", "Disabled."), "enable it in"),
        (refused("0x8004a104", "The organization is disabled."), "administration mode"),
        (refused("", "This environment is in administration mode."), "switch it on again"),
        (refused("0x80040220", LACKS), "prvCreateUserMobileOfflineProfileMembership, which"),
        (lambda: httpx.Response(403, html="<h1>Blocked</h1>"), "a firewall's"),
    ],
)
def test_who_may_not_write_is_told_what_to_do(
    world: World, answer: Callable[[], httpx.Response], said: str
) -> None:
    """A matter of rights, for the whole batch."""
    row = change(Action.CREATE, row_id(1), user=world.user(1), after=P1)

    (outcome,) = world.open(transport=Answering(answer)).apply([row], 1)

    assert (outcome.result, outcome.fault) == (Result.FAILED, Fault.RIGHTS)
    assert said in outcome.detail


def test_a_right_that_is_missing_for_one_kind_of_change_is_named(world: World) -> None:
    """The batch came through, and one part of it says what is lacking."""
    planned = mixed(world)[:1]

    def forbid(parts: Pieces) -> Pieces:
        head = parts[0].partition(b"HTTP/1.1")[0]
        error = b'{"error":{"code":"0x80040220","message":"' + LACKS.encode() + b'"}}'
        return [head + b"HTTP/1.1 403 Forbidden\r\n\r\n" + error + b"\r\n"]

    outcomes: list[Outcome] = world.open(transport=Mangling(world, forbid)).apply(planned, 1)

    assert outcomes[0].fault is Fault.RIGHTS
    assert "give it a security role that has this privilege" in outcomes[0].detail


@pytest.mark.parametrize(("minutes", "said"), [(10, "10 minutes ahead"), (-10, "10 minutes beh")])
def test_a_clock_that_is_off_is_named(minutes: int, said: str) -> None:
    """Tokens look too old or too young; the setting to change is the clock."""
    theirs = datetime.now(UTC) - timedelta(minutes=minutes)
    response = httpx.Response(401, headers={"Date": format_datetime(theirs, usegmt=True)})

    assert said in (reason(response, HOST) or "")


@pytest.mark.parametrize("headers", [{}, {"Date": "soon"}])
def test_without_a_time_nothing_is_said_of_clocks(headers: dict[str, str]) -> None:
    """A server that tells no time proves nothing."""
    assert reason(httpx.Response(401, headers=headers), HOST) is None


def test_nothing_of_a_redirect_is_quoted_but_its_host() -> None:
    """The rest may hold a session."""
    there = "https://login.example.org/path?code=secret"
    said = reason(httpx.Response(307, headers={"Location": there}), HOST) or ""

    assert "to login.example.org (status 307)" in said
    assert "secret" not in said


def test_a_promise_of_a_billion_rows_is_not_believed(world: World) -> None:
    """What a page says of others costs nothing; the last page is what counts."""
    world.row(1, world.user(1))

    class Promising(httpx.BaseTransport):
        """Say that there is far more."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            body = world.handle_request(request).json()
            more = {"@odata.count": 10**9, "@Microsoft.Dynamics.CRM.totalrecordcount": 10**9}
            return httpx.Response(200, json={**more, **body})

    rows = [row for page in world.open(transport=Promising()).memberships(set()) for row in page]

    assert [row[0] for row in rows] == [row_id(1)]


def test_an_answer_that_cannot_be_unpacked_is_read_again(world: World) -> None:
    """Broken once: nobody notices. The change was made, and is not made twice."""
    user = world.user(1)
    left = [1]

    class Garbling(httpx.BaseTransport):
        """Break the compression of the first answer."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = world.handle_request(request)
            if not left:
                return response
            left.pop()
            headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
            return httpx.Response(200, headers=headers, stream=httpx.ByteStream(b"no gzip"))

    row = change(Action.CREATE, row_id(1), user=user, after=P1)
    (outcome,) = world.open(transport=Garbling()).apply([row], 1)

    assert outcome.result is Result.APPLIED
    assert world.sent.count("POST $batch") == 1
