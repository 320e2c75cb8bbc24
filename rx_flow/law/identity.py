"""
What a resident identity number (居民身份证号码) says about itself, by GB 11643.
"""

from __future__ import annotations

from rx_flow.law.prescription import Patient

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"


def card_agrees(patient: Patient) -> bool:
    """
    Return whether number, day of birth, sex and check character agree; other kinds of document have no such say.
    """
    if patient.id_type != "01":
        return True
    digits, check = patient.id_number[:17], patient.id_number[17]
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=True))
    male = int(digits[16]) % 2 == 1
    return (
        _CHECKS[total % 11] == check
        and digits[6:14] == patient.birth.strftime("%Y%m%d")
        and patient.sex == ("1" if male else "2")
    )
