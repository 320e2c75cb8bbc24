"""
`scripts/bench audit`: what appending, verifying and proving cost in the log, against a bare tree of the same bytes.

Everything is CPU time of one process, measured in one run; ratios are what counts.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from rx_flow.crypto.ed25519 import Seed
from rx_flow.record import audit, schema
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.database import Database
from rx_flow.record.log import store
from rx_flow.tlog import checkpoint, merkle
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.note import Key, Kind
from rx_flow.tlog.policy import Policy
from rx_flow.tlog.prover import Prover
from rx_flow.tlog.tiles import CHECKPOINT, Edge, Tile, rebuild
from rx_flow.tlog.verify import verify

SIZES = (10_000, 100_000, 1_000_000)
PROOFS = 1_000
BATCH = 64  # entries that one turn of the sequencer finds under load
PARTS = 10
OTHERS_MAX = 100_000  # a size that pymerkle still does in less than a minute
IN_FLIGHT = 64
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tree:
    """
    One size, without a database. Microseconds of CPU time for one entry or proof; ratios to the bare tree.
    """

    entries: int
    bare_us: float
    append_us: float
    append_ratio: float
    last_tenth_to_first: float  # how the cost of appending grows
    verify_us: float
    verify_ratio: float
    proof_us: float
    pymerkle_append_us: float | None
    pymerkle_proof_us: float | None


@dataclass(frozen=True, slots=True)
class Durable:
    """
    Appending through the database, in milliseconds of wall time and entries a second.
    """

    entries: int
    recorded_per_second: float
    published_per_second: float
    tree_share: float  # of the CPU time of recording and sequencing, how much is hashing


def _entries(count: int) -> list[bytes]:
    """Entries as long as ours, each another."""
    filling = b'"purpose":"' + b"x" * 420 + b'"'
    return [b'{"n":%d,' % n + filling + b"}" for n in range(count)]


def _bare(entries: Sequence[bytes]) -> bytes:
    """The tree by hashlib alone, row by row: the least that any verifier must do."""
    row = [sha256(b"\0" + entry).digest() for entry in entries]
    while len(row) > 1:
        above = [sha256(b"\1" + row[n] + row[n + 1]).digest() for n in range(0, len(row) - 1, 2)]
        row = above + row[len(row) & ~1 :]
    return row[0]


def _spent(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def _append(entries: Sequence[bytes]) -> tuple[list[float], Edge, dict[str, bytes]]:
    """Grow the edge as the sequencer does, batch by batch; CPU seconds of each tenth."""
    tenths: list[float] = []
    edge, files = Edge(), {}
    size = len(entries) // PARTS
    for part in range(PARTS):
        mine = entries[part * size : (part + 1) * size]
        begin = time.process_time()
        for at in range(0, size, BATCH):
            edge, made = edge.grow(b"".join(map(merkle.leaf, mine[at : at + BATCH])))
            files.update({tile.path: data for tile, data in made if tile.width == 256})  # noqa: PLR2004  a full tile
        tenths.append(time.process_time() - begin)
    return tenths, edge, files


def tree(count: int, *, progress: Callable[[str], None]) -> Tree:
    """Measure one size."""
    entries = _entries(count)
    progress(f"{count} entries: bare tree")
    bare, root = _spent(lambda: _bare(entries))
    progress(f"{count} entries: appending")
    tenths, edge, _ = _append(entries)
    if edge.root() != root:
        raise RuntimeError("our root is not the bare tree's")
    files = {tile.path: data for tile, data in rebuild(entries)}
    signer = Seed(bytes(range(32)))
    files[CHECKPOINT] = checkpoint.sign(Checkpoint("bench", count, root), signer)
    trusted = Policy(logs=(Key("bench", Kind.LOG, signer.public),))
    progress(f"{count} entries: verifying")
    again, _ = _spent(lambda: _bare(entries))
    verified, _ = _spent(lambda: verify(files.get, trusted))
    progress(f"{count} entries: proving")
    chance = random.Random(count)  # noqa: S311  The same proofs in each run.
    wanted = [chance.randrange(count) for _ in range(PROOFS)]

    def prove() -> None:
        prover = Prover(count, lambda level, index, width: files[Tile(level, index, width).path])
        for index in wanted:
            prover.inclusion(index)

    proved, _ = _spent(prove)
    floor = (bare + again) / 2
    others = _pymerkle(entries, wanted) if count <= OTHERS_MAX else (None, None)
    each = 1e6 / count
    return Tree(
        count, floor * each, append_us=sum(tenths) * each, append_ratio=sum(tenths) / floor,
        last_tenth_to_first=tenths[-1] / tenths[0], verify_us=verified * each, verify_ratio=verified / floor,
        proof_us=proved * 1e6 / PROOFS, pymerkle_append_us=others[0], pymerkle_proof_us=others[1],
    )  # fmt: skip


def _pymerkle(entries: Sequence[bytes], wanted: Sequence[int]) -> tuple[float | None, float | None]:
    """The same with pymerkle's tree in memory; its root is not ours (it has another way with odd rows)."""
    from pymerkle import InmemoryTree  # type: ignore[import-untyped]  # noqa: PLC0415  Only where it is compared.

    other = InmemoryTree(algorithm="sha256")
    begin = time.process_time()
    for entry in entries:
        other.append_entry(entry)
    appended = time.process_time() - begin
    some = wanted[:20]
    begin = time.process_time()
    for index in some:
        other.prove_inclusion(index + 1)
    return appended * 1e6 / len(entries), (time.process_time() - begin) * 1e6 / len(some)


