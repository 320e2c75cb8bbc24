"""
Locks of PostgreSQL that go by a name: who asks for one that another holds has to wait. Elsewhere nobody shares.
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import BigInteger, Connection, bindparam, func, select

from rx_flow.record.statements import Prepared

_LOCK = Prepared(select(func.pg_advisory_xact_lock(bindparam("key", type_=BigInteger))))


def lock_number(name: str) -> int:
    """
    Return the number that PostgreSQL knows a lock by.
    """
    return int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)


def hold(tx: Connection, name: str) -> None:
    """
    Return when no other transaction holds the lock; this one then does, until it ends.
    """
    _LOCK.run(tx, {"key": lock_number(name)})
