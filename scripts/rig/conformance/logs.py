"""
Batteries of transparency logs: inclusion and consistency proofs, good ones and mutated ones.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

from scripts.rig.conformance.ours import Ours
from scripts.rig.conformance.reading import Members, load
from scripts.rig.conformance.verdicts import Case, Said, Why


def inclusion(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield the inclusion proofs of transparency-dev/merkle."""
    for case in load(folder / "merkle" / "inclusion.json"):

        def ask(case: Members = case) -> None:
            leaf, root = _hash(case["leafHash"]), _hash(case["root"])
            ours.included(case["leafIdx"], case["treeSize"], leaf, proof=_proof(case), root=root)

        yield Case(case["file"], _said(case), ask)


def consistency(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield the consistency proofs of transparency-dev/merkle."""
    for case in load(folder / "merkle" / "consistency.json"):

        def ask(case: Members = case) -> None:
            old, new = ((case[f"size{which}"], _hash(case[f"root{which}"])) for which in (1, 2))
            ours.consistent(old, new, _proof(case))

        # c2sp.org/tlog-witness: from the empty tree every tree is consistent, and the proof is empty.
        other = case["file"] == "consistency/additional/size1-is-zero-and-size2-is-not-zero.json"
        yield Case(case["file"], _said(case), ask, absent=Why.OTHER_RULE if other else None)


def _said(case: Members) -> Said:
    return Said.INVALID if case["wantErr"] else Said.VALID


def _hash(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _proof(case: Members) -> list[bytes]:
    return [_hash(one) for one in case["proof"] or ()]
