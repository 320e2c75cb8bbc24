"""
The strict form of a compact JWS: exactly one spelling of each, and nothing in the header that is not ours.

joserfc reads what is written here and the tests hold us to it; it is not asked to read, because it admits more than
one spelling of the same token (padding, unused bits, duplicate members) and costs as much again as the signature.
"""

from __future__ import annotations

from binascii import Error
from collections.abc import Set  # noqa: PYI025  the abstract one
from typing import NamedTuple

from pybase64 import b64decode, b64encode, b64encode_as_string

from rx_flow.crypto import canonical
from rx_flow.crypto.canonical import JSON
from rx_flow.crypto.errors import Reason, Untrusted

_URL = b"-_"
_PLUS, _SLASH, _EQUALS = b"+/="  # base64's own, which the library would read as well
_PADDING = (b"", b"===", b"==", b"=")  # by how many characters are over; of one alone nothing can be read
# The last characters whose unused bits are not set, where two or three are over (RFC 4648 §3.5).
_LAST = {2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}
HEADER_MAX = 1024  # characters; ours has about 190
# Members that are an attack by themselves, the gravest first; all of them are refused by name alone.
_HOSTILE = {
    **dict.fromkeys(("jwk", "x5c"), Reason.FOREIGN_KEY),
    **dict.fromkeys(("jku", "x5u"), Reason.KEY_ADDRESS),
    **dict.fromkeys(("kid", "x5t"), Reason.KEY_NAME),
    "zip": Reason.COMPRESSED,
    **dict.fromkeys(("p2c", "p2s"), Reason.PASSWORD_BASED),
    "b64": Reason.UNENCODED_PAYLOAD,
    "crit": Reason.UNKNOWN_CRITICAL,
}
_ALGORITHMS = {"none": Reason.UNSIGNED, "hs": Reason.SHARED_SECRET, "pbes2": Reason.PASSWORD_BASED}
_MORE_THAN_ONE = 4  # parts: a header, a payload and two signatures


class Parts(NamedTuple):
    """
    A compact JWS taken apart; nothing of it is believed yet.
    """

    header: dict[str, JSON]
    payload: bytes
    signed: bytes
    signature: bytes
    whole: bytes

    def __repr__(self) -> str:
        return f"<Parts, {len(self.whole)} bytes>"  # the content may be personal


def encode(data: bytes) -> bytes:
    """
    Return base64url without padding (RFC 7515 §2).
    """
    return b64encode(data, _URL).rstrip(b"=")


def text(data: bytes) -> str:
    """
    Return base64url as text.
    """
    return b64encode_as_string(data, _URL).rstrip("=")


def decode(text: bytes) -> bytes:
    """
    Return the bytes of base64url; `Untrusted` for padding, unused bits that are set, or characters outside it.
    """
    if _PLUS in text or _SLASH in text or _EQUALS in text:
        raise Untrusted(Reason.BAD_ENCODING)
    over = len(text) % 4
    try:
        data = b64decode(text + _PADDING[over], _URL, True)  # noqa: FBT003  strict; by name it costs as much again
    except Error:
        raise Untrusted(Reason.BAD_ENCODING) from None
    if over and text[-1] not in _LAST[over]:
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
    whole = raw.encode()
    parts = whole.split(b".")
    if len(parts) != 3 or not all(parts):  # noqa: PLR2004  header, payload, signature
        if raw.startswith("{") or (len(parts) == _MORE_THAN_ONE and all(parts)):
            raise Untrusted(Reason.SECOND_SIGNATURE)
        raise Untrusted(Reason.MALFORMED, "not three parts")
    if len(parts[0]) > HEADER_MAX:
        raise Untrusted(Reason.HEADER_TOO_LARGE)
    header, payload, signature = map(decode, parts)
    members = canonical.read(header)
    if not isinstance(members, dict):
        raise Untrusted(Reason.MALFORMED, "header")
    return Parts(members, payload, whole[: -len(parts[2]) - 1], signature, whole)


def expect(header: dict[str, JSON], typ: str, members: frozenset[str]) -> None:
    """
    Return if the header has exactly `members` and this `typ`; raise `Untrusted`, first for what is an attack by itself.
    """
    same = header.keys() == members
    if not same:
        refuse(header.keys() - members)
    if header.get("typ") != typ:
        raise Untrusted(Reason.WRONG_TYPE)
    if not same:
        raise Untrusted(Reason.UNKNOWN_HEADER, "a member is missing")


def refuse(foreign: Set[str]) -> None:
    """
    Return if there are no foreign header members; raise `Untrusted`, first for those that are an attack by themselves.
    """
    if foreign:
        raise Untrusted(next((reason for name, reason in _HOSTILE.items() if name in foreign), Reason.UNKNOWN_HEADER))


def strange(alg: object, otherwise: Reason) -> Reason:
    """
    Return why an `alg` that no suite names is refused: RFC 8725 §2.1 says what the well-known ones have done.
    """
    name = alg.strip().lower() if isinstance(alg, str) else ""
    return next((reason for start, reason in _ALGORITHMS.items() if name.startswith(start)), otherwise)
