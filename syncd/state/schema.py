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

__all__ = ["metadata"]

metadata = MetaData()
ID = Text().with_variant(Text(collation="C"), "postgresql")
FLAG = SmallInteger


def _table(name: str, *columns: Column[Any] | Index) -> Table:
    """Declare a table that is stored in the order of its key."""
    return Table(name, metadata, *columns, sqlite_with_rowid=False)


def _key(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]] = ID) -> Column[Any]:
    return Column(name, kind, primary_key=True, nullable=False)


# --- what the sources said -----------------------------------------------------------

meta = _table("meta", _key("name"), Column("value", Text, nullable=False))

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
)

records = _table(
    "records",
    _key("key"),
    _key("source", Integer),
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

people = _table(
    "people",
    _key("key"),
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

answers = _table(
    "answers",
    _key("env", Integer),
    _key("combo", Integer),
    Column("rules", Text, nullable=False),
    Column("reference", Text),
    Column("rule", Text),
    Column("losers", Text),
    Column("error", Text),
    Column("profile", ID),
)
"""What an environment's rules answer for a set of attributes; `profile` is the reference, resolved."""

users = _table(
    "users",
    _key("env", Integer),
    _key("id"),
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
)

profiles = _table(
    "profiles",
    _key("env", Integer),
    _key("id"),
    Column("name", Text, nullable=False),
    Column("published", FLAG, nullable=False),
)

memberships = _table(
    "memberships",
    _key("env", Integer),
    _key("user_id"),
    _key("id"),
    Column("version", ID, nullable=False),
    Column("profile", ID, nullable=False),
    Column("active", FLAG, nullable=False),
    Column("flagged", FLAG, nullable=False),
    Column("created_on", ID, nullable=False),
)

husks = _table(
    "husks",
    _key("env", Integer),
    _key("id"),
    Column("user_id", ID),
    Column("version", ID, nullable=False),
    Column("profile", ID),
    Column("active", FLAG, nullable=False),
    Column("flagged", FLAG, nullable=False),
    Column("created_on", ID, nullable=False),
)
"""Rows without a user or a profile."""

team_profiles = _table("team_profiles", _key("env", Integer), _key("user_id"), _key("profile"))

# --- who is who -------------------------------------------------------------------------

standing = _table(
    "standing",
    _key("env", Integer),
    _key("user_id"),
    _key("person"),
    Column("finding", Text, nullable=False),
    Column("rung", Text, nullable=False),
    Column("detail", Text),
    Column("combo", Integer),
    Column("first_day", Integer, nullable=False),
    Column("last_day", Integer, nullable=False),
    Column("pointer", ID),
    Column("quiet", FLAG, nullable=False),
    Index("standing_person", "env", "person"),
)
"""
People and their users. Somebody wanted is present from `first_day` to `last_day`
(ordinals). `quiet` says that nothing but the rows can be remarkable about them.
"""

stranded = _table(
    "stranded",
    _key("env", Integer),
    _key("person"),
    Column("finding", Text, nullable=False),
    Column("detail", Text),
    Column("combo", Integer),
    Column("first_day", Integer, nullable=False),
    Column("last_day", Integer, nullable=False),
    Column("quiet", FLAG, nullable=False),
)
"""People without a user."""

finds = _table("finds", _key("env", Integer), _key("user_id"), _key("person"))
"""Who else explains a user."""

links = _table(
    "links",
    _key("env", Integer),
    _key("user_id"),
    _key("membership"),
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

# --- memory -----------------------------------------------------------------------------

sightings = _table(
    "sightings",
    _key("env", Integer),
    _key("subject"),
    Column("situation", Text, nullable=False),
    Column("first", Text, nullable=False),
    Column("second", Text),
    Column("due", Text),
)
pendings = _table(
    "pendings",
    _key("env", Integer),
    _key("person"),
    Column("situation", Text, nullable=False),
)
conflicts = Table(
    "conflicts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("env", Integer, nullable=False),
    Column("user_id", ID, nullable=False),
    Column("code", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("profiles", Text, nullable=False),
    Column("rows", Text, nullable=False),
    Column("first", Text, nullable=False),
    Column("last", Text, nullable=False),
    Column("run", Integer, nullable=False),
    Column("ended", Text),
    Column("how", Text),
    Index("conflicts_user", "env", "user_id"),
)
flags = Table(
    "flags",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("env", Integer, nullable=False),
    Column("membership", ID, nullable=False),
    Column("action", Text, nullable=False),
    Column("at", Text, nullable=False),
    Index("flags_membership", "env", "membership"),
)
losses = Table(
    "losses",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("env", Integer, nullable=False),
    Column("person", ID, nullable=False),
    Column("at", Text, nullable=False),
    Index("losses_person", "env", "person"),
)
decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("env", Integer),
    Column("kind", Text, nullable=False),
    Column("subject", ID, nullable=False),
    Column("value", Text),
    Column("against", Text),
    Column("until", Text),
    Column("reason", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("ended", Text),
    Column("how", Text),
)
"""What operators decided: kind is link, profile, hold, accept or pass."""

# --- what was planned and done -------------------------------------------------------------

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("env", Integer, nullable=False),
    Column("command", Text, nullable=False),
    Column("started", Text, nullable=False),
    Column("finished", Text),
    Column("plan", Text),
    Column("exit_code", Integer),
    Column("document", Text),
)
certificates = _table(
    "certificates",
    _key("run", Integer),
    _key("source"),
    Column("certified", FLAG, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("findings", Text, nullable=False),
)
plans = _table(
    "plans",
    _key("id"),
    Column("env", Integer, nullable=False),
    Column("run", Integer),
    Column("created", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("document", Text, nullable=False),
)
changes = _table(
    "changes",
    _key("plan"),
    _key("number", Integer),
    Column("action", Text, nullable=False),
    Column("person", ID),
    Column("user_id", ID),
    Column("user_name", Text),
    Column("membership", ID, nullable=False),
    Column("before", ID),
    Column("after", ID),
    Column("version", Text),
    Column("situation", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("title", Text),
    Column("rung", Text),
    Column("held", Text),
    Column("result", Text),
    Column("detail", Text),
)
items = _table(
    "items",
    _key("plan"),
    _key("kind"),
    _key("number", Integer),
    Column("body", Text, nullable=False),
)
"""What a plan says beside its changes: pending, reports, saved, conflicts, adopted; as JSON."""
journal = _table(
    "journal",
    _key("run", Integer),
    _key("number", Integer),
    Column("env", Integer, nullable=False),
    Column("plan", ID, nullable=False),
    Column("intended", Text, nullable=False),
    Column("settled", Text),
    Column("result", Text),
    Index("journal_open", "env", sqlite_where=text("settled IS NULL"), postgresql_where=text("settled IS NULL")),
)
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Text, nullable=False),
    Column("env", Integer),
    Column("run", Integer),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("person", ID),
    Column("user_id", ID),
    Column("membership", ID),
    Column("before", ID),
    Column("after", ID),
    Column("why", Text, nullable=False),
    Column("result", Text, nullable=False),
)
"""Append-only."""
