"""From a change to its request, and from a row as read to whether the change was made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from syncd.connectors.dataverse.batch import Operation
from syncd.core.ledger import Message
from syncd.core.model import Action, Membership
from syncd.core.plan import Change

__all__ = [
    "ENTITY_SET",
    "Refused",
    "Wire",
    "done",
    "request",
    "target",
    "untouched",
    "way",
]

ENTITY_SET = "usermobileofflineprofilememberships"
_json = msgspec.json.Encoder().encode
_shape = bytes.maketrans(b"0123456789abcdef#", b"################?")
GUID = b"########-####-####-####-############"
"""What a GUID in lower case looks like when each of its digits is a #."""
_etag = re.compile(r'(?:W/)?"[!#-~]*"').fullmatch
STATE = {
    # statecode and statuscode are written as a pair (dataverse-web-api.md section 2.2)
    Action.REACTIVATE: '{"statecode":0,"statuscode":1}',
    Action.DEACTIVATE: '{"statecode":1,"statuscode":2}',
    Action.FLAG: '{"hasmobileofflineprofileidconflict":true}',
    Action.UNFLAG: '{"hasmobileofflineprofileidconflict":false}',
}
Refused = Mapping[Message, str]
"""What the environment does not do, with its sentences: as it was when a request was begun."""
NOBODY = '{"SystemUserId@odata.bind":null}'


@dataclass(frozen=True, slots=True)
class Wire:
    """
    Where requests go: `path` is the Web API root on its host, `root` the same as a url.

    Both end with a slash. `run` is stamped on new rows.
    """

    path: str
    root: str
    run: int


def way(change: Change, refused: Refused) -> Message | None:
    """
    Return the message by which a change is made here; None where every one is refused.

    What an environment does not delete is emptied, what it does not update is associated
    (dataverse-web-api.md section 2.4). A row that could not be made anew is not deleted.
    """
    if not refused:
        action = change.action
        if action is REMOVE:
            return DELETE
        return CREATE if action is MAKE and change.version is None else UPDATE
    return next((each for each in _ways(change, refused) if each not in refused), None)


MAKE, MOVE, REMOVE = Action.CREATE, Action.MOVE, Action.REMOVE
CREATE, UPDATE, DELETE = Message.CREATE, Message.UPDATE, Message.DELETE
"""By these names because looking a member up takes longer than all else that is done here."""


def _ways(change: Change, refused: Refused) -> tuple[Message, ...]:
    """List the messages that would make a change, the best first."""
    match change.action:
        case Action.CREATE if change.version is None:
            return (Message.CREATE,)
        case Action.CREATE | Action.MOVE:
            return Message.UPDATE, Message.ASSOCIATE
        case Action.REMOVE if change.user is None:
            return (Message.DELETE,)
        case Action.REMOVE if Message.CREATE not in refused:
            return Message.DELETE, Message.UPDATE, Message.DISASSOCIATE
        case Action.REMOVE:
            return Message.UPDATE, Message.DISASSOCIATE, Message.DELETE
        case _:
            return (Message.UPDATE,)


def request(
    change: Change, message: Message, wire: Wire, version: str | None, guard: str | None, stage: int
) -> Operation:
    """
    Return the request that makes *change* by *message* to a row of that *version*.

    *guard* is the precondition to send, if any. A create that takes a row by Associate has
    two stages: the profile while the row is nobody's, then the user. Raises ValueError
    with a sentence if an id is no GUID or a version is missing: nothing unchecked may
    enter a request.
    """
    if message is CREATE:
        return Operation("POST", wire.path + ENTITY_SET, target(change, wire.run), None, message)
    if version is None or not _etag(version):
        raise ValueError("the change names no version of the row that it is about; plan again")
    (row,) = _ids(change.membership)
    place = f"{wire.path}{ENTITY_SET}({row})"
    if message is UPDATE:
        return Operation("PATCH", place, _changed(change), guard or "*", message)
    if message is DELETE:
        return Operation("DELETE", place, None, guard, message)
    if message is Message.DISASSOCIATE:
        return Operation("DELETE", f"{place}/SystemUserId/$ref", None, None, message)
    name, body = _reference(change, wire.root, stage)
    return Operation("PUT", f"{place}/{name}/$ref", body, None, message)


def target(change: Change, run: int) -> str:
    """Return a new row as JSON, as POST and CreateMultiple take it. Raises ValueError."""
    membership, user, profile = _ids(change.membership, change.user, change.after)
    name = "" if change.title is None else f'"name":{_json(change.title).decode()},'
    return (
        f'{{"usermobileofflineprofilemembershipid":"{membership}",{name}'
        f'"importsequencenumber":{run:d},{_owned(user)},{_bound(profile)}}}'
    )


def _changed(change: Change) -> str:
    """Return what an update writes."""
    if change.action is MOVE:
        (profile,) = _ids(change.after)
        return f"{{{_bound(profile)}}}"
    match change.action:
        case Action.REMOVE:
            return NOBODY
        case Action.CREATE:
            user, profile = _ids(change.user, change.after)
            name = "" if change.title is None else f'"name":{_json(change.title).decode()},'
            return f"{{{name}{_owned(user)},{_bound(profile)}}}"
        case _:
            return STATE[change.action]


def _reference(change: Change, root: str, stage: int) -> tuple[str, str]:
    """Return the lookup that is set, and to what."""
    if stage:
        (user,) = _ids(change.user)
        return "SystemUserId", f'{{"@odata.id":"{root}systemusers({user})"}}'
    (profile,) = _ids(change.after)
    return "MobileOfflineProfileId", f'{{"@odata.id":"{root}mobileofflineprofiles({profile})"}}'


def _owned(user: str) -> str:
    return f'"SystemUserId@odata.bind":"/systemusers({user})"'


def _bound(profile: str) -> str:
    return f'"MobileOfflineProfileId@odata.bind":"/mobileofflineprofiles({profile})"'


def _ids(*values: str | None) -> tuple[str, ...]:
    # Each id of each change comes by here, and a pattern would take three times as long.
    for value in values:
        if value is None or value.encode("ascii", "replace").translate(_shape) != GUID:
            raise ValueError("the change names an id that is no GUID in lower case; plan again")
    return values  # type: ignore[return-value]  # none is None


def done(change: Change, row: Membership | None) -> bool:
    """Whether *row*, as read, is what *change* leaves behind; None is a row that is not there."""
    match change.action:
        case Action.REMOVE:
            return row is None or (row.user is None and change.user is not None)
        case Action.DEACTIVATE:
            return row is None or not row.active
        case Action.FLAG:
            return row is not None and row.flagged
        case Action.UNFLAG:
            return row is not None and not row.flagged
        case _:
            given = None if row is None or not row.active else (row.user, row.profile)
            return given == (change.user, change.after)


def untouched(change: Change, row: Membership | None, version: str | None, stage: int = 0) -> bool:
    """Whether the row is as it was when *change* was sent, so that it may be sent again."""
    if version is None:
        return row is None
    if stage:  # the row has its profile, and nobody yet
        return row is not None and row.active and (row.user, row.profile) == (None, change.after)
    return row is not None and row.version == version
