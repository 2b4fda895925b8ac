"""What is usual of a source, and what was said of its reads."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add what certificates are judged by beside the size of a read."""
    op.add_column("sources", sa.Column("columns", sa.Text(), nullable=True))
    op.add_column("certificates", sa.Column("notes", sa.Text(), nullable=True))
    op.create_table(
        "bands",
        sa.Column("source", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("attribute", ID, primary_key=True, nullable=False),
        sa.Column("value", ID, primary_key=True, nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "newcomers",
        sa.Column("source", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("key", ID, primary_key=True, nullable=False),
        sqlite_with_rowid=False,
    )
