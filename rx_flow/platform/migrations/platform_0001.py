"""
The platform's tables: routing, lines, bills, trace codes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "platform_0001"
down_revision = None
branch_labels = ("platform",)
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "platform_routing",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("pickup", sa.String(64), nullable=False),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("area", "rx", name="pk_platform_routing"),
        sa.UniqueConstraint("pickup", name="uq_platform_routing_pickup"),
    )
    op.create_index("ix_platform_routing_patient", "platform_routing", ["patient"])
    op.create_table(
        "platform_line",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("drug", sa.String(23), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("area", "rx", "n", name="pk_platform_line"),
    )
    op.create_table(
        "platform_bill",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("insurer", sa.String(24), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("fund_fen", sa.BigInteger(), nullable=False),
        sa.Column("patient_fen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("area", "rx", "seq", name="pk_platform_bill"),
    )
    _trace_code()


def _trace_code() -> None:
    op.create_table(
        "platform_trace_code",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("returned", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("area", "rx", "code", name="pk_platform_trace_code"),
    )
    # Without the area, on purpose: a package is sold once, wherever that is.
    op.create_index(
        "uq_platform_trace_code_out",
        "platform_trace_code",
        ["code"],
        unique=True,
        sqlite_where=sa.text("returned IS 0"),
        postgresql_where=sa.text("returned IS false"),
    )


def downgrade() -> None:
    for name in ("platform_trace_code", "platform_bill", "platform_line", "platform_routing"):
        op.drop_table(name)
