"""`$batch`: the envelope, independent operations, change sets."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.sandbox import Answer
from tests.sandbox.door import (
    ADA,
    BO,
    CREW,
    DEPOT,
    NEW,
    ROW,
    ROWS,
    Door,
    change_set,
    envelope,
    membership,
    part,
    refused,
)

GOOD = part("PATCH", f"{ROWS}({ROW})", {"name": "changed"}, If_Match="*")
BAD = part("DELETE", f"{ROWS}({BO})")


def statuses(answer: Answer) -> list[int]:
    """Return the statuses of the parts, in order."""
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d+) ", answer.content)]


def name_of_row(door: Door) -> object:
    """Return what the one row is called now."""
    return door.get(f"{ROWS}({ROW})")["name"]


def test_operations_are_answered_in_order(door: Door) -> None:
    """Outer 200, one part for each."""
    batch = envelope(part("POST", ROWS, membership()), part("GET", f"systemusers({ADA})"), GOOD)

    answer = door.batch(batch)

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("multipart/mixed; boundary=")
    assert statuses(answer) == [204, 200, 204]
    assert f"OData-EntityId: http://x/api/data/v9.2/{ROWS}({NEW})".encode() in answer.content
    assert answer.content.endswith(b"--\r\n")
    assert b"\n" not in answer.content.replace(b"\r\n", b"")


def test_with_continue_on_error_everything_is_tried(door: Door) -> None:
    """Outer 200; the failure is in its own part."""
    answer = door.batch(envelope(BAD, GOOD))

    assert (answer.status, statuses(answer)) == (200, [404, 204])
    assert name_of_row(door) == "changed"


def test_without_it_the_first_failure_ends_the_batch(door: Door) -> None:
    """The outer status is the failure's; what was done before stays done."""
    later = part("PATCH", f"{ROWS}({ROW})", {"name": "too late"}, If_Match="*")

    answer = door.batch(envelope(GOOD, BAD, later), onward=False)

    assert (answer.status, statuses(answer)) == (404, [204, 404])
    assert name_of_row(door) == "changed"


def test_a_change_set_happens_together(door: Door) -> None:
    """Its answers come in a multipart of their own, each with its Content-ID."""
    inside = change_set(
        part("DELETE", f"{ROWS}({ROW})", content_id="1"),
        part("POST", ROWS, membership(), content_id="2"),
    )

    answer = door.batch(envelope(inside))

    assert (answer.status, statuses(answer)) == (200, [204, 204])
    assert b"Content-ID: 2" in answer.content
    assert [r["usermobileofflineprofilemembershipid"] for r in door.get(ROWS)["value"]] == [NEW]


def test_a_change_set_that_fails_leaves_everything_as_it_was(door: Door) -> None:
    """One plain error part stands for the set; cascades are undone too."""
    before = {name: door.get(name) for name in (ROWS, "systemusers", "teammemberships")}
    inside = change_set(
        part("POST", ROWS, membership(), content_id="1"),
        part("DELETE", f"systemusers({ADA})", content_id="2"),
        part("DELETE", f"mobileofflineprofiles({CREW})", content_id="3"),
        part("DELETE", f"{ROWS}({BO})", content_id="4"),
    )

    answer = door.batch(envelope(inside, part("GET", f"systemusers({BO})")))

    assert (answer.status, statuses(answer)) == (200, [404, 200])
    assert b"changesetresponse" not in answer.content
    assert {name: door.get(name) for name in before} == before


def test_a_later_item_refers_to_an_earlier_one(door: Door) -> None:
    """`$1` in an address or a binding is what item 1 of the same set made."""
    profile = {"mobileofflineprofileid": NEW, "name": "Night"}
    bound = {"MobileOfflineProfileId@odata.bind": "$1"}
    inside = change_set(
        part("POST", "mobileofflineprofiles", profile, content_id="1"),
        part("PATCH", f"{ROWS}({ROW})", bound, content_id="2"),
        part("PATCH", "$1", {"description": "made in one go"}, content_id="3"),
    )

    answer = door.batch(envelope(inside))

    assert statuses(answer) == [204, 204, 204]
    assert door.get(f"{ROWS}({ROW})")["_mobileofflineprofileid_value"] == NEW
    assert door.get(f"mobileofflineprofiles({NEW})")["description"] == "made in one go"


