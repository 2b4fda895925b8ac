"""The tables of the service: who writes, who works, what failed, and who was told what."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, Table, Text, text

from syncd.state.schema import ID, key, table
from syncd.state.schema_memory import metadata

__all__ = ["metadata"]

leases = table(
    "leases",
    key("name"),
    Column("owner", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("session", Integer),
    Column("until", Float, nullable=False),
)
"""
Who holds what, up to when: seconds since 1970 by the clock of the database server.

`run:NAME` belongs to the one writer of an environment and `keeper:NAME` to the replica
that works for it. `fence` grows with every holder; `session` is the holder's connection.
"""

replicas = table("replicas", key("name"), Column("seen", Float, nullable=False))
"""The daemons that share this database, and when each was last heard of."""

jobs = table(
    "jobs",
    key("env", Integer),
    key("job"),
    Column("started", Text),
    Column("finished", Text),
    Column("succeeded", Text),
    Column("problem", Text),
)
"""Each job's last start, end and success, and the sentence of what stopped it last."""

escrow = table(
    "escrow",
    key("env", Integer),
    key("membership"),
    Column("action", Text, nullable=False),
    Column("person", ID),
    Column("user_id", ID),
    Column("user_name", Text),
    Column("after", ID),
    Column("situation", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=text("''")),
    Column("tries", Integer, nullable=False),
    Column("first", Text, nullable=False),
    Column("last", Text, nullable=False),
    Column("due", Text, nullable=False),
    Column("dead", Text),
    Column("discarded", Text),
)
"""
Changes that failed, by row: when each is tried again, and which are given up (`dead`).

`cause` is the server's code or status, `detail` its sentence. Those that a person
`discarded` are not tried as long as the same is planned for the row.
"""

quarantines = table(
    "quarantines",
    key("env", Integer),
    Column("since", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due", Text, nullable=False),
)
"""Environments in which too much fails: writes are tried at a falling rate."""

conditions = Table(
    "conditions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("env", Integer, nullable=False),
    Column("event", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("changed", Text, nullable=False),
    Column("told", Text),
    Column("ended", Text),
    Index("conditions_env", "env", "event"),
)
"""What somebody must know: entered, changed, ended, and up to which state it was told."""
