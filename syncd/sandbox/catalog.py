"""What metadata says of the tables beyond their rows: names, owners, requirements, privileges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from syncd.sandbox.columns import Column

__all__ = ["FACTS", "PRIVILEGE_TYPES", "RESTRICTED", "Facts"]

PRIVILEGE_TYPES = ("Create", "Read", "Write", "Delete", "Assign", "Share", "Append", "AppendTo")
"""In the order of their numbers: Create is 1."""


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What is said of one table.

    `schemas` lists the names of its columns as the reference spells them, for those with capitals.
    `read_only` are columns that no client of Dataverse can write, though the sandbox lets it.
    `stem` is what the names of its privileges end with.
    """

    schema: str
    display: str
    type_code: int
    stem: str
    primary_name: str | None = "name"
    ownership: str = "OrganizationOwned"
    bulk: bool = True
    custom: bool = False
    intersect: bool = False
    schemas: str = ""
    recommended: frozenset[str] = frozenset()
    read_only: frozenset[str] = frozenset()

    def privilege(self, kind: str) -> str:
        """Return the name of a privilege on the table: kind is one of PRIVILEGE_TYPES."""
        return f"prv{kind}{self.stem}"

    def column_schema(self, column: Column) -> str:
        """Return the schema name of a column."""
        return _spellings(f"{AUDIT} {self.schemas}").get(column.name, column.name)


def _spellings(names: str) -> Mapping[str, str]:
    return {name.lower(): name for name in names.split()}


AUDIT = (
    "CreatedBy CreatedOn CreatedOnBehalfBy ModifiedBy ModifiedOn ModifiedOnBehalfBy "
    "OrganizationId VersionNumber TimeZoneRuleVersionNumber UTCConversionTimeZoneCode "
    "ImportSequenceNumber OverriddenCreatedOn OwnerId RegardingObjectId"
)
NAME = frozenset({"name"})

