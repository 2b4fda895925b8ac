"""
The tables of the state database.

Ids are texts as the target writes them, moments and days ISO texts in UTC, booleans
0 or 1: the same bytes on SQLite and PostgreSQL. Tables that a run joins row by row
are clustered by what they are joined on (performance.md). All but the first group
belong to one environment, whose small number is in their key.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine

__all__ = ["FLAG", "FOUND_BY", "ID", "key", "metadata", "table"]

metadata = MetaData()
ID = Text().with_variant(Text(collation="C"), "postgresql")
FLAG = SmallInteger


def table(name: str, *columns: Column[Any] | Index) -> Table:
    """Declare a table that is stored in the order of its key."""
    return Table(name, metadata, *columns, sqlite_with_rowid=False)


def key(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]] = ID) -> Column[Any]:
    """Declare a part of the key."""
    return Column(name, kind, primary_key=True, nullable=False)


FOUND_BY = ("object_id", "employee_id", "login", "mail")
"""Columns of users by which people find theirs."""

# --- what the sources said -----------------------------------------------------------

meta = table("meta", key("name"), Column("value", Text, nullable=False))

news = table("news", key("what"), key("revision", Integer), key("subject"))
"""Whom a change of some input concerned, by the revision that it made; see `revisions`."""

environments = Table(
    "environments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", ID, unique=True, nullable=False),
    Column("url", Text, nullable=False),
)

sources = Table(
    "sources",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", ID, unique=True, nullable=False),
    Column("shape", Text),
    Column("content", LargeBinary),
    Column("certified_rows", Integer),
    Column("failed_by", Text),
    Column("token", Text),
    Column("columns", Text),
)

bands = table(
    "bands",
    key("source", Integer),
    key("attribute"),
    key("value"),
    Column("counts", Text, nullable=False),
)
"""How many people had a value in recent certified reads, as JSON; '' stands for any value."""

newcomers = table("newcomers", key("source", Integer), key("key"))
"""Keys that only reads have shown that were not believed."""

records = table(
    "records",
    key("key"),
    key("source", Integer),
    Column("mark", LargeBinary),
    Column("object_id", ID),
    Column("employee_id", ID),
    Column("user_name", ID),
    Column("mail", ID),
    Column("enabled", FLAG),
    Column("starts_on", Integer),
    Column("leaves_on", Integer),
    Column("combo", Integer, nullable=False),
    Column("problem", Text),
    Column("doubled", FLAG, nullable=False, server_default=text("0")),
)
"""The picture: the last record read of each person, by source."""

doubles = Table(
    "doubles",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Integer, nullable=False),
    Column("key", ID, nullable=False),
    Column("object_id", ID),
    Column("employee_id", ID),
    Column("user_name", ID),
    Column("mail", ID),
)
"""What the rows of a doubled key said; they decide nothing but explain users."""

combos = Table(
    "combos",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("attributes", ID, unique=True, nullable=False),
)
"""Distinct sets of attributes, as canonical JSON."""

people = table(
    "people",
    key("key"),
    Column("source", Integer, nullable=False),
    Column("object_id", ID),
    Column("employee_id", ID),
    Column("user_name", ID),
    Column("mail", ID),
    Column("enabled", FLAG),
    Column("starts_on", Integer),
    Column("leaves_on", Integer),
    Column("combo", Integer, nullable=False),
    Column("problem", Text),
    Column("doubled", FLAG, nullable=False, server_default=text("0")),
)
"""Everybody in the picture, the sources merged by rank."""

# --- what the rules say, and what the target showed ------------------------------------

answers = table(
    "answers",
    key("env", Integer),
    key("combo", Integer),
    Column("rules", Text, nullable=False),
    Column("reference", Text),
    Column("rule", Text),
    Column("losers", Text),
    Column("error", Text),
    Column("profile", ID),
)
"""What an environment's rules answer for a set of attributes; `profile` is the resolved id."""

