"""
What a pharmacy holds, what of it waits for an answer, and which units it has handed out.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pharmacy_0001"
down_revision = None
branch_labels = ("pharmacy",)
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "pharmacy_holding",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("hospital", sa.String(24), nullable=False),
        sa.Column("prescriber", sa.String(24), nullable=False),
        sa.Column("first_reviewer", sa.String(24)),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("valid_until", MOMENT, nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("claimed_at", MOMENT, nullable=False),
        sa.Column("fault", sa.String(32)),
        sa.Column("ended", sa.String(12)),
        sa.PrimaryKeyConstraint("area", "rx", name="pk_pharmacy_holding"),
    )
    op.create_index("ix_pharmacy_holding_claimed_at", "pharmacy_holding", ["claimed_at"])
    op.create_table(
        "pharmacy_pending",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("staff", sa.String(24), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("seq", sa.Integer()),
        sa.Column("sealed", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("area", "rx", name="pk_pharmacy_pending"),
    )
    op.create_table(
        "pharmacy_handed_out",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("trace_code", sa.String(40), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("lot", sa.String(40), nullable=False),
        sa.Column("expiry", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("area", "trace_code", name="pk_pharmacy_handed_out"),
    )
    op.create_index("ix_pharmacy_handed_out_rx", "pharmacy_handed_out", ["rx"])


def downgrade() -> None:
    for name in ("pharmacy_handed_out", "pharmacy_pending", "pharmacy_holding"):
        op.drop_table(name)
