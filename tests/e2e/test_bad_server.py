"""An environment that is away, slow, half there or lying: nothing is lost, nothing done twice."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from syncd.sandbox import Answer
from tests.campaign import long
from tests.e2e.house import (
    CHANGES,
    NEW,
    OLD,
    STAYING,
    Ear,
    House,
    Serve,
    document,
    logged,
    opened,
    sentences,
)
from tests.sandbox.door import ROWS

HTML = Answer(200, {"Content-Type": "text/html"}, b"<html>Sign in</html>")
JSON = {"Content-Type": "application/json"}
NUMBERS = count(2)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give a house in the morning of its second day; it waits a moment only."""
    with opened(tmp_path, timeout="0.2s") as house:
        yield house


def when(method: str, name: str, answer: Answer | Callable[[Serve], Answer]) -> Ear:
    """Answer requests for one thing so, and all others faithfully."""

    def ear(asked: str, path: str, serve: Serve) -> Answer:
        if (asked, path) != (method, name):
            return serve()
        return answer if isinstance(answer, Answer) else answer(serve)

    return ear


def telling(lie: Callable[[dict[str, Any]], object]) -> Callable[[Serve], Answer]:
    """Answer with what a lie makes of the true page."""

    def answer(serve: Serve) -> Answer:
        page = json.loads(serve().content)
        return Answer(200, JSON, json.dumps(lie(page)).encode())

    return answer


def raw(content: bytes, status: int = 200, **headers: str) -> Answer:
    """Answer with bytes that are said to be JSON."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {**JSON, **more}, content)


def onward(page: dict[str, Any]) -> dict[str, Any]:
    """Say that the page is followed by itself."""
    return {**page, "@odata.nextLink": page["@odata.context"].partition("$metadata")[0] + ROWS}


def refusal(code: str, message: str) -> Answer:
    """Turn a request down for who we are."""
    return raw(json.dumps({"error": {"code": code, "message": message}}).encode(), 403)


def further(page: dict[str, Any]) -> dict[str, Any]:
    """Say that the page is followed by another one, wherever that leads."""
    link = page["@odata.context"].partition("$metadata")[0] + ROWS
    return {**page, "@odata.nextLink": f"{link}?$select=name&@p={next(NUMBERS)}"}


READS: dict[str, tuple[str, Answer | Callable[[Serve], Answer], str]] = {
    "slow": ("systemusers", lambda serve: Answer(200, JSON, serve().content, delay=5), "in time"),
    "cut": (ROWS, Answer(503, cut=True), "broke off its answer"),
    "down": ("systemusers", raw(b"", 503), "answered 503"),
    "gone": ("systemusers", raw(b"{}", 404), "turned down the read of systemusers"),
    "elsewhere": (
        ROWS,
        Answer(302, {"Location": "https://login.example.org/?secret=x"}),
        "redirects elsewhere, to login.example.org (status 302)",
    ),
    "no token": ("systemusers", raw(b"{}", 401), "does not accept our token"),
    "no right": (ROWS, raw(b"{}", 403), "give the application user a role"),
    "overrun": (ROWS, raw(b"{}", 429, Retry_After="9000"), "run again later"),
    "a web page": (ROWS, HTML, "text/html instead of JSON"),
    "no type": (ROWS, Answer(200, {}, b"{}"), "nothing instead of JSON"),
    "half a page": (ROWS, lambda serve: raw(serve().content[:-40]), "not complete"),
    "a list": ("systemusers", raw(b"[]"), "not complete"),
    "no rows": ("mobileofflineprofiles", raw(b"{}"), "`value`"),
    "another table": ("systemusers", telling(lambda _: {"value": [{"teamid": 1}]}), "not comp"),
    "another type": (ROWS, telling(lambda _: {"value": 7}), "not complete"),
    "no id": ("systemusers", telling(lambda page: strange(page, "x" * 36)), "no GUID"),
    "a column less": (
        "systemusers",
        raw(
            b'{"error": {"code": "0x80060888", "message": "Could not find a property named '
            b"'employeeid' on type 'Microsoft.Dynamics.CRM.systemuser'.\"}}",
            400,
        ),
        "column employeeid of systemusers is not there",
    ),
    "a column retyped": (
        "systemusers",
        telling(lambda page: {**page, "value": [{**r, "accessmode": "x"} for r in page["value"]]}),
        "column accessmode of systemusers",
    ),
    "in a circle": (ROWS, telling(onward), "the same next link twice"),
    "on and on": (ROWS, telling(further), "brought no new row"),
    "broken gzip": (ROWS, raw(b"no gzip", Content_Encoding="gzip"), "compression is broken"),
    "stranger": (ROWS, refusal("0x80072560", "The user is not a member."), "no application user"),
    "one right less": (
        ROWS,
        refusal("0x80040220", "Principal user (Id=1, type=8) is missing prvReadMobileOffline."),
        "the privilege prvReadMobileOffline, which",
    ),
    "closed": ("systemusers", refusal("0x8004a104", "Disabled."), "administration mode"),
    "firewall": (ROWS, Answer(403, HTML.headers, HTML.content), "a proxy's or a firewall's"),
    "next is away": (
        "systemusers",
        telling(lambda page: {**page, "@odata.nextLink": "https://example.org/next"}),
        "does not lead back",
    ),
}


def strange(page: dict[str, Any], key: str) -> dict[str, Any]:
    """Give every row of a page the same id."""
    return {**page, "value": [{**row, "systemuserid": key} for row in page["value"]]}


PLAIN = ("cut", "no right", "half a page", "a column less")
"""One of each way to fail; the connector's own tests have all of them in a plain run."""


