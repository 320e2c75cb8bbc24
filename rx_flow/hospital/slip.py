"""
The patient's pick-up slip (取药凭证): the code as text and as a QR code. Derived each time, stored nowhere.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import segno

from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.pickup import code_sha256, grouped


@dataclass(frozen=True, slots=True)
class Slip:
    """
    What is printed for the patient; `sha256` is what the release document says of the code.
    """

    text: str
    qr_svg: str
    sha256: str

    def __repr__(self) -> str:
        return "Slip(...)"  # whoever has the code can claim: it belongs into no log


def slip(keyring: Keyring, rx: str) -> Slip:
    """
    Return the slip of a prescription of this hospital: the same one whenever it is asked for.
    """
    code = keyring.pickup_code(rx)
    drawn = io.BytesIO()
    # Any mask can be read; trying all eight for the prettiest costs more than all signatures of a prescription.
    segno.make_qr(code, error="m", mask=0).save(drawn, kind="svg", scale=4, xmldecl=False)
    return Slip(grouped(code), drawn.getvalue().decode(), code_sha256(code))
