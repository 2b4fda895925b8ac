"""Settings of an LDAP directory: where it is, who asks, and what is looked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from syncd.config.believing import COMPARED, SourceCertificate
from syncd.config.person import STRICT, PersonSettings
from syncd.config.values import Duration, File, Secret, Text
from syncd.core.mapping import PersonMapping

__all__ = [
    "CertificateBind",
    "GroupSettings",
    "LdapBind",
    "LdapSource",
    "SearchSettings",
    "SimpleBind",
]


def _url(text: str) -> str:
    try:
        parts = urlsplit(text.strip())
        _ = parts.port
    except ValueError:
        raise ValueError("must be an address that can be read") from None
    if parts.scheme not in {"ldap", "ldaps"} or not parts.hostname:
        raise ValueError('must start with "ldaps://" or "ldap://" and name a host')
    if parts.username or parts.password or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must be a plain address; user and base have settings of their own")
    return text.strip().rstrip("/")


def _not_blank(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value():
        raise ValueError("must not be empty; a server takes that for an anonymous bind")
    return secret


LdapUrl = Annotated[str, AfterValidator(_url)]
"""ldaps:// or ldap://, a host and perhaps a port."""


class SimpleBind(BaseModel):
    """Bind with a name and a password."""

    model_config = STRICT

    method: Literal["simple"] = Field(description="How syncd says who it is.")
    user: Text = Field(
        description="A distinguished name; Active Directory takes `syncd@corp.contoso.com`, too."
    )
    password: Annotated[Secret, AfterValidator(_not_blank)] = Field(
        description="The account's password."
    )


class CertificateBind(BaseModel):
    """Bind by the certificate of the TLS connection (SASL EXTERNAL)."""

    model_config = STRICT

    method: Literal["certificate"] = Field(description="How syncd says who it is.")
    certificate: File = Field(description="The file with the certificate, PEM.")
    key: File | None = Field(
        None, description="The file with its key; the certificate's unless given."
    )


class KerberosBind(BaseModel):
    """Bind with the Kerberos ticket that this process has (SASL GSSAPI)."""

    model_config = STRICT

    method: Literal["kerberos"] = Field(description="How syncd says who it is.")


class AnonymousBind(BaseModel):
    """Bind as nobody."""

    model_config = STRICT

    method: Literal["anonymous"] = Field(description="How syncd says who it is.")


LdapBind = Annotated[
    SimpleBind | CertificateBind | KerberosBind | AnonymousBind, Field(discriminator="method")
]


class SearchSettings(BaseModel):
    """Entries to be read: those below a base that a filter lets through."""

    model_config = STRICT

    base: Text = Field(description="The distinguished name under which to look.")
    filter: Text = Field(description="Which entries, as an LDAP filter.")
    scope: Literal["subtree", "one"] = Field(
        "subtree", description="All levels below the base, or only one."
    )


class GroupSettings(BaseModel):
    """Groups that people are in, also through other groups; they fill the column `groups`."""

    model_config = STRICT

    searches: tuple[SearchSettings, ...] = Field(
        strict=False,
        min_length=1,
        description="Where the groups are: all that are to be told, and all between them.",
    )
    nested: Literal["expand", "in-chain"] = Field(
        "expand",
        description=(
            "How groups in groups are found: by reading the members of all of them, or by asking "
            "Active Directory for everybody below each of a few (primary groups are then left out)."
        ),
    )
    name: Text = Field("cn", description="The attribute that is a group's name for rules.")
    only: tuple[Text, ...] = Field(
        (),
        strict=False,
        description="The names of the groups that rules ask for; all unless given.",
    )


class LdapSource(BaseModel):
    """People from Active Directory or another LDAP directory; needs the extra `syncd[ldap]`."""

    model_config = STRICT

    name: Text = Field(description="What reports call the source.")
    type: Literal["ldap"] = Field(description="The kind of source.")
    urls: tuple[LdapUrl, ...] = Field(
        strict=False,
        min_length=1,
        description="Addresses of the directory's servers; the first that answers is asked.",
    )
    start_tls: bool = Field(
        True, description="Start TLS on a connection to an `ldap://` address before anything else."
    )
    ca_file: File | None = Field(
        None, description="Authorities that servers are checked by; the system's unless given."
    )
    bind: LdapBind = Field(description="Who asks.")
    searches: tuple[SearchSettings, ...] = Field(
        strict=False, min_length=1, description="Where the people are; overlaps do no harm."
    )
    groups: GroupSettings | None = Field(
        None, description="Which groups fill the column `groups`; none unless given."
    )
    changes: Literal["none", "usn", "dirsync"] = Field(
        "none",
        description=(
            "How Active Directory tells what changed: by `uSNChanged`, which each controller "
            "counts for itself, or by the DirSync control. A change to a group makes the next read "
            "a full one; only a full read misses who drops out of a filter or a base."
        ),
    )
    deletions: bool = Field(
        True,
        description=(
            "Whether reads of changes tell who is deleted. The account must be allowed to list "
            "`CN=Deleted Objects` then; a read fails that cannot."
        ),
    )
    page_size: int = Field(
        500, ge=1, le=5000, description="How many entries are asked for at once."
    )
    timeout: Duration = Field(
        timedelta(seconds=60), description="How long to wait for a connection and for an answer."
    )
    rank: int = Field(1, description="Lower wins where several sources describe one person.")
    certificate: SourceCertificate | None = Field(None, description=COMPARED)
    person: PersonSettings = Field(
        description=(
            "Which attributes describe a person. There are also the columns `dn` and `groups`, and "
            "after a dot `userAccountControl.enabled`, `.base64` (of a GUID), `.name` (the first "
            "value of a distinguished name) and `.first` (of several values). GUIDs, SIDs and "
            "times are read; `accountExpires` is the last day that counts."
        )
    )

    def mapping(self) -> PersonMapping:
        """Return which attribute says what about a person."""
        return self.person.mapping()
