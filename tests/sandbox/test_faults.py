"""Misbehaviour on request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from syncd.sandbox import Fault, FaultKind, SandboxError
from syncd.sandbox.faults import Request, load_faults
from tests.sandbox.door import NEW, ROW, ROWS, Door, envelope, membership, part, refused
from tests.sandbox.test_batch import statuses


def misbehaving(door: Door, *faults: Fault) -> Door:
    """Give the sandbox these faults."""
    door.sandbox.misbehave(faults)
    return door


def test_throttling_says_how_long_to_wait_or_does_not(door: Door) -> None:
    """429 with the code of the request limit, with and without Retry-After, then it is over."""
    misbehaving(
        door,
        Fault(kind=FaultKind.THROTTLE, retry_after=7),
        Fault(kind=FaultKind.THROTTLE, skip=1),
    )

    first, second, third = (door.send("GET", ROWS) for _ in range(3))

    assert refused(first) == refused(second) == (429, "0x80072322")
    assert first.headers["Retry-After"] == "7"
    assert "Retry-After" not in second.headers
    assert third.status == 200


@pytest.mark.parametrize(("when", "there"), [("before", 404), ("after", 200)])
def test_an_error_may_come_before_or_after_the_work(door: Door, when: Any, there: int) -> None:
    """The client sees the same 503; the row is there or not."""
    misbehaving(door, Fault(kind=FaultKind.ERROR, when=when, status=503, method="POST"))

    answer = door.send("POST", ROWS, membership())

    assert answer.status == 503
    assert door.send("GET", f"{ROWS}({NEW})").status == there


@pytest.mark.parametrize(("when", "there"), [("before", 404), ("after", 200)])
def test_a_connection_may_be_cut_before_or_after_the_work(
    door: Door, when: Any, there: int
) -> None:
    """Whoever carries the answer is told to carry none."""
    misbehaving(door, Fault(kind=FaultKind.CUT, when=when, path="memberships"))

    answer = door.send("POST", ROWS, membership())

    assert answer.cut
    assert door.send("GET", f"{ROWS}({NEW})").status == there


def test_latency_is_told_and_not_slept(door: Door) -> None:
    """The sandbox says how long to wait; the server waits."""
    misbehaving(door, Fault(kind=FaultKind.LATENCY, seconds=2.5, count=None))

    assert door.send("GET", ROWS).delay == 2.5
    assert door.send("GET", "WhoAmI").delay == 2.5


@pytest.mark.parametrize(("when", "there"), [("before", 404), ("after", 200)])
def test_one_operation_of_a_batch_may_fail(door: Door, when: Any, there: int) -> None:
    """The others are done; only the one at the position is not, or is and says it is not."""
    fault = Fault(kind=FaultKind.OPERATION, position=1, when=when, status=500, code="0x80044151")
    misbehaving(door, fault)
    rename = part("PATCH", f"{ROWS}({ROW})", {"name": "x"}, If_Match="*")

    answer = door.batch(envelope(rename, part("POST", ROWS, membership()), rename))

    assert statuses(answer) == [204, 500, 204]
    assert b"0x80044151" in answer.content
    assert door.send("GET", f"{ROWS}({NEW})").status == there


def test_whatever_stands_between_may_answer(door: Door) -> None:
    """A page, a redirect, half an answer: as told, with nothing of ours."""
    page = {"Content-Type": "text/html"}
    away = {"Location": "https://login.example/"}
    misbehaving(
        door,
        Fault(kind=FaultKind.RAW, status=502, headers=page, content="<html>Bad Gateway</html>"),
        Fault(kind=FaultKind.RAW, status=302, headers=away, skip=1),
        Fault(kind=FaultKind.RAW, status=200, content='{"value":[', when="after", skip=2),
    )

    first, second, third = (door.send("PATCH", f"{ROWS}({ROW})", {"name": "x"}) for _ in range(3))

    assert (first.status, first.headers, first.content) == (502, page, b"<html>Bad Gateway</html>")
    assert (second.status, second.headers) == (302, away)
    assert (third.status, third.content) == (200, b'{"value":[')
    assert door.get(f"{ROWS}({ROW})")["name"] == "x"


def test_someone_else_writes_in_between(door: Door) -> None:
    """After the read and before the write, so that the version has moved."""
    tag = door.get(f"{ROWS}({ROW})")["@odata.etag"]
    someone = Request("PATCH", f"{ROWS}({ROW})", {"name": "someone else"})
    misbehaving(door, Fault(kind=FaultKind.WRITE, method="PATCH", request=someone))

    answer = door.send("PATCH", f"{ROWS}({ROW})", {"name": "ours"}, {"If-Match": tag})

    assert refused(answer) == (412, "0x80060882")
    assert door.get(f"{ROWS}({ROW})")["name"] == "someone else"


def test_faults_wait_their_turn(door: Door) -> None:
    """`skip` lets requests pass, `path` and `method` choose them, `count` ends it."""
    fault = Fault(kind=FaultKind.ERROR, method="GET", path="skiptoken", skip=1, count=2)
    misbehaving(door, fault)

    found = [door.send("GET", f"{ROWS}?$skiptoken=x").status for _ in range(4)]

    assert found == [400, 503, 503, 400]
    assert door.send("GET", ROWS).status == 200


def test_a_faults_file_is_read(tmp_path: Path) -> None:
    """A JSON list, with the names of the module's text."""
    path = tmp_path / "faults.json"
    path.write_text('[{"kind": "throttle", "retry_after": 3, "count": null}]')

    assert load_faults(path) == (Fault(kind=FaultKind.THROTTLE, retry_after=3, count=None),)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "wrong"),
        ('[{"kind": "explode"}]', "explode"),
        ('[{"kind": "error", "stauts": 500}]', "stauts"),
        ('[{"kind": "write"}]', "request"),
        ('[{"kind": "latency"}]', "seconds"),
        ('[{"kind": "cut", "when": "during"}]', "during"),
    ],
)
def test_a_wrong_faults_file_is_one_clear_sentence(tmp_path: Path, content: str, says: str) -> None:
    """It names the file and the place."""
    path = tmp_path / "faults.json"
    path.write_text(content)

    with pytest.raises(SandboxError, match=rf"faults\.json.*{says}") as caught:
        load_faults(path)
    assert "\n" not in str(caught.value)


def test_a_faults_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the reason."""
    with pytest.raises(SandboxError, match=r"nothing\.json"):
        load_faults(tmp_path / "nothing.json")


def test_every_kind_is_explained() -> None:
    """The module's text is the reference of the file's form."""
    text = load_faults.__globals__["__doc__"]

    assert [kind for kind in FaultKind if kind not in text] == []
    assert json.dumps([field for field in Fault.__struct_fields__ if field not in text]) == "[]"
