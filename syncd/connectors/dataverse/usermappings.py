"""
The table `usermapping`: which claims are taken from which column of a user.

A row counts for the whole organization (domain.md section 10). Reading is for the rung of
that name; nothing but `syncd usermappings apply` reaches the calls that write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import chain
from typing import Annotated

import httpx
import msgspec

from syncd.connectors.dataverse.answers import Page
from syncd.connectors.dataverse.faults import NO_VERSIONS, Verdict, judge, read_error
from syncd.connectors.dataverse.pages import pages
from syncd.connectors.http import Channel, retry_after
from syncd.core.errors import TargetRefused
from syncd.core.hints import Declared, Hints, glean
from syncd.core.model import Action
from syncd.core.plan import Fault, Result
from syncd.core.usermappings import Deed, Step, Wish, fulfilled

__all__ = ["ENTITY_SET", "carry_out", "columns", "hints", "rows"]

ENTITY_SET = "usermappings"
COLUMNS = "usermappingid,partnerapplicationtype,claimtype,systemuserattributename"
ATTRIBUTES = (
    "EntityDefinitions(LogicalName='systemuser')/Attributes"
    "?$select=LogicalName,AttributeType,IsValidForRead"
)
KINDS = frozenset({"String", "Memo", "Uniqueidentifier"})
"""Types of columns that hold text or a GUID."""


class _Row(msgspec.Struct, gc=False):
    etag: Annotated[str, msgspec.Meta(min_length=1)] = msgspec.field(name="@odata.etag")
    id: Annotated[str, msgspec.Meta(min_length=36, max_length=36)] = msgspec.field(
        name="usermappingid"
    )
    application: int | None = msgspec.field(name="partnerapplicationtype", default=None)
    claim: str | None = msgspec.field(name="claimtype", default=None)
    column: str | None = msgspec.field(name="systemuserattributename", default=None)


class _Attribute(msgspec.Struct, gc=False):
    id: str = msgspec.field(name="LogicalName")
    kind: str | None = msgspec.field(name="AttributeType", default=None)
    readable: bool | None = msgspec.field(name="IsValidForRead", default=True)


_row_pages = msgspec.json.Decoder(Page[_Row]).decode
_attribute_pages = msgspec.json.Decoder(Page[_Attribute]).decode


def rows(channel: Channel, size: int) -> list[Declared]:
    """Give every row, in the order of the ids; raises TargetError unless all were read."""
    query = f"{ENTITY_SET}?$select={COLUMNS}"
    found = chain.from_iterable(pages(channel, query, size, _row_pages))
    declared = (
        Declared(row.id.lower(), row.application, row.claim, row.column, row.etag) for row in found
    )
    return sorted(declared, key=lambda each: each.id)


def columns(channel: Channel, size: int) -> frozenset[str]:
    """Give the columns of `systemuser` that can be read and hold text or a GUID."""
    found = chain.from_iterable(pages(channel, ATTRIBUTES, size, _attribute_pages))
    return frozenset(each.id for each in found if each.kind in KINDS and each.readable is not False)


def hints(channel: Channel, size: int, claims: Mapping[str, str]) -> Hints:
    """Give what the table says about users; without a row nothing else is asked."""
    declared = rows(channel, size)
    return glean(declared, columns(channel, size), claims) if declared else Hints()


# --- writing: for `syncd usermappings apply` alone ----------------------------------------------

ACTIONS = {
    Deed.CREATE: Action.CREATE,
    Deed.UPSERT: Action.CREATE,
    Deed.UPDATE: Action.MOVE,
    Deed.DELETE: Action.REMOVE,
}
"""The change of a membership that an answer is judged like."""
METHODS = {
    Deed.CREATE: "POST", Deed.UPSERT: "PATCH", Deed.UPDATE: "PATCH", Deed.DELETE: "DELETE"
}  # fmt: skip
TRIES = 3
MOVED = "the row is no longer as it was read; look again: syncd usermappings plan"
Ended = tuple[Result, str]


def carry_out(channel: Channel, size: int, step: Step) -> Ended:
    """
    Send one change and say how it ended; a lost answer is settled by reading the table.

    Raises TargetRefused where a right is missing, and what reading raises.
    """
    version, why = step.before.version if step.before else "", ""
    for _ in range(TRIES):
        answer = _send(channel, step, version)
        if isinstance(answer, str):
            why = answer
        else:
            judgement = judge(ACTIONS[step.deed], answer.status_code, answer.content)
            why = judgement.detail
            if judgement.verdict is Verdict.DONE:
                return Result.APPLIED, ""
            if judgement.verdict is Verdict.ALREADY:
                return Result.ALREADY, "the row is gone already"
            if read_error(answer.content).code == NO_VERSIONS:
                version = "*"  # the row is compared below instead
            elif judgement.verdict is Verdict.FAILED:
                return _refused(channel, step, judgement.fault, why)
            elif judgement.verdict is Verdict.WAIT:
                channel.throttle.told(retry_after(answer))
                continue
        ended = _as_read(step, rows(channel, size))
        if ended is not None:
            return ended
    return Result.FAILED, why


def _send(channel: Channel, step: Step, version: str) -> httpx.Response | str:
    """Return the answer, or why there is none; it may have been done all the same."""
    body = None if step.after is None else _body(step.id, step.before, step.after, step.deed)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if step.before is not None:
        headers["If-Match"] = version
    elif step.deed is Deed.UPSERT:
        headers["If-None-Match"] = "*"
    place = ENTITY_SET if step.deed is Deed.CREATE else f"{ENTITY_SET}({step.id})"
    content = None if body is None else json.dumps(body).encode()
    try:
        return channel.send(
            METHODS[step.deed], channel.root + place, headers=headers, content=content, rows=1
        )
    except (httpx.TransportError, httpx.DecodingError) as exc:
        return channel.why(exc)


def _body(ident: str, before: Declared | None, after: Wish, deed: Deed) -> dict[str, object]:
    """Write the columns that change; all of them where there is no row."""
    whole: dict[str, object] = {
        "partnerapplicationtype": after.application,
        "claimtype": after.claim,
        "systemuserattributename": after.column,
    }
    if before is not None:
        known = (before.application, before.claim, before.column)
        return {
            name: value
            for (name, value), old in zip(whole.items(), known, strict=True)
            if value != old
        }
    return {"usermappingid": ident, **whole} if deed is Deed.CREATE else whole


def _as_read(step: Step, found: list[Declared]) -> Ended | None:
    """Say how a change ended by the row as it is now; None if it is to be sent again."""
    row = next((each for each in found if each.id == step.id), None)
    if step.after is None and row is None:
        return Result.APPLIED, "seen to be done"
    if step.after is not None and row is not None and fulfilled(step.after, row):
        return Result.APPLIED, "seen to be done"
    return None if row == step.before else (Result.MOVED, MOVED)


def _refused(channel: Channel, step: Step, fault: Fault, why: str) -> Ended:
    if fault is not Fault.RIGHTS:
        return Result.FAILED, why
    raise TargetRefused(
        f"{channel.host} does not let us {step.deed} a row of {ENTITY_SET}: {why}; by default only "
        "System Administrators may: let one of them do it, or give the application user that right"
    )
