"""What is read from an environment: pages of rows, decoded into the core's plain tuples."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import Annotated, TypeVar
from urllib.parse import quote

import msgspec

from syncd.connectors.dataverse.answers import Page, readable
from syncd.connectors.dataverse.hinted import with_hints
from syncd.connectors.dataverse.pages import Trail, changes, check, in_one, pages
from syncd.connectors.dataverse.parts import in_parts
from syncd.connectors.dataverse.sifting import Sheet, Sieve, Versioned, sheets
from syncd.connectors.dataverse.writes import ENTITY_SET
from syncd.connectors.http import Channel
from syncd.core.errors import TargetIncomplete
from syncd.core.hints import Hint
from syncd.core.identity import guid, text
from syncd.core.model import Membership, Rung
from syncd.core.ports import (
    MembershipRow,
    Pages,
    ProfileRow,
    Remembered,
    TeamProfileRow,
    UserRow,
)

__all__ = [
    "fetch",
    "memberships",
    "memberships_since",
    "named",
    "profiles",
    "team_profiles",
    "users",
    "users_since",
]

Id = Annotated[str, msgspec.Meta(min_length=36, max_length=36)]
Etag = Annotated[str, msgspec.Meta(min_length=1)]
MEMBERSHIP_COLUMNS = (
    "usermobileofflineprofilemembershipid,_systemuserid_value,_mobileofflineprofileid_value,"
    "statecode,hasmobileofflineprofileidconflict,createdon"
)
USER_COLUMNS = (
    "systemuserid,domainname,fullname,azureactivedirectoryobjectid,applicationid,accessmode,"
    "isintegrationuser,setupuser,systemmanagedusertype,isdisabled,deletedstate,"
    "_mobileofflineprofileid_value"
)
RUNG_COLUMNS = {Rung.EMPLOYEE_ID: "employeeid", Rung.MAIL: "internalemailaddress"}
"""Columns that nothing but a rung needs."""
PEOPLE = (0, 1, 2, None)
"""Access modes of people; a row without one has the table's default, which is 0."""
STUB = 2
IDS_AT_ONCE = 100
"""Rows asked for by id in one request: keeps the url below 32,768 characters."""
_guid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


class _Membership(msgspec.Struct, gc=False):
    etag: Etag = msgspec.field(name="@odata.etag")
    id: Id = msgspec.field(name="usermobileofflineprofilemembershipid")
    user: Id | None = msgspec.field(name="_systemuserid_value", default=None)
    profile: Id | None = msgspec.field(name="_mobileofflineprofileid_value", default=None)
    state: int | None = msgspec.field(name="statecode", default=0)
    flagged: bool | None = msgspec.field(name="hasmobileofflineprofileidconflict", default=False)
    created_on: str | None = msgspec.field(name="createdon", default="")


class _User(msgspec.Struct, gc=False):
    etag: Etag = msgspec.field(name="@odata.etag")
    id: Id = msgspec.field(name="systemuserid")
    user_name: str | None = msgspec.field(name="domainname", default=None)
    full_name: str | None = msgspec.field(name="fullname", default=None)
    object_id: str | None = msgspec.field(name="azureactivedirectoryobjectid", default=None)
    employee_id: str | None = msgspec.field(name="employeeid", default=None)
    mail: str | None = msgspec.field(name="internalemailaddress", default=None)
    application: str | None = msgspec.field(name="applicationid", default=None)
    access: int | None = msgspec.field(name="accessmode", default=0)
    integration: bool | None = msgspec.field(name="isintegrationuser", default=False)
    setup: bool | None = msgspec.field(name="setupuser", default=False)
    managed: int | None = msgspec.field(name="systemmanagedusertype", default=0)
    disabled: bool | None = msgspec.field(name="isdisabled", default=False)
    deleted: int | None = msgspec.field(name="deletedstate", default=0)
    pointer: Id | None = msgspec.field(name="_mobileofflineprofileid_value", default=None)


class _Profile(msgspec.Struct, gc=False):
    id: Id = msgspec.field(name="mobileofflineprofileid")
    name: str | None = None
    component: int | None = msgspec.field(name="componentstate", default=0)
    published_on: str | None = msgspec.field(name="publishedon", default=None)


class _TeamProfile(msgspec.Struct, gc=False):
    team: Id | None = msgspec.field(name="_teamid_value", default=None)
    profile: Id | None = msgspec.field(name="_mobileofflineprofileid_value", default=None)
    state: int | None = msgspec.field(name="statecode", default=0)


class _TeamMember(msgspec.Struct, gc=False):
    user: Id | None = msgspec.field(name="systemuserid", default=None)
    team: Id | None = msgspec.field(name="teamid", default=None)


_membership_pages = msgspec.json.Decoder(Page[_Membership]).decode
_user_pages = msgspec.json.Decoder(Page[_User]).decode
_profile_pages = msgspec.json.Decoder(Page[_Profile]).decode
_team_profile_pages = msgspec.json.Decoder(Page[_TeamProfile]).decode
_team_member_pages = msgspec.json.Decoder(Page[_TeamMember]).decode


