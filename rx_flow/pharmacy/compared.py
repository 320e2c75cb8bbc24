"""
The pharmacy's own tables, held against its log: what it holds, what it handed out, the copies it may still have.

Not compared: what `pharmacy_holding` says of the prescription itself (hospital, prescriber, dates, lines, `fault` and
`recorded`): it was read from the packages, which alone count where a step is signed; and how many units were handed out
of each lot, which the dispense record says: the platform counts them. A step that waits has no entry yet: its message
must wait too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.law.transitions import ACTIONS
from rx_flow.pharmacy.tables import handed_out, holding, pending
from rx_flow.record.audit import Outcome
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
    unsent_rows,
)
from rx_flow.record.log.reconcile import Keeps, reconcile
from rx_flow.record.papers import context
from rx_flow.record.statements import Prepared
from rx_flow.record.tables import package

_h, _n, _u, _p = holding.c, pending.c, handed_out.c, package.c
_TOLD: Final = {*ACTIONS, "drop_copy"}
_LETS_GO: Final = {"hand_back", "refuse"}
_HOLDING = Prepared(select(_h.ended, _h.fault).where(_h.area == bindparam("area"), _h.rx == bindparam("rx")))
_PENDING = Prepared(select(_n.digest).where(_n.area == bindparam("area"), _n.rx == bindparam("rx")))
_UNITS = Prepared(
    select(_u.trace_code, _u.digest)
    .where(_u.area == bindparam("area"), _u.rx == bindparam("rx"))
    .order_by(_u.trace_code)
)
_COPY = Prepared(select(_p.first_seq).where(_p.area == bindparam("area"), _p.rx == bindparam("rx")).limit(1))
_UNHEARD = (
    (unheard(_h.area, _h.rx), Amiss.HOLDING_ALTERED, "pharmacy_holding"),
    (unheard(_p.area, _p.rx), Amiss.PACKAGE_ALTERED, "package"),
)
_STRAY = unsent_rows(_n.area, _n.rx, _n.digest)
# Units of a prescription that has no chain yet can only be of a step that waits, and there is none before a claim.
_LOOSE = unheard(_u.area, _u.rx)


def compare(tx: Connection, keyring: Keyring | None = None, breathe: Breathe = nobody) -> Iterator[Found]:
    """
    Yield everything that is amiss here; with `keyring`, what is kept sealed is opened as well.
    """
    yield from reconcile(tx, keeps=Keeps.OWN, breathe=breathe)

    def judge(area: str, rx: str) -> Iterator[Found]:
        key = {"area": area, "rx": rx}
        entries = told(tx, area, rx, _TOLD)
        yield from _holding(tx, rx, entries, key)
        yield from _units(tx, rx, entries, key)
        if keyring is not None:
            yield from unopened(tx, area, rx, keyring.at_rest, lambda rx, seq, _: context(rx, seq))

    yield from prescriptions(tx, judge, breathe)
    for query, amiss, what in (*_UNHEARD, (_LOOSE, Amiss.UNITS_ALTERED, "pharmacy_handed_out")):
        yield from inserted(tx, query, amiss, what)
    yield from inserted(tx, _STRAY, Amiss.HOLDING_ALTERED, "pharmacy_pending")


def _holding(tx: Connection, rx: str, entries: list[dict[str, Any]], key: dict[str, str]) -> Iterator[Found]:
    """What was claimed is held, until the log tells how it ended; and a copy is there just as long."""
    row = _HOLDING.first(tx, key)
    claimed, ended, gone = False, None, True
    for one in entries:
        if one["outcome"] != Outcome.OK or not one["to"]:
            continue
        if one["action"] == "claim":
            claimed, ended, gone = True, None, False
        elif one["action"] == "drop_copy":
            ended, gone = one["to"], True
        elif one["action"] in _LETS_GO:
            gone = True
    if claimed != (row is not None):
        yield Found(Amiss.HOLDING_ALTERED, rx, "pharmacy_holding")
    elif row is not None and row[0] != ended:
        yield Found(Amiss.HOLDING_ALTERED, rx, "ended")
    due = row is not None and not gone and row[1] is None
    if due != (_COPY.first(tx, key) is not None):
        yield Found(Amiss.PACKAGE_ALTERED, rx, "package")


def _units(tx: Connection, rx: str, entries: list[dict[str, Any]], key: dict[str, str]) -> Iterator[Found]:
    """What was handed out stands under the record that says so, until it is taken back."""
    steps = done(entries, "dispense", "take_back")
    due = steps[-1]["document"] if steps and steps[-1]["action"] == "dispense" else None
    waiting = _PENDING.first(tx, key)
    known = {due, waiting[0] if waiting else None}
    units = _UNITS.all(tx, key)
    for code, digest in units:
        if digest not in known:
            yield Found(Amiss.UNITS_ALTERED, rx, f"trace code {code}")
    if due is not None and not any(digest == due for _, digest in units):
        yield Found(Amiss.UNITS_ALTERED, rx, "pharmacy_handed_out")
