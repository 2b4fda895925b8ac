"""
The tables around the seeds' (domain.md section 12): what refers to a membership, and who may what.

Of each only the columns that a membership's diagnosis needs. All of them can be written, so that
a world or a test can say what the platform would have left behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from syncd.sandbox.columns import Column, Kind, OnDelete, Table, link, regarding, table
from syncd.sandbox.shorthand import (
    BUSINESS_UNIT,
    CALLER,
    ORGANIZATION,
    audit,
    choice,
    flag,
    guid,
    key,
    member,
    memo,
    moment,
    number,
    text,
    version,
)

__all__ = ["NEIGHBOURS", "STANDING"]

USER_ROW, TEAM_ROW = "usermobileofflineprofilemembership", "teammobileofflineprofilemembership"
TARGETS = (USER_ROW, TEAM_ROW, "usermapping")
ROWS = (USER_ROW, TEAM_ROW)


def options(name: str, labels: Mapping[int, str]) -> Column:
    """Describe a picklist whose values do not count from 0."""
    return Column(name, Kind.CHOICE, name, options=labels, default=min(labels))


def owner() -> Column:
    """Describe the owner of a row, who is the caller unless a team or somebody else is."""
    return link("ownerid", "systemuser", "ownerid", default=CALLER)


ASYNC_OPERATION = table(
    "asyncoperation",
    "asyncoperations",
    (
        key("asyncoperationid"),
        text("name", 256),
        options("operationtype", {
            1: "System Event", 13: "Bulk Delete", 23: "Bulk Delete Subprocess",
            90: "CascadeAssign", 91: "CascadeDelete", 203: "Import Solution Async Operation",
            204: "PublishAll Async Operation",
        }),
        text("messagename", 160),
        options("statecode", {0: "Ready", 1: "Suspended", 2: "Locked", 3: "Completed"}),
        options("statuscode", {
            0: "Waiting For Resources", 10: "Waiting", 20: "In Progress", 21: "Pausing",
            22: "Canceling", 30: "Succeeded", 31: "Failed", 32: "Canceled",
        }),
        number("errorcode"),
        memo("message", 100000),
        memo("friendlymessage", 100000),
        guid("correlationid"),
        moment("startedon"),
        moment("completedon"),
        regarding("regardingobjectid", TARGETS, "AsyncOperations"),
        owner(),
        *audit("asyncoperation"),
    ),
)  # fmt: skip

BULK_DELETE_FAILURE = table(
    "bulkdeletefailure",
    "bulkdeletefailures",
    (
        key("bulkdeletefailureid"),
        link("asyncoperationid", "asyncoperation", "asyncoperationid",
             collection="AsyncOperation_BulkDeleteFailures"),
        guid("bulkdeleteoperationid"),
        number("errornumber", -1000000000),
        text("errordescription", 512),
        number("orderedqueryindex", 0),
        regarding("regardingobjectid", TARGETS, "BulkDeleteFailures", OnDelete.CASCADE),
        version(),
    ),
)  # fmt: skip

SYNC_ERROR = table(
    "syncerror",
    "syncerrors",
    (
        key("syncerrorid"),
        text("name", 100),
        text("action", 100),
        text("actiondata", 10000),
        text("requestdata", 10000),
        memo("errorcode", 100),
        text("errormessage", 1000),
        memo("errordetail", 1073741823),
        moment("errortime", required=True, default="1900-01-01T00:00:00Z"),
        choice("errortype", "Conflict", "Record not found", "Record already exists", "Others"),
        regarding("regardingobjectid", ROWS, "SyncErrors", OnDelete.CASCADE),
        owner(),
        *audit("syncerror"),
    ),
)

PROCESS_SESSION = table(
    "processsession",
    "processsessions",
    (
        key("processsessionid"),
        text("name", 100),
        options("statecode", {0: "Incomplete", 1: "Complete"}),
        options("statuscode", {1: "Not Started", 2: "In Progress", 3: "Paused", 4: "Completed",
                               5: "Canceled", 6: "Failed"}),
        number("errorcode"),
        moment("startedon"),
        moment("completedon"),
        regarding("regardingobjectid", TARGETS, "ProcessSession"),
        owner(),
        *audit("processsession"),
    ),
)  # fmt: skip

MAILBOX_FOLDER = table(
    "mailboxtrackingfolder",
    "mailboxtrackingfolders",
    (
        key("mailboxtrackingfolderid"),
        guid("mailboxid"),
        text("exchangefolderid", 120),
        regarding("regardingobjectid", ROWS, "MailboxTrackingFolders", OnDelete.CASCADE),
        owner(),
        *audit("mailboxtrackingfolder"),
    ),
)

ATTRIBUTE_ACCESS = table(
    "principalobjectattributeaccess",
    "principalobjectattributeaccessset",
    (
        key("principalobjectattributeaccessid"),
        guid("attributeid"),
        regarding("objectid", ROWS, "PrincipalObjectAttributeAccesses", OnDelete.CASCADE),
        regarding("principalid", ("systemuser", "team"), "principalobjectattributeaccess"),
        flag("readaccess", required=True),
        flag("updateaccess", required=True),
        version(),
    ),
)  # fmt: skip

ENVIRONMENT = table(
    "organization",
    "organizations",
    (
        key("organizationid"),
        text("name", 160),
        number("expirechangetrackingindays", 0, default=7),
        number("languagecode", 0, default=1033),
        number("maxrecordsforexporttoexcel", 0, default=10000),
        flag("isdisabled"),
        link("defaultmobileofflineprofileid", "mobileofflineprofile",
             "defaultmobileofflineprofileid",
             collection="DefaultMobileOfflineProfile_Organization"),
        version(),
    ),
)  # fmt: skip

UNIT = table(
    "businessunit",
    "businessunits",
    (
        key("businessunitid"),
        text("name", 160, required=True),
        flag("isdisabled"),
        link("parentbusinessunitid", "businessunit", "parentbusinessunitid",
             collection="business_unit_parent_business_unit"),
        *audit("businessunit"),
    ),
)  # fmt: skip

ROLE = table(
    "role",
    "roles",
    (
        key("roleid"),
        text("name", 100, required=True),
        link("businessunitid", "businessunit", "businessunitid", default=BUSINESS_UNIT,
             collection="business_unit_roles"),
        *audit("role"),
    ),
)  # fmt: skip

USER_ROLE = table(
    "systemuserroles",
    "systemuserrolescollection",
    (
        key("systemuserroleid"),
        member("systemuserid", "systemuser"),
        member("roleid", "role"),
        version(),
    ),
    unique=("systemuserid", "roleid"),
)

MESSAGE = table(
    "sdkmessage",
    "sdkmessages",
    (
        key("sdkmessageid"),
        text("name", 256),
        text("categoryname", 25),
        flag("isprivate"),
        flag("autotransact"),
        number("availability"),
        flag("isactive"),
        version(),
    ),
    derived=True,
)

MESSAGE_FILTER = table(
    "sdkmessagefilter",
    "sdkmessagefilters",
    (
        key("sdkmessagefilterid"),
        text("name", 256),
        link("sdkmessageid", "sdkmessage", "sdkmessageid",
             collection="sdkmessageid_sdkmessagefilter"),
        Column("primaryobjecttypecode", Kind.TABLE, "primaryobjecttypecode", max_length=128),
        Column("secondaryobjecttypecode", Kind.TABLE, "secondaryobjecttypecode", max_length=128),
        number("availability"),
        flag("iscustomprocessingstepallowed"),
        flag("isvisible"),
        version(),
    ),
    derived=True,
)  # fmt: skip

PRIVILEGE = table(
    "privilege",
    "privileges",
    (
        key("privilegeid"),
        text("name", 100),
        number("accessright"),
        flag("canbebasic"),
        flag("canbelocal"),
        flag("canbedeep"),
        flag("canbeglobal"),
        version(),
    ),
    derived=True,
)

NEIGHBOURS: Sequence[Table] = (
    ASYNC_OPERATION, BULK_DELETE_FAILURE, SYNC_ERROR, PROCESS_SESSION, MAILBOX_FOLDER,
    ATTRIBUTE_ACCESS, ENVIRONMENT, UNIT, ROLE, USER_ROLE, MESSAGE, MESSAGE_FILTER, PRIVILEGE,
)  # fmt: skip
"""In the order in which a world shows them."""

STANDING: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "organization": {"organizationid": ORGANIZATION, "name": "Contoso"},
        "businessunit": {
            "businessunitid": BUSINESS_UNIT,
            "name": "Contoso",
            "createdon": "2020-01-01T00:00:00Z",
            "_createdby_value": CALLER,
            "modifiedon": "2020-01-01T00:00:00Z",
            "_modifiedby_value": CALLER,
        },
    }
)
"""The rows that are there before a world brings others, by table."""