def test_only_references_are_replaced(door: Door) -> None:
    """A name that looks like one stays; one to nothing is refused and nothing happens."""
    name = part("POST", ROWS, {"name": "$1"}, content_id="1")
    bound = {"name": "x", "MobileOfflineProfileId@odata.bind": "$7"}

    named = door.batch(envelope(change_set(name)))
    lost = door.batch(envelope(change_set(name, part("POST", ROWS, bound, content_id="2"))))

    assert (statuses(named), statuses(lost)) == ([204], [400])
    assert b"Content-ID Reference: '$7' does not exist" in lost.content
    assert sorted(row["name"] for row in door.get(ROWS)["value"]) == ["$1", "by hand"]


def test_a_later_item_may_refer_to_what_is_to_be_associated(door: Door) -> None:
    """`$1` in `@odata.id`, too, and in the middle of a path."""
    profile = {"mobileofflineprofileid": NEW, "name": "Night"}
    nav = f"{ROWS}({ROW})/MobileOfflineProfileId/$ref"
    inside = change_set(
        part("POST", "mobileofflineprofiles", profile, content_id="p"),
        part("PUT", nav, {"@odata.id": "$p"}, content_id="2"),
        part("PUT", "$p/description", {"value": "by reference"}, content_id="3"),
    )

    answer = door.batch(envelope(inside))

    assert statuses(answer) == [204, 204, 204]
    assert door.get(f"{ROWS}({ROW})")["_mobileofflineprofileid_value"] == NEW
    assert door.get(f"mobileofflineprofiles({NEW})")["description"] == "by reference"


def test_what_clients_write_sloppily_is_taken(door: Door) -> None:
    """Spaces and letters as they are in a request line, no empty line at the end of a read."""
    path = f"{ROWS}?$select=name&$filter=name eq 'by hand' or name eq 'Zażółć'"
    read = part("GET", path).removesuffix(b"\r\n")
    accepted = part("GET", path, Accept="application/json").removesuffix(b"\r\n")

    answer = door.batch(b"\r\n" + envelope(read, accepted, GOOD))

    assert (answer.status, statuses(answer)) == (200, [200, 200, 204])
    assert answer.content.count(b'"by hand"') == 2


def test_answers_have_boundaries_of_their_own(door: Door) -> None:
    """Named as the platform names them, and other ones each time, for a row may hold anything."""
    inside = change_set(part("PATCH", f"{ROWS}({ROW})", {"name": "x"}, content_id="1"))

    found = [door.batch(envelope(GOOD, inside)) for _ in range(2)]

    outer = [answer.headers["Content-Type"].partition("boundary=")[2] for answer in found]
    inner = [re.findall(rb"boundary=(\S+)", answer.content)[0] for answer in found]
    assert all(mark.startswith("batchresponse_") for mark in outer)
    assert all(mark.startswith(b"changesetresponse_") for mark in inner)
    assert len(set(outer)) == len(set(inner)) == 2


def test_a_batch_in_json_is_refused_cleanly(door: Door) -> None:
    """Some clients try that first; the message says what is taken."""
    headers = {"Content-Type": "application/json"}

    answer = door.sandbox.answer("POST", "/api/data/v9.2/$batch", "", headers, b'{"requests":[]}')

    assert refused(answer) == (400, "0x80048d19")
    assert b"JSON" in answer.content


def test_a_reference_does_not_reach_across_change_sets(door: Door) -> None:
    """400, and the message names it."""
    profile = part("POST", "mobileofflineprofiles", {"name": "Night"}, content_id="1")
    across = part("PATCH", "$1", {"description": "x"}, content_id="2")

    answer = door.batch(envelope(change_set(profile), change_set(across)))

    assert statuses(answer) == [204, 400]
    assert b"Content-ID Reference: '$1' does not exist" in answer.content


WHOLE = envelope(GOOD)


