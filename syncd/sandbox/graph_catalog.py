"""What users and groups of the directory have (identity-and-sources.md section 2.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from syncd.sandbox.errors import Refused

__all__ = ["DEFAULT", "PROPERTIES", "REQUIRED", "Kind", "accepted", "bad_request", "known"]

EXTENSION = re.compile(r"extension_[0-9a-f]{32}_\w+").fullmatch
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z").fullmatch
SLOTS = tuple(f"extensionAttribute{number}" for number in range(1, 16))
TEXT, BOOL, MOMENTS, TEXTS = "a text", "true or false", "a moment in UTC", "a list of texts"


class Kind(StrEnum):
    """What an object of the directory is; the value is how a path names its set."""

    USER = "users"
    GROUP = "groups"

    @property
    def type(self) -> str:
        """How JSON names its type."""
        return f"#microsoft.graph.{self.name.lower()}"


Shape = str | tuple[str, ...]
"""What a value is; of an object the names of its texts."""

DEFAULT = {
    Kind.USER: (
        "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone",
        "officeLocation", "preferredLanguage", "surname", "userPrincipalName",
    ),
    Kind.GROUP: (
        "createdDateTime", "description", "displayName", "mail", "mailEnabled", "mailNickname",
        "securityEnabled",
    ),
}  # fmt: skip
"""What a read shows that selects nothing, beside the id."""
REQUIRED = {
    Kind.USER: ("accountEnabled", "displayName", "mailNickname", "userPrincipalName"),
    Kind.GROUP: ("displayName", "mailEnabled", "mailNickname", "securityEnabled"),
}
PROPERTIES: Mapping[Kind, Mapping[str, Shape]] = {
    Kind.USER: {
        **dict.fromkeys(
            (
                "city", "companyName", "country", "department", "displayName", "employeeId",
                "employeeType", "givenName", "jobTitle", "mail", "mailNickname", "mobilePhone",
                "officeLocation", "onPremisesDistinguishedName", "onPremisesDomainName",
                "onPremisesImmutableId", "onPremisesSamAccountName", "onPremisesSecurityIdentifier",
                "onPremisesUserPrincipalName", "postalCode", "preferredLanguage", "state",
                "streetAddress", "surname", "usageLocation", "userPrincipalName", "userType",
            ),
            TEXT,
        ),
        **dict.fromkeys(("accountEnabled", "onPremisesSyncEnabled"), BOOL),
        **dict.fromkeys(
            (
                "createdDateTime", "employeeHireDate", "employeeLeaveDateTime",
                "onPremisesLastSyncDateTime",
            ),
            MOMENTS,
        ),
        **dict.fromkeys(("businessPhones", "otherMails", "proxyAddresses"), TEXTS),
        "employeeOrgData": ("costCenter", "division"),
        "onPremisesExtensionAttributes": SLOTS,
    },
    Kind.GROUP: {
        **dict.fromkeys(("description", "displayName", "mail", "mailNickname"), TEXT),
        **dict.fromkeys(("mailEnabled", "securityEnabled"), BOOL),
        "createdDateTime": MOMENTS,
    },
}  # fmt: skip
LONGEST_ID = 16
"""Characters of an employeeId."""


def known(kind: Kind, name: str) -> bool:
    """Say whether objects of a kind have such a property."""
    directory_extension = kind is Kind.USER and EXTENSION(name) is not None
    return name == "id" or name in PROPERTIES[kind] or directory_extension


def accepted(kind: Kind, given: Mapping[str, object]) -> dict[str, object]:
    """Return properties as they are kept. Raises Refused for what an object does not have."""
    found: dict[str, object] = {}
    for name, value in given.items():
        if name.startswith("@") or name == "passwordProfile":
            continue
        if name == "id" or not known(kind, name):
            said = f"Property '{name}' does not exist as a declared property of '{kind.type[1:]}'."
            raise bad_request(said)
        shape = PROPERTIES[kind].get(name, TEXT)
        if value is not None and not _fits(shape, value):
            raise bad_request(f"Invalid value specified for property '{name}'.")
        if name == "employeeId" and len(str(value)) > LONGEST_ID:
            raise bad_request(f"Property '{name}' is longer than {LONGEST_ID} characters.")
        found[name] = value
    return found


def _fits(shape: Shape, value: object) -> bool:
    match shape, value:
        case ("a text", str()) | ("true or false", bool()):
            return True
        case "a moment in UTC", str(text):
            return MOMENT(text) is not None
        case "a list of texts", list(parts):
            return all(isinstance(each, str) for each in parts)
        case tuple(names), dict(parts):
            texts = all(each is None or isinstance(each, str) for each in parts.values())
            return texts and parts.keys() <= set(names)
    return False


def bad_request(message: str) -> Refused:
    """Refuse what is wrong in itself."""
    return Refused(400, "Request_BadRequest", message)
