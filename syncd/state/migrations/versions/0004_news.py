"""Whom changes concern, and who is found by what, so that a run need not judge everybody."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add what is new of whom. Everybody is judged once more: who gave way is not known yet."""
    op.create_table(
        "news",
        sa.Column("what", ID, primary_key=True, nullable=False),
        sa.Column("revision", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("subject", ID, primary_key=True, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "yields",
        sa.Column("env", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("user_id", ID, primary_key=True, nullable=False),
        sa.Column("person", ID, primary_key=True, nullable=False),
        sqlite_with_rowid=False,
    )
    for name in ("object_id", "employee_id", "login", "mail"):
        op.create_index(f"users_{name}", "users", ["env", name])
    op.execute("DELETE FROM meta WHERE name LIKE 'standing:%'")