def users(
    channel: Channel,
    size: int,
    match: Sequence[Rung],
    known: set[str],
    hints: Sequence[Hint] = (),
    memory: Remembered | None = None,
) -> Pages[UserRow]:
    """
    Give the users whose id + etag is not *known*; takes those that are out of it.

    Columns that *hints* name are read along; they must have been checked to be there.
    An environment has at least the user that asks: TargetIncomplete if it shows none.
    """
    extra = [RUNG_COLUMNS[rung] for rung in match if rung in RUNG_COLUMNS]
    kind, further, given = _hinted(hints)
    decode = msgspec.json.Decoder(Page[kind]).decode if hints else _user_pages  # type: ignore[valid-type]  # made for these hints
    columns = dict.fromkeys([*USER_COLUMNS.split(","), *extra, *further])
    query = f"systemusers?$select={','.join(columns)}"

    def some(trail: Trail) -> Iterator[list[Sheet]]:
        seen = False
        for page in in_one(channel, query, size, sheets(kind, memory), trail):
            seen = seen or bool(page)
            yield page
        if not seen:
            raise TargetIncomplete(
                f"{channel.host} shows no users at all, not even the one that asks; "
                "check the application user's right to read users"
            )

    sieve = Sieve(channel, "systemusers", kind, decode, known, memory)
    return _unknown(sieve, some, given, _user_ids)


def users_since(
    channel: Channel, size: int, token: str, hints: Sequence[Hint] = ()
) -> Pages[UserRow]:
    """Give the users that changed since *token*, and the ids of those that are gone."""
    kind, _, given = _hinted(hints)
    return _changed(channel, size, token, kind, given, _user_ids)


def _hinted(
    hints: Sequence[Hint],
) -> tuple[type[_User], Sequence[str], Callable[[Sequence[_User]], list[UserRow]]]:
    """Return how users are read: as what, with which further columns, and what they become."""
    if not hints:
        return _User, (), _users
    kind, columns, pairs = with_hints(_User, hints)
    return (
        kind,
        columns,
        lambda page: [(*row[:10], pairs(raw)) for raw, row in zip(page, _users(page), strict=True)],
    )


def named(channel: Channel, size: int, reference: str) -> list[UserRow]:
    """Give the users whose id, object id, user name or mail is *reference*, and maybe others."""
    key = guid(reference)
    names, value = ("domainname", "internalemailaddress"), text(reference).replace("'", "''")
    condition = " or ".join(f"{name} eq '{value}'" for name in names)
    if _guid(key):
        condition = f"systemuserid eq {key} or azureactivedirectoryobjectid eq {key}"
    columns = f"{USER_COLUMNS},{RUNG_COLUMNS[Rung.MAIL]}"
    query = f"systemusers?$select={columns}&$filter={quote(condition, safe='')}"
    rows = list(chain.from_iterable(pages(channel, query, size, _user_pages)))
    check(channel, map(_user_ids, rows))
    return _users(rows)


def memberships(
    channel: Channel,
    size: int,
    known: set[str],
    profiles: Sequence[str],
    memory: Remembered | None = None,
) -> Pages[MembershipRow]:
    """Give the membership rows that are not *known*, likewise; *profiles* are all there are."""
    query = f"{ENTITY_SET}?$select={MEMBERSHIP_COLUMNS}"

    def some(trail: Trail) -> Iterator[list[Sheet]]:
        return in_parts(channel, query, size, sheets(_Membership, memory), profiles, trail)

    sieve = Sieve(channel, ENTITY_SET, _Membership, _membership_pages, known, memory)
    return _unknown(sieve, some, _memberships, _membership_ids)


def memberships_since(channel: Channel, size: int, token: str) -> Pages[MembershipRow]:
    """Give the membership rows that changed since *token*, likewise."""
    return _changed(channel, size, token, _Membership, _memberships, _membership_ids)


def profiles(channel: Channel, size: int) -> list[ProfileRow]:
    """Give every profile; one counts as published when its state says so and it ever was."""
    query = "mobileofflineprofiles?$select=mobileofflineprofileid,name,componentstate,publishedon"
    rows = list(chain.from_iterable(pages(channel, query, size, _profile_pages)))
    check(channel, ((row.id,) for row in rows))
    return [
        (row.id.lower(), row.name or "", not row.component and row.published_on is not None)
        for row in rows
    ]


def team_profiles(channel: Channel, size: int) -> list[TeamProfileRow]:
    """Give user, profile and team for each active team membership; no team, no second read."""
    query = (
        "teammobileofflineprofilememberships"
        "?$select=_teamid_value,_mobileofflineprofileid_value,statecode"
    )
    brought: dict[str, set[str]] = {}
    for row in chain.from_iterable(pages(channel, query, size, _team_profile_pages)):
        if not row.state and row.team and row.profile:
            brought.setdefault(row.team.lower(), set()).add(row.profile.lower())
    if not brought:
        return []
    found: set[TeamProfileRow] = set()
    query = "teammemberships?$select=systemuserid,teamid"
    for member in chain.from_iterable(pages(channel, query, size, _team_member_pages)):
        if member.user and member.team:
            user, team = member.user.lower(), member.team.lower()
            found.update((user, profile, team) for profile in brought.get(team, ()))
    check(channel, found)
    return sorted(found)


