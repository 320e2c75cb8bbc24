"""
The table of wrong PINs: how many in a row, and since when the person is locked out of signing.
"""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from rx_flow.record.tables import Moment, own_metadata

metadata = own_metadata()

pin_failure = Table(
    "pin_failure",
    metadata,
    Column("area", String(6), primary_key=True),
    Column("person", String(24), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", Moment, nullable=False),
    Column("locked_at", Moment),
)
