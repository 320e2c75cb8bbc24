"""Policies made for tests, with drugs on terms of their own, so that no catalogue decides a figure here."""

from __future__ import annotations

from datetime import date
from types import MappingProxyType

from rx_flow.settlement.benefit.policy import (
    DUAL_CHANNEL,
    Category,
    DrugClass,
    OutsideScope,
    Policy,
    Rates,
    Scheme,
    Terms,
)

DAY = date(2026, 3, 2)
FREE, TENTH, CAPPED, OWN, UNLISTED = (f"X{'0' * 20}{n:02d}" for n in range(5))


def policy(
    *,
    deductible_fen: int = 0,
    ratio: int = 8_000,
    ceiling_fen: int | None = None,
    terms: dict[str, Terms] | None = None,
    outside: OutsideScope = OutsideScope.SELF_PAID,
    valid_from: date = date(2026, 1, 1),
) -> Policy:
    """A policy for the employees of 350100 with four drugs unless told which."""
    return Policy(
        id="350100-test",
        name="测试",
        area="350100",
        scheme=Scheme.EMPLOYEE,
        benefit=DUAL_CHANNEL,
        valid_from=valid_from,
        valid_until=None,
        source="test",
        remark="",
        verified=False,
        example=True,
        outside_scope=outside,
        rates=MappingProxyType({Category.ACTIVE: Rates(deductible_fen, ratio, ceiling_fen)}),
        advance=MappingProxyType(dict.fromkeys(DrugClass, 0)),
        own=MappingProxyType(
            terms
            or {
                FREE: Terms(DrugClass.A, None, 0),
                TENTH: Terms(DrugClass.NEGOTIATED, None, 1_000),
                CAPPED: Terms(DrugClass.NEGOTIATED, 10_000, 1_500),
                OWN: Terms(DrugClass.B, None, 10_000),
            }
        ),
    )
