"""Settings of sources that are read over HTTP: how syncd signs in, and the sources themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from syncd.config.believing import COMPARED, SourceCertificate
from syncd.config.person import STRICT, PersonSettings
from syncd.config.values import Duration, File, Pause, Secret, SecretUrl, Text, WebUrl
from syncd.core.mapping import PersonMapping
from syncd.core.paths import compile_path

__all__ = [
    "AskForNext",
    "Basic",
    "Bearer",
    "Cursor",
    "Header",
    "HttpJsonSource",
    "NextLink",
    "OAuth",
    "Offset",
    "OnePage",
    "PageNumber",
    "Paging",
    "ScimSource",
    "Since",
    "SourceHttp",
    "Unsigned",
    "WebAuth",
]

NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
"""What may be the name of a header (RFC 9110 section 5.6.2)."""


def _path(text: str) -> str:
    compile_path(text)
    return text


def _person(person: PersonSettings) -> PersonSettings:
    """Require that every column is a path. Raises ValueError, a sentence."""
    for column in person.mapping().columns():
        try:
            compile_path(column)
        except ValueError as error:
            raise ValueError(f'has a column "{column}" that {error}') from None
    return person


def _moment(text: str) -> str:
    sample = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
    if text not in {"unix", "unix-ms"} and sample.strftime("%d") not in sample.strftime(text):
        raise ValueError('names no day; write "unix", "unix-ms" or such as "%Y-%m-%dT%H:%M:%SZ"')
    return text


JsonPath = Annotated[Text, AfterValidator(_path)]
"""Names with dots between."""
Person = Annotated[PersonSettings, AfterValidator(_person)]
"""Which paths describe a person."""


class Bearer(BaseModel):
    """A token that does not change."""

    model_config = STRICT

    method: Literal["bearer"] = Field(description="How syncd signs in.")
    token: Secret = Field(description="The token, by reference.")


class Header(BaseModel):
    """A header with a secret, such as `X-Api-Key`."""

    model_config = STRICT

    method: Literal["header"] = Field(description="How syncd signs in.")
    name: Annotated[str, Field(pattern=NAME)] = Field(description="The header's name.")
    value: Secret = Field(description="What the header holds, by reference.")


class Basic(BaseModel):
    """A user's name and password."""

    model_config = STRICT

    method: Literal["basic"] = Field(description="How syncd signs in.")
    user: Text = Field(description="The user's name.")
    password: Secret = Field(description="The password, by reference.")


class OAuth(BaseModel):
    """OAuth 2.0 client credentials: a token from another address, renewed in time."""

    model_config = STRICT

    method: Literal["oauth"] = Field(description="How syncd signs in.")
    token_url: WebUrl = Field(description="Where tokens are asked for.")
    client_id: Text = Field(description="The client's id there.")
    client_secret: Secret = Field(description="The client's secret, by reference.")
    scope: Text | None = Field(None, description="What the token is for, if it must be said.")
    audience: Text | None = Field(None, description="Whom the token is for, if it must be said.")
    credentials_in: Literal["header", "form"] = Field(
        "header", description="Where id and secret stand in the request for a token."
    )


class Unsigned(BaseModel):
    """No sign-in, for a server on this machine only."""

    model_config = STRICT

    method: Literal["none"] = Field(description="How syncd signs in.")


WebAuth = Annotated[Bearer | Header | Basic | OAuth | Unsigned, Field(discriminator="method")]


class SourceHttp(BaseModel):
    """How the server of a source is talked to."""

    model_config = STRICT

    timeout: Duration = Field(
        "60s", validate_default=True, description="How long each step of an answer may take."
    )
    ca_file: File | None = Field(
        None, description="Certificates to trust instead of the usual ones, as PEM."
    )
    proxy: SecretUrl | None = Field(
        None, description="The proxy's address; with a password only by reference."
    )


class ScimSource(BaseModel):
    """
    People from a SCIM 2.0 server.

    A column is an attribute as SCIM filters name it: `userName`, `name.familyName`,
    `emails[type eq "work"].value`, and with its schema
    `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber`. The column
    `groups` are the names of all groups that have the person, directly or through others.
    """

    model_config = STRICT

    name: Text = Field(description="What reports call the source.")
    type: Literal["scim"] = Field(description="The kind of source.")
    url: WebUrl = Field(description="The server's address, without `/Users`.")
    auth: WebAuth = Field(description="How syncd signs in.")
    http: SourceHttp = Field(default_factory=SourceHttp, description="How it is talked to.")
    filter: Text | None = Field(None, description="Which users are read, as a SCIM filter.")
    group_filter: Text | None = Field(
        None, description="Which groups the column `groups` knows, as a SCIM filter."
    )
    page_size: int = Field(200, ge=1, le=10000, description="The most users in one page.")
    paging: Literal["auto", "index", "cursor"] = Field(
        "auto", description="How pages are asked for; auto: as the server says it can."
    )
    incremental: bool = Field(
        True, description="Whether reads of changes ask for `meta.lastModified` only."
    )
    overlap: Pause = Field(
        "5m",
        validate_default=True,
        description="How far a read of changes goes back behind the last one.",
    )
    rank: int = Field(1, description="Lower wins where several sources describe one person.")
    certificate: SourceCertificate | None = Field(None, description=COMPARED)
    person: Person = Field(description="Which attributes describe a person.")

    def mapping(self) -> PersonMapping:
        """Return which attribute says what about a person."""
        return self.person.mapping()


