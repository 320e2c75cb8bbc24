"""
Batteries of the national algorithms: Wycheproof's SM4-GCM, OpenSSL's excerpts, and the examples of the standards.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scripts.rig.conformance import der
from scripts.rig.conformance.minting import oid
from scripts.rig.conformance.ours import Ours, Reason
from scripts.rig.conformance.reading import Members, name, said, wycheproof
from scripts.rig.conformance.verdicts import Case, Said, Why

_CURVE = "1.2.156.10197.1.301"
_NONCE, _TAG = 96, 128  # bits
_FORM = frozenset({Reason.MALFORMED, Reason.TAG_LENGTH})
# GB/T 32918.5-2017 annex A: one key, a signature by the identity 1234567812345678, and an encryption.
_D = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8"
_POINT = (
    "0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
_SIGNED = b"message digest"
_R = "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
_S = "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
_HIDDEN = b"encryption standard"
_X = "04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73"
_Y = "E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0"
_HASH = "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766"
_CIPHER = "21886CA989CA9C7D58087307CA93092D651EFA"


def sm4_gcm(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield Wycheproof's SM4-GCM as the content encryption of a package."""
    for group, case in wycheproof(folder, "sm4_gcm"):
        same = (group["ivSize"], group["tagSize"]) == (_NONCE, _TAG)

        def ask(case: Members = case) -> bytes:
            key, nonce, aad, ciphertext, tag = (bytes.fromhex(case[part]) for part in ("key", "iv", "aad", "ct", "tag"))
            return ours.open_national(key, nonce, (ciphertext, tag), aad)

        value = bytes.fromhex(case["msg"])
        yield Case(name(case), said(case), ask, value=value, outside=None if same else Why.SIZE, within=_FORM)


def excerpts(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield what OpenSSL's own tests say of SM2, SM3 and SM4."""
    root = folder / "openssl_sm"
    for number, case in enumerate(_stanzas(root / "evpmd_sm3.txt"), 1):

        def hashed(case: dict[str, str] = case) -> bytes:
            return bytes.fromhex(ours.national_digest(bytes.fromhex(case["Input"])))

        yield Case(f"SM3 {number}", Said.VALID, hashed, value=bytes.fromhex(case["Output"]))
    for case in _stanzas(root / "evpciph_sm4.txt"):

        def opened(case: dict[str, str] = case) -> bytes:
            key, nonce, aad, ciphertext, tag = (
                bytes.fromhex(case[part]) for part in ("Key", "IV", "AAD", "Ciphertext", "Tag")
            )
            return ours.open_national(key, nonce, (ciphertext, tag), aad)

        absent = None if case["Cipher"] == "SM4-GCM" else Why.NO_FUNCTION
        yield Case(case["Cipher"], Said.VALID, opened, value=bytes.fromhex(case["Plaintext"]), absent=absent)
    for number, case in enumerate(_stanzas(root / "evppkey_sm2.txt"), 1):
        # Verified over a hash that somebody else made, which we never take; decrypted with a key that is not there.
        yield Case(
            f"SM2 {number} {'Verify' if 'Verify' in case else 'Decrypt'}", Said.VALID, _nothing, absent=Why.NO_FORM
        )


def standard(ours: Ours) -> Iterator[Case]:
    """Yield the worked examples of GB/T 32918.5-2017, and each with one bit changed."""
    spki = _spki()
    signature = der.element(der.SEQUENCE, der.integer(_R), der.integer(_S))
    sealed = der.element(
        der.SEQUENCE,
        der.integer(_X),
        der.integer(_Y),
        der.element(der.OCTETS, bytes.fromhex(_HASH)),
        der.element(der.OCTETS, bytes.fromhex(_CIPHER)),
    )
    for change, told in ((0, Said.VALID), (1, Said.INVALID)):
        end = bytes((signature[-1] ^ change,))

        def verified(written: bytes = signature[:-1] + end) -> None:
            ours.national_verify(spki, _SIGNED, written)

        def opened(written: bytes = sealed[:-1] + bytes((sealed[-1] ^ change,))) -> bytes:
            return ours.national_decrypt(_pkcs8(), written)

        changed = ", one bit changed" if change else ""
        yield Case(f"GB/T 32918.5 A.2 signature{changed}", told, verified)
        yield Case(f"GB/T 32918.5 A.4 encryption{changed}", told, opened, value=_HIDDEN)


def _nothing() -> None:
    """Nobody asks: the case is not applicable."""


def _stanzas(path: Path) -> list[dict[str, str]]:
    """The cases of a file of OpenSSL's: lines of `name = value`, an empty line between two cases."""
    found = []
    for block in path.read_text("utf-8").split("\n\n"):
        lines = [line.split("=", 1) for line in block.splitlines() if "=" in line and not line.startswith("#")]
        members = {name.strip(): value.strip() for name, value in lines}
        if len(members) > 1:
            found.append(members)
    return found


def _algorithm() -> bytes:
    return der.element(der.SEQUENCE, oid("1.2.840.10045.2.1"), oid(_CURVE))


def _spki() -> bytes:
    point = der.element(der.BIT_STRING, b"\0", bytes.fromhex(_POINT))
    return der.element(der.SEQUENCE, _algorithm(), point)


def _pkcs8() -> bytes:
    key = der.element(der.SEQUENCE, der.integer("01"), der.element(der.OCTETS, bytes.fromhex(_D)))
    return der.element(der.SEQUENCE, der.integer("00"), _algorithm(), der.element(der.OCTETS, key))
