"""
The hospital's own table, held against its log, and whether what it signed for others is there to be sent.

With the keys, every document that is kept sealed is opened: it has to be the one that the log names. One that was
erased is not amiss. A revocation that waits has no entry yet: its message must wait too.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, and_, bindparam, exists, select, tuple_

from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.hospital.papers import context
from rx_flow.hospital.tables import revocation
from rx_flow.record.log.comparing import (
    Amiss,
    Breathe,
    Found,
    done,
    inserted,
    nobody,
    pages,
    prescriptions,
    told,
    unheard,
    unopened,
    unsent,
)
from rx_flow.record.log.reconcile import Keeps, reconcile
from rx_flow.record.statements import Prepared
from rx_flow.record.tables import outbox

_r, _o = revocation.c, outbox.c
_STRAY = Prepared(
    select(_r.area, _r.rx)
    .where(tuple_(_r.area, _r.rx) > tuple_(bindparam("area"), bindparam("rx")))
    .where(~exists().where(and_(_o.area == _r.area, _o.rx == _r.rx, _o.key == _r.digest, _o.answered_at.is_(None))))
    .order_by(_r.area, _r.rx)
    .limit(bindparam("count"))
)
_UNHEARD = unheard(_r.area, _r.rx)


def compare(tx: Connection, keyring: Keyring | None = None, breathe: Breathe = nobody) -> Iterator[Found]:
    """
    Yield everything that is amiss here; with `keyring`, what is kept sealed is opened as well.
    """
    yield from reconcile(tx, keeps=Keeps.WHOLE, breathe=breathe)

    def judge(area: str, rx: str) -> Iterator[Found]:
        yield from unsent(tx, area, rx, done(told(tx, area, rx, {"release"})))
        if keyring is not None:
            yield from unopened(tx, area, rx, keyring.at_rest, lambda rx, seq, _: context(rx, seq))

    yield from prescriptions(tx, judge, breathe)
    yield from inserted(tx, _UNHEARD, Amiss.REVOCATION_ALTERED, "hospital_revocation")
    for _, rx in pages(tx, _STRAY, ("area", "rx")):
        yield Found(Amiss.REVOCATION_ALTERED, rx, "hospital_revocation")
