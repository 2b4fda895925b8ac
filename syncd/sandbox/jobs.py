"""
`BulkDelete`, which Dataverse does in its own time (dataverse-web-api.md section 4.4).

A job waits through the request after the one that ordered it, as the asynchronous service would
let it wait, and is done before the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from syncd.sandbox import errors, writes
from syncd.sandbox.answers import JSON, Answer, Call
from syncd.sandbox.columns import Table
from syncd.sandbox.store import Row, Rows, Store
from syncd.sandbox.switches import Switches
from syncd.sandbox.tables import CALLER, TABLES
from syncd.sandbox.writes import Stamp

__all__ = ["BULK_DELETE", "Jobs"]

BULK_DELETE = "BulkDelete"
OPERATION_TYPE = 13
SUCCEEDED, FAILED = 30, 31
LONGEST = 512

Test = Callable[[Row], bool]


class Condition(msgspec.Struct, forbid_unknown_fields=True):
    """One comparison of a QueryExpression."""

    AttributeName: str
    Operator: str
    Values: list[Any] = []
    type: str | None = msgspec.field(default=None, name="@odata.type")
    EntityName: str | None = None


class Criteria(msgspec.Struct, forbid_unknown_fields=True):
    """Comparisons that all hold, or of which one does."""

    FilterOperator: str = "And"
    Conditions: list[Condition] = []
    Filters: list[Criteria] = []
    type: str | None = msgspec.field(default=None, name="@odata.type")


class Query(msgspec.Struct):
    """The part of a QueryExpression that says which rows."""

    EntityName: str
    Criteria: Criteria = msgspec.field(default_factory=Criteria)


class Ordered(msgspec.Struct):
    """The body of the action."""

    JobName: str
    QuerySet: list[Query]


@dataclass(frozen=True, slots=True)
class Job:
    """What waits to be deleted."""

    key: str
    queries: tuple[tuple[Rows, Test], ...]
    seen: bool = False


class Jobs:
    """The asynchronous service of one store. Whoever calls holds the lock."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self._store = store
        self._switches = switches
        self.waiting: list[Job] = []

    def order(self, call: Call) -> Answer:
        """Take a job. Raises Refused: the body is none, or names tables or columns we have not."""
        try:
            asked = msgspec.json.decode(call.body, type=Ordered)
        except msgspec.MsgspecError as error:
            raise errors.payload(f"The body of {BULK_DELETE} cannot be read: {error}.") from None
        queries = tuple(self._query(each) for each in asked.QuerySet)
        body: dict[str, object] = {
            "name": asked.JobName[:256],
            "operationtype": OPERATION_TYPE,
            "messagename": BULK_DELETE,
        }
        table = TABLES["asyncoperation"]
        key = writes.create(self._store, table, body, Stamp(call.now, CALLER))
        self.waiting.append(Job(key, queries))
        context = f"{call.base}/$metadata#Microsoft.Dynamics.CRM.BulkDeleteResponse"
        content = msgspec.json.encode({"@odata.context": context, "JobId": key})
        return Answer(200, {"OData-Version": "4.0", "Content-Type": JSON}, content)

    def run(self, now: str) -> None:
        """Do the jobs that have waited through a request; those that came with it wait on."""
        due = [job for job in self.waiting if job.seen]
        self.waiting = [replace(job, seen=True) for job in self.waiting if not job.seen]
        for job in due:
            self._run(job, Stamp(now, CALLER))

    def _query(self, query: Query) -> tuple[Rows, Test]:
        rows = self._store.tables.get(query.EntityName)
        if rows is None:
            raise errors.argument(f"The entity '{query.EntityName}' does not exist.")
        return rows, _criteria(rows.table, query.Criteria)

    def _run(self, job: Job, stamp: Stamp) -> None:
        failed = 0
        for number, (rows, passes) in enumerate(job.queries):
            for key in [str(row[0]) for row in rows.by_key.values() if passes(row)]:
                try:
                    self._switches.admit(rows.table.name, "Delete")
                    writes.delete(self._store, rows, key, stamp)
                except errors.Refused as refused:
                    failed += 1
                    self._note(job, (number, rows.table.name, key), refused, stamp)
        if job.key in self._store.tables["asyncoperation"].by_key:
            status = FAILED if failed else SUCCEEDED
            done = {"statecode": 3, "statuscode": status, "completedon": stamp.now}
            rows = self._store.tables["asyncoperation"]
            writes.update(self._store, rows, job.key, done, stamp)

    def _note(
        self, job: Job, at: tuple[int, str, str], refused: errors.Refused, stamp: Stamp
    ) -> None:
        number, name, key = at
        failure = TABLES["bulkdeletefailure"]
        body: dict[str, object] = {
            "asyncoperationid@odata.bind": f"/asyncoperations({job.key})",
            "errordescription": refused.message[:LONGEST],
            "orderedqueryindex": number,
        }
        if f"regardingobjectid_{name}" in failure.navs:
            row = f"/{TABLES[name].set_name}({key})"
            body[f"regardingobjectid_{name}@odata.bind"] = row
        writes.create(self._store, failure, body, stamp)


def _criteria(table: Table, criteria: Criteria) -> Test:
    tests = [_condition(table, each) for each in criteria.Conditions]
    tests += [_criteria(table, each) for each in criteria.Filters]
    if criteria.FilterOperator == "Or":
        return lambda row: any(test(row) for test in tests)
    return lambda row: all(test(row) for test in tests)


def _condition(table: Table, condition: Condition) -> Test:
    names = {column.name: at for at, column in enumerate(table.columns)}
    at = names.get(condition.AttributeName)
    if at is None:
        raise errors.argument(
            f"'{table.name}' entity doesn't contain attribute with Name = "
            f"'{condition.AttributeName}'."
        )
    values = {_folded(_value(each)) for each in condition.Values}
    match condition.Operator:
        case "Equal" | "In":
            return lambda row: _folded(row[at]) in values
        case "NotEqual" | "NotIn":
            return lambda row: _folded(row[at]) not in values
        case "Null":
            return lambda row: row[at] is None
        case "NotNull":
            return lambda row: row[at] is not None
    raise errors.argument(f"The condition operator '{condition.Operator}' is not supported here.")


def _value(given: object) -> object:
    return given.get("Value") if isinstance(given, Mapping) else given


def _folded(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value
