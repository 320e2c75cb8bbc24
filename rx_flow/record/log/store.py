"""
A log in the database: entries get their numbers and tiles grow, in one transaction; tiles and bundles are read back.

The only place that numbers an entry. It signs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, LargeBinary, bindparam, select, update
from sqlalchemy import func as sql

from rx_flow.record import audit
from rx_flow.record.log import tables
from rx_flow.record.statements import Prepared, Row, insert_into, raw
from rx_flow.record.tables import audit_entry
from rx_flow.tlog import merkle
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.prover import Prover
from rx_flow.tlog.tiles import ENTRIES, WIDTH, Edge, Tile, bundle, width_at

CHECKPOINTS = "checkpoints"  # the log whose entries are the other logs' checkpoints
BATCH_MAX = 4096
FIRST_EPOCH = 1


@dataclass(frozen=True, slots=True)
class Log:
    """
    One log at one moment: `base` is the number in its area of its first entry, not 0 after a first epoch.
    """

    name: str
    epoch: int
    origin: str
    base: int
    edge: Edge

    @property
    def size(self) -> int:
        """How many entries it has."""
        return self.edge.size


@dataclass(frozen=True, slots=True)
class Sequenced:
    """
    What one turn of a sequencer did: the log as it is now, how many entries it took, and whether more wait.
    """

    log: Log
    taken: int
    more: bool


_a, _l, _t, _f = audit_entry.c, tables.log.c, tables.tile.c, tables.leaf.c
_newest = (
    select(_l.epoch, _l.origin, _l.base, _l.size, _l.edge)
    .where(_l.log == bindparam("log"))
    .order_by(_l.epoch.desc())
    .limit(1)
)
_LOG = Prepared(_newest)
_LOCK = Prepared(_newest.with_for_update())
_EPOCH = Prepared(
    select(_l.epoch, _l.origin, _l.base, _l.size, _l.edge).where(
        _l.log == bindparam("log"), _l.epoch == bindparam("epoch")
    )
)
_NAMES = Prepared(select(_l.log).where(_l.log > bindparam("after")).distinct().order_by(_l.log))
_EPOCHS = Prepared(select(_l.epoch).where(_l.log == bindparam("log")).order_by(_l.epoch.desc()))
_OPEN = Prepared(insert_into(tables.log))
_GROW = Prepared(
    update(tables.log)
    .where(_l.log == bindparam("k_log"), _l.epoch == bindparam("k_epoch"))
    .values(size=bindparam("size"), edge=bindparam("edge", type_=LargeBinary()))
)
_AREAS = Prepared(select(_a.area).where(_a.idx.is_(None), _a.area > bindparam("after")).distinct())
_WAITING = Prepared(
    select(_a.chain, _a.seq, _a.body)
    .where(_a.area == bindparam("area"), _a.idx.is_(None))
    .order_by(_a.recorded_at, _a.chain, _a.seq)
    .limit(bindparam("count"))
)
_BODY = Prepared(
    select(_a.body).where(
        _a.area == bindparam("area"), _a.chain == bindparam("chain"), _a.seq == bindparam("seq"), _a.idx.is_(None)
    )
)
_BACKLOG = Prepared(select(sql.count()).select_from(audit_entry).where(_a.area == bindparam("area"), _a.idx.is_(None)))
_HEADS = Prepared(select(_l.log, _l.epoch, _l.size).where(_l.epoch >= bindparam("since")).order_by(_l.epoch))
_LAST_NUMBER = Prepared(select(sql.max(_a.idx)).where(_a.area == bindparam("area")))
_PUT_TILE = Prepared(insert_into(tables.tile))
_TILE = Prepared(
    select(_t.data).where(
        _t.log == bindparam("log"),
        _t.epoch == bindparam("epoch"),
        _t.level == bindparam("level"),
        _t.n == bindparam("n"),
    )
)
_BODIES = Prepared(
    select(_a.body)
    .where(_a.area == bindparam("log"), _a.idx >= bindparam("begin"), _a.idx < bindparam("end"))
    .order_by(_a.idx)
)
_PUT_LEAF = Prepared(insert_into(tables.leaf))
_LEAVES = Prepared(
    select(_f.body)
    .where(
        _f.log == bindparam("log"),
        _f.epoch == bindparam("epoch"),
        _f.n >= bindparam("begin"),
        _f.n < bindparam("end"),
    )
    .order_by(_f.n)
)


def waiting(tx: Connection) -> tuple[str, ...]:
    """
    Return the areas in which entries wait for a number.
    """
    return tuple(row[0] for row in _AREAS.all(tx, {"after": ""}))


def heads(tx: Connection) -> dict[str, tuple[int, int]]:
    """
    Return the newest epoch and its size of every log.
    """
    return {name: (epoch, size) for name, epoch, size in _HEADS.all(tx, {"since": FIRST_EPOCH})}


def backlog(tx: Connection, name: str) -> int:
    """
    Return how many entries of an area wait for a number.
    """
    return int(_BACKLOG.all(tx, {"area": name})[0][0])


def origin_of(domain: str, name: str, epoch: int) -> str:
    """
    Return the origin of a log's epoch: `domain/350100`, from the second epoch on `domain/350100/2`.
    """
    return f"{domain}/{name}" if epoch == FIRST_EPOCH else f"{domain}/{name}/{epoch}"


def load(tx: Connection, name: str, epoch: int | None = None) -> Log | None:
    """
    Return a log as it is, its newest epoch unless one is named.
    """
    row = _LOG.first(tx, {"log": name}) if epoch is None else _EPOCH.first(tx, {"log": name, "epoch": epoch})
    return None if row is None else _log(name, row)


def lock(tx: Connection, name: str) -> Log | None:
    """
    Return the newest epoch of a log, for whoever is about to make it grow: others wait for this transaction's end.
    """
    row = _LOCK.first(tx, {"log": name})
    return None if row is None else _log(name, row)


def names(tx: Connection) -> tuple[str, ...]:
    """
    Return the names of all logs, in order.
    """
    return tuple(row[0] for row in _NAMES.all(tx, {"after": ""}))


def epochs(tx: Connection, name: str) -> tuple[int, ...]:
    """
    Return the epochs of a log, the newest first.
    """
    return tuple(row[0] for row in _EPOCHS.all(tx, {"log": name}))


def begin(tx: Connection, name: str, origin: str, *, epoch: int, now: datetime) -> Log:
    """
    Begin a log, or its next epoch, at size 0; its first entry is the next one of the area to get a number.
    """
    last = None if name == CHECKPOINTS else _LAST_NUMBER.first(tx, {"area": name})
    base = 0 if last is None or last[0] is None else last[0] + 1
    edge = b""
    _OPEN.run(
        tx,
        {"log": name, "epoch": epoch, "origin": origin, "base": base, "size": 0, "edge": edge, "begun_at": now},
    )
    return Log(name, epoch, origin, base=base, edge=Edge())


def sequence(tx: Connection, name: str, origin: str, *, now: datetime, count: int = BATCH_MAX) -> Sequenced:
    """
    Give the area's waiting entries their numbers, by the time at which they were recorded, and grow the tiles.

    The order within one call is that of recording; across calls, that of committing: an entry that is seen has a
    number after every entry seen before. In one transaction with `lock`, so that numbers are dense.
    """
    log = lock(tx, name) or begin(tx, name, origin, epoch=1, now=now)
    rows = _WAITING.all(tx, {"area": name, "count": count})
    if not rows:
        return Sequenced(log, 0, more=False)
    audit.number(tx, name, [(chain, seq) for chain, seq, _ in rows], log.base + log.size)
    return Sequenced(_grown(tx, log, [row[2] for row in rows]), len(rows), more=len(rows) == count)


def sequence_first(tx: Connection, log: Log, chain: str, seq: int) -> Log:
    """
    Give one waiting entry the next number, ahead of whatever else waits.
    """
    body = _BODY.first(tx, {"area": log.name, "chain": chain, "seq": seq})
    assert body is not None  # noqa: S101  The caller has just appended it.
    audit.number(tx, log.name, [(chain, seq)], log.base + log.size)
    return _grown(tx, log, [body[0]])


def add(tx: Connection, name: str, origin: str, bodies: Sequence[bytes], *, now: datetime) -> Log:
    """
    Add entries that are kept in the log itself: for the log of checkpoints.
    """
    log = lock(tx, name) or begin(tx, name, origin, epoch=1, now=now)
    _PUT_LEAF.many(
        tx,
        [{"log": name, "epoch": log.epoch, "n": log.size + n, "body": body} for n, body in enumerate(bodies)],
    )
    return _grown(tx, log, bodies)


def hash_tile(tx: Connection, log: Log, level: int, index: int, *, width: int) -> bytes:
    """
    Return the first `width` hashes of a tile that the log has; `Broken(TILE_MISSING)` for one that it has not.
    """
    if not 0 < width <= width_at(level, index, log.size):
        raise Broken(Fault.TILE_MISSING)
    if width_at(level, index, log.size) < WIDTH:
        return log.edge.levels[level][: width * merkle.HASH_BYTES]
    row = _TILE.first(tx, {"log": log.name, "epoch": log.epoch, "level": level, "n": index})
    if row is None:
        raise Broken(Fault.TILE_MISSING, Tile(level, index, width).path)
    return raw(row[0])[: width * merkle.HASH_BYTES]


def bodies(tx: Connection, log: Log, begin_at: int, end_at: int) -> list[bytes]:
    """
    Return the exact bytes of the log's entries from `begin_at` to before `end_at`, numbered from 0 in this epoch.
    """
    if log.name == CHECKPOINTS:
        wanted = {"log": log.name, "epoch": log.epoch, "begin": begin_at, "end": end_at}
        return [raw(row[0]) for row in _LEAVES.all(tx, wanted)]
    wanted = {"log": log.name, "begin": log.base + begin_at, "end": log.base + end_at}
    return [raw(row[0]) for row in _BODIES.all(tx, wanted)]


def entry_bundle(tx: Connection, log: Log, index: int, *, width: int) -> bytes:
    """
    Return an entry bundle that the log has; `Broken(BUNDLE_MISSING)` for one that it has not.
    """
    if not 0 < width <= width_at(ENTRIES, index, log.size):
        raise Broken(Fault.BUNDLE_MISSING)
    return bundle(bodies(tx, log, index * WIDTH, index * WIDTH + width))


def prover(tx: Connection, log: Log, size: int | None = None) -> Prover:
    """
    Return what makes proofs in this log, as it was at `size`; within this transaction.
    """
    return Prover(
        log.size if size is None else size,
        lambda level, index, width: hash_tile(tx, log, level, index, width=width),
    )


def _log(name: str, row: Row) -> Log:
    epoch, origin, base, size, edge = row
    levels, at = [], 0
    for level in range((size.bit_length() + 7) // 8):
        length = (size >> 8 * level) % WIDTH * merkle.HASH_BYTES
        levels.append(bytes(edge[at : at + length]))
        at += length
    return Log(name, epoch, origin, base=base, edge=Edge(size, tuple(levels)))


def _grown(tx: Connection, log: Log, new: Sequence[bytes]) -> Log:
    """Grow the tiles by entries that have just been numbered."""
    edge, made = log.edge.grow(b"".join(map(merkle.leaf, new)))
    full = [
        {"log": log.name, "epoch": log.epoch, "level": tile.level, "n": tile.index, "data": data}
        for tile, data in made
        if tile.width == WIDTH
    ]
    if full:
        _PUT_TILE.many(tx, full)
    _GROW.run(
        tx,
        {"k_log": log.name, "k_epoch": log.epoch, "size": edge.size, "edge": b"".join(edge.levels)},
    )
    return Log(log.name, log.epoch, log.origin, base=log.base, edge=edge)
