"""The tables of what syncd remembers, planned and did; the rest of the schema is beside it."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text, text

from syncd.state.schema import FLAG, ID, key, metadata, table

__all__ = ["metadata"]

# --- memory -----------------------------------------------------------------------------

sightings = table(
    "sightings",
    key("env", Integer),
    key("subject"),
    Column("situation", Text, nullable=False),
    Column("first", Text, nullable=False),
    Column("second", Text),
    Column("due", Text),
)
pendings = table(
    "pendings",
    key("env", Integer),
    key("person"),
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
certificates = table(
    "certificates",
    key("run", Integer),
    key("source"),
    Column("certified", FLAG, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("findings", Text, nullable=False),
    Column("notes", Text),
)
plans = table(
    "plans",
    key("id"),
    Column("env", Integer, nullable=False),
    Column("run", Integer),
    Column("created", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("document", Text, nullable=False),
)
changes = table(
    "changes",
    key("plan"),
    key("number", Integer),
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
items = table(
    "items",
    key("plan"),
    key("kind"),
    key("number", Integer),
    Column("body", Text, nullable=False),
)
"""What a plan says beside its changes: pending, reports, saved, conflicts, adopted; as JSON."""
journal = table(
    "journal",
    key("run", Integer),
    key("number", Integer),
    Column("env", Integer, nullable=False),
    Column("plan", ID, nullable=False),
    Column("intended", Text, nullable=False),
    Column("settled", Text),
    Column("result", Text),
    Index(
        "journal_open",
        "env",
        sqlite_where=text("settled IS NULL"),
        postgresql_where=text("settled IS NULL"),
    ),
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
    Index("audit_user", "env", "user_id"),
)
"""Append-only."""
