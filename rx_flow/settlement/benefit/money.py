"""
Whole fen (分) and shares of them. The only place where an amount is rounded or shared out.
"""

from __future__ import annotations

from collections.abc import Mapping

WHOLE = 10_000  # a ratio counts in ten-thousandths: the national fields carry four decimals, numeric(5,4)


def share(amount_fen: int, ratio: int) -> int:
    """
    Return `ratio` ten-thousandths of `amount_fen` (>= 0), rounded half up to the fen.

    No national text on rounding is known to us; half up, once per figure, is the custom of public implementations.
    What is left over is always found by subtraction, so that no sum is ever rounded twice.
    """
    if amount_fen < 0 or not 0 <= ratio <= WHOLE:
        raise ValueError("a share is of an amount that is not negative, by a ratio from 0 to 1")
    return (amount_fen * ratio + WHOLE // 2) // WHOLE


def allot(amount_fen: int, weights: Mapping[int, int]) -> dict[int, int]:
    """
    Share `amount_fen` out over `weights` in their proportion, to the fen; the parts sum to the amount exactly.

    Each gets its share rounded down; the fen that remain go one each to the largest fractions, the lower key first
    among equals. No part exceeds its weight where the amount does not exceed their sum, and the order of the mapping
    plays no part.
    """
    whole = sum(weights.values())
    if amount_fen < 0 or min(weights.values(), default=0) < 0 or (amount_fen and not whole):
        raise ValueError("an amount that is not negative, over weights that can bear it")
    parts = {key: amount_fen * weight // whole if whole else 0 for key, weight in weights.items()}
    by_fraction = sorted(weights, key=lambda key: (-(amount_fen * weights[key] % whole) if whole else 0, key))
    for key in by_fraction[: amount_fen - sum(parts.values())]:
        parts[key] += 1
    return parts


def yuan(amount_fen: int) -> str:
    """Return an amount as people read it: yuan with two decimals."""
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}{abs(amount_fen) // 100}.{abs(amount_fen) % 100:02d}"


def percent(ratio: int) -> str:
    """Return a ratio as people read it: `8550` is 85.5%."""
    whole, rest = divmod(ratio, WHOLE // 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") + "%"
