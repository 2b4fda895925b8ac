"""Many rows at once, and messages that an environment does not take."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox.door import (
    ADA,
    BO,
    DEPOT,
    NEW,
    ROW,
    ROWS,
    TEAM,
    Door,
    envelope,
    membership,
    part,
    refused,
)
from tests.sandbox.test_batch import statuses

TYPE = "Microsoft.Dynamics.CRM.usermobileofflineprofilemembership"
KEY = "usermobileofflineprofilemembershipid"
COLLECTION = "mobileofflineprofile_usermobileofflineprofilemembership_MobileOfflineProfileId"


def target(**more: object) -> dict[str, object]:
    """Return a row for a bulk action."""
    return {"@odata.type": TYPE, **more}


def act(door: Door, message: str, *targets: object) -> Any:
    """Send a bulk action on the memberships."""
    return door.send("POST", f"{ROWS}/Microsoft.Dynamics.CRM.{message}", {"Targets": targets})


def names(door: Door) -> dict[str, object]:
    """Return what the rows are called, by key."""
    return {row[KEY]: row["name"] for row in door.get(ROWS)["value"]}


def test_many_are_created_and_their_ids_come_in_order(door: Door) -> None:
    """Keys that were chosen are kept, others are made; the answer says what it is."""
    answer = act(door, "CreateMultiple", target(**membership()), target(name="nobody's"))

    said = json.loads(answer.content)
    assert answer.status == 200
    assert said["@odata.context"].endswith("#Microsoft.Dynamics.CRM.CreateMultipleResponse")
    assert said["Ids"][0] == NEW
    assert names(door)[said["Ids"][1]] == "nobody's"


def test_many_are_changed(door: Door) -> None:
    """Each target carries its key and what changes; there is no content."""
    act(door, "CreateMultiple", target(**membership()))
    bound = {"MobileOfflineProfileId@odata.bind": f"mobileofflineprofiles({DEPOT})"}

    answer = act(
        door, "UpdateMultiple", target(**{KEY: ROW}, name="one"), target(**{KEY: NEW}, **bound)
    )

    assert (answer.status, answer.content) == (204, b"")
    assert names(door)[ROW] == "one"
    assert door.get(f"{ROWS}({NEW})")["_mobileofflineprofileid_value"] == DEPOT


def test_many_are_made_or_changed(door: Door) -> None:
    """By the key's column, by the address of the row, or without a key at all."""
    other = NEW[:-1] + "e"

    answer = act(
        door,
        "UpsertMultiple",
        target(**{KEY: ROW}, name="changed"),
        target(**{KEY: NEW}, name="made"),
        target(**{"@odata.id": f"{ROWS}({other})"}, name="by address"),
        target(**{"@odata.id": f"{ROWS}({ROW})", "statecode": 1}),
        target(name="without"),
    )

    assert answer.status == 204
    assert names(door).items() >= {ROW: "changed", NEW: "made", other: "by address"}.items()
    assert len(names(door)) == 4
    assert door.get(f"{ROWS}({ROW})")["statecode"] == 1


@pytest.mark.parametrize(
    ("message", "bad", "expected"),
    [
        ("CreateMultiple", {"name": "untyped"}, (400, "0x80048d19")),
        ("CreateMultiple", target(name="x" * 101), (400, "0x80044331")),
        ("CreateMultiple", target(**{KEY: ROW}), (412, "0x80040237")),
        ("CreateMultiple", target(systemuserid=ADA), (400, "0x80048d19")),
        ("CreateMultiple", {"@odata.type": "Microsoft.Dynamics.CRM.team"}, (400, "0x80048d19")),
        ("CreateMultiple", "no row", (400, "0x80048d19")),
        ("UpdateMultiple", target(**{KEY: BO}, name="x"), (404, "0x80040217")),
        ("UpdateMultiple", target(name="which?"), (400, "0x80040203")),
        ("UpdateMultiple", target(**{KEY: ROW, "importsequencenumber": 1}), (400, "0x80040203")),
        ("UpsertMultiple", target(**{"@odata.id": f"{ROWS}(name='x')"}), (400, "0x80060890")),
        ("UpsertMultiple", target(**{"@odata.id": f"teams({ROW})"}), (400, "0x80048d19")),
    ],
)
def test_one_bad_row_leaves_all_as_they_were(
    door: Door, message: str, bad: object, expected: tuple[int, str]
) -> None:
    """The whole action is refused with what the one row would get."""
    good = target(**{KEY: ROW if message == "UpdateMultiple" else NEW}, name="good")

    answer = act(door, message, good, bad)

    assert refused(answer) == expected
    assert names(door) == {ROW: "by hand"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "0x80048d19")),
        ({"Targets": []}, (400, "0x80040203")),
        ({"Targets": {}}, (400, "0x80048d19")),
        ({"Targets": [target(name="x")], "Other": 1}, (400, "0x80048d19")),
    ],
)
def test_a_bulk_action_takes_a_list_of_targets(
    door: Door, body: object, expected: tuple[int, str]
) -> None:
    """And nothing else."""
    assert refused(door.send("POST", f"{ROWS}/Microsoft.Dynamics.CRM.CreateMultiple", body)) == (
        expected
    )


