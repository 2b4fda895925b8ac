"""Everything around one user or one row, read and never written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from syncd.connectors.dataverse import reads
from syncd.connectors.dataverse.asking import NAMES, Asking, document, rows
from syncd.connectors.dataverse.neighbours import OUTLIVING, around, shown
from syncd.connectors.dataverse.writes import ENTITY_SET
from syncd.connectors.http import Channel
from syncd.core.errors import TargetError, UsageError
from syncd.core.identity import guid, login
from syncd.core.inspection import RowSeen, Seen, Stamp, TeamSeen, UserSeen
from syncd.core.ports import UserRow
from syncd.core.preflight import Trouble

__all__ = ["inspect"]

COLUMNS = (
    "usermobileofflineprofilemembershipid,name,_systemuserid_value,_mobileofflineprofileid_value,"
    "statecode,hasmobileofflineprofileidconflict,createdon,_createdby_value,"
    "_createdonbehalfby_value,modifiedon,_modifiedby_value,_modifiedonbehalfby_value"
)
IDS_AT_ONCE = 50
_guid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
Found = Mapping[str, Any]
Answer = TypeVar("Answer")


def inspect(channel: Channel, size: int, reference: str) -> Seen | None:
    """
    Return all that is seen of the user or row that is meant; None if nobody knows it.

    A user is named by id, object id, user name or mail, a row by its id. What may not be
    read is named, and the rest is shown. Raises UsageError where several users are called
    so, and TargetError where nothing can be said at all.
    """
    look = _Look(Asking(channel), size)
    return look.seen(reference)


@dataclass(slots=True)
class _Look:
    """One look, and what stood in its way."""

    asking: Asking
    size: int
    troubles: list[str] = field(default_factory=list)
    profiles: dict[str, str] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)

    def seen(self, reference: str) -> Seen | None:
        key = guid(reference)
        row = self._row(key) if _guid(key) else None
        user = self._user(row, reference)
        if user is None and row is None:
            return self._left_behind(key) if _guid(key) else None
        self.profiles = self._profiles()
        found = [row] if row else self._rows_of(user[0]) if user else []
        return Seen(
            user=None if user is None else self._described(user),
            rows=tuple(self._shown(each) for each in found),
            teams=tuple(self._teams(user[0])) if user else (),
            default_profile=self._default(),
            troubles=tuple(dict.fromkeys(self.troubles)),
        )

    def _told(self, found: Answer | Trouble) -> Answer | None:
        """Return an answer; note why there is none."""
        if isinstance(found, Trouble):
            self.troubles.append(found.sentence)
            return None
        return found

    # --- who and which ----------------------------------------------------------------------

    def _row(self, key: str) -> Found | None:
        query = f"{ENTITY_SET}({key})?$select={COLUMNS}"
        found = self.asking.ask(query, ENTITY_SET, document, NAMES)
        if isinstance(found, Trouble) and found.absent:
            return None
        return self._told(found)

    def _user(self, row: Found | None, reference: str) -> UserRow | None:
        """Return the user that is meant: the row's, or the one who is called so."""
        asked = reference if row is None else str(row.get("_systemuserid_value") or "")
        if not asked:
            return None
        try:
            found = reads.named(self.asking.channel, self.size, asked)
        except TargetError as error:
            if row is None:
                raise
            self.troubles.append(str(error))
            return None
        meant = [each for each in found if _called(each, asked)]
        if len(meant) > 1:
            ids = ", ".join(each[0] for each in meant)
            raise UsageError(
                f"{reference}: {len(meant)} users are called so; name one by its id: {ids}"
            )
        return meant[0] if meant else None

    def _left_behind(self, key: str) -> Seen | None:
        """Return what still refers to a row that is gone; None if nothing does."""
        found = around(self.asking, key, OUTLIVING)
        if not any(each.entries for each in found):
            return None
        return Seen(None, (RowSeen(key, gone=True, neighbours=found),))

    # --- what there is ----------------------------------------------------------------------

    def _profiles(self) -> dict[str, str]:
        try:
            return {key: name for key, name, _ in reads.profiles(self.asking.channel, self.size)}
        except TargetError as error:
            self.troubles.append(str(error))
            return {}

    def _rows_of(self, user: str) -> Sequence[Found]:
        query = f"{ENTITY_SET}?$select={COLUMNS}&$filter=_systemuserid_value%20eq%20{user}"
        found = self._told(self.asking.ask(query, ENTITY_SET, rows, NAMES)) or []
        return sorted(found, key=lambda row: (str(row.get("createdon")), str(_key(row))))

    def _shown(self, row: Found) -> RowSeen:
        key, profile = _key(row), _id(row, "_mobileofflineprofileid_value")
        return RowSeen(
            id=key,
            name=row.get("name"),
            user=_id(row, "_systemuserid_value"),
            user_name=shown(row, "_systemuserid_value"),
            profile=profile,
            profile_name=self._name(profile) or shown(row, "_mobileofflineprofileid_value"),
            active=not row.get("statecode"),
            flagged=bool(row.get("hasmobileofflineprofileidconflict")),
            version=str(row.get("@odata.etag", "")),
            created=self._stamp(row, "created"),
            modified=self._stamp(row, "modified"),
            neighbours=around(self.asking, key),
        )

    def _described(self, user: UserRow) -> UserSeen:
        pointer = user[9]
        return UserSeen(
            id=user[0],
            user_name=user[2],
            full_name=user[3],
            candidate=user[7],
            disabled=user[8],
            pointer=self._name(pointer) or pointer,
            pointer_dangles=bool(pointer and self.profiles and pointer not in self.profiles),
        )

    def _teams(self, user: str) -> Iterator[TeamSeen]:
        query = f"teammemberships?$select=teamid&$filter=systemuserid%20eq%20{user}"
        members = self._told(self.asking.ask(query, "teammemberships", rows)) or []
        ids = sorted({str(each["teamid"]).lower() for each in members if each.get("teamid")})
        names = {
            str(each["teamid"]).lower(): str(each.get("name") or "")
            for each in self._all("teams", "teamid,name", "teamid", ids)
        }
        brought: dict[str, set[str]] = {}
        columns = "_teamid_value,_mobileofflineprofileid_value,statecode"
        table = "teammobileofflineprofilememberships"
        for each in self._all(table, columns, "_teamid_value", ids):
            team, profile = _id(each, "_teamid_value"), _id(each, "_mobileofflineprofileid_value")
            if team and profile and not each.get("statecode"):
                brought.setdefault(team, set()).add(self._name(profile) or profile)
        for team in ids:
            yield TeamSeen(team, names.get(team) or team, tuple(sorted(brought.get(team, ()))))

    def _all(self, table: str, columns: str, column: str, ids: Sequence[str]) -> Iterator[Found]:
        """Give the rows whose column has one of these ids."""
        for start in range(0, len(ids), IDS_AT_ONCE):
            which = " or ".join(f"{column} eq {one}" for one in ids[start : start + IDS_AT_ONCE])
            query = f"{table}?$select={columns}&$filter={quote(which, safe='')}"
            yield from self._told(self.asking.ask(query, table, rows)) or ()

    def _default(self) -> str | None:
        query = "organizations?$select=_defaultmobileofflineprofileid_value"
        found = self._told(self.asking.ask(query, "organizations", rows)) or []
        profile = _id(found[0], "_defaultmobileofflineprofileid_value") if found else None
        return self._name(profile) or profile

    def _stamp(self, row: Found, verb: str) -> Stamp:
        at = row.get(f"{verb}on")
        by, behalf = (self._who(row, f"_{verb}{word}_value") for word in ("by", "onbehalfby"))
        return Stamp(None if at is None else str(at), by, behalf)

    def _who(self, row: Found, name: str) -> str | None:
        """Return the name of whoever did something: lists leave some accounts out."""
        key, called = _id(row, name), shown(row, name)
        if key is None or called != row.get(name):
            return called
        if key not in self.people:
            query = f"systemusers({key})?$select=fullname"
            found = self.asking.ask(query, "systemusers", document)
            there = not isinstance(found, Trouble) and found.get("fullname")
            self.people[key] = str(there or key)
        return self.people[key]

    def _name(self, profile: str | None) -> str | None:
        return self.profiles.get(profile) if profile else None


def _called(user: UserRow, reference: str) -> bool:
    """Whether a user is the one that is meant: the server compares more loosely than we do."""
    if guid(reference) in (user[0], user[4]):
        return True
    return login(reference) in [login(each) for each in (user[2], user[6]) if each]


def _key(row: Found) -> str:
    return str(row.get("usermobileofflineprofilemembershipid", "")).lower()


def _id(row: Found, name: str) -> str | None:
    value = row.get(name)
    return None if value is None else str(value).lower()
