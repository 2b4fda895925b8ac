"""One table says what an error means."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.connectors.dataverse.faults import Error, Verdict, judge, read_error
from syncd.core.model import Action
from syncd.core.plan import Fault


def body(code: object, message: str = "words", **more: object) -> bytes:
    """Write an error as the wire shows it."""
    return json.dumps({"error": {"code": code, "message": message, **more}}).encode()


@pytest.mark.parametrize(
    ("given_", "code"),
    [
        (body("0x80040217"), "80040217"),
        (body("0X80040217"), "80040217"),
        (body("-2147220969"), "80040217"),
        (body(-2147220969), "80040217"),
        (body("", "failed with 0x80040237 today"), "80040237"),
        (body("0x0", "words", innererror={"code": "0x80040220"}), "80040220"),
        (body("", "words", innererror={"message": "SQL -2147204784"}), "80044150"),
        (body("0x0"), ""),
        (body(""), ""),
        (body(None), ""),
        (b"\xef\xbb\xbf" + body("0x80040217"), "80040217"),
        (b"", ""),
        (b"<html>502</html>", ""),
        (b"[1]", ""),
        (b'{"error": "broken"}', ""),
        (b"\xff\xfe", ""),
    ],
)
def test_a_code_is_found_wherever_it_is_written(given_: bytes, code: str) -> None:
    """Hex, signed decimal, inside, in the message, or not at all (dataverse-web-api.md 6.1)."""
    assert read_error(given_).code == code


@pytest.mark.parametrize(
    ("action", "status", "code", "verdict", "fault"),
    [
        (Action.CREATE, 204, "", Verdict.DONE, None),
        (Action.CREATE, 412, "0x80040237", Verdict.LOOK, None),
        (Action.CREATE, 409, "", Verdict.LOOK, None),
        (Action.CREATE, 400, "0x80040237", Verdict.LOOK, None),
        (Action.CREATE, 404, "0x80040217", Verdict.FAILED, Fault.ROW),
        (Action.CREATE, 404, "0x8006088a", Verdict.FAILED, Fault.CONFIGURATION),
        (Action.MOVE, 412, "0x80060882", Verdict.LOOK, None),
        (Action.MOVE, 412, "", Verdict.LOOK, None),
        (Action.MOVE, 412, "0x80040333", Verdict.FAILED, Fault.ROW),
        (Action.MOVE, 412, "0x80060892", Verdict.FAILED, Fault.ROW),
        (Action.MOVE, 404, "", Verdict.LOOK, None),
        (Action.REMOVE, 404, "0x80040217", Verdict.ALREADY, None),
        (Action.REMOVE, 404, "", Verdict.ALREADY, None),
        (Action.REMOVE, 412, "0x80060882", Verdict.LOOK, None),
        (Action.REMOVE, 405, "0x80040227", Verdict.FAILED, Fault.ROW),
        (Action.CREATE, 400, "0x800609a6", Verdict.FAILED, Fault.ROW),
        (Action.CREATE, 403, "0x80040220", Verdict.FAILED, Fault.RIGHTS),
        (Action.CREATE, 403, "", Verdict.FAILED, Fault.RIGHTS),
        (Action.CREATE, 403, "0x8004f507", Verdict.FAILED, Fault.ROW),
        (Action.CREATE, 400, "0x80048d19", Verdict.FAILED, Fault.CONFIGURATION),
        (Action.MOVE, 400, "0x8006088d", Verdict.FAILED, Fault.CONFIGURATION),
        (Action.CREATE, 501, "", Verdict.FAILED, Fault.CONFIGURATION),
        (Action.CREATE, 429, "0x80072321", Verdict.WAIT, Fault.THROTTLED),
        (Action.CREATE, 429, "", Verdict.WAIT, Fault.THROTTLED),
        (Action.CREATE, 503, "0x8005f103", Verdict.WAIT, Fault.THROTTLED),
        (Action.CREATE, 500, "", Verdict.REPEAT, Fault.TRANSIENT),
        (Action.CREATE, 504, "", Verdict.REPEAT, Fault.TRANSIENT),
        (Action.CREATE, 500, "0x80044151", Verdict.REPEAT, Fault.TRANSIENT),
        (Action.CREATE, 400, "0x80044339", Verdict.REPEAT, Fault.TRANSIENT),
        (Action.CREATE, 500, "0x80040216", Verdict.REPEAT, Fault.ROW),
        (Action.CREATE, 400, "0x80040265", Verdict.FAILED, Fault.ROW),
        (Action.CREATE, 400, "", Verdict.FAILED, Fault.ROW),
        (Action.CREATE, 418, "0x8fffffff", Verdict.FAILED, Fault.ROW),
    ],
)
def test_an_error_is_judged_by_code_first_and_by_status_second(
    action: Action, status: int, code: str, verdict: Verdict, fault: Fault | None
) -> None:
    """The table of dataverse-web-api.md section 6.2, as behaviour."""
    judgement = judge(action, status, body(code))

    assert judgement.verdict is verdict
    assert fault is None or judgement.fault is fault


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("Transaction was deadlocked (1205)", Verdict.REPEAT), ("Syntax error", Verdict.FAILED)],
)
def test_an_sql_error_is_repeated_only_if_it_is_a_deadlock(text: str, verdict: Verdict) -> None:
    """0x80044150 stands for any SQL error."""
    assert judge(Action.CREATE, 400, body("0x80044150", text)).verdict is verdict


@given(st.sampled_from(Action), st.integers(200, 599), st.binary(max_size=80))
def test_every_answer_has_a_judgement(action: Action, status: int, content: bytes) -> None:
    """Whatever arrives, nothing is raised, and only a 2xx counts as done."""
    judgement = judge(action, status, content)

    assert (judgement.verdict is Verdict.DONE) == (status < 300)


def test_words_are_kept_on_one_line_and_short() -> None:
    """A server's sentence may end up in a terminal."""
    error = read_error(body("0x80040265", "one\r\ntwo\x1b[31m " + "x" * 1000))

    assert error == Error("80040265", ("one two [31m " + "x" * 1000)[:240])
