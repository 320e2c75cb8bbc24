"""
Takes signed structures of X.509 apart and puts them together again around other keys.

They are certificates and revocation lists of other people, whose issuers' private keys nobody published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

BOOLEAN, INTEGER, BIT_STRING, OCTETS, OID, SEQUENCE = 0x01, 0x02, 0x03, 0x04, 0x06, 0x30
VERSION, EXTENSIONS = 0xA0, 0xA3  # of a certificate, RFC 5280 §4.1
_LONG = 0x80
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")  # AlgorithmIdentifier, RFC 5758 §3.2


@dataclass(frozen=True, slots=True)
class Piece:
    """
    One element: its tag, what is in it, and all of its bytes.
    """

    tag: int
    content: bytes
    whole: bytes


def pieces(data: bytes) -> list[Piece]:
    """
    Return the elements that stand one after the other in `data`; `ValueError` for what is not DER.
    """
    found = []
    while data:
        if len(data) < 2:  # noqa: PLR2004  a tag and a length
            raise ValueError("DER ends within an element")
        length, head = data[1], 2
        if length & _LONG:
            head += length & ~_LONG
            length = int.from_bytes(data[2:head], "big")
        if len(data) < head + length:
            raise ValueError("DER ends within an element")
        found.append(Piece(data[0], data[head : head + length], data[: head + length]))
        data = data[head + length :]
    return found


def element(tag: int, *parts: bytes) -> bytes:
    """
    Return an element of DER that holds `parts`.
    """
    content = b"".join(parts)
    length = len(content)
    if length < _LONG:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, _LONG | size)) + length.to_bytes(size, "big") + content


def integer(number: str) -> bytes:
    """
    Return the element of a number in hexadecimal, which is not negative.
    """
    content = int(number, 16).to_bytes(len(number) // 2, "big").lstrip(b"\0") or b"\0"
    return element(INTEGER, b"\0" if content[0] & _LONG else b"", content)


def inside(signed: bytes) -> list[Piece]:
    """
    Return the fields of what a certificate or revocation list has signed.
    """
    return pieces(pieces(pieces(signed)[0].content)[0].content)


def sign(fields: Sequence[bytes], key: ec.EllipticCurvePrivateKey) -> bytes:
    """
    Return the signed structure that has these fields.
    """
    body = element(SEQUENCE, *fields)
    signature = key.sign(body, ec.ECDSA(hashes.SHA256()))
    return element(SEQUENCE, body, ECDSA_SHA256, element(BIT_STRING, b"\0", signature))
