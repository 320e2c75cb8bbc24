"""
The insurer's tables, and the triggers that make quotes, bookings, their outcomes and the ledger permanent.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "settlement_0001"
down_revision = None
branch_labels = ("settlement",)
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")
PERMANENT = ("settlement_quote", "settlement_booking", "settlement_booking_outcome", "settlement_ledger")


def upgrade() -> None:
    _insured()
    _quote()
    _booking()
    _booking_outcome()
    _open()
    _ledger()
    for table in PERMANENT:
        if op.get_bind().dialect.name == "sqlite":
            _permanent_on_sqlite(table)
        else:
            _permanent_on_postgresql(table)


def downgrade() -> None:
    for table in (*reversed(PERMANENT), "settlement_open", "settlement_insured"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in PERMANENT:
            op.execute(f"DROP FUNCTION {table}_is_permanent")


def _insured() -> None:
    op.create_table(
        "settlement_insured",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("scheme", sa.String(3), nullable=False),
        sa.Column("category", sa.String(8), nullable=False),
        sa.Column("enrolled_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("area", "person", name="pk_settlement_insured"),
        sa.UniqueConstraint("person", name="uq_settlement_insured_person"),
    )


def _quote() -> None:
    op.create_table(
        "settlement_quote",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("pharmacy", sa.String(24), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("area", "rx", "digest", name="pk_settlement_quote"),
    )


def _booking() -> None:
    op.create_table(
        "settlement_booking",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("reverses", sa.String(64)),
        sa.Column("pharmacy", sa.String(24), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("deductible_fen", sa.BigInteger(), nullable=False),
        sa.Column("fund_fen", sa.BigInteger(), nullable=False),
        sa.Column("patient_fen", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("message", sa.String(80), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("area", "rx", "n", name="pk_settlement_booking"),
        sa.UniqueConstraint("area", "digest", name="uq_settlement_booking_area_digest"),
    )
    op.create_index("ix_settlement_booking_person_year", "settlement_booking", ["person", "year"])


def _booking_outcome() -> None:
    op.create_table(
        "settlement_booking_outcome",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.String(6), nullable=False),
        sa.Column("state", sa.String(12)),
        sa.Column("code", sa.String(32)),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("area", "rx", "n", name="pk_settlement_booking_outcome"),
    )


def _open() -> None:
    op.create_table(
        "settlement_open",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("area", "rx", name="pk_settlement_open"),
    )


def _ledger() -> None:
    op.create_table(
        "settlement_ledger",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(4), nullable=False),
        sa.Column("account", sa.String(40), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("area", "rx", "n", "kind", "account", name="pk_settlement_ledger"),
    )
    op.create_index("ix_settlement_ledger_account", "settlement_ledger", ["account"])


def _permanent_on_sqlite(table: str) -> None:
    for verb, word in (("UPDATE", "changed"), ("DELETE", "removed")):
        op.execute(
            f"CREATE TRIGGER {table}_not_{word} BEFORE {verb} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} is permanent'); END"
        )


def _permanent_on_postgresql(table: str) -> None:
    op.execute(
        f"CREATE FUNCTION {table}_is_permanent() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" BEGIN RAISE EXCEPTION '{table} is permanent' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for verb, each, word in (("UPDATE OR DELETE", "ROW", "changed"), ("TRUNCATE", "STATEMENT", "emptied")):
        op.execute(
            f"CREATE TRIGGER {table}_not_{word} BEFORE {verb} ON {table}"
            f" FOR EACH {each} EXECUTE FUNCTION {table}_is_permanent()"
        )
