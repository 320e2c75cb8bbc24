"""
Where a prescription stands, who asks, and what for: the values that the law is asked about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import NewType

RxId = NewType("RxId", str)
Area = NewType("Area", str)

# China has one time zone and no summer time; a fixed offset needs no time-zone database.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")


def day(moment: datetime) -> date:
    """
    Return the day in China.
    """
    return moment.astimezone(SHANGHAI).date()


def span(of: date) -> tuple[datetime, datetime]:
    """
    Return when a day begins in China, and when the next one does.
    """
    begins = datetime.combine(of, time(), SHANGHAI)
    return begins, begins + timedelta(days=1)


def wall_clock(moment: datetime) -> str:
    """
    Return a time as people in China read it, to the second: `2026-11-23 16:00:00`.
    """
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


class State(StrEnum):
    """
    The standing of a prescription (处方状态).
    """

    DRAFT = "draft"
    SIGNED = "signed"
    APPROVED = "approved"
    AVAILABLE = "available"
    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    SETTLED = "settled"
    DISPENSED = "dispensed"
    REFUSED = "refused"
    REVOKED = "revoked"
    EXPIRED = "expired"
    RETURNED = "returned"


class Role(StrEnum):
    """
    In what capacity somebody acts; it stands in the signer's certificate.
    """

    PRESCRIBER = "prescriber"
    HOSPITAL_PHARMACIST = "hospital_pharmacist"
    HOSPITAL = "hospital"
    PLATFORM = "platform"
    PHARMACY = "pharmacy"
    PHARMACIST = "pharmacist"
    INSURER = "insurer"


# In these roles an institution acts by its seal (电子签章), never one of its staff.
SEALS = frozenset({Role.HOSPITAL, Role.PLATFORM, Role.PHARMACY, Role.INSURER})


@dataclass(frozen=True, slots=True)
class Actor:
    """
    Who acts: national code of a person or institution, the role, and the institution acted for.

    An institution acting by its seal has `id == institution`.
    """

    id: str
    role: Role
    institution: str


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What an action has established before it asks the law; computed inside, never taken from a route.
    """

    code_shown: bool = False
    unanswered: int = 0  # serious findings of this review for which no reason was stated
    supply_ok: bool = True  # days of supply within the limit for this prescription
    picker: str | None = None  # who picked the drugs (配药); must not be who checks (核对)
    lots_complete: bool = False  # lots cover each line's quantity exactly


@dataclass(frozen=True, slots=True)
class Ask:
    """
    One request to the law: `action` by `actor` at `now` (aware), with a reason where one is owed.
    """

    action: str
    actor: Actor
    now: datetime
    reason: str = ""
    facts: Facts = Facts()


@dataclass(frozen=True, slots=True)
class Standing:
    """
    Everything the law knows of one prescription; times are aware, ids are national codes.
    """

    rx: RxId
    area: Area
    state: State
    hospital: str
    prescriber: str
    issued_at: datetime
    valid_until: datetime  # the first moment at which it is no longer valid
    first_reviewer: str | None = None
    nominated: str | None = None
    claimant: str | None = None
    second_reviewer: str | None = None
    seq: int = 0  # documents so far
    head: str = ""  # SHA-256 (hex) of the last document; "" before the first
