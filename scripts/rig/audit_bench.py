"""
`scripts/bench audit`: what appending, verifying and proving cost in the log, against a bare tree of the same bytes.

Everything is CPU time of one process, measured in one run; ratios are what counts.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from rx_flow.crypto.ed25519 import Seed
from rx_flow.tlog import checkpoint, merkle
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.note import Key, Kind
from rx_flow.tlog.policy import Policy
from rx_flow.tlog.prover import Prover
from rx_flow.tlog.tiles import CHECKPOINT, Edge, Tile, rebuild
from rx_flow.tlog.verify import verify
from scripts.rig import audit_durable

SIZES = (10_000, 100_000, 1_000_000)
PROOFS = 1_000
BATCH = 64  # entries that one turn of the sequencer finds under load
PARTS = 10
OTHERS_MAX = 100_000  # a size that pymerkle still does in less than a minute


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
    bare_proof_us: float
    pymerkle_append_us: float | None
    pymerkle_proof_us: float | None


def _entries(count: int) -> list[bytes]:
    """Entries as long as ours, each another."""
    filling = b'"purpose":"' + b"x" * 420 + b'"'
    return [b'{"n":%d,' % n + filling + b"}" for n in range(count)]


def bare(entries: Sequence[bytes]) -> list[list[bytes]]:
    """The tree by hashlib alone, row by row, the root last: the least that any verifier must do."""
    rows = [[sha256(b"\0" + entry).digest() for entry in entries]]
    while len(row := rows[-1]) > 1:
        above = [sha256(b"\1" + row[n] + row[n + 1]).digest() for n in range(0, len(row) - 1, 2)]
        rows.append(above + row[len(row) & ~1 :])
    return rows


def _path(rows: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """A proof by rows in memory: no reading and no hashing, the least that anybody must do."""
    found = []
    for row in rows[:-1]:
        if index ^ 1 < len(row):
            found.append(row[index ^ 1])
        index //= 2
    return found


def _spent(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def append(entries: Sequence[bytes]) -> tuple[list[float], Edge, dict[str, bytes]]:
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
    first, rows = _spent(lambda: bare(entries))
    root = rows[-1][0]
    progress(f"{count} entries: appending")
    tenths, edge, _ = append(entries)
    if edge.root() != root:
        raise RuntimeError("our root is not the bare tree's")
    files = {tile.path: data for tile, data in rebuild(entries)}
    signer = Seed(bytes(range(32)))
    files[CHECKPOINT] = checkpoint.sign(Checkpoint("bench", count, root), signer)
    trusted = Policy(logs=(Key("bench", Kind.LOG, signer.public),))
    progress(f"{count} entries: verifying")
    again, _ = _spent(lambda: bare(entries))
    verified, _ = _spent(lambda: verify(files.get, trusted))
    progress(f"{count} entries: proving")
    chance = random.Random(count)  # noqa: S311  The same proofs in each run.
    wanted = [chance.randrange(count) for _ in range(PROOFS)]

    def prove() -> None:
        prover = Prover(count, lambda level, index, width: files[Tile(level, index, width).path])
        for index in wanted:
            prover.inclusion(index)

    proved, _ = _spent(prove)
    least, _ = _spent(lambda: [_path(rows, index) for index in wanted])
    floor = (first + again) / 2
    others = _pymerkle(entries, wanted) if count <= OTHERS_MAX else (None, None)
    each = 1e6 / count
    return Tree(
        count, floor * each, append_us=sum(tenths) * each, append_ratio=sum(tenths) / floor,
        last_tenth_to_first=tenths[-1] / tenths[0], verify_us=verified * each, verify_ratio=verified / floor,
        proof_us=proved * 1e6 / PROOFS, bare_proof_us=least * 1e6 / PROOFS,
        pymerkle_append_us=others[0], pymerkle_proof_us=others[1],
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


def main(sizes: Sequence[int] = SIZES, *, as_json: bool = False) -> None:
    """Measure and print."""

    def progress(what: str) -> None:
        print(f"  {what}", file=sys.stderr, flush=True)

    trees = [tree(count, progress=progress) for count in sizes]
    written = [audit_durable.durable(one.entries, bare_us=one.bare_us, progress=progress) for one in trees]
    if as_json:
        print(json.dumps({"tree": list(map(asdict, trees)), "durable": list(map(asdict, written))}))
        return
    print("CPU us per entry or proof; ratios to a bare tree by hashlib over the same bytes")
    _table(
        "entries,bare,append,ratio,last/first,verify,ratio,proof,bare,pymerkle append,proof",
        [
            (
                one.entries, one.bare_us, one.append_us, one.append_ratio, one.last_tenth_to_first, one.verify_us,
                one.verify_ratio, one.proof_us, one.bare_proof_us, one.pymerkle_append_us, one.pymerkle_proof_us,
            )
            for one in trees
        ],
    )  # fmt: skip
    print("\nThrough the database (SQLite), each acknowledged after its commit; then `rx-flow audit verify` of all")
    _table(
        "entries,recorded/s,numbered too/s,CPU us,ratio,last/first,hashing %,verify us,ratio,MiB",
        [
            (
                one.entries, one.recorded_per_second, one.published_per_second, one.cpu_us, one.ratio,
                one.last_tenth_to_first, 100 * one.tree_share, one.verify_us, one.verify_ratio, one.verify_mib,
            )
            for one in written
        ],
    )  # fmt: skip


def _table(heads: str, rows: Sequence[Sequence[float | None]]) -> None:
    print("".join(f"{head:>16}" for head in heads.split(",")))
    for row in rows:
        cells = ("-" if one is None else f"{one:.2f}" if isinstance(one, float) else str(one) for one in row)
        print("".join(f"{cell:>16}" for cell in cells))
