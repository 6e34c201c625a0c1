"""Comparisons, and trials that are found again by what decided their outcome."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "comparisons",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("updated", sa.Double(), nullable=False),
        sa.Column("comparison", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_comparisons"),
        sa.UniqueConstraint("name", name="uq_comparisons_name"),
    )
    op.add_column("trials", sa.Column("fingerprint", sa.Text(), nullable=True))
    op.add_column("trials", sa.Column("reused", sa.Text(), nullable=True))
    op.create_index("ix_trials_fingerprint", "trials", ["fingerprint"])


def downgrade() -> None:
    op.drop_index("ix_trials_fingerprint", "trials")
    op.drop_column("trials", "reused")
    op.drop_column("trials", "fingerprint")
    op.drop_table("comparisons")
