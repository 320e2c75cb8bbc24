"""
The hospital's own table, held against its log, and whether what it signed for others is there to be sent.

With the keys, every document that is kept sealed is opened: it has to be the one that the log names. One that was
erased is not amiss. A revocation that waits has no entry yet: its message must wait too.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.hospital.tables import revocation
from rx_flow.record.log.comparing import (
    Amiss,
    Breathe,
    Found,
    done,
    inserted,
    nobody,
    prescriptions,
    told,
    unheard,
    unopened,
    unsent,
    unsent_rows,
)
from rx_flow.record.log.reconcile import Keeps, reconcile
from rx_flow.record.papers import context

_r = revocation.c
_STRAY = unsent_rows(_r.area, _r.rx, _r.digest)
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
    yield from inserted(tx, _STRAY, Amiss.REVOCATION_ALTERED, "hospital_revocation")
