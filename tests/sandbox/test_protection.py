"""Service protection: three limits, what a request costs, and what is told."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from syncd.sandbox import Answer, Limits, Running, Sandbox, Store, world
from tests.sandbox.door import (
    NOW,
    ROW,
    ROWS,
    SMALL,
    Door,
    change_set,
    envelope,
    membership,
    part,
    refused,
)

BURST = "x-ms-ratelimit-burst-remaining-xrm-requests"
TIME = "x-ms-ratelimit-time-remaining-xrm-requests"
RENAME = part("PATCH", f"{ROWS}({ROW})", {"name": "x"}, If_Match="*")


class Protected(Door):
    """A door whose time goes by only when told to."""

    def __init__(self, limits: Limits | None) -> None:
        self.now = 1000.0
        store = Store()
        world.fill(store, SMALL, "2026-01-01T00:00:00Z")
        super().__init__(Sandbox(store, clock=lambda: NOW, ticks=lambda: self.now))
        self.sandbox.protect(limits)

    def read(self) -> Answer:
        """Send a request that costs nothing but itself."""
        return self.send("GET", "WhoAmI")

    def seen(self) -> Any:
        """Return what the sandbox says of what came in."""
        answer = self.sandbox.answer("GET", "/_sandbox/protection", "", {}, b"")
        return json.loads(answer.content)


def test_nothing_is_limited_unless_it_is_wanted(door: Door) -> None:
    """No delay, no headers but the hint."""
    answer = door.send("GET", "WhoAmI")

    assert (answer.delay, answer.headers["x-ms-dop-hint"]) == (0.0, "4")
    assert BURST not in answer.headers


def test_what_remains_is_told_with_each_answer() -> None:
    """Requests as a number, execution time as the platform writes it, and the hint."""
    door = Protected(Limits(row_seconds=2.5, hint=8))

    door.send("PATCH", f"{ROWS}({ROW})", {"name": "x"})
    headers = door.read().headers

    assert (headers[BURST], headers[TIME]) == ("5998", "1,197.50")
    assert headers["x-ms-dop-hint"] == "8"


def test_too_many_requests_are_refused_until_the_window_has_moved() -> None:
    """429 with the code of the request limit and the seconds until one is free."""
    door = Protected(Limits(requests=3, window=300))
    door.read()
    door.now += 100
    door.read()
    door.read()

    over = door.read()
    door.now += 200
    after = door.read()

    assert refused(over) == (429, "0x80072322")
    assert over.headers["Retry-After"] == "200"
    assert over.headers[BURST] == "0"
    assert after.status == 200


def test_too_much_execution_time_is_refused() -> None:
    """By what the rows of the window cost; the message has the documented form."""
    door = Protected(Limits(execution=1200, window=300, row_seconds=700))
    door.send("PATCH", f"{ROWS}({ROW})", {"name": "x"})
    door.now += 30
    door.send("PATCH", f"{ROWS}({ROW})", {"name": "y"})

    over = door.read()
    door.now += 270
    after = door.read()

    assert refused(over) == (429, "0x80072321")
    assert b"exceeded limit of 1,200,000 milliseconds over time window of 300 sec" in over.content
    assert over.headers["Retry-After"] == "270"
    assert over.headers[TIME] == "0.00"
    assert after.status == 200


def test_too_many_at_once_are_refused() -> None:
    """A request is under way for as long as it takes."""
    door = Protected(Limits(concurrency=2, request_seconds=5))
    first, second = door.read(), door.read()

    over = door.read()
    door.now += 5
    after = door.read()

    assert first.delay == second.delay == 5.0
    assert (refused(over), over.delay) == ((429, "0x80072326"), 0.0)
    assert over.headers["Retry-After"] == "5"
    assert after.status == 200


def test_knocking_makes_it_longer_and_is_counted() -> None:
    """A request that was on its way when the pause began does not; one that comes later does."""
    door = Protected(Limits(requests=1, window=10))
    door.read()
    refusals = [door.read(), door.read()]
    door.now += 5

    knock = door.read()

    assert [answer.headers["Retry-After"] for answer in (*refusals, knock)] == ["10", "10", "6"]
    assert door.seen() == {"requests": 4, "refused": 3, "knocked": 1, "most_at_once": 1}
    door.now += 6
    assert door.read().status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "rows"),
    [
        ("GET", ROWS, None, 0),
        ("POST", ROWS, {"name": "x"}, 1),
        ("PATCH", f"{ROWS}({ROW})", {"name": "x"}, 1),
        ("DELETE", f"{ROWS}({ROW})", None, 1),
        ("DELETE", f"{ROWS}({ROW})/SystemUserId/$ref", None, 1),
        (
            "POST",
            f"{ROWS}/Microsoft.Dynamics.CRM.CreateMultiple",
            {"Targets": [{"@odata.type": f"Microsoft.Dynamics.CRM.{ROWS[:-1]}"}] * 7},
            7,
        ),
    ],
)
def test_a_request_takes_as_long_as_its_rows(
    method: str, path: str, body: object, rows: int
) -> None:
    """A latency for each row that is written, told and not slept, and one for the request."""
    door = Protected(Limits(row_seconds=2.0, request_seconds=0.5))

    answer = door.send(method, path, body)

    assert answer.status < 300
    assert answer.delay == 0.5 + 2.0 * rows


def test_a_batch_takes_as_long_as_its_operations() -> None:
    """Those of its change sets, too; reads cost nothing."""
    door = Protected(Limits(row_seconds=2.0, request_seconds=0.5))
    inside = change_set(part("POST", ROWS, membership(), content_id="1"))

    answer = door.batch(envelope(RENAME, part("GET", "systemusers"), inside, RENAME))

    assert answer.delay == 0.5 + 2.0 * 3


def test_messages_may_have_costs_of_their_own() -> None:
    """By name; operations of batches have one in common if it is given."""
    costs = {"Create": 0.1, "Update": 0.2, "$batch": 0.03, "RetrieveMultiple": 1.0}
    door = Protected(Limits(row_seconds=costs))

    found = [
        door.send("POST", ROWS, {"name": "x"}),
        door.send("PATCH", f"{ROWS}({ROW})", {"name": "x"}),
        door.send("GET", ROWS),
        door.send("GET", f"{ROWS}({ROW})"),
        door.batch(envelope(RENAME, RENAME)),
    ]

    assert [answer.delay for answer in found] == [0.1, 0.2, 1.0, 0.0, 0.06]


def test_each_server_has_limits_of_its_own() -> None:
    """They take turns, unless a cookie pins the client to one."""
    door = Protected(Limits(requests=2, servers=2))
    free = [door.read() for _ in range(4)]
    fresh = Protected(Limits(requests=2, servers=2))
    cookie = {"Cookie": f"a=b; {free[0].headers['Set-Cookie'].partition(';')[0]}"}

    pinned = [fresh.send("GET", "WhoAmI", headers=cookie) for _ in range(3)]

    assert [answer.status for answer in free] == [200] * 4
    assert door.read().status == 429
    assert [answer.status for answer in pinned] == [200, 200, 429]


def test_limits_are_set_and_ended_on_order(door: Door) -> None:
    """It begins anew each time; an order that cannot be is a sentence."""

    def order(method: str, body: object) -> Answer:
        content = json.dumps(body).encode()
        return door.sandbox.answer(method, "/_sandbox/protection", "", {}, content)

    assert order("POST", {"requests": 1}).status == 204
    statuses = [door.send("GET", "WhoAmI").status for _ in range(2)]
    order("POST", {"requests": 1})
    again = door.send("GET", "WhoAmI").status
    wrong = order("POST", {"requests": 0})
    order("DELETE", None)

    assert (statuses, again) == ([200, 429], 200)
    assert b"requests" in wrong.content
    assert wrong.status == 400
    assert BURST not in door.send("GET", "WhoAmI").headers


def test_requests_are_under_way_together_over_http() -> None:
    """What one waits for holds up no other."""
    sandbox = Sandbox()
    sandbox.protect(Limits(request_seconds=0.2))

    with Running(sandbox) as running:
        host, port = running.url.partition("//")[2].split(":")

        def read(_: int) -> int:
            connection = http.client.HTTPConnection(host, int(port), timeout=30)
            connection.request("GET", "/api/data/v9.2/WhoAmI")
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer.status

        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(read, range(6)))
        seen = json.loads(sandbox.answer("GET", "/_sandbox/protection", "", {}, b"").content)

    assert found == [200] * 6
    assert seen["most_at_once"] > 1
