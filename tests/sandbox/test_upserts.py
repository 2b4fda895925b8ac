"""Upsert with its preconditions, and what is shown of a row that was written."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tests.sandbox.door import NEW, ROW, ROWS, Door, change_set, envelope, membership, part, refused
from tests.sandbox.test_batch import statuses

SHOW = {"Prefer": "return=representation"}


@pytest.mark.parametrize(
    ("key", "headers", "expected"),
    [
        (NEW, {}, 204),
        (ROW, {}, 204),
        (NEW, {"If-Match": "*"}, 404),
        (ROW, {"If-Match": "*"}, 204),
        (NEW, {"If-None-Match": "*"}, 204),
        (ROW, {"If-None-Match": "*"}, 412),
        (NEW, {"If-Match": 'W/"1"'}, 404),
        (ROW, {"If-Match": 'W/"1"'}, 412),
        (NEW, {"If-None-Match": "null"}, 204),
        (ROW, {"If-None-Match": "null"}, 204),
        (NEW, SHOW, 201),
        (ROW, SHOW, 200),
        (NEW, {**SHOW, "If-None-Match": "*"}, 201),
        (ROW, {**SHOW, "If-Match": "*"}, 200),
    ],
)
def test_a_patch_is_an_upsert_unless_a_header_says_otherwise(
    door: Door, key: str, headers: Mapping[str, str], expected: int
) -> None:
    """Only a row that was wanted is written; the key of the address is that of a new one."""
    answer = door.send("PATCH", f"{ROWS}({key})", {"name": "x"}, headers)

    written = door.send("GET", f"{ROWS}({key})")
    assert answer.status == expected
    assert (written.status == 200 and json.loads(written.content)["name"] == "x") is (
        expected < 300
    )


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_row_that_is_shown_has_no_address_in_the_head(door: Door, method: str) -> None:
    """As it was asked for: with its tag, the columns that were selected, and what was applied."""
    path = ROWS if method == "POST" else f"{ROWS}({NEW})"

    answer = door.send(method, f"{path}?$select=name", membership(), SHOW)

    shown = json.loads(answer.content)
    assert (answer.status, "OData-EntityId" in answer.headers) == (201, False)
    assert answer.headers["Preference-Applied"] == "return=representation"
    assert shown["@odata.etag"] == door.get(f"{ROWS}({NEW})")["@odata.etag"]
    assert set(shown) == {
        "@odata.context",
        "@odata.etag",
        "name",
        "usermobileofflineprofilemembershipid",
    }


def test_a_refused_upsert_in_a_change_set_undoes_the_rest(door: Door) -> None:
    """The precondition of its part counts."""
    row = f"{ROWS}({ROW})"
    inside = change_set(
        part("PATCH", row, {"name": "x"}, content_id="1", If_Match="*"),
        part("PATCH", row, {"name": "y"}, content_id="2", If_None_Match="*"),
    )

    answer = door.batch(envelope(inside))

    assert statuses(answer) == [412]
    assert door.get(row)["name"] == "by hand"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", ROWS),
        ("PATCH", ROWS),
        ("DELETE", ROWS),
        ("GET", "$batch"),
        ("POST", "WhoAmI"),
        ("TRACE", f"{ROWS}({ROW})"),
    ],
)
def test_a_method_that_is_not_for_a_path_has_an_error_in_the_usual_form(
    door: Door, method: str, path: str
) -> None:
    """405, or 404 where a function is called as if it were a set."""
    assert refused(door.send(method, path, {} if method != "GET" else None))[0] in {404, 405}


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/api/data/v8.2/systemusers", "/api/data"])
def test_outside_of_the_web_api_an_error_has_the_usual_form_too(door: Door, path: str) -> None:
    """A client that has the wrong address is told so as ever."""
    assert refused(door.sandbox.answer("GET", path, "", {}, b"")) == (404, "0x8006088a")
