"""
The hospital's own table: revocations that were signed and sent, and that the platform has not answered yet.
"""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, String, Table

from rx_flow.record.tables import Moment, own_metadata

metadata = own_metadata()

# One at most for each prescription; the row goes when the platform has answered.
revocation = Table(
    "hospital_revocation",
    metadata,
    Column("area", String(6), primary_key=True),
    Column("rx", String(24), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
