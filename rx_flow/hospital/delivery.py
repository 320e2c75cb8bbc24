"""
What the platform's answers mean at the hospital; each runs in the transaction that records the answer.
"""

from __future__ import annotations

from sqlalchemy import Connection

from rx_flow.auth.site import Site
from rx_flow.crypto.pki.status import Seen
from rx_flow.hospital import actions
from rx_flow.law.standing import Actor, Ask, Role, RxId
from rx_flow.record import audit, papers
from rx_flow.record.advance import Evidence
from rx_flow.record.outbox import Message, Reply


def on_reply(site: Site, tx: Connection, message: Message, reply: Reply) -> None:
    """
    Follow an answer: a revocation that was taken moves the own row; whatever was refused is recorded as denied.
    """
    rx = RxId(message.rx)
    now = site.clock()
    code = None if reply.taken else reply.code
    waiting = actions.waiting(tx, rx) if message.path.endswith("/revoke") else None
    if waiting is None:
        if code is not None:
            audit.refused(
                tx, site.actor, "release", code=code, origin=site.origin(), now=now, rx=rx, document=message.key
            )
        return
    seen = Seen(now, held=waiting.at)
    document = papers.unseal(waiting.sealed, site.keyring.at_rest, site.trust, rx=rx, seq=waiting.seq, seen=seen)
    signer = document.signer
    actor = Actor(signer.id, Role(signer.role), signer.institution)
    ask = Ask("revoke", actor, now, str(document.body["reason"]))
    if code is not None:
        actions.revocation_refused(tx, rx, ask, code=code, digest=document.digest, origin=site.origin())
        return
    actions.revocation_accepted(tx, ask, evidence=Evidence(document, "revoke", waiting.sealed), origin=site.origin())
