"""Settings about `usermapping`: how its rows are read, and which rows there shall be."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from syncd.config.values import Text
from syncd.core.identity import guid

__all__ = ["DeclaredMapping", "UserMapping"]

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
_guid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def _row(text: str) -> str:
    if not _guid(guid(text)):
        raise ValueError("is not a GUID; write 00000000-0000-0000-0000-000000000000")
    return guid(text)


class UserMapping(BaseModel):
    """
    How syncd deals with the table `usermapping`, which counts for a whole organization.

    Reading it is asked for by `policy.match`; nothing here has to be set for that.
    """

    model_config = STRICT

    manage: bool = Field(
        False,
        description=(
            "Whether `syncd usermappings` works. What it applies changes SharePoint "
            "authentication for the whole organization; no run and no daemon ever does that."
        ),
    )
    claims: dict[Text, Literal["object_id", "employee_id", "user_name", "mail"]] = Field(
        default_factory=dict,
        description=(
            "What people have for further types of claims: `nameid`, or a type of your own. For "
            "e-mail that is `mail`, for user principal names `user_name`."
        ),
    )


class DeclaredMapping(BaseModel):
    """One row of `usermapping` as it shall be. `syncd usermappings apply` sees to it."""

    model_config = STRICT

    claim_type: Annotated[Text, Field(max_length=100)] = Field(
        description="The type of claim to send, such as `smtp`; at most 100 characters."
    )
    attribute: Annotated[Text, Field(max_length=128)] | None = Field(
        None,
        description=(
            "The logical name of the `systemuser` column whose value is sent; at most 128 "
            "characters. Required unless `present` is false."
        ),
    )
    application: Literal["sharepoint", "exchange"] = Field(
        "sharepoint",
        description="The partner application; Microsoft supports `sharepoint` only.",
    )
    present: bool = Field(
        True, description="False removes all rows of this claim type, whoever made them."
    )
    id: Annotated[str, AfterValidator(_row)] | None = Field(
        None, description="The row's id, where it must be a certain one; otherwise it follows."
    )
    environments: tuple[Text, ...] | None = Field(
        None, strict=False, min_length=1, description="Only there; everywhere unless given."
    )
