"""
Who is insured (参保人): kept under a keyed pseudonym, so that the database names nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.law.refusals import Code, Refused
from rx_flow.record.statements import Prepared
from rx_flow.settlement.benefit.policy import Category, Scheme
from rx_flow.settlement.tables import insured

_DOMAIN = "insured"
_i = insured.c
_NAMES = [column.name for column in insured.columns]
_ENROL = {
    name: Prepared(
        kind.insert(insured)
        .values({column: bindparam(column) for column in _NAMES})
        .on_conflict_do_update(index_elements=["person"], set_={column: bindparam(column) for column in _NAMES})
    )
    for name, kind in (("sqlite", sqlite), ("postgresql", postgresql))
}
_FIND = select(_i.person, _i.area, _i.scheme, _i.category).where(_i.person == bindparam("k_person"))
_SEEN, _LOCKED = Prepared(_FIND), Prepared(_FIND.with_for_update())  # SQLite has one writer and needs no lock.


@dataclass(frozen=True, slots=True)
class Insured:
    """
    A person as the insurer knows them: pseudonym, where and under which scheme insured, in what standing.
    """

    person: str
    area: str
    scheme: Scheme
    category: Category

    @property
    def account(self) -> str:
        """The fund (统筹基金) that pays for them."""
        return f"{self.area}:{self.scheme}"


def pseudonym(keyring: Keyring, id_type: str, id_number: str) -> str:
    """
    Return under which pseudonym this insurer keeps a person; without its key that says nothing.
    """
    return keyring.pseudonym(id_type, id_number, domain=_DOMAIN)


def enrol(tx: Connection, person: Insured, now: datetime) -> None:
    """
    Enter a person, or a change of area, scheme or standing; what was settled before stays what it was.

    A scheme without that standing (a resident in the employees' scheme) is `Refused(MALFORMED)`.
    """
    if (person.category is Category.RESIDENT) is not (person.scheme is Scheme.RESIDENT):
        raise Refused(Code.MALFORMED, "category")
    _ENROL[tx.dialect.name].run(
        tx,
        {
            "area": person.area,
            "person": person.person,
            "scheme": person.scheme.value,
            "category": person.category.value,
            "enrolled_at": now,
        },
    )


def find(tx: Connection, person: str, *, lock: bool = False) -> Insured:
    """
    Return an insured person; `Refused(NOT_INSURED)` where this insurer has none of that pseudonym.

    With `lock` nobody else books for them until this transaction ends: two settlements cannot use the same ceiling.
    """
    row = (_LOCKED if lock else _SEEN).first(tx, {"k_person": person})
    if row is None:
        raise Refused(Code.NOT_INSURED, "not insured with this insurer")
    return Insured(row[0], row[1], Scheme(row[2]), Category(row[3]))
