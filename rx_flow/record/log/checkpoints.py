"""
What has been signed: checkpoints and the cosignatures under them, as kept and as served.

An entry is recorded when it is committed, published when a checkpoint covers it, witnessed when a quorum has cosigned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from rx_flow.record.log import tables
from rx_flow.record.statements import Prepared, Row, insert_into, raw
from rx_flow.tlog import checkpoint, note
from rx_flow.tlog.note import Line


@dataclass(frozen=True, slots=True)
class Published:
    """
    A checkpoint as it is served: the signed note with the cosignatures that have come so far.
    """

    epoch: int
    size: int
    note: bytes
    signed_at: datetime


_c, _s = tables.checkpoint.c, tables.cosignature.c
_of = (_c.log == bindparam("log"), _c.epoch == bindparam("epoch"))
_KEPT = select(_c.epoch, _c.size, _c.note, _c.signed_at)
_LAST = Prepared(_KEPT.where(*_of).order_by(_c.size.desc()).limit(1))
_AT = Prepared(_KEPT.where(*_of, _c.size == bindparam("size")))
_ALL = Prepared(_KEPT.where(*_of, _c.size > bindparam("after")).order_by(_c.size).limit(bindparam("count")))
_PUT = Prepared(insert_into(tables.checkpoint))
_LINES = Prepared(
    select(_s.line)
    .where(_s.log == bindparam("log"), _s.epoch == bindparam("epoch"), _s.size == bindparam("size"))
    .order_by(_s.witness)
)
_LINE = Prepared(
    select(_s.line).where(
        _s.log == bindparam("log"),
        _s.epoch == bindparam("epoch"),
        _s.size == bindparam("size"),
        _s.witness == bindparam("witness"),
    )
)
_PUT_LINE = Prepared(insert_into(tables.cosignature))
_COSIGNED = Prepared(
    select(_s.size)
    .where(_s.log == bindparam("log"), _s.epoch == bindparam("epoch"))
    .distinct()
    .order_by(_s.size.desc())
    .limit(bindparam("count"))
)


def put(tx: Connection, log: str, *, epoch: int, size: int, signed: bytes, now: datetime) -> None:
    """
    Keep a signed checkpoint; one that is there already stays as it is (the signature is deterministic).
    """
    if _AT.first(tx, {"log": log, "epoch": epoch, "size": size}) is None:
        _PUT.run(tx, {"log": log, "epoch": epoch, "size": size, "note": signed, "signed_at": now})


def cosign(tx: Connection, log: str, *, epoch: int, size: int, lines: Iterable[Line]) -> None:
    """
    Keep witnesses' lines under a checkpoint; the first of each witness counts.
    """
    for line in lines:
        wanted = {"log": log, "epoch": epoch, "size": size, "witness": line.name}
        if _LINE.first(tx, wanted) is None:
            _PUT_LINE.run(tx, {**wanted, "line": str(line).rstrip("\n")})


def last(tx: Connection, log: str, epoch: int) -> Published | None:
    """
    Return the newest checkpoint of an epoch, with what has been cosigned; None before the first.
    """
    return _published(tx, log, _LAST.first(tx, {"log": log, "epoch": epoch}))


def bare(tx: Connection, log: str, epoch: int) -> bytes | None:
    """
    Return the newest checkpoint as it was signed, without what witnesses have put under it since.
    """
    row = _LAST.first(tx, {"log": log, "epoch": epoch})
    return None if row is None else raw(row[2])


def at(tx: Connection, log: str, epoch: int, size: int) -> Published | None:
    """
    Return the checkpoint of exactly this size, or None.
    """
    return _published(tx, log, _AT.first(tx, {"log": log, "epoch": epoch, "size": size}))


def after(tx: Connection, log: str, epoch: int, size: int, *, count: int) -> list[Published]:
    """
    Return the next checkpoints beyond a size, in order: for whoever reads them all.
    """
    rows = _ALL.all(tx, {"log": log, "epoch": epoch, "after": size, "count": count})
    return [one for row in rows if (one := _published(tx, log, row)) is not None]


def cosigned(tx: Connection, log: str, epoch: int, *, count: int = 16) -> Iterator[Published]:
    """
    Yield the newest checkpoints under which any witness stands, the newest first; each is read when it is asked for.
    """
    for (size,) in _COSIGNED.all(tx, {"log": log, "epoch": epoch, "count": count}):
        found = at(tx, log, epoch, size)
        if found is not None:
            yield found


def _published(tx: Connection, log: str, row: Row | None) -> Published | None:
    if row is None:
        return None
    epoch, size, signed, signed_at = row
    found = Published(epoch, size, raw(signed), signed_at)
    lines = [note.line(one[0]) for one in _LINES.all(tx, {"log": log, "epoch": found.epoch, "size": found.size})]
    if not lines:
        return found
    return Published(found.epoch, found.size, checkpoint.add(found.note, lines), found.signed_at)