@pytest.mark.parametrize(
    "content",
    [
        WHOLE.replace(b"\r\n", b"\n"),
        WHOLE.removesuffix(b"\r\n"),
        WHOLE.removesuffix(b"--b_1--\r\n"),
        WHOLE[: len(WHOLE) // 2],
        b"",
        b"preamble\r\n" + WHOLE,
        WHOLE + b"epilogue",
        WHOLE.replace(b"Content-Type: application/http\r\n", b""),
        WHOLE.replace(b"Content-Transfer-Encoding: binary\r\n", b""),
        WHOLE.replace(b"application/http", b"text/plain"),
        WHOLE.replace(b" HTTP/1.1", b""),
        WHOLE.replace(b"PATCH", b"patch"),
        WHOLE.replace(b"PATCH", b"TRACE"),
        WHOLE.replace(b"If-Match: *", b"If-Match *"),
        WHOLE.replace(b"If-Match: *\r\n", b"If-Match: *\n"),
        WHOLE.replace(b'"}\r\n--', b'"}--'),
        envelope(GOOD, GOOD).replace(b'"}\r\n--', b'"}--', 1),
        WHOLE.replace(b"/api/data/v9.2/", b""),
        WHOLE.replace(b"binary\r\n\r\n", b"binary\r\n"),
        envelope(BAD.replace(b" HTTP/1.1\r\n\r\n\r\n", b" HTTP/1.1\r\n")),
        envelope(*[BAD] * 1001),
        envelope(change_set(*[part("DELETE", "x", content_id=str(n)) for n in range(1001)])),
        envelope(GOOD, change_set(part("GET", "systemusers", content_id="1"))),
        envelope(GOOD, change_set(BAD)),
        envelope(
            GOOD,
            change_set(
                part("DELETE", "x", content_id="1"),
                part("DELETE", "y", content_id="1"),
            ),
        ),
        envelope(GOOD, change_set(change_set(part("DELETE", "x", content_id="1")))),
    ],
)
def test_a_malformed_envelope_is_refused_before_anything_runs(door: Door, content: bytes) -> None:
    """400 with a plain JSON error: strict about lines, headers, nesting, ids and the limit."""
    answer = door.batch(content)

    assert refused(answer) == (400, "0x80048d19")
    assert name_of_row(door) == "by hand"


@pytest.mark.parametrize("kind", ["multipart/mixed", "application/json", ""])
def test_a_batch_without_a_boundary_is_refused(door: Door, kind: str) -> None:
    """The Content-Type must name it."""
    answer = door.sandbox.answer("POST", "/api/data/v9.2/$batch", "", {"Content-Type": kind}, WHOLE)

    assert refused(answer) == (400, "0x80048d19")


def test_a_thousand_operations_are_taken(door: Door) -> None:
    """The limit itself is allowed."""
    answer = door.batch(envelope(*[BAD] * 1000))

    assert statuses(answer) == [404] * 1000


def test_absolute_targets_and_unquoted_boundaries_are_taken(door: Door) -> None:
    """As some clients write them."""
    absolute = GOOD.replace(b"/api/data", b"https://contoso.example/api/data")
    headers = {"Content-Type": "multipart/mixed;boundary=b_1"}

    answer = door.sandbox.answer("POST", "/api/data/v9.2/$batch", "", headers, envelope(absolute))

    assert (answer.status, statuses(answer)) == (200, [204])


def test_a_condition_belongs_to_its_part(door: Door) -> None:
    """The outer request's If-Match says nothing about the operations."""
    stale = part("PATCH", f"{ROWS}({ROW})", {"name": "x"}, If_Match='W/"1"')

    answer = door.batch(envelope(stale))

    assert statuses(answer) == [412]
    assert b"0x80060882" in answer.content


@given(st.lists(st.sampled_from(["create", "move", "delete", "fail"]), max_size=8))
def test_a_failing_change_set_is_as_if_it_had_never_been(steps: list[str]) -> None:
    """Whatever it did before its last item failed."""
    door = Door()
    before = json.dumps([door.get(ROWS), door.get("systemusers")])
    operations = {
        "create": ("POST", ROWS, {"name": "x"}),
        "move": (
            "PATCH",
            f"{ROWS}({ROW})",
            {"MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({DEPOT})"},
        ),
        "delete": ("DELETE", f"systemusers({ADA})", None),
        "fail": ("DELETE", f"{ROWS}({NEW})", None),
    }
    parts = [
        part(*operations[step], content_id=str(number))
        for number, step in enumerate([*steps, "fail"])
    ]

    answer = door.batch(envelope(change_set(*parts)))

    assert len(statuses(answer)) == 1
    assert json.dumps([door.get(ROWS), door.get("systemusers")]) == before
