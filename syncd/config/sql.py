"""Settings of people who come from a database."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PlainSerializer

from syncd.config.believing import COMPARED, SourceCertificate
from syncd.config.person import STRICT, PersonSettings
from syncd.config.values import DatabaseUrl, Duration, Text, duration, written
from syncd.core.mapping import PersonMapping

__all__ = ["SqlSource", "WatermarkSettings"]

ASIDE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
"""What of a query is no statement: texts, quoted names and comments."""


def _query(query: str) -> str:
    """Require one statement that selects; what else could write is refused by the database."""
    bare = ASIDE.sub(" ", query).strip().rstrip("; \n\t")
    if not re.match(r"\(*\s*(select|with)\b", bare, re.IGNORECASE):
        raise ValueError("must be a SELECT; it may begin with WITH")
    if ";" in bare:
        raise ValueError("must be one statement; there is a semicolon in it")
    return query


def _overlap(value: object) -> timedelta | int:
    """Read a duration, or a number that is not negative."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise ValueError("must not be negative")
        return value
    return duration(value)


def _shown(value: timedelta | int) -> str | int:
    return value if isinstance(value, int) else written(value)


Overlap = Annotated[
    timedelta | int,
    BeforeValidator(_overlap, json_schema_input_type=str | int),
    PlainSerializer(_shown, return_type=str | int),
]


class WatermarkSettings(BaseModel):
    """
    The column by which a database tells what changed.

    It shows neither rows that were deleted nor rows that the query gives no more: only a
    full read takes people out.
    """

    model_config = STRICT

    column: Text = Field(description="A column of the query that grows with every change of a row.")
    overlap: Overlap = Field(
        timedelta(minutes=5),
        description=(
            "How far a read of changes goes back, for what was committed late: a duration, or a "
            "number where the column holds numbers."
        ),
    )


class SqlSource(BaseModel):
    """People from a database, by one SELECT in a transaction that is rolled back."""

    model_config = STRICT

    name: Text = Field(description="What reports call the source.")
    type: Literal["sql"] = Field(description="The kind of source.")
    url: DatabaseUrl = Field(
        description=(
            "The database, as SQLAlchemy writes it: `postgresql+psycopg://…`, "
            "`mssql+pyodbc://…`, `sqlite:///FILE` beside the configuration file; with a password "
            "only by reference. Its driver must be installed."
        )
    )
    query: Annotated[Text, AfterValidator(_query)] = Field(
        description=(
            "One SELECT whose columns have names. PostgreSQL, MySQL, Oracle and SQLite refuse to "
            "write for it; elsewhere give the account no right but to read."
        )
    )
    watermark: WatermarkSettings | None = Field(
        None, description="How to read only what changed; every read is a full one unless given."
    )
    timeout: Duration = Field(
        "10m", validate_default=True, description="How long a whole read may take."
    )
    rank: int = Field(1, description="Lower wins where several sources describe one person.")
    certificate: SourceCertificate | None = Field(None, description=COMPARED)
    person: PersonSettings = Field(description="Which columns describe a person.")

    def mapping(self) -> PersonMapping:
        """Return which column says what about a person."""
        return self.person.mapping()
