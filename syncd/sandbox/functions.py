"""Functions of the Web API, bound and unbound (dataverse-web-api.md section 7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from syncd.sandbox import errors, rights
from syncd.sandbox.answers import JSON, Answer, Call
from syncd.sandbox.catalog import FACTS
from syncd.sandbox.definitions import Definitions
from syncd.sandbox.expansion import pieces
from syncd.sandbox.labels import LANGUAGE
from syncd.sandbox.metadata import query_options
from syncd.sandbox.schema_changes import retrieve_changes
from syncd.sandbox.shorthand import BUSINESS_UNIT, CALLER, ORGANIZATION
from syncd.sandbox.store import Store
from syncd.sandbox.tables import SETS, TABLES
from syncd.sandbox.values import guid

__all__ = ["BOUND", "UNBOUND", "VERSION", "Functions"]

VERSION = "9.2.26013.00150"
FUNCTION = re.compile(r"(?:Microsoft\.Dynamics\.CRM\.)?(?P<name>\w+)(?:\((?P<arguments>.*)\))?")
BOUND_CALL = re.compile(
    r"(?P<set>\w+)\((?P<key>[^()]*)\)/Microsoft\.Dynamics\.CRM\.(?P<name>\w+)"
    r"(?:\((?P<arguments>.*)\))?"
)
REFERENCE = re.compile(r"(?P<set>\w+)\((?P<key>[0-9a-fA-F-]{36})\)")
ACCESS = ("Read", "Write", "Append", "AppendTo", "Create", "Delete", "Share", "Assign")
UNBOUND = (
    "RetrieveAvailableLanguages",
    "RetrieveCurrentOrganization",
    "RetrieveMetadataChanges",
    "RetrieveProvisionedLanguages",
    "RetrieveTotalRecordCount",
    "RetrieveVersion",
    "WhoAmI",
)
BOUND = ("RetrievePrincipalAccess", "RetrieveUserPrivileges")
"""Both are functions of one user."""

Arguments = Mapping[str, str]
Response = Mapping[str, Any]


class Functions:
    """Answers functions."""

    def __init__(self, store: Store, definitions: Definitions) -> None:
        self._store = store
        self._definitions = definitions
        self._unbound: Mapping[str, Callable[[Call, Arguments], Response]] = {
            "RetrieveAvailableLanguages": lambda *_: {"LocaleIds": [LANGUAGE]},
            "RetrieveCurrentOrganization": self._current_organization,
            "RetrieveMetadataChanges": self._metadata_changes,
            "RetrieveProvisionedLanguages": lambda *_: {"RetrieveProvisionedLanguages": [LANGUAGE]},
            "RetrieveTotalRecordCount": self._total_record_count,
            "RetrieveVersion": lambda *_: {"Version": VERSION},
            "WhoAmI": self._who_am_i,
        }

    def unbound(self, call: Call) -> Answer:
        """Answer an unbound function. Raises Refused: not there, an argument that is wrong."""
        match = FUNCTION.fullmatch(call.path)
        function = self._unbound.get(match["name"]) if match else None
        if match is None or function is None:
            raise errors.segment(call.path.partition("(")[0])
        if call.method != "GET":
            raise errors.Refused(405, "0x8006088a", f"{match['name']} is a function: use GET.")
        return _answer(call, match["name"], function(call, _arguments(call, match["arguments"])))

    def bound(self, call: Call) -> Answer | None:
        """Answer a function of one row; None if the path is of something else."""
        match = BOUND_CALL.fullmatch(call.path)
        if match is None or match["name"] not in BOUND or match["set"] != "systemusers":
            return None
        user = guid(match["key"])
        if user is None or (user != CALLER and user not in self._store.tables["systemuser"].by_key):
            raise errors.absent("systemuser", match["key"])
        if match["name"] == "RetrieveUserPrivileges":
            response: Response = {"RolePrivileges": rights.held(self._store, user)}
        else:
            response = self._access(user, _arguments(call, match["arguments"]))
        return _answer(call, match["name"], response)

    def _access(self, user: str, given: Arguments) -> Response:
        found = REFERENCE.search(given.get("Target", ""))
        table = SETS.get(found["set"]) if found else None
        if found is None or table is None:
            raise errors.query("RetrievePrincipalAccess needs Target: a reference to a row.")
        if found["key"].lower() not in self._store.tables[table.name].by_key:
            raise errors.absent(table.name, found["key"])
        held = {each["PrivilegeName"] for each in rights.held(self._store, user)}
        facts = FACTS[table.name]
        shown = [f"{kind}Access" for kind in ACCESS if facts.privilege(kind) in held]
        return {"AccessRights": ", ".join(shown) or "None"}

    def _who_am_i(self, _call: Call, _given: Arguments) -> Response:
        organization = self._organization()[0]
        return {"BusinessUnitId": BUSINESS_UNIT, "UserId": CALLER, "OrganizationId": organization}

    def _organization(self) -> tuple[str, str]:
        """Return id and name of the organization, of which there is one."""
        rows = self._store.tables["organization"]
        for key, row in rows.by_key.items():
            return key, str(row[rows.table.positions["name"]])
        return ORGANIZATION, "Contoso"

    def _current_organization(self, call: Call, given: Arguments) -> Response:
        if "AccessType" not in given:
            raise errors.query("RetrieveCurrentOrganization needs AccessType.")
        key, name = self._organization()
        root = urlsplit(call.base)
        site = f"{root.scheme}://{root.netloc}/"
        unique = re.sub(r"\W", "", name).lower()
        services = {
            "WebApplication": site,
            "OrganizationService": f"{site}XRMServices/2011/Organization.svc",
            "OrganizationDataService": f"{site}XRMServices/2011/OrganizationData.svc",
        }
        endpoints = {
            "Count": len(services),
            "IsReadOnly": False,
            "Keys": list(services),
            "Values": list(services.values()),
        }
        return {
            "Detail": {
                "OrganizationId": key,
                "FriendlyName": name,
                "OrganizationVersion": VERSION,
                "EnvironmentId": key,
                "DatacenterId": "00000000-0000-0000-0000-000000000000",
                "Geo": "EMEA",
                "TenantId": "5a7d0c00-0000-4000-8000-000000000004",
                "UrlName": unique,
                "UniqueName": unique,
                "State": "Enabled",
                "SchemaType": "Standard",
                "OrganizationType": "Customer",
                "Endpoints": endpoints,
            }
        }

    def _total_record_count(self, _call: Call, given: Arguments) -> Response:
        try:
            text = given.get("EntityNames", "").replace("'", '"')
            names = msgspec.json.decode(text, type=list[str])
        except msgspec.MsgspecError:
            raise errors.query("RetrieveTotalRecordCount needs EntityNames: a list.") from None
        for name in names:
            if name not in TABLES:
                raise errors.Refused(
                    400,
                    "0x80041102",
                    f"The entity with a name = '{name}' with namemapping = 'Logical' was not "
                    "found in the MetadataCache.",
                )
        counts = [len(self._store.tables[name].by_key) for name in names]
        collection = {"Count": len(names), "IsReadOnly": False, "Keys": names, "Values": counts}
        return {"EntityRecordCountCollection": collection}

    def _metadata_changes(self, _call: Call, given: Arguments) -> Response:
        return retrieve_changes(self._definitions, given)


def _arguments(call: Call, text: str | None) -> Arguments:
    """Return the arguments of a call, parameter aliases replaced by what they stand for."""
    options = query_options(call.query)
    given = {}
    for piece in filter(None, pieces(text or "", ",")):
        name, sign, value = piece.strip().partition("=")
        if not sign:
            raise errors.query(f"'{piece[:80]}' is no argument: <name>=<value> is.")
        if value.startswith("@"):
            if value not in options:
                raise errors.query(f"The parameter alias '{value}' has no value.")
            value = options[value]
        given[name] = value
    return given


def _answer(call: Call, name: str, response: Response) -> Answer:
    context = f"{call.base}/$metadata#Microsoft.Dynamics.CRM.{name}Response"
    content = msgspec.json.encode({"@odata.context": context, **response})
    return Answer(200, {"OData-Version": "4.0", "Content-Type": JSON}, content)