class NextLink(BaseModel):
    """Each page says where the next one is; the last one does not."""

    model_config = STRICT

    method: Literal["next-link"] = Field(description="How pages are asked for.")
    path: JsonPath | None = Field(
        None, description="Where the link stands in a page; the header `Link` unless given."
    )


class Cursor(BaseModel):
    """Each page has a text that asks for the next one; the last one has none."""

    model_config = STRICT

    method: Literal["cursor"] = Field(description="How pages are asked for.")
    path: JsonPath = Field(description="Where the text stands in a page.")
    parameter: Text = Field("cursor", description="The query parameter that takes it.")
    size_parameter: Text | None = Field(None, description="The one for rows in a page.")
    size: int = Field(200, ge=1, le=100000, description="The most rows in one page.")


class PageNumber(BaseModel):
    """Pages have numbers; an empty one is the end."""

    model_config = STRICT

    method: Literal["page"] = Field(description="How pages are asked for.")
    parameter: Text = Field("page", description="The query parameter with the number.")
    first: int = Field(1, ge=0, le=1, description="The number of the first page.")
    size_parameter: Text | None = Field(None, description="The one for rows in a page.")
    size: int = Field(200, ge=1, le=100000, description="The most rows in one page.")


class Offset(BaseModel):
    """Pages begin behind a number of rows; an empty one is the end."""

    model_config = STRICT

    method: Literal["offset"] = Field(description="How pages are asked for.")
    parameter: Text = Field("offset", description="The query parameter with the number.")
    first: int = Field(0, ge=0, le=1, description="The number of the first row.")
    size_parameter: Text | None = Field("limit", description="The one for rows in a page.")
    size: int = Field(200, ge=1, le=100000, description="The most rows in one page.")


class OnePage(BaseModel):
    """Everything comes at once."""

    model_config = STRICT

    method: Literal["none"] = Field(description="How pages are asked for.")


AskForNext = NextLink | Cursor | PageNumber | Offset | OnePage
Paging = Annotated[AskForNext, Field(discriminator="method")]


class Since(BaseModel):
    """How only what changed is asked for."""

    model_config = STRICT

    parameter: Text = Field(description="The query parameter with the moment.")
    format: Annotated[str, AfterValidator(_moment)] = Field(
        "%Y-%m-%dT%H:%M:%SZ",
        description="How the moment is written, in UTC; `unix` and `unix-ms` are numbers.",
    )
    overlap: Pause = Field(
        "5m",
        validate_default=True,
        description="How far a read of changes goes back behind the last one.",
    )


def _whole(url: str, check: ValidatorFunctionWrapHandler) -> str:
    """Keep a slash at the end: for some servers it is another address without."""
    check(url)
    return url.strip()


ListUrl = Annotated[WebUrl, WrapValidator(_whole)]


class HttpJsonSource(BaseModel):
    """
    People from a JSON export over HTTP.

    A column is the path to a value in a row: `id`, `name.last`,
    `contacts[type eq "work"].mail`.
    """

    model_config = STRICT

    name: Text = Field(description="What reports call the source.")
    type: Literal["http-json"] = Field(description="The kind of source.")
    url: ListUrl = Field(description="The address of the list, without a query.")
    query: dict[Annotated[str, Field(min_length=1)], str] = Field(
        default_factory=dict, description="Query parameters of each request, by name; no secrets."
    )
    auth: WebAuth = Field(description="How syncd signs in.")
    http: SourceHttp = Field(default_factory=SourceHttp, description="How it is talked to.")
    rows: JsonPath | None = Field(
        None, description="Where the list of rows stands in a page; unless given it is the page."
    )
    paging: Paging = Field(
        default_factory=lambda: OnePage(method="none"), description="How pages are asked for."
    )
    total: JsonPath | None = Field(
        None, description="Where a page says how many rows there are; fewer are a finding."
    )
    since: Since | None = Field(
        None, description="How only what changed is asked for; unless given all is read."
    )
    deleted: JsonPath | None = Field(
        None, description="What is true in a row that stands for a deleted one."
    )
    rank: int = Field(1, description="Lower wins where several sources describe one person.")
    certificate: SourceCertificate | None = Field(None, description=COMPARED)
    person: Person = Field(description="Which paths describe a person.")

    def mapping(self) -> PersonMapping:
        """Return which path says what about a person."""
        return self.person.mapping()
