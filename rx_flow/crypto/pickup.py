"""
The patient's pick-up code (取药码): 19 characters of Crockford's base32 and a check character. Made and read only here.
"""

from __future__ import annotations

from rx_flow.crypto.canonical import digest
from rx_flow.crypto.errors import Reason, Untrusted

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DATA = 19  # characters that carry the secret: 95 bits
LENGTH = DATA + 1
GROUP = 5
_READ = {character: value for value, character in enumerate(ALPHABET)}
_READ |= {character.lower(): value for character, value in _READ.items()}
_READ |= {"o": 0, "O": 0, "i": 1, "I": 1, "l": 1, "L": 1}  # as Crockford reads what people mix up
_POLYNOMIAL = 0b100101  # x^5 + x^2 + 1, primitive: its field has 32 elements, one per character


def code(bits: bytes) -> str:
    """
    Return the code that carries the first 95 of `bits` (at least 12 bytes).
    """
    number = int.from_bytes(bits[:12], "big") >> 1
    values = [(number >> 5 * place) & 31 for place in reversed(range(DATA))]
    return "".join(ALPHABET[value] for value in (*values, _check(values)))


def normalise(text: str) -> str:
    """
    Return the code as we write it, from what somebody typed; `Untrusted` when it cannot be one.

    Any single wrong character and any two swapped ones are noticed (`_check`).
    """
    typed = "".join(text.split()).replace("-", "") if len(text) <= 4 * LENGTH else ""
    values = [_READ.get(character, -1) for character in typed]
    if len(values) != LENGTH or -1 in values or _check(values[:DATA]) != values[DATA]:
        raise Untrusted(Reason.MALFORMED_CODE)
    return "".join(ALPHABET[value] for value in values)


def grouped(code: str) -> str:
    """
    Return a code as it is printed: XXXXX-XXXXX-XXXXX-XXXXX.
    """
    return "-".join(code[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def code_sha256(code: str) -> str:
    """
    Return what the release document says of a code: SHA-256 (hex) of its normal form; `Untrusted` for no code.

    A bare hash suffices here: 95 random bits cannot be guessed. What is stored is keyed once more (`pickup_index`).
    """
    return digest(normalise(code))


def _check(values: list[int]) -> int:
    """
    The value c with  v1*a^19 + v2*a^18 + ... + v19*a + c = 0  in GF(32), a = x.

    Every place has another weight that is not 0, so one wrong value, or two swapped, never cancel out.
    """
    total = 0
    for value in values:
        total = _times_a(total ^ value)
    return total


def _times_a(value: int) -> int:
    value <<= 1
    return value ^ _POLYNOMIAL if value & 32 else value
