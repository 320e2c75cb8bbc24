"""
The prescription sheet (处方笺) of a prescription of this hospital: opened, verified, recorded; drawn elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from rx_flow.crypto.dossiers import verify_dossier
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pki.path import Trust
from rx_flow.evidence.sheet.content import Pickup, Sheet, of
from rx_flow.hospital import actions
from rx_flow.hospital.slip import slip
from rx_flow.law.standing import Actor, RxId
from rx_flow.record import audit, papers
from rx_flow.record.audit import Origin


def printed(
    tx: Connection,
    rx: RxId,
    by: Actor,
    *,
    keyring: Keyring,
    trust: Trust,
    names: Mapping[str, str],
    purpose: str,
    origin: Origin,
    now: datetime,
) -> Sheet:
    """
    Return what the sheet of `rx` says, with the code of the patient's slip, and record that it was read and what for.

    `names` are institutions' names by their codes. `Refused`: NOT_FOUND, WRONG_STATE before release; `Untrusted` where
    a document that is kept here is not believed.
    """
    standing, kept, seen = actions.judged(tx, rx, trust, now)
    raws = [papers.raw(one, keyring.at_rest) for one in kept]
    documents = verify_dossier(raws, trust, seen, rx=rx, head=standing.head)
    slipped = slip(keyring, rx)
    sheet = of(
        documents,
        pickup=Pickup(slipped.text, slipped.qr_svg),
        names=names,
        at=now,
        development=keyring.is_development,
    )
    audit.opened(tx, by, rx, purpose=purpose, origin=origin, now=now)
    return sheet
