"""
What the platform's answers mean at the insurer; each runs in the transaction that records the answer.
"""

from __future__ import annotations

import orjson
from sqlalchemy import Connection

from rx_flow.auth.site import Site
from rx_flow.crypto.documents import verify_document
from rx_flow.law.standing import State
from rx_flow.law.transitions import TRANSITIONS
from rx_flow.record.outbox import Message, Reply
from rx_flow.settlement import actions, ledger
from rx_flow.settlement.quotes import Step
from rx_flow.settlement.steps import refusal

DONE_BELOW = 300  # HTTP statuses below it are a yes


def on_reply(site: Site, tx: Connection, message: Message, reply: Reply) -> None:
    """
    Follow an answer: what the platform took is posted, what it refused is void; a second answer changes nothing.
    """
    booked = ledger.by_digest(tx, message.rx, message.key)
    if booked is None or not booked.pending:
        return
    step = Step(site.actor, site.clock(), site.origin(message.to), site.keyring.at_rest)
    if reply.status >= DONE_BELOW:
        actions.refused(tx, booked, refusal(reply.body), step)
        return
    documents = [verify_document(raw, site.trust) for raw in actions.raws(booked, site.keyring.at_rest)]
    actions.taken(tx, booked, _state(reply, booked.action), documents, step)


def _state(reply: Reply, action: str) -> State:
    """The state that the platform names; what the law says where the answer cannot be read, for a yes it was."""
    try:
        return State(orjson.loads(reply.body)["state"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return next(row.target for row in TRANSITIONS if row.action == action)
