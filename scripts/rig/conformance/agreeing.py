"""
Batteries of key agreement on P-256: keys as certificates carry them, and as packages do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from scripts.rig.conformance import minting, packing
from scripts.rig.conformance.ours import OpeningKey, Ours, Purpose
from scripts.rig.conformance.reading import Members, b64, base64url, name, said, wycheproof
from scripts.rig.conformance.signing import certified_key
from scripts.rig.conformance.verdicts import Case, Said, Why

_SIZE = 32
# Length and beginning of SubjectPublicKeyInfo (RFC 5480) for a named P-256 key, its point whole or compressed.
_PLAIN = {
    (91, bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")),
    (59, bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")),
}
_HEAD = 26


def scalar(number: int) -> ec.EllipticCurvePrivateKey:
    """
    Return the private key of this number.
    """
    return ec.derive_private_key(number, ec.SECP256R1())


def in_certificates(ours: Ours, folder: Path) -> Iterator[Case]:
    """Yield Wycheproof's ECDH with keys as SubjectPublicKeyInfo: each comes to us in a certificate."""
    for _, case in wycheproof(folder, "ecdh_secp256r1"):
        spki = bytes.fromhex(case["public"])

        def ask(spki: bytes = spki, number: str = case["private"]) -> bytes:
            return ours.agree(scalar(int(number, 16)), certified_key(ours, spki, Purpose.PACKAGE).public)

        plain = (len(spki), spki[:_HEAD]) in _PLAIN or said(case) is not Said.VALID
        yield Case(
            name(case), said(case), ask, value=bytes.fromhex(case["shared"]), outside=None if plain else Why.FORM
        )


def in_packages(ours: Ours, folder: Path) -> Iterator[Case]:
    """
    Yield Wycheproof's ECDH with JSON keys: each is the ephemeral key of a package.

    It opens only if we agree on the same secret as they do.
    """
    for _, case in wycheproof(folder, "ecdh_secp256r1_webcrypto"):

        def ask(case: Members = case) -> bytes:
            key = opening_key(ours, _private(case["private"]))
            package = packing.package(case["public"], bytes.fromhex(case["shared"]), key.public.kid)
            (document,) = ours.open_package(package, key, rx=packing.RX)
            return document.encode()

        yield Case(name(case), said(case), ask, value=packing.DOCUMENT.encode())


def opening_key(ours: Ours, private: ec.EllipticCurvePrivateKey, purpose: Purpose = Purpose.PACKAGE) -> OpeningKey:
    """
    Return a key that opens packages, with a certificate of our form for `purpose`; `Untrusted` for another purpose.
    """
    return OpeningKey(private, certified_key(ours, minting.encoded(private.public_key()), purpose))


@dataclass(frozen=True, slots=True)
class AnyKey:
    """
    A key of ours that opens packages, and its number, for cases that are not about keys.
    """

    private: ec.EllipticCurvePrivateKey
    key: OpeningKey

    def agreed(self) -> tuple[Members, bytes]:
        """Return a fresh ephemeral key as a package states it, and the secret that it shares with this one."""
        ephemeral = ec.generate_private_key(ec.SECP256R1())
        numbers = ephemeral.public_key().public_numbers()
        x, y = (base64url(number.to_bytes(_SIZE, "big")) for number in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}, ephemeral.exchange(ec.ECDH(), self.private.public_key())


@lru_cache(maxsize=4)
def any_key(ours: Ours) -> AnyKey:
    """
    Return the one key of this run.
    """
    private = ec.generate_private_key(ec.SECP256R1())
    return AnyKey(private, opening_key(ours, private))


def rfc7518_c(ours: Ours) -> Iterator[Case]:
    """Yield the key agreement of RFC 7518 appendix C, from both sides."""
    alice = "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"
    bob = "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"
    public = {
        "Alice": ("gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0", "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"),
        "Bob": ("weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ", "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"),
    }
    shared = bytes.fromhex("9e56d91d817135d372834283bf84269cfb316ea3da806a48f6daa7798cfe90c4")
    for who, private in (("Alice", bob), ("Bob", alice)):

        def ask(who: str = who, private: str = private) -> bytes:
            x, y = public[who]
            return ours.agree(scalar(int.from_bytes(b64(private), "big")), ours.point(b64(x), b64(y)))

        yield Case(f"RFC 7518 C, the key of {who}", Said.VALID, ask, value=shared)


def _private(key: Members) -> ec.EllipticCurvePrivateKey:
    return scalar(int.from_bytes(b64(key["d"]), "big"))
