"""
The verifiable log: entries numbered within their area, and its tiles, checkpoints and cosignatures.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "record_0002"
down_revision = "record_0001"
branch_labels = None
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")


def _key() -> tuple[sa.Column[str], sa.Column[int]]:
    return (
        sa.Column("log", sa.String(12), nullable=False),
        sa.Column("epoch", sa.SmallInteger(), autoincrement=False, nullable=False),
    )


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def upgrade() -> None:
    numbered, waiting = sa.text("idx IS NOT NULL"), sa.text("idx IS NULL")
    op.drop_index("uq_audit_entry_idx", "audit_entry")
    op.create_index(
        "uq_audit_entry_area_idx", "audit_entry", ["area", "idx"], unique=True,
        sqlite_where=numbered, postgresql_where=numbered,
    )  # fmt: skip
    op.create_index(
        "ix_audit_entry_waiting", "audit_entry", ["area", "recorded_at"],
        sqlite_where=waiting, postgresql_where=waiting,
    )  # fmt: skip
    op.create_table(
        "log",
        *_key(),
        sa.Column("origin", sa.String(200), nullable=False),
        sa.Column("base", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("edge", sa.LargeBinary(), nullable=False),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("log", "epoch", name="pk_log"),
    )
    op.create_table(
        "log_tile",
        *_key(),
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        _number("n"),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", "epoch", "level", "n", name="pk_log_tile"),
    )
    op.create_table(
        "log_leaf",
        *_key(),
        _number("n"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", "epoch", "n", name="pk_log_leaf"),
    )
    op.create_table(
        "log_checkpoint",
        *_key(),
        _number("size"),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("log", "epoch", "size", name="pk_log_checkpoint"),
    )
    op.create_table(
        "log_cosignature",
        *_key(),
        _number("size"),
        sa.Column("witness", sa.String(200), nullable=False),
        sa.Column("line", sa.String(400), nullable=False),
        sa.PrimaryKeyConstraint("log", "epoch", "size", "witness", name="pk_log_cosignature"),
    )
    op.create_table(
        "log_witnessed",
        sa.Column("origin", sa.String(200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("origin", name="pk_log_witnessed"),
    )


def downgrade() -> None:
    for name in ("log_witnessed", "log_cosignature", "log_checkpoint", "log_leaf", "log_tile", "log"):
        op.drop_table(name)
    op.drop_index("ix_audit_entry_waiting", "audit_entry")
    op.drop_index("uq_audit_entry_area_idx", "audit_entry")
    numbered = sa.text("idx IS NOT NULL")
    op.create_index(
        "uq_audit_entry_idx", "audit_entry", ["idx"], unique=True, sqlite_where=numbered, postgresql_where=numbered
    )
