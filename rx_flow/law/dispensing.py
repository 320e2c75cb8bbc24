"""
What is handed out (发药): lots with the trace codes (追溯码) of their units, and whether they account for every unit.

The only place that knows the form of a dispense record's lots.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from rx_flow.law import fields as f
from rx_flow.law.fields import JSON
from rx_flow.law.prescription import Line

_TRACE_CODE = re.compile(r"[0-9A-Za-z]{7,40}")
LOTS_MOST = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What one line of a prescription asks for, in clear: which drug and how many units.
    """

    n: int
    drug: str
    quantity: int
    unit: str


@dataclass(frozen=True, slots=True)
class Lot:
    """
    Units of one lot handed out for one line, each with its trace code (追溯码).
    """

    n: int
    lot: str
    quantity: int
    expiry: date
    trace_codes: tuple[str, ...]

    def to_body(self) -> dict[str, JSON]:
        """Return the fields as JSON values."""
        return {
            "n": self.n,
            "lot": self.lot,
            "quantity": self.quantity,
            "expiry": self.expiry.isoformat(),
            "trace_codes": [*self.trace_codes],
        }

    @classmethod
    def from_body(cls, body: object) -> Lot:
        """Read what `to_body` wrote; `Refused(MALFORMED)` names the field."""
        had = f.exactly(body, cls.__match_args__, "lots")
        f.whole(had["n"], "lots.n", least=1, most=99)
        f.text(had["lot"], "lots.lot", most=40)
        f.whole(had["quantity"], "lots.quantity", least=1, most=10_000)
        codes = f.items(had["trace_codes"], "lots.trace_codes")
        for code in codes:
            f.shaped(code, "lots.trace_codes", _TRACE_CODE)
        return cls(had["n"], had["lot"], had["quantity"], f.read_day(had["expiry"], "lots.expiry"), (*codes,))


def read_lots(value: object) -> tuple[Lot, ...]:
    """
    Return the lots of a dispense record; `Refused(MALFORMED)` names the field, also for more than `LOTS_MOST`.
    """
    lots = f.items(value, "lots")
    if len(lots) > LOTS_MOST:
        f.malformed("lots: too many")
    return tuple(Lot.from_body(one) for one in lots)


def lots_complete(lots: Sequence[Lot], lines: Iterable[Line | Wanted], on: date) -> bool:
    """
    Return whether lots give each line exactly its quantity: for each unit a code of its own, nothing expired on `on`.
    """
    given: Counter[int] = Counter()
    for lot in lots:
        if len(lot.trace_codes) != lot.quantity or lot.expiry < on:
            return False
        given[lot.n] += lot.quantity
    codes = [code for lot in lots for code in lot.trace_codes]
    return given == {line.n: line.quantity for line in lines} and len({*codes}) == len(codes)