users = table(
    "users",
    key("env", Integer),
    key("id"),
    Column("version", ID, nullable=False),
    Column("user_name", Text),
    Column("full_name", Text),
    Column("object_id", ID),
    Column("employee_id", ID),
    Column("login", ID),
    Column("mail", ID),
    Column("candidate", FLAG, nullable=False),
    Column("disabled", FLAG, nullable=False),
    Column("pointer", ID),
    *(Index(f"users_{name}", "env", name) for name in FOUND_BY),
)

profiles = table(
    "profiles",
    key("env", Integer),
    key("id"),
    Column("name", Text, nullable=False),
    Column("published", FLAG, nullable=False),
)

memberships = table(
    "memberships",
    key("env", Integer),
    key("user_id"),
    key("id"),
    Column("version", ID, nullable=False),
    Column("profile", ID, nullable=False),
    Column("active", FLAG, nullable=False),
    Column("flagged", FLAG, nullable=False),
    Column("created_on", ID, nullable=False),
)

husks = table(
    "husks",
    key("env", Integer),
    key("id"),
    Column("user_id", ID),
    Column("version", ID, nullable=False),
    Column("profile", ID),
    Column("active", FLAG, nullable=False),
    Column("flagged", FLAG, nullable=False),
    Column("created_on", ID, nullable=False),
)
"""Rows without a user or a profile."""

pages = Table(
    "pages",
    metadata,
    key("env", Integer),
    key("what"),
    key("digest", LargeBinary),
    Column("number", Integer, nullable=False),
    Column("marks", Text, nullable=False),
)
"""Pages of users and rows as they came last: ids and versions of a *number* of rows."""

hints = table(
    "hints",
    key("env", Integer),
    key("user_id"),
    key("field"),
    key("value"),
    Index("hints_value", "env", "field", "value"),
)
"""What users have for a field of people, by `usermapping`; empty where no ladder names it."""

team_profiles = table("team_profiles", key("env", Integer), key("user_id"), key("profile"))

# --- who is who -------------------------------------------------------------------------

standing = table(
    "standing",
    key("env", Integer),
    key("user_id"),
    key("person"),
    Column("finding", Text, nullable=False),
    Column("rung", Text, nullable=False),
    Column("detail", Text),
    Column("combo", Integer),
    Column("first_day", Integer, nullable=False),
    Column("last_day", Integer, nullable=False),
    Column("wanted", FLAG, nullable=False),
    Column("pointer", ID),
    Column("quiet", FLAG, nullable=False),
    Index("standing_person", "env", "person"),
)
"""
People and their users. Somebody wanted is present from `first_day` to `last_day`
(ordinals), and `wanted` says whether that is so today: standing is made anew each day
on which anything changed. `quiet` says that nothing but the rows can be remarkable about them.
"""

stranded = table(
    "stranded",
    key("env", Integer),
    key("person"),
    Column("finding", Text, nullable=False),
    Column("detail", Text),
    Column("combo", Integer),
    Column("first_day", Integer, nullable=False),
    Column("last_day", Integer, nullable=False),
    Column("quiet", FLAG, nullable=False),
)
"""People without a user."""

finds = table("finds", key("env", Integer), key("user_id"), key("person"))
"""Who else explains a user."""

yields = table("yields", key("env", Integer), key("user_id"), key("person"))
"""Who found a user and gave way to somebody else."""

links = table(
    "links",
    key("env", Integer),
    key("user_id"),
    key("membership"),
    Column("person", ID, nullable=False),
    Column("rung", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("profile", ID),
    Column("run", Integer, nullable=False),
    Column("since", Text, nullable=False),
    Column("ended", Text),
    Column("why", Text),
    Index("links_person", "env", "person"),
)
"""One for each row of ours; `ended` is empty while it holds."""

attended = Table(
    "attended",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("env", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("person", ID),
    Column("user_id", ID),
    Column("husk", ID),
)
"""Who needed attention in the last run."""
