"""
A platform's logs while it runs: the sequencer, and the collecting of cosignatures beside it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from rx_flow.auth.log import parties
from rx_flow.auth.log.cosigning import Cosigning
from rx_flow.auth.log.parties import Witness
from rx_flow.auth.peer import Peers
from rx_flow.config import Directory, Institution, Kind, Settings, log_domain, read_guards
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.law.standing import Actor
from rx_flow.record.database import Database
from rx_flow.record.log import store
from rx_flow.record.log.guard import alarms
from rx_flow.record.log.leader import leader
from rx_flow.record.log.sequencer import Sequencer
from rx_flow.record.outbox import Reply
from rx_flow.tlog import witness
from rx_flow.tlog.policy import Policy

log = logging.getLogger(__name__)
WITNESS_SECONDS: Final = 5.0


@dataclass(slots=True)
class Logs:
    """
    One platform's logs; `policy` says when a checkpoint counts as witnessed.
    """

    sequencer: Sequencer
    cosigning: Cosigning
    policy: Policy
    served: dict[str, int] = field(default_factory=dict)  # by origin: the largest size shown, never to be undercut
    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to number, to sign and to ask for cosignatures; say which areas nobody can sign for."""
        without = [name for name in await self.sequencer.db.read(store.waiting) if name not in self.sequencer.signers]
        if without:
            log.warning("entries of these areas are in no log, for there is no key: %s", ", ".join(without))
        self.sequencer.start()
        self._task = asyncio.create_task(self.cosigning.run())

    async def stop(self) -> None:
        """Stop, after a last turn of the sequencer."""
        try:
            await self.sequencer.stop()
        finally:
            if self._task is not None:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)

    def troubles(self) -> list[str]:
        """Return what is wrong, whichever process signs: nothing is signed any more, or a witness saw another log."""
        found = [f"{name}: {why}" for name, why in alarms(self.sequencer.guards).items()]
        return found + [f"{name}: witness {who} {why}" for (who, name), why in self.cosigning.troubles.items()]


def open_logs(
    me: Institution,
    settings: Settings,
    directory: Directory,
    *,
    db: Database,
    keyring: Keyring,
    peers: Peers,
    clock: Callable[[], datetime],
) -> Logs | None:
    """
    Return the logs of a platform by its log keys, not yet started; None for every other kind of site.

    `Unfit` where keys, policy or the guard's folder are not as they should be.
    """
    if me.kind is not Kind.PLATFORM:
        return None
    domain = log_domain(me.code)
    signers = {name: keyring.log_key(name) for name in keyring.log_names}
    by = Actor(me.code, me.kind.role, me.code)
    sequencer = Sequencer(
        db, signers, domain, read_guards(settings), clock, leader=leader(settings.database_url), by=by
    )
    logs = [key for name in signers for key in parties.log_keys(settings.keys, me.code, name)]
    policy, witnesses = parties.chosen(settings.keys, directory, logs)

    async def ask(one: Witness, body: bytes) -> Reply:
        if one.url:
            return await peers.beyond(one.url, f"/{witness.PATH}", body, seconds=WITNESS_SECONDS)
        return await peers.witness(one.institution, body, seconds=WITNESS_SECONDS)

    cosigning = Cosigning(db, witnesses, ask)
    sequencer.on_published = cosigning.offer
    return Logs(sequencer, cosigning, policy)
