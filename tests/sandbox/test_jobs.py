"""`BulkDelete` and the row that tells how far it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.sandbox.door import ADA, BO, NEW, ROW, ROWS, Door, envelope, membership, part, refused
from tests.sandbox.test_batch import statuses

KEY = "usermobileofflineprofilemembershipid"


def job(*conditions: Mapping[str, object], table: str = ROWS[:-1], operator: str = "And") -> Any:
    """Return the body of the action, as Microsoft's client writes it."""
    kind = "Microsoft.Dynamics.CRM."
    criteria = {
        "@odata.type": f"{kind}FilterExpression",
        "FilterOperator": operator,
        "Conditions": [{"@odata.type": f"{kind}ConditionExpression", **c} for c in conditions],
    }
    return {
        "JobName": "clean up",
        "QuerySet": [
            {"@odata.type": f"{kind}QueryExpression", "EntityName": table, "Criteria": criteria}
        ],
        "StartDateTime": "2026-03-02T06:00:00Z",
        "RecurrencePattern": "",
        "SendEmailNotification": False,
        "ToRecipients": [],
        "CCRecipients": [],
    }


def keys(*rows: str) -> dict[str, object]:
    """Return the condition for these rows."""
    values = [{"Value": row, "Type": "System.Guid"} for row in rows]
    return {"AttributeName": KEY, "Operator": "In", "Values": values}


def ordered(door: Door, body: object) -> str:
    """Order a job and return its id."""
    answer = door.send("POST", "BulkDelete", body)
    assert answer.status == 200
    return str(json.loads(answer.content)["JobId"])


def test_a_job_waits_and_then_deletes(door: Door) -> None:
    """First its row says Ready and nothing is gone; then Completed, Succeeded."""
    door.send("POST", ROWS, membership())

    ident = ordered(door, job(keys(ROW.upper())))
    first = door.get(f"asyncoperations({ident})")
    second = door.get(f"asyncoperations({ident})")

    assert (first["statecode"], first["statuscode"], first["operationtype"]) == (0, 0, 13)
    assert (second["statecode"], second["statuscode"]) == (3, 30)
    assert second["completedon"]
    assert [row[KEY] for row in door.get(ROWS)["value"]] == [NEW]


@pytest.mark.parametrize(
    ("conditions", "operator", "left"),
    [
        ([], "And", 0),
        ([{"AttributeName": "name", "Operator": "Equal", "Values": ["BY HAND"]}], "And", 1),
        ([{"AttributeName": "name", "Operator": "NotEqual", "Values": ["by hand"]}], "And", 1),
        ([{"AttributeName": "systemuserid", "Operator": "Null", "Values": []}], "And", 2),
        ([{"AttributeName": "systemuserid", "Operator": "NotNull", "Values": []}], "And", 0),
        ([keys(ROW), keys(NEW)], "And", 2),
        ([keys(ROW), keys(NEW)], "Or", 0),
        ([keys(BO)], "And", 2),
    ],
)
def test_conditions_choose_the_rows(
    door: Door, conditions: list[dict[str, object]], operator: str, left: int
) -> None:
    """Values are compared without regard to case; all conditions hold, or one of them."""
    door.send("POST", ROWS, membership())

    ordered(door, job(*conditions, operator=operator))
    door.send("GET", "WhoAmI")

    assert len(door.get(ROWS)["value"]) == left


def test_a_row_that_is_not_deleted_is_a_failure_of_the_job(door: Door) -> None:
    """The job fails; what was refused stands in a row of its own, with what it is about."""
    order = json.dumps({"refuse": ["Delete"]}).encode()
    door.sandbox.answer("POST", "/_sandbox/messages", "", {}, order)

    ident = ordered(door, job(keys(ROW)))
    door.send("GET", "WhoAmI")
    (failure,) = door.get("bulkdeletefailures")["value"]

    assert door.get(f"asyncoperations({ident})")["statuscode"] == 31
    assert failure["_asyncoperationid_value"] == ident
    assert failure["_regardingobjectid_value"] == ROW
    assert "Delete" in failure["errordescription"]
    assert len(door.get(ROWS)["value"]) == 1


def test_what_the_relation_says_happens_too(door: Door) -> None:
    """A user who is deleted in bulk leaves a row without a user."""
    condition = {"AttributeName": "systemuserid", "Operator": "Equal", "Values": [ADA]}

    ordered(door, job(condition, table="systemuser"))
    door.send("GET", "WhoAmI")

    assert door.get(f"{ROWS}({ROW})")["_systemuserid_value"] is None


def test_a_job_may_be_ordered_in_a_batch(door: Door) -> None:
    """As Microsoft's client does."""
    answer = door.batch(envelope(part("POST", "BulkDelete", job(keys(ROW)))))
    door.send("GET", "WhoAmI")

    assert statuses(answer) == [200]
    assert door.get(ROWS)["value"] == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "0x80048d19")),
        (job(table="contact"), (400, "0x80040203")),
        (job({"AttributeName": "colour", "Operator": "Null"}), (400, "0x80040203")),
        (job({"AttributeName": "name", "Operator": "Sounds"}), (400, "0x80040203")),
    ],
)
def test_a_job_that_cannot_be_is_refused(
    door: Door, body: object, expected: tuple[int, str]
) -> None:
    """At once, and no row is made."""
    assert refused(door.send("POST", "BulkDelete", body)) == expected
    assert door.get("asyncoperations")["value"] == []
