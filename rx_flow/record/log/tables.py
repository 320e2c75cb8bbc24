"""
What a log keeps beside the entries: how far it has come, its full tiles, and every checkpoint that it has signed.

Everything here but the cosignatures can be made again from the entries.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, SmallInteger, String, Table

from rx_flow.record.tables import Moment, metadata


def _log() -> Column[str]:
    return Column("log", String(12), primary_key=True)  # a pooling area, or `checkpoints`


def _epoch() -> Column[int]:
    return Column("epoch", SmallInteger, primary_key=True, autoincrement=False)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


# One row for each log and epoch: `edge` is the partial tiles one after the other, `base` the idx of its first entry.
log = Table(
    "log",
    metadata,
    _log(),
    _epoch(),
    Column("origin", String(200), nullable=False),
    Column("base", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("edge", LargeBinary, nullable=False),
    Column("begun_at", Moment, nullable=False),
)

# Full hash tiles; a partial one is the beginning of a full one, or of the edge.
tile = Table(
    "log_tile",
    metadata,
    _log(),
    _epoch(),
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    _number("n"),
    Column("data", LargeBinary, nullable=False),
)

# Entries of a log whose entries are not audit entries: the checkpoints of the others.
leaf = Table("log_leaf", metadata, _log(), _epoch(), _number("n"), Column("body", LargeBinary, nullable=False))

# Every checkpoint ever served, and what witnesses have put under it.
checkpoint = Table(
    "log_checkpoint",
    metadata,
    _log(),
    _epoch(),
    _number("size"),
    Column("note", LargeBinary, nullable=False),
    Column("signed_at", Moment, nullable=False),
)
cosignature = Table(
    "log_cosignature",
    metadata,
    _log(),
    _epoch(),
    _number("size"),
    Column("witness", String(200), primary_key=True),
    Column("line", String(400), nullable=False),
)

# The last checkpoint that this site, as a witness, has cosigned of somebody's log.
witnessed = Table(
    "log_witnessed",
    metadata,
    Column("origin", String(200), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("hits", Integer, nullable=False),  # how often, so that a compare-and-set never mistakes one for another
)

TABLES = (log, tile, leaf, checkpoint, cosignature, witnessed)