def fetch(channel: Channel, size: int, ids: Sequence[str]) -> dict[str, Membership]:
    """Give these rows as they are now; raises as reading does."""
    found: dict[str, Membership] = {}
    for start in range(0, len(ids), IDS_AT_ONCE):
        asked = set(ids[start : start + IDS_AT_ONCE])
        values = ",".join(f"%22{one}%22" for one in sorted(asked))
        query = (
            f"{ENTITY_SET}?$select={MEMBERSHIP_COLUMNS}&$filter=Microsoft.Dynamics.CRM.In("
            f"PropertyName='usermobileofflineprofilemembershipid',PropertyValues=[{values}])"
        )
        rows = list(chain.from_iterable(pages(channel, query, size, _membership_pages)))
        for one, version, user, profile, active, flagged, created_on in _memberships(rows):
            if one in asked:
                found[one] = Membership(one, user, profile, active, flagged, version, created_on)
    return found


Row = TypeVar("Row")
Seen = TypeVar("Seen", bound=Versioned)
Given = TypeVar("Given")
Give = Callable[[Sequence[Row]], list[Given]]
Ids = Callable[[Row], tuple[str | None, ...]]


def _unknown(
    sieve: Sieve[Seen],
    parts: Callable[[Trail], Iterator[list[Sheet]]],
    given: Give[Seen, Given],
    ids: Ids[Seen],
) -> Pages[Given]:
    """Read everything, and give what is not known."""
    trail, channel = Trail(), sieve.channel

    def read() -> Iterator[list[Given]]:
        for sheet in chain.from_iterable(parts(trail)):
            channel.throttle.check()
            news = sieve.news(sheet)
            check(channel, map(ids, news))
            if news:
                yield given(news)
        sieve.end()
        result.token = trail.link

    result: Pages[Given] = Pages(read())
    return result


class _Entry(msgspec.Struct, gc=False):
    """What tells a deletion from a row (dataverse-web-api.md section 1.5)."""

    context: str | None = msgspec.field(name="@odata.context", default=None)
    id: Id | None = None


_entry = msgspec.json.Decoder(_Entry).decode
_change_pages = msgspec.json.Decoder(Page[msgspec.Raw]).decode


def _changed(
    channel: Channel,
    size: int,
    token: str,
    kind: type[Row],
    given: Give[Row, Given],
    ids: Ids[Row],
) -> Pages[Given]:
    """Read what changed since a token; of a row that was deleted only its id is known."""
    trail = Trail()
    decode = msgspec.json.Decoder(kind).decode

    def read() -> Iterator[list[Given]]:
        for page in changes(channel, token, size, _change_pages, trail):
            channel.throttle.check()
            rows = []
            for raw in page:
                gone = _deleted(channel, raw)
                if gone is not None:
                    result.gone.add(gone)
                else:
                    rows.append(readable(channel, token, decode, raw))
            check(channel, map(ids, rows))
            yield given(rows)
        result.token = trail.link

    result: Pages[Given] = Pages(read())
    return result


def _deleted(channel: Channel, raw: msgspec.Raw) -> str | None:
    """Return the id of the row that an entry says was deleted; None if it is a row."""
    entry = readable(channel, "changes", _entry, raw)
    if entry.context is None or not entry.context.endswith("/$deletedEntity") or entry.id is None:
        return None
    check(channel, [(entry.id,)])
    return entry.id.lower()


_membership_ids: Ids[_Membership] = attrgetter("id", "user", "profile")
_user_ids: Ids[_User] = attrgetter("id", "pointer")


# These run for every row of a first read: nothing is called that need not be.


def _memberships(rows: Sequence[_Membership]) -> list[MembershipRow]:
    return [
        (
            row.id.lower(),
            row.etag,
            row.user.lower() if row.user else None,
            row.profile.lower() if row.profile else None,
            not row.state,
            bool(row.flagged),
            row.created_on or "",
        )
        for row in rows
    ]


def _users(rows: Sequence[_User]) -> list[UserRow]:
    return [
        (
            row.id.lower(),
            row.etag,
            row.user_name,
            row.full_name,
            row.object_id.lower() if row.object_id else None,
            row.employee_id,
            row.mail,
            row.access in PEOPLE and not _machine(row),
            bool(row.disabled) or row.deleted == 1,
            row.pointer.lower() if row.pointer else None,
            (),
        )
        for row in rows
    ]


def _machine(row: _User) -> bool:
    """Whether this is no person's account (behaviour.md section 3)."""
    return bool(row.application or row.integration or row.setup or row.managed == STUB)
