"""
The table of revocations on their way.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "hospital_0001"
down_revision = None
branch_labels = ("hospital",)
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "hospital_revocation",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("area", "rx", name="pk_hospital_revocation"),
    )


def downgrade() -> None:
    op.drop_table("hospital_revocation")
