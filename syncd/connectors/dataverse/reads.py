"""What is read from an environment: pages of rows, decoded into the core's plain tuples."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Annotated, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from syncd.connectors.dataverse.answers import Page, Row, read
from syncd.connectors.dataverse.writes import ENTITY_SET
from syncd.connectors.http import Channel
from syncd.core.errors import TargetIncomplete
from syncd.core.identity import guid, text
from syncd.core.model import Membership, Rung
from syncd.core.ports import MembershipRow, ProfileRow, TeamProfileRow, UserRow

__all__ = ["fetch", "memberships", "named", "profiles", "team_profiles", "users"]

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
IDLE_PAGES = 100
"""Pages that may follow each other without bringing a row that was not there before."""
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
    channel: Channel, size: int, match: Sequence[Rung], known: set[str]
) -> Iterator[list[UserRow]]:
    """
    Give the users whose id + etag is not *known*; takes those that are out of it.

    An environment has at least the user that asks: TargetIncomplete if it shows none.
    """
    extra = [RUNG_COLUMNS[rung] for rung in match if rung in RUNG_COLUMNS]
    columns = ",".join([USER_COLUMNS, *extra])
    seen = 0
    for page in _pages(channel, f"systemusers?$select={columns}", size, _user_pages):
        channel.throttle.check()
        seen += len(page)
        rows = list(_news(page, known))
        _check(channel, ((row.id, row.pointer) for row in rows))
        if rows:
            yield [_user(row) for row in rows]
    if not seen:
        raise TargetIncomplete(
            f"{channel.host} shows no users at all, not even the one that asks; "
            "check the application user's right to read users"
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
    rows = list(chain.from_iterable(_pages(channel, query, size, _user_pages)))
    _check(channel, ((row.id, row.pointer) for row in rows))
    return [_user(row) for row in rows]


def memberships(channel: Channel, size: int, known: set[str]) -> Iterator[list[MembershipRow]]:
    """Give the membership rows that are not *known*, likewise."""
    query = f"{ENTITY_SET}?$select={MEMBERSHIP_COLUMNS}"
    for page in _pages(channel, query, size, _membership_pages):
        channel.throttle.check()
        rows = list(_news(page, known))
        _check(channel, ((row.id, row.user, row.profile) for row in rows))
        if rows:
            yield [_membership(row) for row in rows]


def profiles(channel: Channel, size: int) -> list[ProfileRow]:
    """Give every profile; one counts as published when its state says so and it ever was."""
    query = "mobileofflineprofiles?$select=mobileofflineprofileid,name,componentstate,publishedon"
    rows = list(chain.from_iterable(_pages(channel, query, size, _profile_pages)))
    _check(channel, ((row.id,) for row in rows))
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
    for row in chain.from_iterable(_pages(channel, query, size, _team_profile_pages)):
        if not row.state and row.team and row.profile:
            brought.setdefault(row.team.lower(), set()).add(row.profile.lower())
    if not brought:
        return []
    found: set[TeamProfileRow] = set()
    query = "teammemberships?$select=systemuserid,teamid"
    for member in chain.from_iterable(_pages(channel, query, size, _team_member_pages)):
        if member.user and member.team:
            user, team = member.user.lower(), member.team.lower()
            found.update((user, profile, team) for profile in brought.get(team, ()))
    _check(channel, found)
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
        for row in chain.from_iterable(_pages(channel, query, size, _membership_pages)):
            one, version, user, profile, active, flagged, created_on = _membership(row)
            if one in asked:
                found[one] = Membership(one, user, profile, active, flagged, version, created_on)
    return found


class _Versioned(Protocol):
    id: str
    etag: str


Seen = TypeVar("Seen", bound=_Versioned)


def _news(page: Iterable[Seen], known: set[str]) -> Iterator[Seen]:
    """Skip what is known and take it out. This runs for every row: nothing else may."""
    for row in page:
        mark = row.id.lower() + row.etag
        if mark in known:
            known.discard(mark)
        else:
            yield row


def _membership(row: _Membership) -> MembershipRow:
    user, profile = row.user, row.profile
    return (
        row.id.lower(),
        row.etag,
        user.lower() if user else None,
        profile.lower() if profile else None,
        not row.state,
        bool(row.flagged),
        row.created_on or "",
    )


def _user(row: _User) -> UserRow:
    return (
        row.id.lower(),
        row.etag,
        row.user_name,
        row.full_name,
        row.object_id.lower() if row.object_id else None,
        row.employee_id,
        row.mail,
        _candidate(row),
        bool(row.disabled) or row.deleted == 1,
        row.pointer.lower() if row.pointer else None,
    )


def _candidate(row: _User) -> bool:
    """Whether this is a person's account (behaviour.md section 3)."""
    machine = row.application or row.integration or row.setup or row.managed == STUB
    return not machine and row.access in PEOPLE


def _check(channel: Channel, rows: Iterable[tuple[str | None, ...]]) -> None:
    """Refuse ids that are no GUIDs: all of a page at once, because there may be many."""
    ids = [one for row in rows for one in row if one]
    digits = "".join(ids).encode().translate(None, b"-")
    if len(digits) != 32 * len(ids) or digits.translate(None, b"0123456789abcdefABCDEF"):
        raise TargetIncomplete(f"{channel.host} gave a row whose id is no GUID; nothing was used")


def _pages(
    channel: Channel, query: str, size: int, decode: Callable[[bytes], Page[Row]]
) -> Iterator[list[Row]]:
    """
    Give the rows of each page; the next one is on its way while the caller has this one.

    Follows the links as they are written (dataverse-web-api.md section 1.3). Raises
    TargetError unless the last page is reached, TargetIncomplete also where links lead
    on and on but bring nothing.
    """
    headers = {"Prefer": f"odata.maxpagesize={size}"}
    what = query.partition("?")[0]
    first = channel.root + query
    link: str | None = first
    seen: set[str] = set()
    begun: set[object] = set()
    idle = 0
    pool = ThreadPoolExecutor(1, thread_name_prefix="page")
    try:
        coming = pool.submit(read, channel, first, headers, what, decode)
        while link is not None:
            page = coming.result()
            link = page.next
            idle = 0 if _brings(page.value, begun) else idle + 1
            if link is not None:
                _check_link(channel, what, link, seen, idle)
                coming = pool.submit(read, channel, link, headers, what, decode)
            yield page.value
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _brings(page: Sequence[msgspec.Struct], begun: set[object]) -> bool:
    """
    Tell whether a page begins with a row that has not begun one before, and note that it does.

    One look for each page, whatever its size. Of finitely many rows only finitely many
    pages can pass, so that a chain without an end is found out.
    """
    if not page:
        return False
    first = page[0]
    # A row is known by its id whatever its version; those of teams are read without one.
    mark = getattr(first, "id", None) or msgspec.structs.astuple(first)
    new = mark not in begun
    begun.add(mark)
    return new


def _check_link(channel: Channel, what: str, link: str, seen: set[str], idle: int) -> None:
    """Refuse links that do not lead to an end."""
    if link in seen:
        raise TargetIncomplete(
            f"{channel.host} gave the same next link twice while {what} were read"
        )
    if idle >= IDLE_PAGES:
        raise TargetIncomplete(
            f"{channel.host} gave {idle} pages of {what} one after the other that brought no new "
            "row, and a link to yet another; nothing was used. See whether a proxy rewrites its "
            "answers, then run again"
        )
    seen.add(link)
