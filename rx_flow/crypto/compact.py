"""
The strict form of a compact JWS: exactly one spelling of each, and nothing in the header that is not ours.

joserfc reads what is written here and the tests hold us to it; it is not asked to read, because it admits more than
one spelling of the same token (padding, unused bits, duplicate members) and costs as much again as the signature.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from dataclasses import dataclass

from rx_flow.crypto import canonical
from rx_flow.crypto.canonical import JSON
from rx_flow.crypto.errors import Reason, Untrusted

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")  # what is base64's own and not ours becomes what no decoder takes
HEADER_MAX = 1024  # characters; ours has about 190
_HOSTILE = {
    "crit": Reason.UNKNOWN_CRITICAL,
    "b64": Reason.UNENCODED_PAYLOAD,
    **dict.fromkeys(("jwk", "jku", "x5u", "x5c", "x5t", "kid"), Reason.FOREIGN_KEY),
}


@dataclass(frozen=True, slots=True)
class Parts:
    """
    A compact JWS taken apart; nothing of it is believed yet.
    """

    header: dict[str, JSON]
    payload: bytes
    signed: bytes
    signature: bytes


def encode(data: bytes) -> bytes:
    """
    Return base64url without padding (RFC 7515 §2).
    """
    return b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=")


def decode(text: bytes) -> bytes:
    """
    Return the bytes of base64url; `Untrusted` for padding, unused bits that are set, or characters outside it.
    """
    over = len(text) % 4
    try:
        data = a2b_base64(text.translate(_FROM_URL) + b"=" * (-over % 4), strict_mode=True)
    except Error:
        raise Untrusted(Reason.BAD_ENCODING) from None
    # The strict decoder refuses foreign characters, but not unused bits.
    if over and encode(data[1 - over :]) != text[-over:]:
        raise Untrusted(Reason.BAD_ENCODING)
    return data


def join(header: bytes, payload: bytes) -> bytes:
    """
    Return the signing input of canonical header and payload bytes (RFC 7515 §5.1).
    """
    return encode(header) + b"." + encode(payload)


def split(raw: str, *, limit: int) -> Parts:
    """
    Take a compact JWS of at most `limit` characters apart, or raise `Untrusted` for any other than the one spelling.
    """
    if len(raw) > limit:
        raise Untrusted(Reason.TOO_LARGE)
    if not raw.isascii():
        raise Untrusted(Reason.BAD_ENCODING)
    parts = raw.encode().split(b".")
    if len(parts) != 3 or not all(parts):  # noqa: PLR2004  header, payload, signature
        raise Untrusted(Reason.MALFORMED, "not three parts")
    if len(parts[0]) > HEADER_MAX:
        raise Untrusted(Reason.TOO_LARGE, "header")
    header, payload, signature = map(decode, parts)
    members = canonical.read(header)
    if not isinstance(members, dict):
        raise Untrusted(Reason.MALFORMED, "header")
    return Parts(members, payload, signed=parts[0] + b"." + parts[1], signature=signature)


def expect(header: dict[str, JSON], typ: str, members: frozenset[str]) -> None:
    """
    Return if the header has exactly `members` and this `typ`; raise `Untrusted`, first for what is an attack by itself.
    """
    for name in sorted(header.keys() - members):
        raise Untrusted(_HOSTILE.get(name, Reason.UNKNOWN_HEADER))
    if header.get("typ") != typ:
        raise Untrusted(Reason.WRONG_TYPE)
    if len(header) != len(members):
        raise Untrusted(Reason.UNKNOWN_HEADER, "a member is missing")
