"""
The tables that every site keeps, and the column type for times. The only place where their columns are declared.

Every table that grows has the pooling area (统筹区) first in its key, so that a province can partition by area.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TIMESTAMP, TypeDecorator, TypeEngine


def own_metadata() -> MetaData:
    """
    Return an empty catalogue of tables, with the house's names for keys and indexes.
    """
    return MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


metadata = own_metadata()


class Moment(TypeDecorator[datetime]):
    """
    An aware moment, stored in UTC; a naive one is refused with `ValueError`.

    PostgreSQL keeps it as `timestamptz`; SQLite as text of a fixed width, so that text order is time order.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime] | TypeEngine[str]:
        """Choose the native type where the database has one."""
        return TIMESTAMP(timezone=True) if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """Turn an aware moment into UTC, in the form that the database keeps."""
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("a moment without a time zone cannot be recorded")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.isoformat(timespec="microseconds")

    def process_result_value(
        self,
        value: datetime | str | None,
        dialect: Dialect,  # noqa: ARG002  SQLAlchemy gives it.
    ) -> datetime | None:
        """Give the moment back, aware and in UTC."""
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return None if value is None else value.astimezone(UTC)


def _key(name: str, length: int) -> Column[str]:
    return Column(name, String(length), primary_key=True)


# One row for each prescription this site is an authority for: `law.Standing`, column by column.
prescription = Table(
    "prescription",
    metadata,
    _key("area", 6),
    _key("rx", 24),
    Column("state", String(12), nullable=False),
    Column("hospital", String(24), nullable=False),
    Column("prescriber", String(24), nullable=False),
    Column("issued_at", Moment, nullable=False),
    Column("valid_until", Moment, nullable=False, index=True),
    Column("first_reviewer", String(24)),
    Column("nominated", String(24)),
    Column("claimant", String(24)),
    Column("second_reviewer", String(24)),
    Column("seq", Integer, nullable=False),
    Column("head", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
)
Index(
    "ix_prescription_nominated",
    prescription.c.nominated,
    sqlite_where=prescription.c.nominated.isnot(None),
    postgresql_where=prescription.c.nominated.isnot(None),
)

# The signed documents, in order; `sealed` is the document encrypted at rest, null where a package holds it.
document = Table(
    "document",
    metadata,
    _key("area", 6),
    _key("rx", 24),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("doc", String(16), nullable=False),
    Column("action", String(16), nullable=False),
    Column("signer", String(24), nullable=False),
    Column("role", String(24), nullable=False),
    Column("institution", String(24), nullable=False),
    Column("at", Moment, nullable=False),
    Column("target", String(12), nullable=False),  # the state that the document led to
    Column("received_from", String(24), nullable=False),  # "" where it was signed at this site
    Column("sealed", LargeBinary),
    UniqueConstraint("area", "digest"),
)

# Sealed packages exactly as they came; recipients are added only to the copy that is handed out.
package = Table(
    "package",
    metadata,
    _key("area", 6),
    _key("rx", 24),
    Column("first_seq", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
)

# Exact bytes of each entry, and beside them what they are looked up by; `idx` is the sequencer's.
audit_entry = Table(
    "audit_entry",
    metadata,
    _key("area", 6),
    _key("chain", 40),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("prev", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("idx", BigInteger),
    Column("recorded_at", Moment, nullable=False, index=True),
    Column("rx", String(24)),
    Column("actor", String(24)),
    Column("role", String(24)),
    Column("institution", String(24)),
    Column("action", String(24), nullable=False),
    Column("outcome", String(8), nullable=False),
    Column("code", String(32)),
    Column("trace", String(32)),
    Index(None, "actor", "recorded_at"),
    Index(None, "institution", "recorded_at"),
)
Index(
    "ix_audit_entry_trace",
    audit_entry.c.trace,
    sqlite_where=audit_entry.c.trace.isnot(None),
    postgresql_where=audit_entry.c.trace.isnot(None),
)
Index(
    "ix_audit_entry_waiting",  # for its number in the area's log
    audit_entry.c.area,
    audit_entry.c.recorded_at,
    sqlite_where=audit_entry.c.idx.is_(None),
    postgresql_where=audit_entry.c.idx.is_(None),
)
Index(
    "uq_audit_entry_area_idx",
    audit_entry.c.area,
    audit_entry.c.idx,
    unique=True,
    sqlite_where=audit_entry.c.idx.isnot(None),
    postgresql_where=audit_entry.c.idx.isnot(None),
)

# What opens an entry's commitments (salt, name, value); erased when a value must be forgotten, and the log still holds.
audit_secret = Table(
    "audit_secret",
    metadata,
    _key("area", 6),
    _key("chain", 40),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    _key("name", 16),
    Column("value", String(64), nullable=False),
    Column("disclosure", Text, nullable=False),
    Index(None, "value"),
)

# What this site owes others; `n` orders the messages about one prescription to one receiver.
outbox = Table(
    "outbox",
    metadata,
    _key("area", 6),
    _key("rx", 24),
    _key("receiver", 24),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("key", String(64), nullable=False),
    Column("path", String(200), nullable=False),
    Column("body", LargeBinary),  # null once answered
    Column("created_at", Moment, nullable=False),
    Column("answered_at", Moment),
    Column("status", SmallInteger),
    Column("reply", LargeBinary),
    UniqueConstraint("area", "rx", "receiver", "key"),
)
Index(
    "ix_outbox_waiting",
    outbox.c.receiver,
    outbox.c.rx,
    outbox.c.n,
    sqlite_where=outbox.c.answered_at.is_(None),
    postgresql_where=outbox.c.answered_at.is_(None),
)

# Identifiers of assertions already used (RFC 7523 jti), kept until they could not be used anyway.
nonce = Table(
    "nonce",
    metadata,
    _key("area", 6),
    _key("issuer", 24),
    _key("jti", 64),
    Column("expires_at", Moment, nullable=False, index=True),
)

TABLES = (prescription, document, package, audit_entry, audit_secret, outbox, nonce)