def test_many_are_not_deleted_here(door: Door) -> None:
    """DeleteMultiple is for elastic tables; an action that nobody knows is a segment."""
    assert refused(act(door, "DeleteMultiple", target(**{KEY: ROW}))) == (400, "0x80044824")
    assert refused(act(door, "EraseMultiple", target())) == (404, "0x8006088a")
    assert refused(door.send("GET", f"{ROWS}/Microsoft.Dynamics.CRM.CreateMultiple"))[0] == 404


def test_bulk_actions_may_be_operations_of_a_batch(door: Door) -> None:
    """Microsoft's own client sends them so; each is a transaction of its own."""
    path = f"{ROWS}/Microsoft.Dynamics.CRM.CreateMultiple"
    good = part("POST", path, {"Targets": [target(**membership())]})
    bad = part("POST", path, {"Targets": [target(name="x"), {}]})

    answer = door.batch(envelope(good, bad))

    assert statuses(answer) == [200, 400]
    assert set(names(door)) == {ROW, NEW}


@given(
    st.lists(st.sampled_from(["new", "known", "long", "free"]), min_size=1, max_size=6),
)
def test_a_bulk_create_is_all_or_nothing(kinds: list[str]) -> None:
    """Whatever is wrong, and wherever it stands."""
    door = Door()
    made = {
        "new": target(**membership()),
        "known": target(**{KEY: ROW}),
        "long": target(name="x" * 101),
        "free": target(name="free"),
    }
    bad = "known" in kinds or "long" in kinds or kinds.count("new") > 1

    answer = act(door, "CreateMultiple", *[made[kind] for kind in kinds])

    assert answer.status == 200 if not bad else answer.status in {400, 412}
    assert len(names(door)) == 1 + (0 if bad else len(kinds))


def order(door: Door, what: str, body: object, method: str = "POST") -> Any:
    """Give the sandbox an order."""
    content = json.dumps(body).encode()
    return door.sandbox.answer(method, f"/_sandbox/{what}", "", {}, content)


def every_message(door: Door) -> dict[str, tuple[int, str]]:
    """Try each message on the one row and return which are refused as not taken, and how."""
    row, profile = f"{ROWS}({ROW})", f"mobileofflineprofiles({DEPOT})"
    reference = {"@odata.id": f"/{profile}"}
    tried = {
        "Create": ("POST", ROWS, {"name": "x"}, {}),
        "Update": ("PATCH", row, {"name": "x"}, {"If-Match": "*"}),
        "Upsert": ("PATCH", row, {"name": "x"}, {}),
        "Update of a value": ("PUT", f"{row}/name", {"value": "x"}, {}),
        "Update to nothing": ("DELETE", f"{row}/name", None, {}),
        "Associate": ("PUT", f"{row}/MobileOfflineProfileId/$ref", reference, {}),
        "Disassociate": ("DELETE", f"{row}/MobileOfflineProfileId/$ref", None, {}),
        "Associate from the parent": (
            "POST",
            f"{profile}/{COLLECTION}/$ref",
            {"@odata.id": f"/{row}"},
            {},
        ),
        "Disassociate from the parent": (
            "DELETE",
            f"{profile}/{COLLECTION}({ROW})/$ref",
            None,
            {},
        ),
        "CreateMultiple": (
            "POST",
            f"{ROWS}/Microsoft.Dynamics.CRM.CreateMultiple",
            {"Targets": [target(name="x")]},
            {},
        ),
        "RetrieveMultiple": ("GET", ROWS, None, {}),
        "Retrieve": ("GET", row, None, {}),
        "Delete": ("DELETE", row, None, {}),
    }
    found = {}
    for name, (method, path, body, headers) in tried.items():
        answer = door.send(method, path, body, headers)
        if answer.status >= 400:
            found[name] = refused(answer)
    return found


