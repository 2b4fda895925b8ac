"""Settings of people who come from Entra ID."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from syncd.config.believing import COMPARED, SourceCertificate
from syncd.config.person import STRICT, PersonSettings
from syncd.config.signing import Auth
from syncd.config.values import Text, WebUrl
from syncd.config.web import SourceHttp
from syncd.core.mapping import PersonMapping

__all__ = ["GraphSource"]

GROUPS = "groups"
"""The column that is a list."""


class GraphSource(BaseModel):
    """
    People from Entra ID, through Microsoft Graph.

    A column is a property of a user: `employeeId`, `department`, `accountEnabled`,
    `employeeOrgData.costCenter`, `onPremisesExtensionAttributes.extensionAttribute1`. The column
    `groups` lists those of `groups` that somebody is in, also through others; map it with `split`.
    """

    model_config = STRICT

    name: Text = Field(description="What reports call the source.")
    type: Literal["graph"] = Field(description="The kind of source.")
    url: WebUrl = Field(
        "https://graph.microsoft.com",
        description="Where Graph is; other clouds have an address of their own.",
    )
    auth: Annotated[Auth, Field(discriminator="method")] = Field(
        description="How syncd signs in; the tokens are for Graph."
    )
    groups: tuple[Text, ...] = Field(
        (), strict=False, description="Groups, by id or by name, that the column `groups` knows."
    )
    guests: bool = Field(False, description="Whether guests count as people, too.")
    http: SourceHttp = Field(default_factory=SourceHttp, description="How Graph is talked to.")
    rank: int = Field(1, description="Lower wins where several sources describe one person.")
    certificate: SourceCertificate | None = Field(None, description=COMPARED)
    person: PersonSettings = Field(description="Which properties describe a person.")

    @model_validator(mode="after")
    def _lists(self) -> Self:
        """Require that what is a list is mapped as one, and is not empty for everybody."""
        standing = self.mapping().standing()
        fields = [*standing, *self.mapping().attributes.values()]
        mapped = [each for each in fields if each is not None and each.column == GROUPS]
        if mapped and not self.groups:
            raise ValueError('maps the column "groups" but names no groups; list them as groups')
        if any(each.split is None for each in mapped):
            raise ValueError('maps the column "groups" without split, and it is a list')
        return self

    def mapping(self) -> PersonMapping:
        """Return which property says what about a person."""
        return self.person.mapping()
