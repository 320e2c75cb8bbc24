"""
What recording, numbering and verifying cost through the database: the other half of `scripts/bench audit`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from rx_flow.cli.keys import development
from rx_flow.config import Kind, Settings, log_domain, read_guards
from rx_flow.law.standing import Actor, Role, RxId
from rx_flow.opening import components, open_keys
from rx_flow.record import audit, schema
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.database import Database
from rx_flow.record.log import store
from rx_flow.record.log.leader import Alone
from rx_flow.record.log.sequencer import Sequencer
from rx_flow.tlog import merkle
from rx_flow.tlog.tiles import Edge

PLATFORM, AREA = "C35990000001", "350100"
CHAIN = 10  # entries of one prescription
IN_FLIGHT = 64
PARTS = 10
BATCH = 64
NOW = datetime(2026, 11, 23, tzinfo=UTC)
READER = Actor("auditor-x", Role.PLATFORM, PLATFORM)


@dataclass(frozen=True, slots=True)
class Durable:
    """
    Recording and numbering in entries a second of wall time, and microseconds of CPU time; then verifying all of it.
    """

    entries: int
    recorded_per_second: float
    published_per_second: float
    cpu_us: float
    ratio: float  # of that to the bare tree
    last_tenth_to_first: float  # how the CPU time of recording and numbering grows
    tree_share: float  # of that CPU time, how much is hashing
    verify_us: float  # `rx-flow audit verify`, CPU time for one entry: entries, tiles, chains and rows
    verify_ratio: float
    verify_mib: float  # the most memory that it held


def durable(count: int, *, bare_us: float, progress: Callable[[str], None]) -> Durable:
    """Measure one size in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="rx-bench-") as name:
        data = Path(name)
        development.make(data / "keys", development.read_participants(), now=NOW)
        url = f"sqlite:///{data / PLATFORM}.db"
        schema.upgrade(url, components(Kind.PLATFORM))
        settings = Settings(PLATFORM, url, data / "keys", guards=data / "guards" / PLATFORM)
        db = Database.open(url)
        try:
            spent, wall = asyncio.run(_fill(db, settings, count, progress=progress))
            hashing = _hashing(db.look(lambda tx: store.bodies(tx, _log(tx), 0, min(count, 100_000))))
        finally:
            db.close()
        progress(f"{count} entries: rx-flow audit verify")
        verify, mib = _verify(data, count)
    cpu = sum(spent) / count * 1e6
    return Durable(
        count, count / wall[0], count / wall[1], cpu_us=cpu, ratio=cpu / bare_us,
        last_tenth_to_first=spent[-1] / spent[0], tree_share=hashing / cpu, verify_us=verify,
        verify_ratio=verify / bare_us, verify_mib=mib,
    )  # fmt: skip


async def _fill(
    db: Database, settings: Settings, count: int, *, progress: Callable[[str], None]
) -> tuple[list[float], tuple[float, float]]:
    """Record tenth by tenth and number each; CPU seconds by tenth, and seconds to have recorded, and numbered, all."""
    _, ring = open_keys(settings)
    signers = {name: ring.log_key(name) for name in ring.log_names}
    sequencer = Sequencer(
        db, signers, log_domain(PLATFORM), read_guards(settings), lambda: NOW, leader=Alone(), backlog_max=2 * count
    )
    tenths, recorded, numbered = [], 0.0, 0.0
    for part in range(PARTS):
        progress(f"{count} entries: recording, {part + 1} of {PARTS}")
        numbers = iter(range(part * count // PARTS, (part + 1) * count // PARTS))
        begin, cpu = time.monotonic(), time.process_time()

        async def worker() -> None:
            for n in numbers:  # noqa: B023  All workers of this part share it, and end with it.
                await db.transact(_record, n)

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(worker())
        middle = time.monotonic()
        await sequencer.turn()
        recorded, numbered = recorded + middle - begin, numbered + time.monotonic() - middle
        tenths.append(time.process_time() - cpu)
    return tenths, (recorded, recorded + numbered)


def _record(tx: Connection, n: int) -> None:
    rx = RxId(f"{AREA}-{n // CHAIN:016d}")
    at = NOW + timedelta(milliseconds=n)
    audit.append(tx, Entry(at, Origin(PLATFORM, f"{n:032x}"), READER, "view", rx, purpose=str(n % 97)))


def _log(tx: Connection) -> store.Log:
    found = store.load(tx, AREA)
    if found is None:
        raise RuntimeError("nothing was numbered")
    return found


def _hashing(bodies: list[bytes]) -> float:
    """The CPU time that one of these entries takes in the tree, in microseconds."""
    begin, edge = time.process_time(), Edge()
    for at in range(0, len(bodies), BATCH):
        edge, _ = edge.grow(b"".join(map(merkle.leaf, bodies[at : at + BATCH])))
    return (time.process_time() - begin) / len(bodies) * 1e6


def _verify(data: Path, count: int) -> tuple[float, float]:
    """Let the command verify the whole log: CPU microseconds for one entry, and the most memory it held in MiB."""
    # A process between, so that its children's account is that of the command alone.
    code = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], capture_output=True, check=True); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); sys.stdout.buffer.write(done.stdout); "
        "print(); print(used.ru_utime + used.ru_stime, used.ru_maxrss)"
    )
    command = [sys.executable, "-P", "-m", "rx_flow", "audit", "verify", "--json", "--data", str(data)]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)  # noqa: S603  our own command
    told, used = done.stdout.rstrip().rsplit("\n", 1)
    log = next(one for one in json.loads(told)["logs"] if one["log"].endswith(AREA))
    if (log["checked"]["entries"], log["found"]) != (count, 0):
        raise RuntimeError(f"not verified: {log}")
    seconds, most = used.split()
    return float(seconds) / count * 1e6, float(most) / 1024 * _UNIT


_UNIT = 1 if sys.platform.startswith("linux") else 1 / 1024  # kilobytes, or bytes
