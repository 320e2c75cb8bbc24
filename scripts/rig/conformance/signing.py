"""
Batteries of signatures: ECDSA on P-256 in both encodings, and Ed25519 for logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from scripts.rig.conformance import minting
from scripts.rig.conformance.ours import HALF, ORDER, Certified, Ours, Purpose, Reason, Untrusted, believing, leaf
from scripts.rig.conformance.reading import Members, name, said, wycheproof
from scripts.rig.conformance.verdicts import Case, Said, Why

_SIZE = 32
_RAW = 2 * _SIZE


def certified_key(ours: Ours, spki: bytes, purpose: Purpose, wanted: Purpose | None = None) -> Certified:
    """
    Return somebody's public key by the way that keys come to us: in a certificate that our path check believes.

    The certificate is for `purpose`, and asked for `wanted` (the same, where nothing else is said).
    """
    made = leaf(minting.certificate(spki, purpose))
    trust = believing([minting.authority().certificate], [made], [minting.empty_list()])
    return ours.certified(trust, made, purpose=wanted or purpose, at=minting.NOW)


def lower(signature: bytes) -> bytes:
    """
    Return a raw signature with the lower of its two s, where it has the greater.
    """
    s = int.from_bytes(signature[_SIZE:], "big")
    high = len(signature) == _RAW and HALF < s < ORDER
    return signature[:_SIZE] + (ORDER - s).to_bytes(_SIZE, "big") if high else signature


def both(verify: Callable[[bytes], None], signature: bytes, told: Said) -> None:
    """
    Ask about a signature in the one form that we take, and also as it came.

    Of a valid one the lower form must be right before the other may be refused; an invalid one must be wrong in both,
    so that no flaw hides behind a refusal of the greater s.
    """
    ours = lower(signature)
    if ours == signature:
        verify(signature)
    elif told is Said.VALID:
        verify(ours)
        verify(signature)
    else:
        try:
            verify(signature)
        except Untrusted:
            verify(ours)


def p1363(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield Wycheproof's ECDSA signatures r || s."""
    find = lru_cache(lambda spki: certified_key(ours, spki, Purpose.DOCUMENT).public)
    for group, case in wycheproof(folder, "ecdsa_secp256r1_sha256_p1363"):
        signature = bytes.fromhex(case["sig"])

        def ask(
            spki: bytes = bytes.fromhex(group["publicKeyDer"]),
            data: bytes = bytes.fromhex(case["msg"]),
            case: Members = case,
        ) -> None:
            both(lambda form: ours.verify(find(spki), data, form), bytes.fromhex(case["sig"]), said(case))

        high = lower(signature) != signature
        yield Case(
            name(case),
            said(case),
            ask,
            outside=Why.OTHER_S if high else None,
            within=frozenset({Reason.SIGNATURE_MALLEABLE}),
        )


def der_encoded(ours: Ours, folder: Path) -> Iterator[Case]:
    """
    Yield Wycheproof's ECDSA signatures in DER: a form that no document of ours has, so that every one is refused.

    DER stands inside certificates alone, where other batteries meet it.
    """
    find = lru_cache(lambda spki: certified_key(ours, spki, Purpose.DOCUMENT).public)
    for group, case in wycheproof(folder, "ecdsa_secp256r1_sha256"):

        def ask(
            spki: bytes = bytes.fromhex(group["publicKeyDer"]),
            data: bytes = bytes.fromhex(case["msg"]),
            signature: bytes = bytes.fromhex(case["sig"]),
        ) -> None:
            ours.verify(find(spki), data, signature)

        yield Case(name(case), said(case), ask, outside=Why.FORM, within=frozenset({Reason.SIGNATURE_RANGE}))


def ed25519(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield Wycheproof's Ed25519 signatures: our logs and witnesses have such keys."""
    for group, case in wycheproof(folder, "ed25519"):

        def ask(
            public: bytes = bytes.fromhex(group["publicKey"]["pk"]),
            data: bytes = bytes.fromhex(case["msg"]),
            signature: bytes = bytes.fromhex(case["sig"]),
        ) -> None:
            ours.log_verify(public, signature, data)

        yield Case(name(case), said(case), ask)