FACTS: Mapping[str, Facts] = MappingProxyType(
    {
        "systemuser": Facts(
            "SystemUser", "User", 8, "User", "fullname", "BusinessOwned",
            schemas="SystemUserId AzureActiveDirectoryObjectId DomainName InternalEMailAddress "
            "PersonalEMailAddress WindowsLiveID SharePointEmailAddress EmployeeId GovernmentId "
            "UserPuid FullName FirstName LastName JobTitle Title IsDisabled DisabledReason "
            "DeletedState AzureDeletedOn AccessMode SystemManagedUserType IsIntegrationUser "
            "SetupUser IsLicensed IsSyncWithDirectory UserLicenseType ApplicationId "
            "BusinessUnitId ParentSystemUserId PositionId TerritoryId MobileOfflineProfileId "
            "IdentityId",
            recommended=frozenset({"firstname", "lastname"}),
            read_only=frozenset({
                "azureactivedirectoryobjectid", "userpuid", "fullname", "disabledreason",
                "deletedstate", "azuredeletedon",
            }),
        ),
        "mobileofflineprofile": Facts(
            "MobileOfflineProfile", "Mobile Offline Profile", 9866, "MobileOfflineProfile",
            schemas="MobileOfflineProfileId Name Description IntroducedVersion ProcessId StageId "
            "TraversedPath ComponentState IsValidated IsManaged PublishedOn "
            "MobileOfflineProfileIdUnique OverwriteTime SelectedEntityMetadata SolutionId",
            read_only=frozenset({
                "componentstate", "isvalidated", "ismanaged", "publishedon", "overwritetime",
                "mobileofflineprofileidunique", "selectedentitymetadata", "solutionid",
            }),
        ),
        "usermobileofflineprofilemembership": Facts(
            "usermobileofflineprofilemembership", "UserMobileOfflineProfileMembership", 10308,
            "UserMobileOfflineProfileMembership", custom=True,
            schemas="usermobileofflineprofilemembershipId SystemUserId MobileOfflineProfileId "
            "HasMobileOfflineProfileIdConflict",
            recommended=NAME,
        ),
        "team": Facts(
            "Team", "Team", 9, "Team", "name", "BusinessOwned",
            schemas="TeamId Name TeamType MembershipType AzureActiveDirectoryObjectId "
            "BusinessUnitId IsDefault SystemManaged",
            read_only=frozenset({"isdefault", "systemmanaged"}),
        ),
        "teammembership": Facts(
            "TeamMembership", "Team Membership", 23, "Team", None, "None", bulk=False,
            intersect=True, schemas="TeamMembershipId TeamId SystemUserId",
        ),
        "teammobileofflineprofilemembership": Facts(
            "teammobileofflineprofilemembership", "TeamMobileOfflineProfileMembership", 10307,
            "TeamMobileOfflineProfileMembership", custom=True,
            schemas="teammobileofflineprofilemembershipId TeamId MobileOfflineProfileId",
            recommended=NAME,
        ),
        "usermapping": Facts(
            "UserMapping", "User Mapping", 2016, "UserMapping", None, bulk=False,
            schemas="UserMappingId ClaimType PartnerApplicationType SystemUserAttributeName "
            "TransactionCurrencyId ExchangeRate",
        ),
        "asyncoperation": Facts(
            "AsyncOperation", "System Job", 4700, "AsyncOperation", "name", "UserOwned",
            schemas="AsyncOperationId Name OperationType MessageName StateCode StatusCode "
            "ErrorCode Message FriendlyMessage CorrelationId StartedOn CompletedOn",
        ),
        "bulkdeletefailure": Facts(
            "BulkDeleteFailure", "Bulk Delete Failure", 4425, "BulkDeleteFailure", None, "None",
            bulk=False,
            schemas="BulkDeleteFailureId AsyncOperationId BulkDeleteOperationId ErrorNumber "
            "ErrorDescription OrderedQueryIndex",
            recommended=frozenset({"asyncoperationid"}),
        ),
        "syncerror": Facts(
            "SyncError", "Sync Error", 9869, "SyncError", "name", "UserOwned",
            schemas="SyncErrorId Name Action ActionData RequestData ErrorCode ErrorMessage "
            "ErrorDetail ErrorTime ErrorType",
            recommended=NAME,
        ),
        "processsession": Facts(
            "ProcessSession", "Process Session", 4710, "ProcessSession", "name", "UserOwned",
            schemas="ProcessSessionId Name StateCode StatusCode ErrorCode StartedOn CompletedOn",
        ),
        "mailboxtrackingfolder": Facts(
            "MailboxTrackingFolder", "Mailbox Auto Tracking Folder", 9608,
            "MailboxTrackingFolder", None, "UserOwned",
            schemas="MailboxTrackingFolderId MailboxId ExchangeFolderId",
        ),
        "principalobjectattributeaccess": Facts(
            "PrincipalObjectAttributeAccess", "Field Sharing", 44,
            "PrincipalObjectAttributeAccess", None, bulk=False,
            schemas="PrincipalObjectAttributeAccessId AttributeId ObjectId PrincipalId "
            "ReadAccess UpdateAccess",
        ),
        "organization": Facts(
            "Organization", "Organization", 1019, "Organization", "name", "None", bulk=False,
            schemas="Name ExpireChangeTrackingInDays LanguageCode MaxRecordsForExportToExcel "
            "IsDisabled DefaultMobileOfflineProfileId",
        ),
        "businessunit": Facts(
            "BusinessUnit", "Business Unit", 10, "BusinessUnit", "name", "BusinessOwned",
            schemas="BusinessUnitId Name IsDisabled ParentBusinessUnitId",
        ),
        "role": Facts(
            "Role", "Security Role", 1036, "Role", "name", "BusinessOwned",
            schemas="RoleId Name BusinessUnitId",
        ),
        "systemuserroles": Facts(
            "SystemUserRoles", "User Role", 14, "Role", None, "None", bulk=False, intersect=True,
            schemas="SystemUserRoleId SystemUserId RoleId",
        ),
        "sdkmessage": Facts(
            "SdkMessage", "Sdk Message", 4606, "SdkMessage", bulk=False,
            schemas="SdkMessageId Name CategoryName IsPrivate AutoTransact Availability IsActive",
        ),
        "sdkmessagefilter": Facts(
            "SdkMessageFilter", "Sdk Message Filter", 4607, "SdkMessageFilter", bulk=False,
            schemas="SdkMessageFilterId Name SdkMessageId PrimaryObjectTypeCode "
            "SecondaryObjectTypeCode Availability IsCustomProcessingStepAllowed IsVisible",
        ),
        "privilege": Facts(
            "Privilege", "Privilege", 1023, "Privilege", "name", "None", bulk=False,
            schemas="PrivilegeId Name AccessRight CanBeBasic CanBeLocal CanBeDeep CanBeGlobal",
        ),
    }
)  # fmt: skip
"""By the table's logical name."""

RESTRICTED = frozenset(
    {
        ("systemuser", "businessunitid"),
        ("systemuser", "positionid"),
        ("systemuser", "territoryid"),
        ("usermapping", "transactioncurrencyid"),
    }
)
"""Lookups (table, column) that keep the row they name from being deleted (domain.md appendix A)."""
