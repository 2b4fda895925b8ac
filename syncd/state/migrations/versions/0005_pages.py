"""Pages of the target, to know them again."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table; the next read of everything fills it."""
    op.create_table(
        "pages",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("what", ID, primary_key=True, nullable=False),
        sa.Column("digest", sa.LargeBinary(), primary_key=True, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("marks", sa.Text(), nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        # To compress versions and random ids takes long and saves little.
        op.execute("ALTER TABLE pages ALTER COLUMN marks SET STORAGE EXTERNAL")
