"""
What the platform's answers mean at the insurer, and how a doubtful one is resolved: by asking, never by guessing.

A yes that names our document posts the booking, in the transaction that records the answer. Anything else may come
after a yes that was lost on the way: the booking is void only when the platform says that it never took the document.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
from sqlalchemy import Connection

from rx_flow.auth.site import Site
from rx_flow.config import Kind
from rx_flow.crypto.documents import verify_document
from rx_flow.crypto.pki.status import Seen
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import State
from rx_flow.record import outbox
from rx_flow.record.outbox import Message, MessageId, Reply, Unreachable
from rx_flow.settlement import actions, ledger
from rx_flow.settlement.ledger import Booking
from rx_flow.settlement.quotes import Step

OK, NOT_FOUND = 200, 404
EVERY_SECONDS = 5.0
log = logging.getLogger(__name__)


def platform(site: Site) -> str:
    """
    Return the code of the platform that this insurer settles for.
    """
    return site.directory.of_kind(Kind.PLATFORM)[0].code


def on_reply(site: Site, tx: Connection, message: Message, reply: Reply) -> None:
    """
    Post what the platform has taken; a second answer changes nothing. What it seems to have refused is for `resolve`.
    """
    booked = ledger.by_digest(tx, message.rx, message.key)
    state = None if booked is None else _taken(reply, booked)
    if booked is not None and state is not None:
        _post(site, tx, booked, state)


async def resolve(site: Site, booked: Booking) -> Booking:
    """
    Return a booking with what became of it: asks the platform for the document where its answer was no plain yes.

    It stays pending while the message travels, and while the platform cannot be asked.
    """
    booked = await site.db.read(ledger.again, booked)
    reply = await site.db.read(outbox.reply, MessageId(booked.message))
    if not booked.pending or reply is None:
        return booked
    try:
        became = await site.peers.get(platform(site), f"/prescriptions/{booked.rx}/documents/{booked.digest}")
    except Unreachable:
        return booked
    state = _taken(became, booked)
    if state is not None:
        await site.db.transact(_post_again, site, booked, state)
    elif became.status == NOT_FOUND and became.code is Code.NOT_FOUND:
        await site.db.transact(_void, site, booked, reply.code)
    return await site.db.read(ledger.again, booked)


async def background(site: Site) -> None:
    """
    Resolve what is in doubt every few seconds, as long as the site runs.
    """
    while True:
        try:
            doubtful = await site.db.read(ledger.doubtful)
        except Refused as refused:
            log.info("what is in doubt waits: %s", refused.code)
            doubtful = ()
        for booked in doubtful:
            try:
                await resolve(site, booked)
            except Exception as error:  # noqa: BLE001  One booking's trouble must not keep the others in doubt.
                log.warning("a booking of %s stays in doubt: %s", booked.rx, type(error).__name__)
        await asyncio.sleep(EVERY_SECONDS)


def _post_again(tx: Connection, site: Site, booked: Booking, state: State) -> None:
    _post(site, tx, ledger.again(tx, booked), state)


def _post(site: Site, tx: Connection, booked: Booking, state: State) -> None:
    if booked.pending:
        seen = Seen(site.clock(), held=booked.at)
        documents = [verify_document(raw, site.trust, seen) for raw in actions.raws(booked, site.keyring.at_rest)]
        actions.taken(tx, booked, state, documents, _step(site))


def _void(tx: Connection, site: Site, booked: Booking, code: Code) -> None:
    booked = ledger.again(tx, booked)
    if booked.pending:
        actions.refused(tx, booked, code, _step(site))


def _step(site: Site) -> Step:
    return Step(site.actor, site.clock(), site.origin(platform(site)), site.keyring.at_rest)


def _taken(reply: Reply, booked: Booking) -> State | None:
    """The state that our document led to, if this is the platform's answer to that document."""
    try:
        answer = _members(reply.body)
        return State(answer["state"]) if reply.status == OK and answer["document"] == booked.digest else None
    except (KeyError, ValueError):
        return None


def _members(body: bytes) -> dict[str, Any]:
    found = orjson.loads(body)
    return found if isinstance(found, dict) else {}
