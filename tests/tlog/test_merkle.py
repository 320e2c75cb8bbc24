"""
The tree against the RFC's own definitions, its reference roots, and the cases of transparency-dev/merkle.
"""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import LEAF, fault_of, mth, path, subproof

from rx_flow.tlog import merkle
from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.merkle import EMPTY_ROOT, Frontier

# The eight leaves that implementations of Certificate Transparency share, and the roots of their first n.
REFERENCE = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = ("e3b0c442", "6e340b9c", "fac54203", "aeb6bcfe", "d37ee418", "4e3bbb1f", "76e67dad", "ddb89be4", "5dc9da79")
LEAVES = [LEAF(bytes([number])) for number in range(200)]


def test_the_reference_roots() -> None:
    frontier = Frontier()
    roots = [frontier.root()]
    for entry in REFERENCE:
        frontier = frontier.extend(merkle.leaf(entry))
        roots.append(frontier.root())

    assert [root.hex()[:8] for root in roots] == list(ROOTS)
    assert roots[8].hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert Frontier().extend(b"".join(map(merkle.leaf, REFERENCE))) == frontier


def test_peaks_are_a_frontier() -> None:
    for size in range(66):
        row = b"".join(LEAVES[:size])
        assert tuple(merkle.peaks(row)) == Frontier().extend(row).hashes
        assert merkle.fold(merkle.peaks(row)) == mth(LEAVES[:size])


def test_a_frontier_is_whole() -> None:
    with pytest.raises(ValueError, match="one hash for each bit"):
        Frontier(3, (EMPTY_ROOT,))
    with pytest.raises(ValueError, match="one hash for each bit"):
        Frontier(1, (b"short",))
    with pytest.raises(ValueError, match="32 bytes"):
        Frontier().extend(b"short")


