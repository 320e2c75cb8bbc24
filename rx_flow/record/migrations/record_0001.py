"""
The tables that every site keeps, and the triggers that make documents and audit entries permanent.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "record_0001"
down_revision = None
branch_labels = ("record",)
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")

# An entry may be given its index, once. A document's sealed bytes may be erased. Nothing else, ever.
MAY_BE_FILLED = ("audit_entry", "idx")
MAY_BE_ERASED = ("document", "sealed")


def upgrade() -> None:
    _prescription()
    _document()
    _audit_entry()
    _outbox()
    _small()
    if op.get_bind().dialect.name == "sqlite":
        _permanent_on_sqlite(*MAY_BE_FILLED, change="OLD.idx IS NULL AND NEW.idx IS NOT NULL")
        _permanent_on_sqlite(*MAY_BE_ERASED, change="NEW.sealed IS NULL")
    else:
        _permanent_on_postgresql(*MAY_BE_FILLED, change="OLD.idx IS NULL AND NEW.idx IS NOT NULL")
        _permanent_on_postgresql(*MAY_BE_ERASED, change="NEW.sealed IS NULL")
        # Sealed bytes do not compress; trying costs the server time at every write.
        op.execute("ALTER TABLE document ALTER sealed SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE package ALTER body SET STORAGE EXTERNAL")


def downgrade() -> None:
    for name in ("nonce", "outbox", "audit_entry", "package", "document", "prescription"):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_entry_is_permanent, document_is_permanent")


def _prescription() -> None:
    op.create_table(
        "prescription",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("hospital", sa.String(24), nullable=False),
        sa.Column("prescriber", sa.String(24), nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("valid_until", MOMENT, nullable=False),
        sa.Column("first_reviewer", sa.String(24)),
        sa.Column("nominated", sa.String(24)),
        sa.Column("claimant", sa.String(24)),
        sa.Column("second_reviewer", sa.String(24)),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("area", "rx", name="pk_prescription"),
    )
    op.create_index("ix_prescription_valid_until", "prescription", ["valid_until"])
    only = sa.text("nominated IS NOT NULL")
    op.create_index(
        "ix_prescription_nominated", "prescription", ["nominated"], sqlite_where=only, postgresql_where=only
    )


def _document() -> None:
    op.create_table(
        "document",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("doc", sa.String(16), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("signer", sa.String(24), nullable=False),
        sa.Column("role", sa.String(24), nullable=False),
        sa.Column("institution", sa.String(24), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("target", sa.String(12), nullable=False),
        sa.Column("received_from", sa.String(24), nullable=False),
        sa.Column("sealed", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("area", "rx", "seq", name="pk_document"),
        sa.UniqueConstraint("area", "digest", name="uq_document_area_digest"),
    )
    op.create_table(
        "package",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("first_seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("area", "rx", "first_seq", name="pk_package"),
    )


def _audit_entry() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("chain", sa.String(40), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("prev", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("idx", sa.BigInteger()),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("rx", sa.String(24)),
        sa.Column("actor", sa.String(24)),
        sa.Column("role", sa.String(24)),
        sa.Column("institution", sa.String(24)),
        sa.Column("action", sa.String(24), nullable=False),
        sa.Column("outcome", sa.String(8), nullable=False),
        sa.Column("code", sa.String(32)),
        sa.PrimaryKeyConstraint("area", "chain", "seq", name="pk_audit_entry"),
    )
    op.create_index("ix_audit_entry_recorded_at", "audit_entry", ["recorded_at"])
    op.create_index("ix_audit_entry_actor_recorded_at", "audit_entry", ["actor", "recorded_at"])
    op.create_index("ix_audit_entry_institution_recorded_at", "audit_entry", ["institution", "recorded_at"])
    only = sa.text("idx IS NOT NULL")
    op.create_index("uq_audit_entry_idx", "audit_entry", ["idx"], unique=True, sqlite_where=only, postgresql_where=only)


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("rx", sa.String(24), nullable=False),
        sa.Column("receiver", sa.String(24), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("path", sa.String(200), nullable=False),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("answered_at", MOMENT),
        sa.Column("status", sa.SmallInteger()),
        sa.Column("reply", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("area", "rx", "receiver", "n", name="pk_outbox"),
        sa.UniqueConstraint("area", "rx", "receiver", "key", name="uq_outbox_area_rx_receiver_key"),
    )
    only = sa.text("answered_at IS NULL")
    op.create_index("ix_outbox_waiting", "outbox", ["receiver", "rx", "n"], sqlite_where=only, postgresql_where=only)


def _small() -> None:
    op.create_table(
        "nonce",
        sa.Column("area", sa.String(6), nullable=False),
        sa.Column("issuer", sa.String(24), nullable=False),
        sa.Column("jti", sa.String(64), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("area", "issuer", "jti", name="pk_nonce"),
    )
    op.create_index("ix_nonce_expires_at", "nonce", ["expires_at"])


def _permanent_on_sqlite(table: str, column: str, *, change: str) -> None:
    """`recursive_triggers` must be on, or INSERT OR REPLACE deletes without asking: see record/sqlite.py."""
    columns = [each["name"] for each in sa.inspect(op.get_bind()).get_columns(table) if each["name"] != column]
    same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in columns)
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is permanent'); END"
    op.execute(f"CREATE TRIGGER {table}_not_changed BEFORE UPDATE ON {table} WHEN NOT ({change} AND {same}) {refuse}")
    op.execute(f"CREATE TRIGGER {table}_not_removed BEFORE DELETE ON {table} {refuse}")


def _permanent_on_postgresql(table: str, column: str, *, change: str) -> None:
    op.execute(
        f"""
        CREATE FUNCTION {table}_is_permanent() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND {change} THEN
                OLD.{column} := NEW.{column};
                IF NEW IS NOT DISTINCT FROM OLD THEN
                    RETURN NEW;
                END IF;
            END IF;
            RAISE EXCEPTION '{table} is permanent' USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """
    )
    op.execute(
        f"CREATE TRIGGER {table}_not_changed BEFORE UPDATE OR DELETE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION {table}_is_permanent()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_permanent()"
    )
