"""
The insurer's own tables: who is insured, what was quoted, what was booked, and the ledger, only ever added to.

No name and no identity number stands here: a person is a keyed pseudonym. A booking without an outcome is pending.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)

from rx_flow.record.tables import Moment, own_metadata

metadata = own_metadata()


def _key(name: str, length: int) -> Column[str]:
    return Column(name, String(length), primary_key=True)


def _fen(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


# Who is insured (参保人), by keyed pseudonym of kind and number of the identity document; `area` is where (参保地).
insured = Table(
    "settlement_insured",
    metadata,
    _key("area", 6),
    _key("person", 64),
    Column("scheme", String(3), nullable=False),
    Column("category", String(8), nullable=False),
    Column("enrolled_at", Moment, nullable=False),
    UniqueConstraint("person"),
)

# What a pharmacy was told that a settlement would say (预结算), and the state of things that it was reckoned from.
quote = Table(
    "settlement_quote",
    metadata,
    _key("area", 6),
    _key("rx", 24),
    _key("digest", 64),
    Column("pharmacy", String(24), nullable=False),
    Column("person", String(64), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("head", String(64), nullable=False),
    Column("on", Date, nullable=False),
    Column("at", Moment, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # the statement, encrypted at rest
)

# Every statement and decision as it was booked, in order; amounts as they move: a reversal's are negative.
booking = Table(
    "settlement_booking",
    metadata,
    _key("area", 6),
    _key("rx", 24),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),  # of the document that the platform is asked to take
    Column("action", String(16), nullable=False),
    Column("request", String(64), nullable=False),  # what asked for it: the same request again is the same booking
    Column("reverses", String(64)),  # the settlement that this takes back, or that a decision is about
    Column("pharmacy", String(24), nullable=False),
    Column("person", String(64), nullable=False),
    Column("account", String(32), nullable=False),  # which fund: insuring area and scheme
    Column("year", SmallInteger, nullable=False),
    _fen("total_fen"),
    _fen("deductible_fen"),
    _fen("fund_fen"),
    _fen("patient_fen"),
    Column("at", Moment, nullable=False),
    Column("message", String(80), nullable=False),  # in the outbox
    Column("sealed", LargeBinary, nullable=False),  # the documents, encrypted at rest
    UniqueConstraint("area", "digest"),
    Index(None, "person", "year"),
)

# What became of a booking, once: posted, with the state it led to, or void, with the platform's reason.
booking_outcome = Table(
    "settlement_booking_outcome",
    metadata,
    _key("area", 6),
    _key("rx", 24),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("outcome", String(6), nullable=False),
    Column("state", String(12)),
    Column("code", String(32)),
    Column("at", Moment, nullable=False),
)

# Which booking of a prescription waits for the platform: one at most, which this key sees to; the row goes with the
# outcome. It says nothing that bookings and outcomes do not say, but is small however many there have been.
open_booking = Table(
    "settlement_open",
    metadata,
    _key("area", 6),
    _key("rx", 24),
    Column("n", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
)

# Double entry: the legs of one posting sum to zero; what is voided is posted once more with the signs turned.
ledger = Table(
    "settlement_ledger",
    metadata,
    _key("area", 6),
    _key("rx", 24),
    Column("n", Integer, primary_key=True, autoincrement=False),
    _key("kind", 4),  # book or void
    _key("account", 40),
    _fen("amount_fen"),
    Column("at", Moment, nullable=False),
    Index(None, "account"),
)
