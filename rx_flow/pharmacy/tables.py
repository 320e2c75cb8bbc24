"""
The pharmacy's own tables: what it holds, the one step of each that waits for an answer, and what it handed out.

The pharmacy is no authority for the state of a prescription: that is read from the last acknowledged document.
"""

from __future__ import annotations

from sqlalchemy import Column, Date, Integer, LargeBinary, String, Table, Text

from rx_flow.record.tables import Moment, own_metadata

metadata = own_metadata()


def _key(name: str, length: int) -> Column[str]:
    return Column(name, String(length), primary_key=True)


# What was learned from the verified documents when it was claimed: codes, times and quantities, no person's data.
holding = Table(
    "pharmacy_holding",
    metadata,
    _key("area", 6),
    _key("rx", 24),
    Column("hospital", String(24), nullable=False),
    Column("prescriber", String(24), nullable=False),
    Column("first_reviewer", String(24)),
    Column("issued_at", Moment, nullable=False),
    Column("valid_until", Moment, nullable=False),
    Column("lines", Text, nullable=False),  # JSON [[n, drug, quantity, unit], ...]
    Column("claimed_at", Moment, nullable=False, index=True),
    Column("fault", String(32)),  # why the documents cannot be trusted; then it can only be handed back
    Column("recorded", Text),  # JSON {digest: time}: when the platform had recorded its documents, where it said so
    Column("ended", String(12)),  # the state in which it left this pharmacy without a document of ours
)

# What was signed and sent, written before it leaves; the row goes with the answer. One at most for a prescription.
pending = Table(
    "pharmacy_pending",
    metadata,
    _key("area", 6),
    _key("rx", 24),
    Column("digest", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("staff", String(24), nullable=False),
    Column("at", Moment, nullable=False),
    Column("seq", Integer),  # null where the next document is the insurer's
    Column("sealed", LargeBinary),
)

# Every unit handed out: its trace code (追溯码), the lot it is from, and the dispense record that says so.
handed_out = Table(
    "pharmacy_handed_out",
    metadata,
    _key("area", 6),
    _key("trace_code", 40),
    Column("rx", String(24), nullable=False, index=True),
    Column("digest", String(64), nullable=False),
    Column("n", Integer, nullable=False),
    Column("lot", String(40), nullable=False),
    Column("expiry", Date, nullable=False),
)
