"""Look at everything that syncd needs of an environment, before it needs it; nothing is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx

from syncd.connectors.dataverse import reads
from syncd.connectors.dataverse.answers import decoded
from syncd.connectors.dataverse.asking import Asking, document, rows
from syncd.connectors.dataverse.metadata import described, messages, organization
from syncd.connectors.dataverse.usage import LOOKUP, MEMBERSHIP
from syncd.connectors.http import Channel
from syncd.core.errors import TargetError
from syncd.core.ports import ProfileRow
from syncd.core.preflight import Caller, Facts, Trouble
from syncd.core.uses import TableFound, TableUse

__all__ = ["look"]

TRIPS = 5
WHO_AM_I = "WhoAmI"
CURRENT = (
    "RetrieveCurrentOrganization(AccessType=@p1)"
    "?@p1=Microsoft.Dynamics.CRM.EndpointAccessType'Default'"
)
MESSAGES = (
    "sdkmessagefilters?$select=sdkmessagefilterid"
    f"&$filter=primaryobjecttypecode%20eq%20'{MEMBERSHIP}'"
    "&$expand=sdkmessageid($select=name,isprivate)"
)
COLUMNS = "LogicalName,AttributeType,IsValidForCreate,IsValidForUpdate,IsValidForRead"
DEFINITION = (
    "$select=LogicalName,DisplayName,EntitySetName,PrimaryIdAttribute,TableType,"
    "ChangeTrackingEnabled,IsOptimisticConcurrencyEnabled,Privileges"
    f"&$expand=Attributes($select={COLUMNS}),Keys($select=KeyAttributes,EntityKeyIndexStatus),"
    "ManyToOneRelationships($select=ReferencingAttribute,ReferencedEntity,"
    "ReferencingEntityNavigationPropertyName)"
)
LENGTHS = "Attributes/Microsoft.Dynamics.CRM.StringAttributeMetadata?$select=LogicalName,MaxLength"
DEPTHS = ("Basic", "Local", "Deep", "Global")
NUMBERED = {str(number): name for number, name in enumerate(DEPTHS)}
Found = TypeVar("Found")


def look(
    channel: Channel,
    uses: Sequence[TableUse],
    *,
    signing: str,
    url: str,
    size: int,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> Facts:
    """
    Look at an environment (dataverse-web-api.md section 7).

    *clock* measures how long answers take, *wall* is what this machine takes the time to be,
    in seconds since 1970. Raises Stopped.
    """
    return _Look(Asking(channel), uses, size, clock, wall).facts(url, signing)


@dataclass(slots=True)
class _Look:
    """One look, question by question."""

    asking: Asking
    uses: Sequence[TableUse]
    size: int
    clock: Callable[[], float]
    wall: Callable[[], float]

    def facts(self, url: str, signing: str) -> Facts:
        began = self.wall()
        first = self.asking.first(WHO_AM_I)
        if isinstance(first, tuple):
            return Facts(url, signing, entry=first)
        skew = _skew(first, (began + self.wall()) / 2)
        try:
            body = decoded(self.asking.channel, first, "WhoAmI", document)
        except TargetError as error:
            return Facts(url, signing, entry=("WhoAmI", Trouble(str(error))), skew=skew)
        user = str(body.get("UserId", "")).lower()
        caller = self._caller(user, str(body.get("OrganizationId", "")))
        found = self.asking.ask(CURRENT, "the organization", document)
        tables = {use.name: self._table(use) for use in self.uses}
        readable = {use.name: self._readable(use) for use in self.uses}
        return Facts(
            url,
            signing,
            caller=caller,
            organization=_made(found, organization),
            tables=tables,
            readable=readable,
            messages=_made(self.asking.ask(MESSAGES, "the registered messages", rows), messages),
            privileges=self._privileges(user),
            profiles=self._profiles(),
            skew=skew,
            trips=self._trips(),
            hint=_hint(first),
            retention=self._retention(),
            broken=self.asking.broken,
        )

    def _caller(self, user: str, organization: str) -> Caller:
        query = f"systemusers({user})?$select=fullname"
        found = self.asking.ask(query, "our own user", document)
        name = "" if isinstance(found, Trouble) else str(found.get("fullname") or "")
        return Caller(user, organization, self._roles(user), name)

    def _roles(self, user: str) -> tuple[str, ...]:
        """Return the names of the caller's own roles; those of its teams are not among them."""
        query = f"systemusers({user})/systemuserroles_association?$select=name"
        found = self.asking.ask(query, "our own roles", rows)
        if isinstance(found, Trouble):
            return ()
        return tuple(sorted(str(row["name"]) for row in found if row.get("name")))

    def _table(self, use: TableUse) -> TableFound | Trouble:
        place = f"EntityDefinitions(LogicalName='{use.name}')"
        what = f"the definition of {use.name}"
        found = self.asking.ask(f"{place}?{DEFINITION}", what, document)
        if isinstance(found, Trouble):
            return found
        lengths: dict[str, int] = {}
        if any(column.length for column in use.columns):
            texts = self.asking.ask(f"{place}/{LENGTHS}", what, rows)
            if not isinstance(texts, Trouble):
                lengths = {row["LogicalName"]: row["MaxLength"] for row in texts}
        return _made(found, lambda each: described(each, lengths))

    def _readable(self, use: TableUse) -> Trouble | None:
        """Read one row with all columns that are used; lookups have names of their own."""
        names = (
            f"_{each.name}_value" if each.types == LOOKUP else each.name for each in use.columns
        )
        query = f"{use.entity_set}?$select={','.join(names)}&$top=1"
        found = self.asking.ask(query, use.entity_set, rows)
        return found if isinstance(found, Trouble) else None

    def _privileges(self, user: str) -> Mapping[str, str] | Trouble:
        query = f"systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
        return _made(self.asking.ask(query, "our own privileges", document), _depths)

    def _profiles(self) -> Sequence[ProfileRow] | Trouble:
        if self.asking.broken is not None:
            return Trouble("not looked at: the environment was lost before")
        try:
            return reads.profiles(self.asking.channel, self.size)
        except TargetError as error:
            return Trouble(str(error))

    def _trips(self) -> tuple[float, ...]:
        """Measure requests that do nothing, over a connection that stands."""
        taken = []
        for _ in range(TRIPS):
            began = self.clock()
            if isinstance(self.asking.ask(WHO_AM_I, "WhoAmI", document), Trouble):
                break
            taken.append(self.clock() - began)
        return tuple(taken)

    def _retention(self) -> int | None:
        query = "organizations?$select=expirechangetrackingindays"
        found = self.asking.ask(query, "the organization's settings", rows)
        days = (
            None
            if isinstance(found, Trouble) or not found
            else found[0].get("expirechangetrackingindays")
        )
        return days if isinstance(days, int) else None


def _made(found: Any, make: Callable[[Any], Found]) -> Found | Trouble:
    """Make something of an answer; one of another shape than documented is a trouble, too."""
    if isinstance(found, Trouble):
        return found
    try:
        return make(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Trouble(f"the answer has another shape than documented ({type(error).__name__})")


def _depths(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the widest depth of each privilege, by its id and, if it has one, its name."""
    held: dict[str, str] = {}
    for each in found["RolePrivileges"]:
        depth = NUMBERED.get(str(each["Depth"]), str(each["Depth"]))
        for key in filter(None, (each.get("PrivilegeName"), each["PrivilegeId"])):
            before = held.get(key.lower())
            if before is None or _rank(depth) > _rank(before):
                held[key.lower()] = depth
    return held


def _rank(depth: str) -> int:
    return DEPTHS.index(depth) if depth in DEPTHS else -1


def _skew(response: httpx.Response, ours: float) -> float | None:
    """Return by how many seconds our clock is ahead of the one that answered."""
    try:
        return ours - parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    except (TypeError, ValueError):
        return None


def _hint(response: httpx.Response) -> int | None:
    text = response.headers.get("x-ms-dop-hint", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else None