async def durable(count: int) -> Durable:
    """Append through the database, so many in flight, each acknowledged after its commit; then number them."""
    with tempfile.TemporaryDirectory(prefix="rx-bench-") as folder:
        url = f"sqlite:///{Path(folder) / 'log.db'}"
        schema.upgrade(url, ["record"])
        db = Database.open(url)
        numbers = iter(range(count))

        def record(tx: Connection, n: int) -> None:
            origin = Origin("C35010000001", f"{n:032x}")
            audit.append(tx, Entry(NOW + timedelta(milliseconds=n), origin, None, "bench", purpose=str(n % 97)))

        async def worker() -> None:
            for n in numbers:
                await db.transact(record, n)

        begin, cpu = time.monotonic(), time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(worker())
        recorded = time.monotonic() - begin
        more = True
        while more:
            more = (await db.transact(store.sequence, "350100", "bench", now=NOW, count=512)).more
        published, spent = time.monotonic() - begin, time.process_time() - cpu
        bodies = db.look(lambda tx: store.bodies(tx, _log(tx), 0, count))
        hashing = sum(_append(bodies[: count // PARTS * PARTS])[0])
        await asyncio.to_thread(db.close)
    return Durable(count, count / recorded, count / published, tree_share=hashing / spent)


def _log(tx: Connection) -> store.Log:
    found = store.load(tx, "350100")
    if found is None:
        raise RuntimeError("nothing was sequenced")
    return found


def main(sizes: Sequence[int] = SIZES, *, as_json: bool = False) -> None:
    """Measure and print."""
    trees = [tree(count, progress=lambda what: print(f"  {what}", file=sys.stderr, flush=True)) for count in sizes]
    written = [asyncio.run(durable(count)) for count in sizes if count <= OTHERS_MAX]
    if as_json:
        print(json.dumps({"tree": list(map(asdict, trees)), "durable": list(map(asdict, written))}))
        return
    print(
        f"{'entries':>9}{'bare us':>9}{'append us':>11}{'ratio':>7}{'last/first':>12}{'verify us':>11}{'ratio':>7}",
        end="",
    )
    print(f"{'proof us':>10}{'pymerkle append us':>20}{'proof us':>12}")
    for one in trees:
        other = ("-", "-") if one.pymerkle_append_us is None else (
            f"{one.pymerkle_append_us:.1f}", f"{one.pymerkle_proof_us:.0f}"
        )  # fmt: skip
        print(
            f"{one.entries:>9}{one.bare_us:>9.2f}{one.append_us:>11.2f}{one.append_ratio:>7.2f}"
            f"{one.last_tenth_to_first:>12.2f}{one.verify_us:>11.2f}{one.verify_ratio:>7.2f}{one.proof_us:>10.0f}"
            f"{other[0]:>20}{other[1]:>12}"
        )
    print(f"\n{'entries':>9}{'recorded/s':>12}{'numbered too/s':>16}{'hashing of the CPU time':>25}")
    for each in written:
        print(
            f"{each.entries:>9}{each.recorded_per_second:>12.0f}{each.published_per_second:>16.0f}"
            f"{100 * each.tree_share:>23.1f} %"
        )
