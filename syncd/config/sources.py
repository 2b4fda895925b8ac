"""Settings of where people come from, and of the rules."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from syncd.config.believing import COMPARED, SourceCertificate
from syncd.config.delivery import DeliverySettings, FilePattern
from syncd.config.graph import GraphSource
from syncd.config.ldap import LdapSource
from syncd.config.person import STRICT, PersonSettings
from syncd.config.sql import SqlSource
from syncd.config.values import Text
from syncd.config.web import HttpJsonSource, ScimSource
from syncd.core.mapping import PersonMapping

__all__ = [
    "CsvSource",
    "JsonlSource",
    "ReadableSource",
    "RuleSettings",
    "Source",
]


PATH = (
    "The file, relative to the configuration file; compressed where it ends in .gz or .zip. With "
    "`*` or `?` in its name the newest file that fits."
)
DELIVERY = "How files are delivered: markers, checksums, age."


def _encoding(name: str) -> str:
    try:
        if name != "auto":
            "".encode(name)
            codecs.lookup(name)
    except LookupError:
        raise ValueError('is not a known text encoding; write "utf-8", for instance') from None
    return name


def _delimiter(text: str) -> str:
    if text != "auto" and (len(text) != 1 or text in '"\r\n'):
        raise ValueError('must be one character or "auto"')
    return text


class CsvSource(BaseModel):
    """People from a CSV file."""

    model_config = STRICT

    name: Text = Field(description="What reports call the source.")
    type: Literal["csv"] = Field(description="The kind of source.")
    path: FilePattern = Field(description=PATH)
    delivery: DeliverySettings | None = Field(None, description=DELIVERY)
    encoding: Annotated[str, AfterValidator(_encoding)] = Field(
        "utf-8", description='The file\'s encoding; a byte order mark is skipped, "auto" detects.'
    )
    delimiter: Annotated[str, AfterValidator(_delimiter)] = Field(
        ",", description='What stands between two cells; "auto" detects.'
    )
    rank: int = Field(1, description="Lower wins where several sources describe one person.")
    certificate: SourceCertificate | None = Field(None, description=COMPARED)
    person: PersonSettings = Field(description="Which columns describe a person.")

    def mapping(self) -> PersonMapping:
        """Return which column says what about a person."""
        return self.person.mapping()


class JsonlSource(BaseModel):
    """People from a file with one JSON object a line."""

    model_config = STRICT

    name: Text = Field(description="What reports call the source.")
    type: Literal["jsonl"] = Field(description="The kind of source.")
    path: FilePattern = Field(description=PATH)
    delivery: DeliverySettings | None = Field(None, description=DELIVERY)
    encoding: Annotated[str, AfterValidator(_encoding)] = Field(
        "utf-8", description='The file\'s encoding; a byte order mark is skipped, "auto" detects.'
    )
    rank: int = Field(1, description="Lower wins where several sources describe one person.")
    certificate: SourceCertificate | None = Field(None, description=COMPARED)
    person: PersonSettings = Field(description="Which fields describe a person.")

    def mapping(self) -> PersonMapping:
        """Return which field says what about a person."""
        return self.person.mapping()


ReadableSource = (
    CsvSource | JsonlSource | SqlSource | LdapSource | ScimSource | GraphSource | HttpJsonSource
)
Source = Annotated[ReadableSource, Field(discriminator="type")]


class RuleSettings(BaseModel):
    """Who gets which profile: `profile` or `profile_from`, where `when` says yes."""

    model_config = STRICT

    name: Text = Field(description="What reports call the rule.")
    when: Text = Field(description="A CEL expression over `person` and `today` that yields a bool.")
    profile: Text | None = Field(None, description="A profile's id or its unique published name.")
    profile_from: Text | None = Field(
        None,
        description="The attribute that names the profile; empty means no match.",
    )
    environments: tuple[Text, ...] | None = Field(
        None,
        strict=False,
        min_length=1,
        description="The environments it is for; all unless given.",
    )