@given(st.integers(1, 200).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_inclusion_as_the_rfc_defines_it(case: tuple[int, int]) -> None:
    index, size = case
    proof, root = path(index, LEAVES[:size]), mth(LEAVES[:size])

    merkle.verify_inclusion(index, size, LEAVES[index], proof=proof, root=root)
    assert len(proof) == merkle.inclusion_length(index, size)
    for at in range(len(proof)):
        wrong = [*proof[:at], LEAF(b"wrong"), *proof[at + 1 :]]
        with pytest.raises(Broken) as no:
            merkle.verify_inclusion(index, size, LEAVES[index], proof=wrong, root=root)
        assert no.value.fault is Fault.NOT_INCLUDED


@given(st.integers(1, 200).flatmap(lambda size: st.tuples(st.integers(1, size), st.just(size))))
def test_consistency_as_the_rfc_defines_it(case: tuple[int, int]) -> None:
    old, size = case
    proof, heads = subproof(old, LEAVES[:size]), [(each, mth(LEAVES[:each])) for each in (old, size)]

    merkle.verify_consistency(heads[0], heads[1], proof)
    for at in range(len(proof)):
        wrong = [*proof[:at], LEAF(b"wrong"), *proof[at + 1 :]]
        assert fault_of(lambda wrong=wrong: merkle.verify_consistency(heads[0], heads[1], wrong)) is (
            Fault.NOT_CONSISTENT
        )
    if old != size:
        forged = (size, LEAF(b"another"))
        assert fault_of(lambda: merkle.verify_consistency(heads[0], forged, proof)) is Fault.NOT_CONSISTENT
        forged = (old, LEAF(b"another"))
        assert fault_of(lambda: merkle.verify_consistency(forged, heads[1], proof)) is Fault.NOT_CONSISTENT


@pytest.mark.parametrize(
    ("index", "size", "proof", "fault"),
    [
        (3, 3, path(2, LEAVES[:3]), Fault.OUT_OF_RANGE),
        (-1, 3, path(2, LEAVES[:3]), Fault.OUT_OF_RANGE),
        (2, 3, path(1, LEAVES[:3]), Fault.PROOF_LENGTH),
        (1, 3, [*path(1, LEAVES[:3]), LEAVES[0]], Fault.PROOF_LENGTH),
        (1, 3, [LEAVES[0], b"short"], Fault.MALFORMED_PROOF),
        (0, 3, path(1, LEAVES[:3]), Fault.NOT_INCLUDED),
    ],
)
def test_inclusion_refused(index: int, size: int, proof: list[bytes], fault: Fault) -> None:
    root = mth(LEAVES[:3])

    assert fault_of(lambda: merkle.verify_inclusion(index, size, LEAVES[1], proof=proof, root=root)) is fault


@pytest.mark.parametrize(
    ("old", "new", "proof", "fault"),
    [
        ((0, EMPTY_ROOT), (3, mth(LEAVES[:3])), [], None),  # as a witness that has never seen this log
        ((0, EMPTY_ROOT), (0, EMPTY_ROOT), [], None),
        ((3, LEAVES[3]), (3, LEAVES[3]), [], None),
        ((0, EMPTY_ROOT), (3, mth(LEAVES[:3])), [LEAVES[0]], Fault.PROOF_LENGTH),
        ((3, LEAVES[3]), (3, LEAVES[3]), [LEAVES[0]], Fault.PROOF_LENGTH),
        ((0, LEAVES[0]), (3, LEAVES[3]), [], Fault.NOT_CONSISTENT),
        ((0, LEAVES[0]), (0, LEAVES[0]), [], Fault.NOT_CONSISTENT),
        ((3, LEAVES[3]), (3, LEAVES[4]), [], Fault.NOT_CONSISTENT),
        ((4, LEAVES[3]), (3, LEAVES[3]), [], Fault.OUT_OF_RANGE),
        ((-1, LEAVES[3]), (3, LEAVES[3]), [], Fault.OUT_OF_RANGE),
        ((2, mth(LEAVES[:2])), (3, mth(LEAVES[:3])), [], Fault.PROOF_LENGTH),
        ((3, mth(LEAVES[:3])), (4, mth(LEAVES[:4])), [LEAVES[2], LEAVES[3]], Fault.PROOF_LENGTH),
        ((2, mth(LEAVES[:2])), (3, mth(LEAVES[:3])), [b"short"], Fault.MALFORMED_PROOF),
    ],
)
def test_consistency_at_its_limits(
    old: tuple[int, bytes], new: tuple[int, bytes], proof: list[bytes], fault: Fault | None
) -> None:
    assert fault_of(lambda: merkle.verify_consistency(old, new, proof)) is fault


def cases(folder: Path, name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((folder / name).read_text("utf-8"))
    assert len(found) == 98
    return found


def raw(case: dict[str, object], *names: str) -> list[bytes]:
    return [b64decode(str(case[name] or "")) for name in names]


def hashes(case: dict[str, object]) -> list[bytes]:
    proof = case["proof"] or []
    assert isinstance(proof, list)
    return [b64decode(each) for each in proof]


def test_transparency_dev_inclusion(merkle_vectors: Path) -> None:
    for case in cases(merkle_vectors, "inclusion.json"):
        leaf_hash, root = raw(case, "leafHash", "root")
        index, size = int(str(case["leafIdx"])), int(str(case["treeSize"]))
        got = fault_of(
            lambda i=index, s=size, h=leaf_hash, c=case, r=root: merkle.verify_inclusion(
                i, s, h, proof=hashes(c), root=r
            )
        )
        assert (got is not None) is case["wantErr"], case["file"]


def test_transparency_dev_consistency(merkle_vectors: Path) -> None:
    """One case differs, by policy: they refuse to go from size 0, a witness must accept it (c2sp.org/tlog-witness)."""
    differ = []
    for case in cases(merkle_vectors, "consistency.json"):
        old_root, new_root = raw(case, "root1", "root2")
        heads = (int(str(case["size1"])), old_root), (int(str(case["size2"])), new_root)
        got = fault_of(lambda h=heads, c=case: merkle.verify_consistency(*h, hashes(c)))
        if (got is not None) is not case["wantErr"]:
            differ.append(case["file"])

    assert differ == ["consistency/additional/size1-is-zero-and-size2-is-not-zero.json"]