@pytest.mark.parametrize("kind", [kind if kind in PLAIN else long(kind) for kind in READS])
def test_a_read_that_fails_changes_nothing(kind: str, house: House) -> None:
    """It ends with 5 and one sentence; the next day makes up for it."""
    name, answer, named = READS[kind]
    house.wire.ear = when("GET", name, answer)
    done = house.run()
    between = house.rows()

    (said,) = sentences(done)
    assert (done.code, document(done)["exit_code"]) == (5, 5)
    assert said.startswith("syncd: contoso: ")
    assert named in said
    assert logged(done)["exit_code"] == 5
    assert between == OLD
    assert house.heal() == NEW


def test_an_environment_that_is_not_there_is_5(house: House) -> None:
    """Nobody answers at its address; the sentence says what to check."""
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, but nobody listens
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        done = house.run(SYNCD_ENVIRONMENTS__CONTOSO__URL=url)

    (said,) = sentences(done)
    assert done.code == 5
    assert "could not be reached" in said
    assert "check the url" in said
    assert house.rows() == OLD


@pytest.mark.parametrize("name", ["systemusers", "mobileofflineprofiles", ROWS])
def test_an_environment_that_shows_nothing_loses_nothing(name: str, house: House) -> None:
    """
    An empty page that says it is whole is no reason to remove or to double anything.

    A row or user not shown is gone; when it is back, its row is as one that somebody made by
    hand, so that E1 and E2 may keep theirs.
    """
    house.wire.ear = when("GET", name, telling(lambda _: {"value": []}))
    house.run()
    between = house.rows()
    healed = house.heal()

    assert set(STAYING) <= set(between)
    assert len(between) == len({user for user, _ in between})
    assert set(STAYING) | {("E5", "Depot"), ("E6", "Field Crew")} <= set(healed)
    assert len(healed) == len({user for user, _ in healed})


def test_a_gate_for_creates_stops_a_run_that_is_shown_no_rows(tmp_path: Path) -> None:
    """Whoever had a row seems to lack one: that many creates at once are held, and it is 3."""
    gate = "[policy.gates.creates]\npercent = 10\nabsolute = 200\nfloor = 4\n"
    with opened(tmp_path, more=gate) as house:
        house.wire.ear = when("GET", ROWS, telling(lambda _: {"value": []}))
        done = house.run()
        between = house.rows()

    shown = document(done)
    tripped = [gate["gate"] for gate in shown["plan"]["gates"] if gate["tripped"]]
    assert (done.code, tripped) == (3, ["creates"])
    assert shown["outcomes"]["held"] == shown["plan"]["situations"]["MISSING"] + 2
    assert between == OLD


# --- writes ---------------------------------------------------------------------------------


def after(answer: Answer) -> Callable[[Serve], Answer]:
    """Do the work and then say something else."""

    def work(serve: Serve) -> Answer:
        serve()
        return answer

    return work


def emptied(serve: Serve) -> Answer:
    """Do the work, and give the envelope without what was in it."""
    answer = serve()
    boundary = answer.headers["Content-Type"].partition("boundary=")[2].strip('"')
    return Answer(200, answer.headers, f"--{boundary}--\r\n".encode())


WRITES: dict[str, tuple[Answer | Callable[[Serve], Answer], int]] = {
    "cut before": (Answer(503, cut=True), 5),
    "cut after": (after(Answer(503, cut=True)), 0),
    "down before": (raw(b"", 503), 5),
    "down after": (after(raw(b"", 502)), 0),
    "a web page before": (HTML, 5),
    "a web page after": (after(HTML), 0),
    "half an answer": (lambda serve: halved(serve()), 0),
    "an empty answer": (emptied, 0),
    "no right": (raw(b"{}", 403), 5),
    "overrun": (raw(b"{}", 429, Retry_After="9000"), 5),
    "slow": (lambda serve: later(serve()), 0),
}


def halved(answer: Answer) -> Answer:
    """Leave out the second half."""
    return Answer(answer.status, answer.headers, answer.content[: len(answer.content) // 2])


def later(answer: Answer) -> Answer:
    """Answer too late."""
    return Answer(answer.status, answer.headers, answer.content, delay=2)


LATER = (
    "cut before",
    "slow",
    "down before",
    "down after",
    "a web page before",
    "an empty answer",
    "overrun",
)
"""What a plain run leaves out: others like them are in it."""


@pytest.mark.parametrize("kind", [long(kind) if kind in LATER else kind for kind in WRITES])
def test_a_write_that_is_answered_badly_is_done_once_or_not_at_all(kind: str, house: House) -> None:
    """What was done counts as done, however it was answered; the rest waits for its next try."""
    answer, code = WRITES[kind]
    house.wire.ear = when("POST", "$batch", answer)
    done = house.run()
    outcomes = document(done)["outcomes"]
    between = house.rows()

    assert done.code == code
    assert sum(outcomes.values()) == CHANGES
    assert between == (NEW if code == 0 else OLD)
    assert outcomes["applied"] == (CHANGES if code == 0 else 0)
    assert len(sentences(done)) == (code != 0)
    assert house.heal() == NEW


def test_a_change_that_is_refused_waits_and_the_others_are_done(house: House) -> None:
    """It ends with 2, and the change is tried again when its time has come."""
    refused = raw(b'{"error":{"code":"0x80040265","message":"A plug-in says no."}}', 400)
    seen: list[str] = []

    def first(serve: Serve) -> Answer:
        seen.append("$batch")
        return refused if len(seen) == 1 else serve()

    house.wire.ear = when("POST", "$batch", first)
    done = house.run()
    outcomes = document(done)["outcomes"]

    assert done.code == 2
    assert (outcomes["failed"], outcomes["applied"]) == (1, CHANGES - 1)
    assert house.heal() == NEW
