"""
What a patient reads: states, steps and parties in plain Chinese, and in English for who asks for it.
"""

from __future__ import annotations

from typing import Literal

from rx_flow.law.standing import Role, State

Language = Literal["zh", "en"]

_STATES: dict[State, tuple[str, str]] = {
    State.DRAFT: ("医生正在修改", "being corrected by the doctor"),
    State.SIGNED: ("等待医院药师审核", "waiting for the hospital's pharmacist"),
    State.APPROVED: ("医院药师已审核", "approved by the hospital's pharmacist"),
    State.AVAILABLE: ("可以到药店取药", "ready: you can collect it at a pharmacy"),
    State.CLAIMED: ("药店已接单，药师审核中", "with a pharmacy, under review by its pharmacist"),
    State.ACCEPTED: ("药店药师已审核，等待结算", "approved by the pharmacy's pharmacist, waiting for settlement"),
    State.SETTLED: ("已结算，等待发药", "settled, waiting to be handed out"),
    State.DISPENSED: ("已发药", "handed out"),
    State.REFUSED: ("药店药师未通过，请联系医生", "refused by the pharmacy's pharmacist: please ask your doctor"),
    State.REVOKED: ("医生已撤销", "withdrawn by the doctor"),
    State.EXPIRED: ("已过有效期", "out of date"),
    State.RETURNED: ("已退药退费", "taken back and refunded"),
}

_STEPS: dict[str, tuple[str, str]] = {
    "submit": ("开具处方", "wrote the prescription"),
    "approve": ("审核通过处方", "reviewed and approved it"),
    "send_back": ("退回医生修改", "sent it back to the doctor"),
    "release": ("签章并发出处方", "sealed it and sent it out"),
    "claim": ("接单", "took it on"),
    "hand_back": ("退回处方，可到其他药店取药", "gave it back: another pharmacy can take it"),
    "accept": ("第二次审核通过", "reviewed it a second time and approved it"),
    "refuse": ("第二次审核未通过", "reviewed it a second time and refused it"),
    "settle": ("医保结算", "settled the bill"),
    "reverse": ("撤销医保结算", "reversed the settlement"),
    "dispense": ("核对并发药", "checked and handed out the drugs"),
    "take_back": ("收回药品", "took the drugs back"),
    "revoke": ("撤销处方", "withdrew the prescription"),
    "expire": ("处方过期作废", "declared it out of date"),
    "deny": ("对药店拒付，与您的自付费用无关", "refused payment to the pharmacy; your own share is not concerned"),
    "recover": (
        "向药店追回费用，与您的自付费用无关",
        "took payment back from the pharmacy; your own share is not concerned",
    ),
}

_ROLES: dict[str, tuple[str, str]] = {
    Role.PRESCRIBER: ("责任医师", "doctor"),
    Role.HOSPITAL_PHARMACIST: ("医院药师", "hospital pharmacist"),
    Role.HOSPITAL: ("医院", "hospital"),
    Role.PLATFORM: ("处方流转平台", "platform"),
    Role.PHARMACY: ("药店", "pharmacy"),
    Role.PHARMACIST: ("药店执业药师", "pharmacist"),
    Role.INSURER: ("医保经办机构", "insurer"),
}


def _in(language: Language, pair: tuple[str, str]) -> str:
    return pair[1] if language == "en" else pair[0]


def state(of: State, language: Language) -> str:
    """Return what a state means to the patient."""
    return _in(language, _STATES[of])


def step(action: str, language: Language) -> str:
    """Return what a step was; read after who took it."""
    return _in(language, _STEPS[action])


def role(of: str, language: Language) -> str:
    """Return in what capacity somebody acted."""
    return _in(language, _ROLES[of])


def money(fen: int) -> str:
    """Return an amount in yuan with two decimals, from whole fen."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def bill(total_fen: int, fund_fen: int, patient_fen: int, language: Language) -> str:
    """Return the totals of a bill as one sentence."""
    total, fund, patient = money(total_fen), money(fund_fen), money(patient_fen)
    if language == "en":
        return f"Of {total} yuan the medical insurance fund pays {fund} yuan; you pay {patient} yuan."
    return f"总费用{total}元，医保基金支付{fund}元，您个人支付{patient}元。"
