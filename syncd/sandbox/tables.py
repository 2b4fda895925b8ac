"""
The tables, from domain.md appendix A and the sections on them.

Columns that the platform keeps on its own tables (a user's object id, a profile's publishing
date) are read-only for a client of Dataverse. Here they can be written over HTTP too, because
whoever plays the directory or the publisher speaks to the sandbox by the same door. The two
membership tables and `usermapping` are as strict as Dataverse.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypedDict, Unpack

from syncd.sandbox.columns import INT_HIGH, Column, Kind, OnDelete, Table, link, table

__all__ = ["BUSINESS_UNIT", "CALLER", "ORGANIZATION", "SETS", "STATUS_STATES", "TABLES"]

CALLER = "5a7d0c00-0000-4000-8000-000000000001"
"""The user behind every request that does not say otherwise: what WhoAmI answers."""
BUSINESS_UNIT = "5a7d0c00-0000-4000-8000-000000000002"
ORGANIZATION = "5a7d0c00-0000-4000-8000-000000000003"
SOLUTION = "fd140aae-4df4-11dd-bd17-0019b9312238"
"""The default solution, which has this id in every environment."""

STATUS_STATES: Mapping[int, int] = MappingProxyType({1: 0, 2: 1})
"""The state that each status belongs to; it is also the only status of its state."""


class Traits(TypedDict, total=False):
    """What the shorthands below pass on to a column."""

    create: bool
    update: bool
    required: bool
    default: int | str | None


def guid(name: str, **more: Unpack[Traits]) -> Column:
    """Describe a GUID that is no lookup."""
    return Column(name, Kind.GUID, name, **more)


def text(name: str, max_length: int, **more: Unpack[Traits]) -> Column:
    """Describe a text with its greatest length in characters."""
    return Column(name, Kind.TEXT, name, max_length=max_length, **more)


def number(name: str, low: int = -(2**31), **more: Unpack[Traits]) -> Column:
    """Describe a whole number of 32 bits."""
    return Column(name, Kind.INTEGER, name, low=low, high=INT_HIGH, **more)


def flag(name: str, *, required: bool = False) -> Column:
    """Describe a Boolean that starts as No."""
    return Column(name, Kind.BOOLEAN, name, default=False, required=required)


def choice(name: str, *labels: str, required: bool = False, update: bool = True) -> Column:
    """Describe a picklist whose values count from 0."""
    options = dict(enumerate(labels))
    return Column(
        name, Kind.CHOICE, name, options=options, default=0, required=required, update=update
    )


def moment(name: str, **more: Unpack[Traits]) -> Column:
    """Describe a date with time."""
    return Column(name, Kind.DATETIME, name, **more)


def key(name: str) -> Column:
    """Describe a primary key: chosen by the client or the server, and then fixed."""
    return guid(name, update=False, required=True)


def audit(*, organization: bool = True) -> tuple[Column, ...]:
    """List the read-only columns that every table keeps about its rows."""
    kept = (
        link("createdby", "systemuser", "createdby", writable=False),
        moment("createdon", create=False, update=False),
        link("createdonbehalfby", "systemuser", "createdonbehalfby", writable=False),
        link("modifiedby", "systemuser", "modifiedby", writable=False),
        moment("modifiedon", create=False, update=False),
        link("modifiedonbehalfby", "systemuser", "modifiedonbehalfby", writable=False),
        Column(
            "versionnumber", Kind.VERSION, "versionnumber", create=False, update=False,
            low=-(2**63), high=2**63 - 1,
        ),
    )  # fmt: skip
    if not organization:
        return kept
    owner = link("organizationid", "organization", "organizationid", writable=False,
                 default=ORGANIZATION)  # fmt: skip
    return (*kept, owner)


def state_pair() -> tuple[Column, ...]:
    """List life cycle and reason: Active (0, 1) or Inactive (1, 2); no row is made inactive."""
    return (
        Column(
            "statecode", Kind.STATE, "statecode", create=False, required=True, default=0,
            options={0: "Active", 1: "Inactive"},
        ),
        Column(
            "statuscode", Kind.STATUS, "statuscode", default=1,
            options={1: "Active", 2: "Inactive"},
        ),
    )  # fmt: skip


def internals() -> tuple[Column, ...]:
    """List the time zone columns that no client needs."""
    return (number("timezoneruleversionnumber", -1), number("utcconversiontimezonecode", -1))


def imported() -> tuple[Column, ...]:
    """List the columns that can be given on create only."""
    return (
        number("importsequencenumber", update=False),
        Column("overriddencreatedon", Kind.DATE, "overriddencreatedon", update=False),
    )


USER_MEMBERSHIP = table(
    "usermobileofflineprofilemembership",
    "usermobileofflineprofilememberships",
    (
        key("usermobileofflineprofilemembershipid"),
        link(
            "systemuserid", "systemuser", "SystemUserId", OnDelete.REMOVE_LINK,
            collection="systemuser_usermobileofflineprofilemembership_SystemUserId",
        ),
        link(
            "mobileofflineprofileid", "mobileofflineprofile", "MobileOfflineProfileId",
            OnDelete.CASCADE,
            collection="mobileofflineprofile_usermobileofflineprofilemembership"
            "_MobileOfflineProfileId",
        ),
        flag("hasmobileofflineprofileidconflict"),
        text("name", 100),
        *state_pair(),
        *imported(),
        *internals(),
        *audit(),
    ),
)  # fmt: skip

TEAM_MEMBERSHIP = table(
    "teammobileofflineprofilemembership",
    "teammobileofflineprofilememberships",
    (
        key("teammobileofflineprofilemembershipid"),
        link(
            "teamid", "team", "TeamId", OnDelete.REMOVE_LINK,
            collection="team_teammobileofflineprofilemembership_TeamId",
        ),
        link(
            "mobileofflineprofileid", "mobileofflineprofile", "MobileOfflineProfileId",
            OnDelete.CASCADE,
            collection="mobileofflineprofile_teammobileofflineprofilemembership"
            "_MobileOfflineProfileId",
        ),
        text("name", 100),
        *state_pair(),
        *imported(),
        *internals(),
        *audit(),
    ),
)  # fmt: skip

PROFILE = table(
    "mobileofflineprofile",
    "mobileofflineprofiles",
    (
        key("mobileofflineprofileid"),
        text("name", 255, required=True),
        text("description", 2000),
        text("introducedversion", 48),
        guid("processid"),
        guid("stageid"),
        text("traversedpath", 1250),
        choice("componentstate", "Published", "Unpublished", "Deleted", "Deleted Unpublished",
               required=True),
        flag("isvalidated", required=True),
        flag("ismanaged", required=True),
        moment("publishedon"),
        guid("mobileofflineprofileidunique"),
        Column("overwritetime", Kind.DATE, "overwritetime", required=True, default="1900-01-01"),
        text("selectedentitymetadata", 1073741823),
        guid("solutionid", required=True, default=SOLUTION),
        *audit(),
    ),
)  # fmt: skip

USER = table(
    "systemuser",
    "systemusers",
    (
        key("systemuserid"),
        guid("azureactivedirectoryobjectid"),
        text("domainname", 1024, required=True),
        text("internalemailaddress", 100, required=True),
        text("personalemailaddress", 100),
        text("windowsliveid", 1024),
        text("sharepointemailaddress", 1024),
        text("employeeid", 100),
        text("governmentid", 100),
        text("userpuid", 100),
        text("fullname", 200),
        text("firstname", 256),
        text("lastname", 256),
        text("jobtitle", 100),
        text("title", 128),
        flag("isdisabled"),
        text("disabledreason", 500),
        choice("deletedstate", "Not deleted", "Soft deleted", required=True),
        moment("azuredeletedon"),
        choice("accessmode", "Read-Write", "Administrative", "Read", "Support User",
               "Non-interactive", "Delegated Admin", required=True),
        choice("systemmanagedusertype", "Entra User", "C2 User", "Impersonable Stub User",
               required=True),
        flag("isintegrationuser", required=True),
        flag("setupuser", required=True),
        flag("islicensed", required=True),
        flag("issyncwithdirectory", required=True),
        number("userlicensetype", required=True, default=-1),
        guid("applicationid"),
        link("businessunitid", "businessunit", "businessunitid", default=BUSINESS_UNIT),
        link("parentsystemuserid", "systemuser", "parentsystemuserid"),
        link("positionid", "position", "positionid"),
        link("territoryid", "territory", "territoryid"),
        link("mobileofflineprofileid", "mobileofflineprofile", "mobileofflineprofileid",
             collection="MobileOfflineProfile_SystemUser"),
        number("identityid", required=True, default=0, create=False, update=False),
        *audit(),
    ),
)  # fmt: skip

TEAM = table(
    "team",
    "teams",
    (
        key("teamid"),
        text("name", 160, required=True),
        choice("teamtype", "Owner", "Access", "AAD Security Group", "AAD Office Group",
               required=True, update=False),
        choice("membershiptype", "Members and guests", "Members", "Owners", "Guests",
               required=True, update=False),
        guid("azureactivedirectoryobjectid", update=False),
        link("businessunitid", "businessunit", "businessunitid", default=BUSINESS_UNIT),
        flag("isdefault"),
        flag("systemmanaged"),
        *audit(),
    ),
)  # fmt: skip


def member(name: str, target: str) -> Column:
    """Describe one side of the users' membership in teams, which Dataverse shows as plain ids."""
    return Column(
        name, Kind.LOOKUP, name, update=False, required=True, target=target,
        on_delete=OnDelete.CASCADE, aliases=(f"_{name}_value",),
    )  # fmt: skip


MEMBER = table(
    "teammembership",
    "teammemberships",
    (
        key("teammembershipid"),
        member("teamid", "team"),
        member("systemuserid", "systemuser"),
        Column("versionnumber", Kind.VERSION, "versionnumber", create=False, update=False,
               low=-(2**63), high=2**63 - 1),
    ),
    unique=("systemuserid", "teamid"),
)  # fmt: skip

MAPPING = table(
    "usermapping",
    "usermappings",
    (
        key("usermappingid"),
        text("claimtype", 100),
        choice("partnerapplicationtype", "SharePoint", "Exchange"),
        text("systemuserattributename", 128),
        link("transactioncurrencyid", "transactioncurrency", "transactioncurrencyid"),
        Column("exchangerate", Kind.DECIMAL, "exchangerate", create=False, update=False),
        *internals(),
        *audit(),
    ),
)

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        each.name: each
        for each in (USER, PROFILE, USER_MEMBERSHIP, TEAM, MEMBER, TEAM_MEMBERSHIP, MAPPING)
    }
)
"""By logical name, in the order in which a world shows them."""

SETS: Mapping[str, Table] = MappingProxyType({each.set_name: each for each in TABLES.values()})
"""By the name in an address."""
