"""
Benefit policy (待遇政策) as dated data with its source. The only place that reads `policies/*.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import combinations
from types import MappingProxyType
from typing import Any

from rx_flow.law import catalogue
from rx_flow.law.refusals import Code, Refused
from rx_flow.settlement.benefit.money import WHOLE

DUAL_CHANNEL = "dual_channel"


class Scheme(StrEnum):
    """Which insurance (险种, national insutype)."""

    EMPLOYEE = "310"  # 职工基本医疗保险
    RESIDENT = "390"  # 城乡居民基本医疗保险


class Category(StrEnum):
    """In what standing a person is insured (人员类别)."""

    ACTIVE = "active"  # 在职
    RETIRED = "retired"  # 退休
    RESIDENT = "resident"  # 居民


class DrugClass(StrEnum):
    """The part of the national list a drug stands in (目录类别)."""

    A = "A"  # 甲类
    B = "B"  # 乙类
    NEGOTIATED = "negotiated"  # 谈判药品


class OutsideScope(StrEnum):
    """What an area does about a drug given outside its paid indication (限定支付范围)."""

    SELF_PAID = "self_paid"  # the line is the patient's own
    AS_LISTED = "as_listed"  # settled as listed, and looked at afterwards (事后审核)


@dataclass(frozen=True, slots=True)
class Terms:
    """
    On what terms a drug is paid: class, payment standard (支付标准, fen a unit), advance self-pay ratio (先行自付).

    `standard_fen` None says that no standard is public, which is common for negotiated drugs and is not zero.
    """

    drug_class: DrugClass
    standard_fen: int | None
    advance: int


@dataclass(frozen=True, slots=True)
class Rates:
    """
    What a category of persons gets in a year: deductible (起付线), ratio of the fund, ceiling (封顶线; None: without).
    """

    deductible_fen: int
    ratio: int
    ceiling_fen: int | None


@dataclass(frozen=True, slots=True)
class Policy:
    """
    One policy of one area and scheme, in force from `valid_from` until the day before `valid_until`, or for good.
    """

    id: str
    name: str
    area: str
    scheme: Scheme
    benefit: str
    valid_from: date
    valid_until: date | None
    source: str
    remark: str
    verified: bool
    example: bool
    outside_scope: OutsideScope
    rates: Mapping[Category, Rates]
    advance: Mapping[DrugClass, int]
    own: Mapping[str, Terms]  # drugs that this area pays on terms of its own

    def covers(self, on: date) -> bool:
        """Whether it is in force on that day."""
        return self.valid_from <= on and (self.valid_until is None or on < self.valid_until)

    def terms(self, drug: str, on: date) -> Terms | None:
        """
        Return on what terms a drug is paid on that day; None where it is not on the list: the patient's own (全自费).

        The area's own terms come first; else the national catalogue of the day, with the area's ratio for the class.
        """
        if drug in self.own:
            return self.own[drug]
        listed = catalogue.drug(drug, on)
        if listed is None:
            return None
        drug_class = DrugClass.NEGOTIATED if listed.negotiated else DrugClass.B
        return Terms(drug_class, listed.price_fen, self.advance[drug_class])


def policy_of(area: str, scheme: str, on: date, *, book: Iterable[Policy] | None = None) -> Policy:
    """
    Return the dual-channel policy of an area and scheme in force on a day, from what was published or from `book`.

    `Refused(NOT_INSURED)` where there is none: nothing is ever paid by a policy of another day, area or scheme.
    """
    for policy in published() if book is None else book:
        if (policy.area, policy.scheme, policy.benefit) == (area, scheme, DUAL_CHANNEL) and policy.covers(on):
            return policy
    raise Refused(Code.NOT_INSURED, "no dual-channel policy of this area and scheme is in force on that day")


@cache
def published() -> tuple[Policy, ...]:
    """Return every policy that came with this release, whatever its day."""
    return read(resources.files("rx_flow.settlement.benefit").joinpath("policies"))


def read(folder: Traversable) -> tuple[Policy, ...]:
    """
    Read every TOML file of a folder. A fault in the data (two policies for one day, a ratio above 1) is a ValueError.
    """
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    entries = [entry for file in files for entry in tomllib.loads(file.read_text("utf-8"))["policy"]]
    policies = tuple(_policy(entry, area) for entry in entries for area in entry["areas"])
    for one, other in combinations(policies, 2):
        if one.id == other.id:
            raise ValueError(f"two policies are called {one.id}")
        same = (one.area, one.scheme, one.benefit) == (other.area, other.scheme, other.benefit)
        if same and (one.covers(other.valid_from) or other.covers(one.valid_from)):
            raise ValueError(f"{one.id} and {other.id} both hold on one day")
    return policies


def _policy(entry: Mapping[str, Any], area: str) -> Policy:
    if entry["example"] and "示例" not in entry["name"]:
        raise ValueError(f"{entry['id']}: an example says so in its name")
    if not entry["source"]:
        raise ValueError(f"{entry['id']}: a policy has a source")
    return Policy(
        id=f"{area}-{entry['id']}",
        name=entry["name"],
        area=area,
        scheme=Scheme(entry["scheme"]),
        benefit=entry["benefit"],
        valid_from=entry["valid_from"],
        valid_until=entry.get("valid_until"),
        source=entry["source"],
        remark=entry["remark"],
        verified=entry["verified"],
        example=entry["example"],
        outside_scope=OutsideScope(entry["outside_scope"]),
        rates=MappingProxyType({Category(name): _rates(rates) for name, rates in entry["rates"].items()}),
        advance=MappingProxyType({one: _ratio(entry["advance"][one]) for one in DrugClass}),
        own=MappingProxyType({drug: _terms(terms) for drug, terms in entry.get("drug", {}).items()}),
    )


def _rates(entry: Mapping[str, Any]) -> Rates:
    return Rates(_fen(entry["deductible_fen"]), _ratio(entry["ratio"]), _fen_or_none(entry["ceiling_fen"]))


def _terms(entry: Mapping[str, Any]) -> Terms:
    return Terms(DrugClass(entry["class"]), _fen_or_none(entry["standard_fen"]), _ratio(entry["advance"]))


def _ratio(text: str) -> int:
    """Read a ratio, written as text because a TOML float is binary: at most four decimals, from 0 to 1."""
    ratio = Decimal(text) * WHOLE
    if ratio != ratio.to_integral_value() or not 0 <= ratio <= WHOLE:
        raise ValueError(f"not a ratio of at most four decimals from 0 to 1: {text}")
    return int(ratio)


def _fen(amount: object) -> int:
    if not isinstance(amount, int) or isinstance(amount, bool) or amount < 0:
        raise ValueError(f"not an amount in fen: {amount}")
    return amount


def _fen_or_none(amount: object) -> int | None:
    """Read an amount that may be absent: the word `none` must say so, so that nothing is absent by oversight."""
    return None if amount == "none" else _fen(amount)
