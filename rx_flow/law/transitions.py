"""
The one table of what may happen to a prescription. No other file knows which state follows which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rx_flow.law import guards as g
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import SEALS, Ask, Role, Standing, State

Guard = Callable[[Standing, Ask], Code | None]


@dataclass(frozen=True, slots=True)
class Transition:
    """
    A row: `action` by `role` takes `source` to `target` when every guard is content.

    `document` names the signed document that is its evidence.
    """

    action: str
    source: State
    target: State
    role: Role
    document: str
    guards: tuple[Guard, ...] = ()
    needs_reason: bool = False


T, S, R = Transition, State, Role

# The table reads across, one row a line, in columns.
# fmt: off
# ruff: noqa: E501
TRANSITIONS: tuple[Transition, ...] = (
    # action         source       target       role                    document         guards                                             reason
    T("submit",      S.DRAFT,     S.SIGNED,    R.PRESCRIBER,           "prescription",  (g.author, g.in_date, g.supply_within_limit)),
    T("approve",     S.SIGNED,    S.APPROVED,  R.HOSPITAL_PHARMACIST,  "opinion1",      (g.own_hospital, g.not_the_author, g.in_date, g.findings_answered)),
    T("send_back",   S.SIGNED,    S.DRAFT,     R.HOSPITAL_PHARMACIST,  "opinion1",      (g.own_hospital, g.not_the_author), needs_reason=True),
    T("release",     S.APPROVED,  S.AVAILABLE, R.HOSPITAL,             "release",       (g.own_hospital, g.in_date)),
    T("claim",       S.AVAILABLE, S.CLAIMED,   R.PHARMACY,             "claim",         (g.nominated_or_code, g.in_date)),
    *(T("hand_back", s,           S.AVAILABLE, R.PHARMACY,             "claim",         (g.claimant,), needs_reason=True)
      for s in (S.CLAIMED, S.ACCEPTED)),
    T("accept",      S.CLAIMED,   S.ACCEPTED,  R.PHARMACIST,           "opinion2",      (g.claimant, g.independent, g.in_date, g.findings_answered)),
    T("refuse",      S.CLAIMED,   S.REFUSED,   R.PHARMACIST,           "opinion2",      (g.claimant, g.independent), needs_reason=True),
    T("settle",      S.ACCEPTED,  S.SETTLED,   R.INSURER,              "statement",     (g.in_date,)),
    T("reverse",     S.SETTLED,   S.ACCEPTED,  R.INSURER,              "statement",     needs_reason=True),
    T("dispense",    S.SETTLED,   S.DISPENSED, R.PHARMACIST,           "dispense",      (g.claimant, g.independent, g.in_date, g.picked_by_another, g.all_lots)),
    T("take_back",   S.DISPENSED, S.RETURNED,  R.PHARMACIST,           "dispense",      (g.claimant,), needs_reason=True),
    *(T("revoke",    s,           S.REVOKED,   R.PRESCRIBER,           "revocation",    (g.author,), needs_reason=True)
      for s in (S.DRAFT, S.SIGNED, S.APPROVED, S.AVAILABLE, S.CLAIMED, S.ACCEPTED)),
    *(T("expire",    s,           S.EXPIRED,   R.PLATFORM,             "expiry",        (g.out_of_date,))
      for s in (S.AVAILABLE, S.CLAIMED, S.ACCEPTED)),
    T("deny",        S.DISPENSED, S.DISPENSED, R.INSURER,              "decision",      needs_reason=True),
    T("recover",     S.DISPENSED, S.DISPENSED, R.INSURER,              "decision",      needs_reason=True),
)
# fmt: on

_ROWS = {(row.action, row.source): row for row in TRANSITIONS}
_ROLES = {row.action: row.role for row in TRANSITIONS}
ACTIONS = tuple(_ROLES)


def decide(standing: Standing, ask: Ask) -> Transition:
    """
    Return the row that permits `ask`, or raise `Refused` with the first reason: role before state.
    """
    if _ROLES.get(ask.action) is not ask.actor.role:
        raise Refused(Code.WRONG_ROLE, f"{ask.action} is not for this role")
    if ask.actor.role in SEALS and ask.actor.id != ask.actor.institution:
        raise Refused(Code.WRONG_ROLE, f"{ask.action} is signed by the institution's seal")
    row = _ROWS.get((ask.action, standing.state))
    if row is None:
        raise Refused(Code.WRONG_STATE, f"{ask.action} is not possible from {standing.state}")
    if row.needs_reason and not ask.reason.strip():
        raise Refused(Code.REASON_REQUIRED, f"{ask.action} needs a stated reason")
    for guard in row.guards:
        if code := guard(standing, ask):
            raise Refused(code, ask.action)
    return row


def after(standing: Standing, ask: Ask, row: Transition) -> Standing:
    """
    Return the standing that follows when `row` has permitted `ask`: the state and who took part.
    """
    match ask.action:
        case "submit":
            return replace(standing, state=row.target, first_reviewer=None)
        case "approve":
            return replace(standing, state=row.target, first_reviewer=ask.actor.id)
        case "claim":
            return replace(standing, state=row.target, claimant=ask.actor.institution)
        case "hand_back":
            return replace(standing, state=row.target, claimant=None, second_reviewer=None, nominated=None)
        case "accept":
            return replace(standing, state=row.target, second_reviewer=ask.actor.id)
        case _:
            return replace(standing, state=row.target)


def sources(action: str) -> tuple[State, ...]:
    """
    Return the states from which `action` is possible, in the table's order.
    """
    return tuple(row.source for row in TRANSITIONS if row.action == action)
