"""Settings of people who come from Entra ID."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from syncd.config.person import STRICT, PersonSettings
from syncd.config.signing import Auth
from syncd.config.values import Text, WebUrl
from syncd.config.web import SourceHttp
from syncd.core.mapping import PersonMapping

__all__ = ["GraphSource"]


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
    person: PersonSettings = Field(description="Which properties describe a person.")

    def mapping(self) -> PersonMapping:
        """Return which property says what about a person."""
        return self.person.mapping()
