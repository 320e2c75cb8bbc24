"""
The platform's own tables: what routing and supervision need in clear, and never who the patient is.

Where a prescription stands is in `record.tables.prescription`; its documents are in their sealed packages.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, UniqueConstraint, false

from rx_flow.record.tables import Moment, own_metadata

metadata = own_metadata()


def _area() -> Column[str]:
    return Column("area", String(6), primary_key=True)


def _rx() -> Column[str]:
    return Column("rx", String(24), primary_key=True)


# How a prescription is found by its pick-up code, and which prescriptions are one patient's: keyed hashes, both.
routing = Table(
    "platform_routing",
    metadata,
    _area(),
    _rx(),
    Column("pickup", String(64), nullable=False),
    Column("patient", String(64), nullable=False, index=True),
    Column("received_at", Moment, nullable=False),
    UniqueConstraint("pickup"),
)

# What was prescribed: drug codes and quantities, nothing of how it is taken or against what.
line = Table(
    "platform_line",
    metadata,
    _area(),
    _rx(),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("drug", String(23), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit", String(100), nullable=False),
)

# Totals of each statement in fen, as its insurer signed them; a reversal stands as a row of its own, below zero.
bill = Table(
    "platform_bill",
    metadata,
    _area(),
    _rx(),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("insurer", String(24), nullable=False),
    Column("action", String(16), nullable=False),
    Column("total_fen", BigInteger, nullable=False),
    Column("fund_fen", BigInteger, nullable=False),
    Column("patient_fen", BigInteger, nullable=False),
)

# Every trace code (追溯码) that was handed out; the index is what keeps one package from being sold twice.
trace_code = Table(
    "platform_trace_code",
    metadata,
    _area(),
    _rx(),
    Column("code", String(40), primary_key=True),
    Column("n", Integer, nullable=False),
    Column("returned", Boolean, nullable=False, server_default=false()),
)
Index(
    "uq_platform_trace_code_out",
    trace_code.c.code,
    unique=True,
    sqlite_where=trace_code.c.returned.is_(False),
    postgresql_where=trace_code.c.returned.is_(False),
)

TABLES = (routing, line, bill, trace_code)
