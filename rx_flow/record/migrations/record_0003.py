"""
Entries commit to personal values whose openings can be erased, and are found by the trace of a request.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "record_0003"
down_revision = "record_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_entry", sa.Column("trace", sa.String(32)))
    only = sa.text("trace IS NOT NULL")
    op.create_index("ix_audit_entry_trace", "audit_entry", ["trace"], sqlite_where=only, postgresql_where=only)
    op.create_table(
        "audit_secret",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("chain", sa.String(40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("value", sa.String(64), nullable=False),
        sa.Column("disclosure", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("area", "chain", "seq", "name", name="pk_audit_secret"),
    )
    op.create_index("ix_audit_secret_value", "audit_secret", ["value"])
    if op.get_bind().dialect.name == "sqlite":
        _renew_trigger()


def downgrade() -> None:
    op.drop_table("audit_secret")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_entry_not_changed")
    op.drop_index("ix_audit_entry_trace", "audit_entry")
    op.drop_column("audit_entry", "trace")
    if op.get_bind().dialect.name == "sqlite":
        _renew_trigger(drop=False)


def _renew_trigger(*, drop: bool = True) -> None:
    """On SQLite the trigger that lets nothing but `idx` be filled names the columns; that of PostgreSQL does not."""
    columns = [each["name"] for each in sa.inspect(op.get_bind()).get_columns("audit_entry") if each["name"] != "idx"]
    same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in columns)
    if drop:
        op.execute("DROP TRIGGER audit_entry_not_changed")
    op.execute(
        "CREATE TRIGGER audit_entry_not_changed BEFORE UPDATE ON audit_entry"
        f" WHEN NOT (OLD.idx IS NULL AND NEW.idx IS NOT NULL AND {same})"
        " BEGIN SELECT RAISE(ABORT, 'audit_entry is permanent'); END"
    )
