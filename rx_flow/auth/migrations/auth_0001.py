"""
The table of wrong PINs.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "auth_0001"
down_revision = None
branch_labels = ("auth",)
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "pin_failure",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("person", sa.String(24), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", MOMENT, nullable=False),
        sa.Column("locked_at", MOMENT),
        sa.PrimaryKeyConstraint("area", "person", name="pk_pin_failure"),
    )


def downgrade() -> None:
    op.drop_table("pin_failure")
