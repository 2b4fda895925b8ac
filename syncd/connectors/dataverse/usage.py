"""
What syncd uses of an environment: the one list of tables, columns, names and rights.

A test holds it against every request that reads and writes send. Types are those that
metadata names (domain.md appendix A), rights those of domain.md section 11.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd.core.model import Rung
from syncd.core.uses import Column, Lookup, Right, TableUse

__all__ = ["LOOKUP", "MEMBERSHIP", "RUNGS", "tables"]

MEMBERSHIP = "usermobileofflineprofilemembership"
TEXT = frozenset({"String", "Memo"})
GUID = frozenset({"Uniqueidentifier"})
LOOKUP = frozenset({"Lookup"})
FLAG = frozenset({"Boolean"})
CHOICE = frozenset({"Picklist"})
MOMENT = frozenset({"DateTime"})
NUMBER = frozenset({"Integer"})
STATE = frozenset({"State"})
IDS = GUID | LOOKUP
"""What the ids of an intersection are, which have no relationship of their own."""


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, TEXT) for name in names)


ROWS = TableUse(
    MEMBERSHIP,
    "usermobileofflineprofilememberships",
    f"{MEMBERSHIP}id",
    (
        Column(f"{MEMBERSHIP}id", GUID, created=True),
        Column("systemuserid", LOOKUP, created=True, updated=True),
        Column("mobileofflineprofileid", LOOKUP, created=True, updated=True),
        Column("name", TEXT, created=True, updated=True, length=100),
        Column("importsequencenumber", NUMBER, created=True),
        Column("hasmobileofflineprofileidconflict", FLAG, updated=True),
        Column("statecode", STATE, updated=True),
        Column("statuscode", frozenset({"Status"}), updated=True),
        Column("createdon", MOMENT),
    ),
    (
        Lookup("systemuserid", "SystemUserId", "systemuser"),
        Lookup("mobileofflineprofileid", "MobileOfflineProfileId", "mobileofflineprofile"),
    ),
    (
        Right("Read", "syncd does not see who has which profile"),
        Right("Create", "nobody can be given a profile"),
        Right("Write", "nobody can be given another profile"),
        Right("Delete", "nobody's profile can be taken away"),
        Right("Append", "a row can be given neither user nor profile"),
    ),
    versions=True,
    tracked=True,
)
USERS = TableUse(
    "systemuser",
    "systemusers",
    "systemuserid",
    (
        Column("systemuserid", GUID),
        *_text("domainname", "fullname"),
        Column("azureactivedirectoryobjectid", GUID),
        Column("applicationid", GUID),
        *(Column(name, CHOICE) for name in ("accessmode", "systemmanagedusertype", "deletedstate")),
        *(Column(name, FLAG) for name in ("isintegrationuser", "setupuser", "isdisabled")),
        Column("mobileofflineprofileid", LOOKUP),
    ),
    rights=(
        Right("Read", "syncd does not see all users, and finds no user for the others' people"),
        Right("AppendTo", "rows cannot be given to users"),
    ),
    tracked=True,
)
PROFILES = TableUse(
    "mobileofflineprofile",
    "mobileofflineprofiles",
    "mobileofflineprofileid",
    (
        Column("mobileofflineprofileid", GUID),
        *_text("name"),
        Column("componentstate", CHOICE),
        Column("publishedon", MOMENT),
    ),
    rights=(
        Right("Read", "syncd does not see the profiles that rules name"),
        Right("AppendTo", "rows cannot be given a profile"),
    ),
)
TEAM_ROWS = TableUse(
    "teammobileofflineprofilemembership",
    "teammobileofflineprofilememberships",
    "teammobileofflineprofilemembershipid",
    (
        Column("teamid", LOOKUP),
        Column("mobileofflineprofileid", LOOKUP),
        Column("statecode", STATE),
    ),
    rights=(Right("Read", "syncd does not see which profiles teams bring"),),
)
MEMBERS = TableUse(
    "teammembership",
    "teammemberships",
    "teammembershipid",
    (Column("systemuserid", IDS), Column("teamid", IDS)),
)
TEAMS = TableUse(
    "team",
    "teams",
    "teamid",
    (Column("teamid", GUID), *_text("name")),
    rights=(Right("Read", "it is not seen whom teams bring profiles", everywhere=False),),
    vital=False,
)
MAPPINGS = TableUse(
    "usermapping",
    "usermappings",
    "usermappingid",
    (
        Column("usermappingid", GUID),
        Column("partnerapplicationtype", CHOICE),
        *_text("claimtype", "systemuserattributename"),
    ),
    rights=(Right("Read", "the rung usermapping of policy.match cannot be used"),),
)
"""Used only where the ladder names its rung."""
RUNGS = {Rung.EMPLOYEE_ID: "employeeid", Rung.MAIL: "internalemailaddress"}
"""Columns of users that nothing but a rung needs."""


def tables(match: Sequence[Rung]) -> tuple[TableUse, ...]:
    """Return what is used where people are matched so."""
    extra = _text(*(RUNGS[rung] for rung in match if rung in RUNGS))
    users = TableUse(
        USERS.name, USERS.entity_set, USERS.key, USERS.columns + extra,
        rights=USERS.rights, tracked=USERS.tracked,
    )  # fmt: skip
    further = (MAPPINGS,) if Rung.USERMAPPING in match else ()
    return ROWS, users, PROFILES, TEAM_ROWS, MEMBERS, TEAMS, *further
