"""
The chains within a log, read from its entries alone: each prescription's entries count up and name the one before.

Holds a few dozen bytes for each chain, so that a log of a million entries can be read as a stream.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b, sha256
from typing import Any

from rx_flow.crypto import canonical
from rx_flow.crypto.errors import Untrusted

FINDINGS_MAX = 100
_SEQ = 4  # bytes of a number within a chain
_PRINT = 16  # bytes of a digest that are kept: half, which no accident meets and no forger can use without the tree


class Break(StrEnum):
    """
    What can be wrong with an entry in its chain; stable words, translated where they are shown.
    """

    UNREADABLE = "entry_unreadable"
    WRONG_AREA = "wrong_area"
    REPEATED = "entry_repeated"
    GAP = "chain_gap"
    WRONG_PREV = "wrong_prev"


@dataclass(slots=True)
class Chains:
    """
    What has been read so far; of one area, over all epochs of its log in their order.
    """

    area: str
    entries: int = 0
    found: int = 0
    findings: list[tuple[Break, int, str]] = field(default_factory=list)  # what, the entry's index, in which chain
    _heads: dict[int, bytes] = field(default_factory=dict)
    _early: dict[str, dict[int, tuple[int, str, bytes]]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many chains there are."""
        return len(self._heads)

    def take(self, index: int, entry: bytes) -> None:
        """
        Read the next entry of the log. Within a turn of the sequencer an entry may come before its predecessor.
        """
        self.entries += 1
        try:
            body: Any = canonical.read(entry)
            area, chain, seq, prev = body["area"], body["chain"], body["seq"], body["prev"]
        except (Untrusted, KeyError, TypeError):
            self._note(Break.UNREADABLE, index, "")
            return
        if type(seq) is not int or seq < 1 or not isinstance(chain, str) or not isinstance(prev, str):
            self._note(Break.UNREADABLE, index, "")
            return
        if area != self.area:
            self._note(Break.WRONG_AREA, index, chain)
        self._link(index, chain, seq, prev=prev, digest=sha256(entry).digest())

    def finish(self) -> None:
        """Say of which entries the predecessors never came."""
        for chain, early in self._early.items():
            for _, (index, _, _) in sorted(early.items()):
                self._note(Break.GAP, index, chain)
        self._early.clear()

    def _link(self, index: int, chain: str, seq: int, *, prev: str, digest: bytes) -> None:
        key = int.from_bytes(blake2b(chain.encode(), digest_size=8).digest())
        head = self._heads.get(key)
        done = 0 if head is None else int.from_bytes(head[:_SEQ])
        if seq <= done or seq in self._early.get(chain, ()):
            self._note(Break.REPEATED, index, chain)
        elif seq > done + 1:
            self._early.setdefault(chain, {})[seq] = (index, prev, digest)
        else:
            before = b"" if head is None else head[_SEQ:]
            if (bytes.fromhex(prev)[:_PRINT] if _is_hex(prev) else b"?") != before:
                self._note(Break.WRONG_PREV, index, chain)
            self._heads[key] = seq.to_bytes(_SEQ) + digest[:_PRINT]
            waiting = self._early.get(chain)
            if waiting is not None and (following := waiting.pop(seq + 1, None)) is not None:
                if not waiting:
                    del self._early[chain]
                self._link(following[0], chain, seq + 1, prev=following[1], digest=following[2])

    def _note(self, what: Break, index: int, chain: str) -> None:
        self.found += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append((what, index, chain))


def _is_hex(text: str) -> bool:
    return set(text) <= set("0123456789abcdef") and len(text) in {0, 64}