def test_everything_is_taken_until_told_otherwise(door: Door) -> None:
    """A plain sandbox refuses no message."""
    assert every_message(door) == {}


def test_some_messages_of_a_table_may_be_refused(door: Door) -> None:
    """Create, Update and Delete with all their forms, while Associate and Disassociate work."""
    done = order(door, "messages", {"refuse": ["Create", "Update", "Delete"]})

    assert (done.status, done.content) == (204, b"")
    assert every_message(door) == dict.fromkeys(
        ("Create", "Update", "Upsert", "Update of a value", "Update to nothing", "Delete"),
        (400, "0x80044824"),
    )


def test_a_refusal_is_as_it_is_ordered_and_can_be_taken_back(door: Door) -> None:
    """Status and code may be chosen; none refused means all taken."""
    order(door, "messages", {"refuse": ["Delete"], "status": 501, "code": "0x80040219"})
    refused_as = every_message(door)
    order(door, "messages", {"refuse": []})

    assert refused_as == {"Delete": (501, "0x80040219")}
    assert every_message(door) == {}


def test_a_bulk_action_that_is_not_registered_is_not_known(door: Door) -> None:
    """It is not declared, so its segment leads nowhere."""
    order(door, "messages", {"refuse": ["CreateMultiple"]})

    assert every_message(door) == {"CreateMultiple": (404, "0x8006088a")}


def test_another_table_is_not_concerned(door: Door) -> None:
    """A refusal is of one table."""
    order(door, "messages", {"refuse": ["Update"], "table": "team"})

    assert every_message(door) == {}
    assert refused(door.send("PATCH", f"teams({TEAM})", {"name": "x"}, {"If-Match": "*"})) == (
        400,
        "0x80044824",
    )


def test_versions_are_refused_where_there_is_no_optimistic_concurrency(door: Door) -> None:
    """Only `*` is a condition there."""
    order(door, "tables", {"optimistic_concurrency": False})
    tag = door.get(f"{ROWS}({ROW})")["@odata.etag"]

    versioned = door.send("PATCH", f"{ROWS}({ROW})", {"name": "x"}, {"If-Match": tag})
    there = door.send("PATCH", f"{ROWS}({ROW})", {"name": "y"}, {"If-Match": "*"})
    deleted = door.send("DELETE", f"{ROWS}({ROW})", headers={"If-Match": tag})

    assert refused(versioned) == refused(deleted) == (400, "0x8006088d")
    assert there.status == 204
    order(door, "tables", {"optimistic_concurrency": True})
    assert refused(door.send("DELETE", f"{ROWS}({ROW})", headers={"If-Match": tag}))[0] == 412


@pytest.mark.parametrize(
    ("what", "body", "says"),
    [
        ("messages", {"refuse": ["Erase"]}, "Erase is no message"),
        ("messages", {"refuse": ["Create"], "table": "contact"}, "contact is no table"),
        ("messages", {"refused": []}, "refused"),
        ("tables", {"table": "contact"}, "contact is no table"),
        ("faults", {"kind": "explode"}, "explode"),
        ("faults", {"kind": "latency"}, "seconds"),
        ("nothing", {}, "POST /_sandbox/messages"),
    ],
)
def test_an_order_that_cannot_be_is_one_clear_sentence(
    door: Door, what: str, body: object, says: str
) -> None:
    """In the form of any other error."""
    answer = order(door, what, body)

    said = json.loads(answer.content)["error"]["message"]
    assert answer.status in {400, 404}
    assert says in said
    assert "\n" not in said


def test_an_order_makes_the_next_requests_fail(door: Door) -> None:
    """A status as kind; what is ordered comes on top; DELETE ends it."""
    order(door, "faults", {"kind": "429", "status": 429, "count": 2, "retry_after": 5})
    order(door, "faults", [{"kind": "503", "skip": 2, "code": "0x8005f103"}, {"kind": "error"}])

    found = [door.send("GET", "WhoAmI") for _ in range(4)]

    assert [answer.status for answer in found] == [429, 429, 503, 200]
    assert found[0].headers["Retry-After"] == "5"
    assert refused(found[2])[1] == "0x8005f103"
    order(door, "faults", {"kind": "cut", "count": None})
    order(door, "faults", None, "DELETE")
    assert door.send("GET", "WhoAmI").status == 200


def test_retry_after_may_be_a_date(door: Door) -> None:
    """As HTTP allows."""
    date = "Mon, 02 Mar 2026 06:00:05 GMT"
    order(door, "faults", {"kind": "429", "retry_after": date})

    assert door.send("GET", "WhoAmI").headers["Retry-After"] == date
