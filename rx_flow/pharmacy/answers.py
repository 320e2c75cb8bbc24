"""
What follows at the pharmacy when the platform or the insurer has answered: what counts is kept, what ended is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection, bindparam, delete, update

from rx_flow.crypto.documents import Document
from rx_flow.law.dispensing import Wanted
from rx_flow.law.refusals import Code
from rx_flow.law.standing import Actor, RxId, Standing, State
from rx_flow.pharmacy.holdings import HELD, Step, held, key
from rx_flow.pharmacy.tables import handed_out, holding, pending
from rx_flow.record import audit, dossier
from rx_flow.record.audit import Origin
from rx_flow.record.outbox import DONE_BELOW
from rx_flow.record.statements import Prepared, insert_into
from rx_flow.record.tables import outbox, package


@dataclass(frozen=True, slots=True)
class Kept:
    """
    A document that counts, its bytes sealed for keeping, and the state that it led to.
    """

    document: Document
    sealed: bytes
    target: State


_NEVER_SAID: Mapping[str, datetime] = {}

_h, _n, _p, _o, _u = holding.c, pending.c, package.c, outbox.c, handed_out.c
_PENDING_DROP = Prepared(delete(pending).where(_n.area == bindparam("k_area"), _n.rx == bindparam("k_rx")))
_HOLDING_PUT = Prepared(insert_into(holding))
_HOLDING_DROP = Prepared(delete(holding).where(_h.area == bindparam("k_area"), _h.rx == bindparam("k_rx")))
_ENDED = Prepared(
    update(holding)
    .where(_h.area == bindparam("k_area"), _h.rx == bindparam("k_rx"))
    .values(ended=bindparam("ended_in"))
)
_PACKAGES_DROP = Prepared(delete(package).where(_p.area == bindparam("k_area"), _p.rx == bindparam("k_rx")))
_REPLIES_DROP = Prepared(
    update(outbox)
    .where(
        _o.area == bindparam("k_area"), _o.rx == bindparam("k_rx"), _o.status < DONE_BELOW
    )  # what was refused keeps its reason
    .values(reply=b"{}")
)
_UNITS_DROP = Prepared(delete(handed_out).where(_u.area == bindparam("k_area"), _u.rx == bindparam("k_rx")))


def acknowledged(
    tx: Connection, step: Step, documents: Sequence[Kept], *, actor: Actor, source: State, origin: Origin, now: datetime
) -> None:
    """
    Keep the documents of a step that counts now, with the state they led to, and record it: one entry.
    """
    _PENDING_DROP.run(tx, key(step.rx))
    for each in documents:
        dossier.keep(
            tx,
            each.document,
            action=str(each.document.body["action"]),
            target=each.target,
            received_from="" if each.document.signer.institution == origin.site else each.document.signer.institution,
            sealed=each.sealed,
        )
    audit.append(
        tx,
        audit.Entry(
            at=now,
            origin=origin,
            actor=actor,
            action=step.action,
            rx=step.rx,
            source=source,
            target=documents[-1].target,
            document=documents[0].document.digest,
            purpose=f"staff:{step.staff}",
        ),
    )


def refused(tx: Connection, step: Step, *, actor: Actor, code: Code, origin: Origin, now: datetime) -> None:
    """
    Drop a step that the other side refused, give its trace codes free, and record the refusal.
    """
    _PENDING_DROP.run(tx, key(step.rx))
    if step.action == "dispense":
        _UNITS_DROP.run(tx, key(step.rx))
    document = step.key if step.sealed is not None else ""
    audit.refused(tx, actor, step.action, code=code, origin=origin, now=now, rx=step.rx, document=document)


def hold(
    tx: Connection,
    standing: Standing,
    lines: Iterable[Wanted],
    *,
    now: datetime,
    fault: Code | None,
    recorded: Mapping[str, datetime] = _NEVER_SAID,
) -> None:
    """
    Remember what was claimed, in place of what is remembered of an earlier claim.

    `recorded`: when the platform had recorded the documents, by digest, where it said so.
    """
    _HOLDING_DROP.run(tx, key(standing.rx))
    _HOLDING_PUT.run(
        tx,
        {
            "area": standing.area,
            "rx": standing.rx,
            "hospital": standing.hospital,
            "prescriber": standing.prescriber,
            "first_reviewer": standing.first_reviewer,
            "issued_at": standing.issued_at,
            "valid_until": standing.valid_until,
            "lines": orjson.dumps([[line.n, line.drug, line.quantity, line.unit] for line in lines]).decode(),
            "claimed_at": now,
            "fault": fault,
            "recorded": orjson.dumps(recorded).decode() if recorded else None,
            "ended": None,
        },
    )


def keep_copy(tx: Connection, rx: str, packages: Iterable[dossier.Package]) -> None:
    """
    Keep the sealed packages of what was claimed, in place of those of an earlier claim.
    """
    _PACKAGES_DROP.run(tx, key(rx))
    for one in packages:
        dossier.put_package(tx, rx, one)


def drop_copy(tx: Connection, rx: str) -> None:
    """
    Delete the sealed packages, and the answers that brought them: nothing is left that could be opened.
    """
    _PACKAGES_DROP.run(tx, key(rx))
    _REPLIES_DROP.run(tx, key(rx))


def end(tx: Connection, rx: RxId, state: State, *, me: Actor, origin: Origin, now: datetime) -> None:
    """
    Note that it left this pharmacy without a document of ours (revoked, expired, taken away), and delete the copy.
    """
    found = held(tx, rx, me.institution)
    if found is None or found.ended or found.standing.state not in HELD:
        return
    _ENDED.run(tx, {**key(rx), "ended_in": state.value})
    drop_copy(tx, rx)
    audit.append(
        tx,
        audit.Entry(
            at=now,
            origin=origin,
            actor=me,
            action="drop_copy",
            rx=rx,
            source=found.standing.state,
            target=state,
        ),
    )


def restock(tx: Connection, rx: str) -> None:
    """
    Give the trace codes of a prescription that was taken back free again.
    """
    _UNITS_DROP.run(tx, key(rx))
