"""
What this site, as a witness, has cosigned last of each log. Never goes back: compared and set in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, update

from rx_flow.record.log import tables
from rx_flow.record.statements import Prepared, insert_into
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.merkle import EMPTY_ROOT

_w = tables.witnessed.c
_HELD = Prepared(select(_w.size, _w.root, _w.hits).where(_w.origin == bindparam("origin")))
_PUT = Prepared(insert_into(tables.witnessed))
_SET = Prepared(
    update(tables.witnessed)
    .where(_w.origin == bindparam("k_origin"), _w.hits == bindparam("k_hits"))
    .values(size=bindparam("size"), root=bindparam("root"), hits=bindparam("hits"))
)


@dataclass(frozen=True, slots=True)
class Held:
    """
    Size and root of the checkpoint cosigned last, and how often one has been: nothing, of a log never seen.
    """

    size: int = 0
    root: bytes = EMPTY_ROOT
    hits: int = 0


def held(tx: Connection, origin: str) -> Held:
    """
    Return what was cosigned last of a log.
    """
    row = _HELD.first(tx, {"origin": origin})
    return Held() if row is None else Held(*row)


def accept(tx: Connection, before: Held, now: Checkpoint) -> bool:
    """
    Store what is about to be cosigned, if what was held when that was decided still is; False, with nothing, if not.

    The cosignature may leave only after the commit of True. Two first contacts meet at the primary key, and the
    second one is run again.
    """
    if before.hits:
        new = {"k_origin": now.origin, "k_hits": before.hits, "size": now.size, "root": now.root}
        return _SET.run(tx, {**new, "hits": before.hits + 1}) == 1
    if _HELD.first(tx, {"origin": now.origin}) is not None:
        return False
    _PUT.run(tx, {"origin": now.origin, "size": now.size, "root": now.root, "hits": 1})
    return True
