"""
Nothing acknowledged is lost by kill -9, and nothing is half there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from sqlalchemy import Connection
from walking import rx_of

from rx_flow.law.standing import Standing
from rx_flow.record import audit, dossier
from rx_flow.record.advance import load
from rx_flow.record.database import Database

TESTS = Path(__file__).resolve().parent.parent

# Eight clients, each bringing one prescription after another from the pen to a claim and back; a line for each answer.
WRITER = textwrap.dedent(
    """
    import asyncio, os, sys
    from walking import PHARMACIES, available, rx_of, step
    from rx_flow.record.database import Database

    async def client(db, number):
        while True:
            rx = rx_of(number)
            number += 8
            for action, *rest in ((available,), (step, "claim", PHARMACIES[0]), (step, "hand_back", PHARMACIES[0])):
                standing = await db.transact(action, rx, *rest)
                os.write(1, f"{rx} {standing.seq} {standing.head}\\n".encode())

    async def main():
        db = Database.open(sys.argv[1])
        os.write(1, b"ready\\n")
        await asyncio.gather(*(client(db, int(sys.argv[2]) + n) for n in range(8)))

    asyncio.run(main())
    """
)


def acknowledged(url: str, first: int, seconds: float) -> dict[str, tuple[int, str]]:
    """Let a process write, kill it in the middle, and return what it had been told was kept."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent)))}
    with subprocess.Popen(  # noqa: S603  Our own arguments.
        [sys.executable, "-c", WRITER, url, str(first)], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.read().decode().splitlines()
    found: dict[str, tuple[int, str]] = {}
    for line in lines:
        rx, seq, head = line.split()
        found[rx] = (int(seq), head)
    return found


def whole(tx: Connection, rx: str) -> Standing:
    """A prescription whose state, documents and entries tell the same."""
    standing = load(tx, rx)
    assert standing is not None
    kept = dossier.documents(tx, rx)
    entries = [one.content for one in reversed(audit.entries(tx, rx=rx, limit=1000))]
    assert [one.seq for one in kept] == list(range(1, standing.seq + 1))
    assert (kept[-1].digest, kept[-1].target) == (standing.head, standing.state)
    assert [one["seq"] for one in entries] == list(range(1, standing.seq + 1))
    assert [one["document"] for one in entries] == [one.digest for one in kept]
    assert entries[-1]["to"] == standing.state
    return standing


def hold(tx: Connection, told: dict[str, tuple[int, str]], first: int) -> None:
    """What was acknowledged is there; what was not is whole all the same."""
    for rx, (seq, head) in told.items():
        assert whole(tx, rx).seq >= seq
        assert any(one.digest == head for one in dossier.documents(tx, rx))
    for client in range(8):
        number = first + client
        while load(tx, rx_of(number)) is not None:
            whole(tx, rx_of(number))
            number += 8


def test_what_was_acknowledged_is_there_after_a_kill(database_url: str) -> None:
    told: dict[str, tuple[int, str]] = {}
    for moment in range(4):
        first = moment * 1_000_000
        now = acknowledged(database_url, first, 0.1 + moment * 0.11)
        told |= now
        db = Database.open(database_url)
        db.look(hold, now, first)
        db.close()
    assert len(told) > 20
    final = Database.open(database_url)
    final.look(hold, told, 0)
    final.close()
