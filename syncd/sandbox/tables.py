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

from syncd.sandbox.columns import Column, Kind, OnDelete, Table, link, table
from syncd.sandbox.neighbours import NEIGHBOURS
from syncd.sandbox.shorthand import (
    BUSINESS_UNIT,
    CALLER,
    ORGANIZATION,
    SOLUTION,
    audit,
    choice,
    flag,
    guid,
    imported,
    internals,
    key,
    member,
    memo,
    moment,
    number,
    state_pair,
    text,
    version,
)

__all__ = [
    "BUSINESS_UNIT",
    "CALLER",
    "ORGANIZATION",
    "SETS",
    "STATUS_STATES",
    "TABLES",
    "WORLD_SETS",
]

STATUS_STATES: Mapping[int, int] = MappingProxyType({1: 0, 2: 1})
"""The state that each status belongs to; it is also the only status of its state."""


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
        *audit("usermobileofflineprofilemembership"),
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
        *audit("teammobileofflineprofilemembership"),
    ),
)  # fmt: skip

PROFILE = table(
    "mobileofflineprofile",
    "mobileofflineprofiles",
    (
        key("mobileofflineprofileid"),
        text("name", 255, required=True),
        memo("description", 2000),
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
        memo("selectedentitymetadata", 1073741823),
        guid("solutionid", required=True, default=SOLUTION),
        *audit("mobileofflineprofile"),
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
        flag("isdisabled", no="Enabled", yes="Disabled"),
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
        link("businessunitid", "businessunit", "businessunitid", default=BUSINESS_UNIT,
             collection="business_unit_system_users"),
        link("parentsystemuserid", "systemuser", "parentsystemuserid",
             collection="user_parent_user"),
        link("positionid", "position", "positionid", collection="position_users"),
        link("territoryid", "territory", "territoryid", collection="territory_system_users"),
        link("mobileofflineprofileid", "mobileofflineprofile", "mobileofflineprofileid",
             collection="MobileOfflineProfile_SystemUser"),
        number("identityid", required=True, default=0, create=False, update=False),
        *audit("systemuser"),
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
        link("businessunitid", "businessunit", "businessunitid", default=BUSINESS_UNIT,
             collection="business_unit_teams"),
        flag("isdefault"),
        flag("systemmanaged"),
        *audit("team"),
    ),
)  # fmt: skip


MEMBER = table(
    "teammembership",
    "teammemberships",
    (
        key("teammembershipid"),
        member("teamid", "team"),
        member("systemuserid", "systemuser"),
        version(),
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
        link("transactioncurrencyid", "transactioncurrency", "transactioncurrencyid",
             collection="TransactionCurrency_UserMapping"),
        Column("exchangerate", Kind.DECIMAL, "exchangerate", create=False, update=False),
        *internals(),
        *audit("usermapping", "organization_UserMapping"),
    ),
)  # fmt: skip

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        each.name: each
        for each in (
            USER, PROFILE, USER_MEMBERSHIP, TEAM, MEMBER, TEAM_MEMBERSHIP, MAPPING, *NEIGHBOURS
        )
    }
)  # fmt: skip
"""By logical name, in the order in which a world shows them."""

SETS: Mapping[str, Table] = MappingProxyType({each.set_name: each for each in TABLES.values()})
"""By the name in an address."""

WORLD_SETS: Mapping[str, Table] = MappingProxyType(
    {name: table for name, table in SETS.items() if not table.derived}
)
"""Those that a world may bring."""
