"""
Taking DER apart and putting it together (X.690 §8.9, §10.1) by its elements, whose bytes stay what they are.
"""

from __future__ import annotations

OCTET_STRING, EXPLICIT = 0x04, 0xA0  # tags; the second is [0]
_SEQUENCE, _BIT_STRING = 0x30, 0x03
_LONG = 0x80  # from here on the head's second byte counts the bytes of the length that follow


def parts(der: bytes) -> list[bytes]:
    """
    Return the elements of a SEQUENCE, each whole; `ValueError` for anything but one SEQUENCE of definite lengths.
    """
    inside = content(der, _SEQUENCE)
    found = []
    while inside:
        start, size = _head(inside)
        found.append(inside[: start + size])
        inside = inside[start + size :]
    return found


def sequence(*elements: bytes) -> bytes:
    """
    Return the SEQUENCE of these elements.
    """
    return element(_SEQUENCE, b"".join(elements))


def bit_string(data: bytes) -> bytes:
    """
    Return a BIT STRING of whole bytes.
    """
    return element(_BIT_STRING, b"\0" + data)


def bits(der: bytes) -> bytes:
    """
    Return the bytes of a BIT STRING; `ValueError` for anything else, or where the last byte is not whole.
    """
    inside = content(der, _BIT_STRING)
    if inside[:1] != b"\0":
        raise ValueError("not whole bytes")
    return inside[1:]


def content(der: bytes, tag: int) -> bytes:
    """
    Return what is in one element; `ValueError` for another kind of element, or if something follows.
    """
    start, size = _head(der)
    if der[0] != tag or len(der) != start + size:
        raise ValueError("not one element of this kind")
    return der[start:]


def element(tag: int, inside: bytes) -> bytes:
    """
    Return an element of this tag and content.
    """
    return _heading(tag, len(inside)) + inside


def _head(der: bytes) -> tuple[int, int]:
    """Where the content of the first element begins, and how long it is; all of it is there."""
    if len(der) < 2:  # noqa: PLR2004  tag and length
        raise ValueError("cut short")
    size, start = der[1], 2
    if size >= _LONG:
        start += size - _LONG
        size = int.from_bytes(der[2:start], "big")
    if _heading(der[0], size) != der[:start]:
        raise ValueError("a length that could be written shorter, or none")
    if len(der) < start + size:
        raise ValueError("cut short")
    return start, size


def _heading(tag: int, size: int) -> bytes:
    if size < _LONG:
        return bytes((tag, size))
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG + len(length))) + length
