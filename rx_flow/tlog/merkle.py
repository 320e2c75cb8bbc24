"""
The Merkle tree of RFC 6962 and RFC 9162, section 2.1: hashes, growth, roots, and the verification of proofs.

Size 0 follows c2sp.org/tlog-witness: from the empty tree every tree is consistent, and the proof is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from rx_flow.tlog.faults import Broken, Fault

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
SIZE_MAX: Final = 2**63 - 1


def leaf(entry: bytes) -> bytes:
    """Return the leaf hash of an entry's bytes."""
    return sha256(b"\0" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees side by side."""
    return sha256(b"\1" + left + right).digest()


def halve(row: bytes) -> bytes:
    """Return the row above: one hash for each pair of `row`'s; an odd last hash is left out."""
    return b"".join([sha256(b"\1" + row[at : at + 64]).digest() for at in range(0, len(row) - 32, 64)])


def perfect(row: bytes) -> bytes:
    """Return the root over 2^k concatenated hashes."""
    while len(row) > HASH_BYTES:
        row = halve(row)
    return row


def peaks(row: bytes) -> list[bytes]:
    """Return the roots of the perfect subtrees, largest first, that concatenated hashes make from left to right."""
    found: list[bytes] = []
    while row:
        if len(row) // HASH_BYTES & 1:
            found.append(row[-HASH_BYTES:])
        row = halve(row)
    found.reverse()
    return found


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over peaks, largest first; the empty root for none."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node(left, root)
    return root


@dataclass(frozen=True, slots=True)
class Frontier:
    """
    A tree's right edge: enough to grow it and to know its root, at most 63 hashes. A value: rolling back is forgetting.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()  # roots of the perfect subtrees, largest first

    def __post_init__(self) -> None:
        if self.size.bit_count() != len(self.hashes) or any(len(each) != HASH_BYTES for each in self.hashes):
            raise ValueError("a frontier has one hash for each bit of its size")

    def extend(self, leaves: bytes) -> Frontier:
        """Return the frontier after further leaf hashes, given concatenated; one hash and a bit of work for each."""
        if len(leaves) % HASH_BYTES:
            raise ValueError("leaf hashes have 32 bytes each")
        stack, size = list(self.hashes), self.size
        for at in range(0, len(leaves), HASH_BYTES):
            grown, bits = leaves[at : at + HASH_BYTES], size
            while bits & 1:
                grown = sha256(b"\1" + stack.pop() + grown).digest()
                bits >>= 1
            stack.append(grown)
            size += 1
        return Frontier(size, tuple(stack))

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        return fold(self.hashes)


def _check_lengths(proof: Sequence[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in proof):
        raise Broken(Fault.MALFORMED_PROOF, "a hash has 32 bytes")


def inclusion_length(index: int, size: int) -> int:
    """Return how many hashes the inclusion proof of `index` in a tree of `size` has."""
    inner = (index ^ (size - 1)).bit_length()
    return inner + (index >> inner).bit_count()


def verify_inclusion(index: int, size: int, leaf_hash: bytes, *, proof: Sequence[bytes], root: bytes) -> None:
    """
    Pass if the leaf stands at `index` in the tree of `size` with `root`; `Broken` otherwise (RFC 9162 §2.1.3.2).

    `OUT_OF_RANGE`, `PROOF_LENGTH`, `MALFORMED_PROOF`, `NOT_INCLUDED`.
    """
    if not 0 <= index < size:
        raise Broken(Fault.OUT_OF_RANGE, f"index {index} in a log of {size}")
    _check_lengths([leaf_hash, *proof])
    if len(proof) != inclusion_length(index, size):
        raise Broken(Fault.PROOF_LENGTH, f"{len(proof)} hashes for index {index} of {size}")
    inner = (index ^ (size - 1)).bit_length()  # where the path to the leaf leaves the tree's right edge
    found = leaf_hash
    for level, beside in enumerate(proof):
        right_child = level >= inner or index >> level & 1
        found = node(beside, found) if right_child else node(found, beside)
    if found != root:
        raise Broken(Fault.NOT_INCLUDED, f"index {index} of {size}")


def _verify_without_path(old: tuple[int, bytes], new: tuple[int, bytes], proof: Sequence[bytes]) -> None:
    """Pass if no hash is needed to see that `new` begins with `old`: from the empty tree, or from the same size."""
    if proof:
        raise Broken(Fault.PROOF_LENGTH, f"{len(proof)} hashes where none are needed")
    if old[0] == 0 and old[1] != EMPTY_ROOT:
        raise Broken(Fault.NOT_CONSISTENT, "the empty tree has one root")
    if old[0] == new[0] and old[1] != new[1]:
        raise Broken(Fault.NOT_CONSISTENT, f"two roots at size {old[0]}")


def verify_consistency(old: tuple[int, bytes], new: tuple[int, bytes], proof: Sequence[bytes]) -> None:
    """
    Pass if the tree `new` (size, root) begins with the whole tree `old`; `Broken` otherwise (RFC 9162 §2.1.4.2).

    `OUT_OF_RANGE`, `PROOF_LENGTH`, `MALFORMED_PROOF`, `NOT_CONSISTENT`. Old size 0: see the module.
    """
    (old_size, old_root), (new_size, new_root) = old, new
    if not 0 <= old_size <= new_size:
        raise Broken(Fault.OUT_OF_RANGE, f"from {old_size} to {new_size}")
    _check_lengths(proof)
    if old_size in (0, new_size):
        _verify_without_path(old, new, proof)
        return
    # The old tree's last perfect subtree is where both paths begin; if it is the whole old tree, its root is known.
    shift = (old_size & -old_size).bit_length() - 1
    steps = inclusion_length((old_size - 1) >> shift, ((new_size - 1) >> shift) + 1)
    whole = old_size == 1 << shift
    if len(proof) != steps + (not whole):
        raise Broken(Fault.PROOF_LENGTH, f"{len(proof)} hashes from {old_size} to {new_size}")
    path = proof if whole else proof[1:]
    found_old = found_new = old_root if whole else proof[0]
    index, last = (old_size - 1) >> shift, (new_size - 1) >> shift
    inner = (index ^ last).bit_length()
    for level, beside in enumerate(path):
        if level >= inner or index >> level & 1:
            found_old, found_new = node(beside, found_old), node(beside, found_new)
        else:
            found_new = node(found_new, beside)
    if found_old != old_root:
        raise Broken(Fault.NOT_CONSISTENT, f"the proof does not lead to the old root at size {old_size}")
    if found_new != new_root:
        raise Broken(Fault.NOT_CONSISTENT, f"the proof does not lead to the new root at size {new_size}")
