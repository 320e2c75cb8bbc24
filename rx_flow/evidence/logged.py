"""
The judge of a bundle of log entries: what is in it, whether each entry stands in the log, and what is disclosed.

Needs no database and nothing of the site that made it; trusts the keys that the reader brings, not those enclosed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from rx_flow.crypto import canonical, disclosures
from rx_flow.crypto.errors import Untrusted
from rx_flow.evidence.faults import Fault, Unproven
from rx_flow.tlog import checkpoint, merkle, proof, witness
from rx_flow.tlog.checkpoint import Checkpoint
from rx_flow.tlog.policy import Policy

MANIFEST = "manifest.json"


@dataclass(slots=True)
class Judged:
    """
    What held: how many of what, by stable words; the values that were disclosed, by entry; and the roots proven.
    """

    origin: str
    size: int
    checked: dict[str, int] = field(default_factory=dict)
    opened: dict[int, dict[str, Any]] = field(default_factory=dict)
    # Of the log's tree by its size, as far as is proven; the empty tree needs no proof.
    roots: dict[int, bytes] = field(default_factory=lambda: {0: merkle.EMPTY_ROOT})

    def count(self, what: str) -> None:
        """One more of `what` has been checked and holds."""
        self.checked[what] = self.checked.get(what, 0) + 1


def judge(members: Mapping[str, bytes], trusted: Policy) -> Judged:
    """
    Return what holds of a bundle, all of it; `Unproven` or `Broken` with the first thing that does not.
    """
    # 1. Every member is the one that the manifest says, and there is no other.
    origin = _sums(members)
    # 2. The checkpoint, by the reader's own keys and policy.
    signed = trusted.verify(_member(members, "checkpoint"), origin=origin)
    judged = Judged(signed.checkpoint.origin, signed.checkpoint.size)
    judged.roots[judged.size] = signed.checkpoint.root
    judged.count("checkpoint")
    # 3. Each entry stands in the tree of that checkpoint, at the index of its name.
    for name, body in members.items():
        if name.startswith("entries/"):
            _entry(judged, name, body, members, trusted)
    # 4. The checkpoints that the reader holds are the same log's, earlier.
    for name, body in members.items():
        if name.endswith(".add-checkpoint"):
            held = _member(members, name.replace(".add-checkpoint", ".checkpoint"))
            earlier = _consistent(body, held, signed.checkpoint, trusted)
            judged.roots[earlier.size] = earlier.root
            judged.count("consistency")
    # 5. What is disclosed is what the entries commit to.
    for line in members.get("disclosures.ndjson", b"").splitlines():
        _open(judged, line, members)
    return judged


def _member(members: Mapping[str, bytes], name: str) -> bytes:
    if name not in members:
        raise Unproven(Fault.MEMBER_MISSING, name)
    return members[name]


def _sums(members: Mapping[str, bytes]) -> str:
    """Hold every member against the manifest; return the log's origin as it says."""
    try:
        manifest: Any = canonical.read(members[MANIFEST].removesuffix(b"\n"))
        sums, origin = manifest["sums"], manifest["origin"]
        names = set(sums)
    except (KeyError, TypeError, Untrusted):
        raise Unproven(Fault.MANIFEST_MALFORMED) from None
    if not isinstance(origin, str):
        raise Unproven(Fault.MANIFEST_MALFORMED)
    if missing := names - set(members):
        raise Unproven(Fault.MEMBER_MISSING, min(missing))
    if unknown := set(members) - names - {MANIFEST}:
        raise Unproven(Fault.MEMBER_UNKNOWN, min(unknown))
    for name, due in sums.items():
        if sha256(members[name]).hexdigest() != due:
            raise Unproven(Fault.SUM_MISMATCH, name)
    return origin


def _consistent(body: bytes, held: bytes, now: Checkpoint, trusted: Policy) -> Checkpoint:
    """The log at the checkpoint that the reader held, which is returned, is the beginning of the log as it is now."""
    request = witness.read(body)
    old = checkpoint.verify(held, trusted.logs, origin=now.origin).checkpoint
    new = checkpoint.verify(request.signed, trusted.logs, origin=now.origin).checkpoint
    if old.size != request.old or (new.size, new.root) != (now.size, now.root):
        raise Unproven(Fault.ENTRY_MISMATCH, f"consistency from {request.old}")
    merkle.verify_consistency((old.size, old.root), (new.size, new.root), request.proof)
    return old


def _entry(judged: Judged, name: str, body: bytes, members: Mapping[str, bytes], trusted: Policy) -> None:
    stem = name.removeprefix("entries/").removesuffix(".json")
    shown = proof.read(_member(members, f"proofs/{stem}.tlog-proof"))
    if stem != f"{shown.index:09}" or shown.checkpoint != members["checkpoint"]:
        raise Unproven(Fault.ENTRY_MISMATCH, name)
    proof.verify(shown, merkle.leaf(body), trusted)
    judged.count("entries")


def _open(judged: Judged, line: bytes, members: Mapping[str, bytes]) -> None:
    told: Any = canonical.read(line)
    try:
        index, disclosure = told["index"], told["disclosure"]
        entry: Any = canonical.read(_member(members, f"entries/{index:09}.json"))
        hidden = entry["personal"]
        count = len(hidden[disclosures.COMMITMENTS])
    except (KeyError, TypeError, ValueError):
        raise Unproven(Fault.ENTRY_MALFORMED, "a disclosure") from None
    left = disclosures.reveal(hidden, [disclosure], payload=canonical.dumps(hidden))
    if left != count - 1:
        raise Unproven(Fault.ENTRY_MISMATCH, f"disclosure of entry {index}")
    hidden.pop(disclosures.COMMITMENTS, None)
    judged.opened.setdefault(index, {}).update(hidden)
    judged.count("disclosures")
