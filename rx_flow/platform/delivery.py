"""
What the platform does by itself: it owes nobody anything, and declares out of date what is.
"""

from __future__ import annotations

from sqlalchemy import Connection

from rx_flow.auth.site import Site
from rx_flow.platform.sweep import keep_sweeping
from rx_flow.record.outbox import Message, Reply


def on_reply(site: Site, tx: Connection, message: Message, reply: Reply) -> None:
    """
    Take an answer to something sent: the platform only answers, so that nothing follows from it.
    """


async def background(site: Site) -> None:
    """
    Run the sweep as long as the site runs.
    """
    await keep_sweeping(site.db, keyring=site.keyring, origin=site.origin(), clock=site.clock)
