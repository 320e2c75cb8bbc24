"""
Proof files (c2sp.org/tlog-proof): that an entry stands in a log, verifiable offline with a policy and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rx_flow.tlog import merkle, note
from rx_flow.tlog.checkpoint import Signed
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.policy import Policy
from rx_flow.tlog.spelling import base64, hash_of, number, unbase64

HEADER: Final = "c2sp.org/tlog-proof@v1"
SUFFIX: Final = ".tlog-proof"
MEDIA_TYPE: Final = "text/plain; charset=utf-8"
HASHES_MAX: Final = 63  # what a tree of 2^63 leaves needs


@dataclass(frozen=True, slots=True)
class Proof:
    """
    An entry's index, its inclusion proof from the leaf upwards, the checkpoint, and extra data that nobody vouches for.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def __bytes__(self) -> bytes:
        lines = [HEADER, *([] if self.extra is None else [f"extra {base64(self.extra)}"]), f"index {self.index}"]
        return "\n".join([*lines, *map(base64, self.hashes), "", ""]).encode() + self.checkpoint


def hashes(lines: Sequence[str], fault: Fault) -> tuple[bytes, ...]:
    """Return the hashes of proof lines; `Broken(fault)` for more than `HASHES_MAX` or for what is not a hash."""
    if len(lines) > HASHES_MAX:
        raise Broken(fault, f"more than {HASHES_MAX} hashes")
    return tuple(hash_of(line, fault) for line in lines)


def read(data: bytes) -> Proof:
    """
    Return the proof of a file; `Broken`: `MALFORMED_PROOF` and what `note.plain` raises. Its checkpoint is not read.
    """
    head, empty, signed = note.plain(data).partition("\n\n")
    first, *lines = head.split("\n")
    if first != HEADER or not empty:
        raise Broken(Fault.MALFORMED_PROOF, f"not {HEADER}, or no empty line")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = unbase64(lines.pop(0).removeprefix("extra "), Fault.MALFORMED_PROOF)
    if not lines or not lines[0].startswith("index "):
        raise Broken(Fault.MALFORMED_PROOF, "no index")
    index = number(lines.pop(0).removeprefix("index "), Fault.MALFORMED_PROOF)
    return Proof(index, hashes(lines, Fault.MALFORMED_PROOF), signed.encode(), extra)


def verify(
    proof: Proof, leaf_hash: bytes, policy: Policy, *, origin: str | None = None, now: int | None = None
) -> Signed:
    """
    Return the verified checkpoint in whose tree the leaf stands; `Broken` as `Policy.verify` and `verify_inclusion`.
    """
    found = policy.verify(proof.checkpoint, origin=origin, now=now)
    size, root = found.checkpoint.size, found.checkpoint.root
    merkle.verify_inclusion(proof.index, size, leaf_hash, proof=proof.hashes, root=root)
    return found
