"""What the service remembers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the tables of the service, and where reads of changes go on."""
    op.add_column("sources", sa.Column("token", sa.Text(), nullable=True))
    op.create_table(
        "leases",
        sa.Column("name", ID, primary_key=True, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("session", sa.Integer(), nullable=True),
        sa.Column("until", sa.Float(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "replicas",
        sa.Column("name", ID, primary_key=True, nullable=False),
        sa.Column("seen", sa.Float(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "jobs",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("job", ID, primary_key=True, nullable=False),
        sa.Column("started", sa.Text(), nullable=True),
        sa.Column("finished", sa.Text(), nullable=True),
        sa.Column("succeeded", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "escrow",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("membership", ID, primary_key=True, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("person", ID, nullable=True),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("user_name", sa.Text(), nullable=True),
        sa.Column("after", ID, nullable=True),
        sa.Column("situation", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("first", sa.Text(), nullable=False),
        sa.Column("last", sa.Text(), nullable=False),
        sa.Column("due", sa.Text(), nullable=False),
        sa.Column("dead", sa.Text(), nullable=True),
        sa.Column("discarded", sa.Text(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quarantines",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "conditions",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("env", sa.Integer(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("changed", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=True),
        sa.Column("ended", sa.Text(), nullable=True),
    )
    op.create_index("conditions_env", "conditions", ["env", "event"], unique=False)
    op.create_table(
        "hints",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("user_id", ID, primary_key=True, nullable=False),
        sa.Column("field", ID, primary_key=True, nullable=False),
        sa.Column("value", ID, primary_key=True, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("hints_value", "hints", ["env", "field", "value"], unique=False)
