"""
Puts the hospital's seal on a sheet, and judges it there: the seal that one sees is the signature that one checks.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.pades import check as pades
from rx_flow.crypto.pades import seal
from rx_flow.crypto.pades.check import Sealed
from rx_flow.crypto.pki.path import Trust
from rx_flow.evidence.sheet import draw
from rx_flow.law.standing import Role

# Where sheet.typ leaves room for the seal, in points from the lower left corner of the first page.
PLACE = (293, 53, 381, 141)
LABEL = "医院电子签章"
REASON = "双通道外配处方"


def sign(pdf: bytes, key: SigningKey, *, trust: Trust, at: datetime, notice: str = "") -> bytes:
    """
    Return a sheet as `draw.render` gives it under the hospital's visible seal, sealed at `at` (aware).

    `notice` is written into the picture of the seal. Errors as `pades.seal.sign`; `Refused` as `draw.seal`.
    """
    picture = draw.seal(key.signer.name, notice=notice, at=at)
    return seal.sign(pdf, key, trust=trust, at=at, seal=seal.Seal(picture, PLACE, LABEL, REASON))


def check(pdf: bytes, roots: bytes, *, lists: Iterable[bytes] = (), now: datetime | None = None) -> Sealed:
    """
    Return which hospital sealed a sheet, and when it says so; `Untrusted` as `pades.check.check`.

    Also for a seal that is none of a hospital: every institution has one.
    """
    found = pades.check(pdf, roots, lists=lists, now=now)
    if found.signer.role != Role.HOSPITAL:
        raise Untrusted(Reason.SIGNER_MISMATCH, "not a hospital's seal")
    return found
