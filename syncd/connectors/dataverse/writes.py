"""From a change to its request, and from a row as read to whether the change was made."""

from __future__ import annotations

import re

import msgspec

from syncd.connectors.dataverse.batch import Operation
from syncd.core.model import Action, Membership
from syncd.core.plan import Change

__all__ = ["ENTITY_SET", "done", "operation", "untouched"]

ENTITY_SET = "usermobileofflineprofilememberships"
_json = msgspec.json.Encoder().encode
_hex = "[0-9a-f]"
_guids = re.compile(f"(?:{_hex}{{8}}(?:-{_hex}{{4}}){{3}}-{_hex}{{12}} )+").fullmatch
_etag = re.compile(r'(?:W/)?"[!#-~]*"').fullmatch
STATE = {
    # statecode and statuscode are written as a pair (dataverse-web-api.md section 2.2)
    Action.REACTIVATE: '{"statecode":0,"statuscode":1}',
    Action.DEACTIVATE: '{"statecode":1,"statuscode":2}',
    Action.FLAG: '{"hasmobileofflineprofileidconflict":true}',
    Action.UNFLAG: '{"hasmobileofflineprofileidconflict":false}',
}


def operation(change: Change, path: str, run: int, version: str | None) -> Operation:
    """
    Return the request that makes *change* to a row of that *version*.

    *path* is the Web API root on its host, with a slash at its end. Raises ValueError
    with a sentence if an id is no GUID or a version is missing: nothing unchecked may
    enter a request.
    """
    if change.action is Action.CREATE:
        return Operation("POST", path + ENTITY_SET, _created(change, run))
    if version is None or not _etag(version):
        raise ValueError("the change names no version of the row that it is about; plan again")
    (row,) = _ids(change.membership)
    target = f"{path}{ENTITY_SET}({row})"
    match change.action:
        case Action.REMOVE:
            return Operation("DELETE", target, None, version)
        case Action.MOVE:
            (profile,) = _ids(change.after)
            return Operation("PATCH", target, f"{{{_bound(profile)}}}", version)
        case _:
            return Operation("PATCH", target, STATE[change.action], version)


def _created(change: Change, run: int) -> str:
    membership, user, profile = _ids(change.membership, change.user, change.after)
    name = "" if change.title is None else f'"name":{_json(change.title).decode()},'
    return (
        f'{{"usermobileofflineprofilemembershipid":"{membership}",{name}'
        f'"importsequencenumber":{run:d},'
        f'"SystemUserId@odata.bind":"/systemusers({user})",{_bound(profile)}}}'
    )


def _bound(profile: str) -> str:
    return f'"MobileOfflineProfileId@odata.bind":"/mobileofflineprofiles({profile})"'


def _ids(*values: str | None) -> list[str]:
    ids = [value for value in values if value is not None]
    if len(ids) < len(values) or not _guids(" ".join(ids) + " "):
        raise ValueError("the change names an id that is no GUID in lower case; plan again")
    return ids


def done(change: Change, row: Membership | None) -> bool:
    """Whether *row*, as read, is what *change* leaves behind; None is a row that is not there."""
    match change.action:
        case Action.REMOVE:
            return row is None
        case Action.DEACTIVATE:
            return row is None or not row.active
        case Action.FLAG:
            return row is not None and row.flagged
        case Action.UNFLAG:
            return row is not None and not row.flagged
        case _:
            given = None if row is None or not row.active else (row.user, row.profile)
            return given == (change.user, change.after)


def untouched(change: Change, row: Membership | None, version: str | None) -> bool:
    """Whether the row is as it was when *change* was sent, so that it may be sent again."""
    if change.action is Action.CREATE:
        return row is None
    return row is not None and row.version == version
