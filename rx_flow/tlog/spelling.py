"""
How numbers and hashes are spelled in C2SP's text formats: each value in one way only.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BadBase64

from rx_flow.tlog.faults import Broken, Fault
from rx_flow.tlog.merkle import HASH_BYTES, SIZE_MAX


def number(text: str, fault: Fault) -> int:
    """Return a decimal number of up to 2^63 - 1; `Broken(fault)` for a sign, a leading zero or foreign digits."""
    if not (text.isascii() and text.isdigit()) or (text[0] == "0" and text != "0") or len(text) > len(str(SIZE_MAX)):
        raise Broken(fault, "not a decimal number in its shortest form")
    value = int(text)
    if value > SIZE_MAX:
        raise Broken(fault, "a number beyond 2^63")
    return value


def base64(data: bytes) -> str:
    """Return standard base64 with padding, RFC 4648 §4."""
    return b64encode(data).decode("ascii")


def unbase64(text: str, fault: Fault) -> bytes:
    """Return what `base64` would have written as `text`; `Broken(fault)` for any other spelling."""
    try:
        data = b64decode(text, validate=True)
    except (BadBase64, ValueError):
        raise Broken(fault, "not base64") from None
    if base64(data) != text:
        raise Broken(fault, "not the one spelling of its base64")
    return data


def hash_of(text: str, fault: Fault) -> bytes:
    """Return a 32-byte hash from base64; `Broken(fault)` for anything else."""
    data = unbase64(text, fault)
    if len(data) != HASH_BYTES:
        raise Broken(fault, "a hash has 32 bytes")
    return data
