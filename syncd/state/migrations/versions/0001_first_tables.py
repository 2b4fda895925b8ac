"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create every table, as the program knew them then."""
    op.create_table(
        "answers",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("combo", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("losers", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("profile", ID, nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "attended",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("env", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("person", ID, nullable=True),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("husk", ID, nullable=True),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("env", sa.Integer(), nullable=True),
        sa.Column("run", sa.Integer(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("person", ID, nullable=True),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("membership", ID, nullable=True),
        sa.Column("before", ID, nullable=True),
        sa.Column("after", ID, nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
    )
    op.create_index("audit_user", "audit", ["env", "user_id"], unique=False)
    op.create_table(
        "certificates",
        sa.Column("run", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("source", ID, primary_key=True, nullable=False),
        sa.Column("certified", sa.SmallInteger(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "changes",
        sa.Column("plan", ID, primary_key=True, nullable=False),
        sa.Column("number", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("person", ID, nullable=True),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("user_name", sa.Text(), nullable=True),
        sa.Column("membership", ID, nullable=False),
        sa.Column("before", ID, nullable=True),
        sa.Column("after", ID, nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("situation", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("rung", sa.Text(), nullable=True),
        sa.Column("held", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "combos",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("attributes", ID, nullable=False),
        sa.UniqueConstraint("attributes"),
    )
    op.create_table(
        "conflicts",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("env", sa.Integer(), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("profiles", sa.Text(), nullable=False),
        sa.Column("rows", sa.Text(), nullable=False),
        sa.Column("first", sa.Text(), nullable=False),
        sa.Column("last", sa.Text(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Text(), nullable=True),
        sa.Column("how", sa.Text(), nullable=True),
    )
    op.create_index("conflicts_user", "conflicts", ["env", "user_id"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("env", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("against", sa.Text(), nullable=True),
        sa.Column("until", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("ended", sa.Text(), nullable=True),
        sa.Column("how", sa.Text(), nullable=True),
    )
    op.create_table(
        "doubles",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("key", ID, nullable=False),
        sa.Column("object_id", ID, nullable=True),
        sa.Column("employee_id", ID, nullable=True),
        sa.Column("user_name", ID, nullable=True),
        sa.Column("mail", ID, nullable=True),
    )
    op.create_table(
        "environments",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "finds",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("user_id", ID, primary_key=True, nullable=False),
        sa.Column("person", ID, primary_key=True, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "flags",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("env", sa.Integer(), nullable=False),
        sa.Column("membership", ID, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
    )
    op.create_index("flags_membership", "flags", ["env", "membership"], unique=False)
    op.create_table(
        "husks",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("version", ID, nullable=False),
        sa.Column("profile", ID, nullable=True),
        sa.Column("active", sa.SmallInteger(), nullable=False),
        sa.Column("flagged", sa.SmallInteger(), nullable=False),
        sa.Column("created_on", ID, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "items",
        sa.Column("plan", ID, primary_key=True, nullable=False),
        sa.Column("kind", ID, primary_key=True, nullable=False),
        sa.Column("number", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "journal",
        sa.Column("run", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("number", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("env", sa.Integer(), nullable=False),
        sa.Column("plan", ID, nullable=False),
        sa.Column("intended", sa.Text(), nullable=False),
        sa.Column("settled", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "journal_open",
        "journal",
        ["env"],
        unique=False,
        sqlite_where=sa.text("settled IS NULL"),
        postgresql_where=sa.text("settled IS NULL"),
    )
    op.create_table(
        "links",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("user_id", ID, primary_key=True, nullable=False),
        sa.Column("membership", ID, primary_key=True, nullable=False),
        sa.Column("person", ID, nullable=False),
        sa.Column("rung", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("profile", ID, nullable=True),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("ended", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index("links_person", "links", ["env", "person"], unique=False)
    op.create_table(
        "losses",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("env", sa.Integer(), nullable=False),
        sa.Column("person", ID, nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
    )
    op.create_index("losses_person", "losses", ["env", "person"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("user_id", ID, primary_key=True, nullable=False),
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("version", ID, nullable=False),
        sa.Column("profile", ID, nullable=False),
        sa.Column("active", sa.SmallInteger(), nullable=False),
        sa.Column("flagged", sa.SmallInteger(), nullable=False),
        sa.Column("created_on", ID, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "meta",
        sa.Column("name", ID, primary_key=True, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pendings",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("person", ID, primary_key=True, nullable=False),
        sa.Column("situation", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "people",
        sa.Column("key", ID, primary_key=True, nullable=False),
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("object_id", ID, nullable=True),
        sa.Column("employee_id", ID, nullable=True),
        sa.Column("user_name", ID, nullable=True),
        sa.Column("mail", ID, nullable=True),
        sa.Column("enabled", sa.SmallInteger(), nullable=True),
        sa.Column("starts_on", sa.Integer(), nullable=True),
        sa.Column("leaves_on", sa.Integer(), nullable=True),
        sa.Column("combo", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("doubled", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "plans",
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("env", sa.Integer(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=True),
        sa.Column("created", sa.Text(), nullable=False),
        sa.Column("expires", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "profiles",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("published", sa.SmallInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "records",
        sa.Column("key", ID, primary_key=True, nullable=False),
        sa.Column("source", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=True),
        sa.Column("object_id", ID, nullable=True),
        sa.Column("employee_id", ID, nullable=True),
        sa.Column("user_name", ID, nullable=True),
        sa.Column("mail", ID, nullable=True),
        sa.Column("enabled", sa.SmallInteger(), nullable=True),
        sa.Column("starts_on", sa.Integer(), nullable=True),
        sa.Column("leaves_on", sa.Integer(), nullable=True),
        sa.Column("combo", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("doubled", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("env", sa.Integer(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("started", sa.Text(), nullable=False),
        sa.Column("finished", sa.Text(), nullable=True),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("document", sa.Text(), nullable=True),
    )
    op.create_table(
        "sightings",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("subject", ID, primary_key=True, nullable=False),
        sa.Column("situation", sa.Text(), nullable=False),
        sa.Column("first", sa.Text(), nullable=False),
        sa.Column("second", sa.Text(), nullable=True),
        sa.Column("due", sa.Text(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("name", ID, nullable=False),
        sa.Column("shape", sa.Text(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("certified_rows", sa.Integer(), nullable=True),
        sa.Column("failed_by", sa.Text(), nullable=True),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "standing",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("user_id", ID, primary_key=True, nullable=False),
        sa.Column("person", ID, primary_key=True, nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("rung", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("combo", sa.Integer(), nullable=True),
        sa.Column("first_day", sa.Integer(), nullable=False),
        sa.Column("last_day", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.SmallInteger(), nullable=False),
        sa.Column("pointer", ID, nullable=True),
        sa.Column("quiet", sa.SmallInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("standing_person", "standing", ["env", "person"], unique=False)
    op.create_table(
        "stranded",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("person", ID, primary_key=True, nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("combo", sa.Integer(), nullable=True),
        sa.Column("first_day", sa.Integer(), nullable=False),
        sa.Column("last_day", sa.Integer(), nullable=False),
        sa.Column("quiet", sa.SmallInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "team_profiles",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("user_id", ID, primary_key=True, nullable=False),
        sa.Column("profile", ID, primary_key=True, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "users",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("version", ID, nullable=False),
        sa.Column("user_name", sa.Text(), nullable=True),
        sa.Column("full_name", sa.Text(), nullable=True),
        sa.Column("object_id", ID, nullable=True),
        sa.Column("employee_id", ID, nullable=True),
        sa.Column("login", ID, nullable=True),
        sa.Column("mail", ID, nullable=True),
        sa.Column("candidate", sa.SmallInteger(), nullable=False),
        sa.Column("disabled", sa.SmallInteger(), nullable=False),
        sa.Column("pointer", ID, nullable=True),
        sqlite_with_rowid=False,
    )
