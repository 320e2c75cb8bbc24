"""
A log as its files: what stands at each path below its prefix (c2sp.org/tlog-tiles), read from the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection

from rx_flow.record.log import checkpoints, store
from rx_flow.record.log.store import Log
from rx_flow.tlog import tiles
from rx_flow.tlog.faults import Broken


def file(tx: Connection, log: Log, path: str) -> bytes | None:
    """
    Return the bytes of a file of this log; None for one that it has not, or that no log has.
    """
    if path == tiles.CHECKPOINT:
        found = checkpoints.last(tx, log.name, log.epoch)
        return None if found is None else found.note
    try:
        tile = tiles.parse(path)
        if tile.level == tiles.ENTRIES:
            return store.entry_bundle(tx, log, tile.index, width=tile.width)
        return store.hash_tile(tx, log, tile.level, tile.index, width=tile.width)
    except Broken:
        return None


def fetching(tx: Connection, log: Log) -> Callable[[str], bytes | None]:
    """
    Return what a verifier fetches files by, within this transaction.
    """
    return lambda path: file(tx, log, path)


def paths(tx: Connection, log: Log) -> Iterator[str]:
    """
    Yield the path of every file of the log as of its last checkpoint, which comes after all its tiles.
    """
    found = checkpoints.last(tx, log.name, log.epoch)
    if found is None:
        return
    for tile in tiles.tiles_of(found.size):
        yield tile.path
    yield tiles.CHECKPOINT
