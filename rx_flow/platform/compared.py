"""
The platform's own tables, held against its log: routing, lines, bills, trace codes and the sealed packages.

With the keys, the packages of every prescription that is not handed out yet are opened, so that what only the signed
documents say is compared as well: the pick-up code's hash, the pharmacy that was nominated at the hospital, dates,
lines and amounts. The others are opened, and verified, where somebody asks for them. `platform_routing.received_at` is
not compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from rx_flow.crypto.documents import digest_of, take_apart
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.packages import open_package
from rx_flow.law.prescription import Prescription
from rx_flow.law.refusals import Refused
from rx_flow.law.transitions import ACTIONS, TRANSITIONS
from rx_flow.platform.tables import bill, line, routing, trace_code
from rx_flow.record.audit import PATIENT
from rx_flow.record.log.comparing import Amiss, Breathe, Found, done, inserted, nobody, prescriptions, told, unheard
from rx_flow.record.log.reconcile import Keeps, reconcile
from rx_flow.record.statements import Prepared, Row
from rx_flow.record.tables import audit_secret, document, package, prescription

_AHEAD: Final = {"claim", "accept", "settle", "dispense"}
_OPEN: Final = {row.source.value for row in TRANSITIONS if row.action in _AHEAD}  # states before the hand-out
_FEN: Final = ("total_fen", "fund_fen", "patient_fen")
_r, _l, _b, _t, _p, _d, _s, _x = (
    routing.c, line.c, bill.c, trace_code.c, package.c, document.c, audit_secret.c, prescription.c,
)  # fmt: skip


def _of(c: Any, *names: str) -> Prepared:  # noqa: ANN401  the columns of one of the tables above
    found = select(*(c[name] for name in names)).where(c.area == bindparam("area"), c.rx == bindparam("rx"))
    return Prepared(found.order_by(c[names[0]]))


_ROUTING = _of(_r, "pickup", "patient")
_LINES = _of(_l, "n", "drug", "quantity", "unit")
_BILLS = _of(_b, "seq", "action", "insurer", *_FEN)
_CODES = _of(_t, "code", "n", "returned")
_PACKAGES = _of(_p, "first_seq", "body")
_FIRSTS = _of(_p, "first_seq")
_DOCUMENTS = _of(_d, "seq", "digest")
_ROW = _of(_x, "state", "nominated", "issued_at", "valid_until")
_PATIENT = Prepared(
    select(_s.value)
    .where(_s.area == bindparam("area"), _s.chain == bindparam("rx"), _s.name == PATIENT)
    .order_by(_s.seq)
    .limit(1)
)
_UNHEARD = (
    (unheard(_r.area, _r.rx), Amiss.ROUTING_ALTERED, "platform_routing"),
    (unheard(_l.area, _l.rx), Amiss.ROUTING_ALTERED, "platform_line"),
    (unheard(_b.area, _b.rx), Amiss.BILL_ALTERED, "platform_bill"),
    (unheard(_t.area, _t.rx), Amiss.UNITS_ALTERED, "platform_trace_code"),
    (unheard(_p.area, _p.rx), Amiss.PACKAGE_ALTERED, "package"),
)


def compare(tx: Connection, keyring: Keyring | None = None, breathe: Breathe = nobody) -> Iterator[Found]:
    """
    Yield everything that is amiss here; with `keyring`, what is kept sealed is opened as well.
    """
    yield from reconcile(tx, keeps=Keeps.WHOLE, breathe=breathe)

    def judge(area: str, rx: str) -> Iterator[Found]:
        key = {"area": area, "rx": rx}
        entries = told(tx, area, rx, {*ACTIONS, "nominate"})
        steps = [one for one in done(entries) if one["action"] in ACTIONS]
        if not steps:
            return
        places = {digest: seq for seq, digest in _DOCUMENTS.all(tx, key)}
        lines = _LINES.all(tx, key)
        yield from _routing(tx, rx, key, lines)
        yield from _packages(rx, steps, places, [row[0] for row in _FIRSTS.all(tx, key)])
        yield from _bills(rx, steps, places, _BILLS.all(tx, key))
        yield from _units(rx, steps, lines, _CODES.all(tx, key))
        row = _ROW.first(tx, key)
        if keyring is not None and row is not None and row[0] in _OPEN:
            moved = any(one["action"] in {"nominate", "hand_back"} for one in done(entries))
            yield from _opened(tx, rx, key, keyring=keyring, places=places, row=row, moved=moved)

    yield from prescriptions(tx, judge, breathe)
    for query, amiss, what in _UNHEARD:
        yield from inserted(tx, query, amiss, what)


def _routing(tx: Connection, rx: str, key: dict[str, str], lines: list[Row]) -> Iterator[Found]:
    """What was taken in can be found, is its patient's, and is of some drugs."""
    row = _ROUTING.first(tx, key)
    if row is None:
        yield Found(Amiss.ROUTING_ALTERED, rx, "platform_routing")
    elif (hidden := _PATIENT.first(tx, key)) is not None and hidden[0] != row[1]:
        yield Found(Amiss.ROUTING_ALTERED, rx, "patient")
    if not lines:
        yield Found(Amiss.ROUTING_ALTERED, rx, "platform_line")


def _packages(rx: str, steps: list[dict[str, Any]], places: dict[str, int], firsts: list[int]) -> Iterator[Found]:
    """One package came from the hospital, and one with each step after it."""
    at = next((n for n, one in enumerate(steps) if one["action"] == "release"), len(steps))
    due = {1} | {places[one["document"]] for one in steps[at + 1 :] if one["document"] in places}
    for first in sorted(due ^ set(firsts)):
        yield Found(Amiss.PACKAGE_ALTERED, rx, f"package {first}")


def _bills(rx: str, steps: list[dict[str, Any]], places: dict[str, int], bills: list[Row]) -> Iterator[Found]:
    """A bill for each statement, by who settled; what the fund and the patient pay is all of it; reversals mirror."""
    due: list[tuple[int, str, str]] = []
    for one in steps:
        seq = places.get(one["document"], 0)
        if one["action"] == "settle":
            due.append((seq, "settle", one["actor"]["institution"]))
        elif one["action"] in {"reverse", "take_back"} and due:  # drugs come back with the insurer's statement next
            due.append((seq + (one["action"] == "take_back"), "reverse", due[-1][2]))
    is_ = [(row[0], row[1], row[2]) for row in bills]
    for seq, _, _ in sorted(set(due) ^ set(is_)):
        yield Found(Amiss.BILL_ALTERED, rx, f"bill {seq}")
    before: Row = ()
    for row in bills:
        total, fund, patient = row[3:]
        mirrored = row[1] != "reverse" or row[3:] == tuple(-fen for fen in before[3:])
        if total != fund + patient or not mirrored:
            yield Found(Amiss.BILL_ALTERED, rx, f"bill {row[0]} total_fen")
        before = row


def _units(rx: str, steps: list[dict[str, Any]], lines: list[Row], codes: list[Row]) -> Iterator[Found]:
    """As many units were handed out as were prescribed, of each line; they are out until they are taken back."""
    last = next((one["action"] for one in reversed(steps) if one["action"] in {"dispense", "take_back"}), "")
    prescribed = {n: quantity for n, _, quantity, _ in lines} if last else {}
    given = Counter(n for _, n, _ in codes)
    for n in sorted(prescribed.keys() | given.keys()):
        if prescribed.get(n, 0) != given[n]:
            yield Found(Amiss.UNITS_ALTERED, rx, f"line {n}")
    for code, _, returned in codes:
        if bool(returned) != (last == "take_back"):
            yield Found(Amiss.UNITS_ALTERED, rx, f"trace code {code}")


def _opened(
    tx: Connection,
    rx: str,
    key: dict[str, str],
    *,
    keyring: Keyring,
    places: dict[str, int],
    row: Row,
    moved: bool,
) -> Iterator[Found]:
    """What the signed documents say, and no entry does."""
    bodies: list[tuple[str, int, dict[str, Any]]] = []
    for first, body in _PACKAGES.all(tx, key):
        try:
            for seq, raw in enumerate(open_package(str(body), keyring.opening, rx=rx), first):
                if places.get(digest_of(raw)) != seq:
                    yield Found(Amiss.SEAL_BROKEN, rx, f"package {first}")
                members = take_apart(raw, withheld=True).members
                bodies.append((members["doc"], seq, members["body"]))
        except Untrusted:
            yield Found(Amiss.SEAL_BROKEN, rx, f"package {first}")
    said = {doc: body for doc, _, body in bodies}  # the last of each kind
    kept = _ROUTING.first(tx, key)
    if "release" in said and kept is not None:
        yield from _released(rx, said["release"], keyring, pickup=kept[0], nominated=None if moved else (row[1],))
    if "prescription" in said:
        yield from _prescribed(rx, said["prescription"], row, _LINES.all(tx, key))
    bills = {one[0]: one[3:] for one in _BILLS.all(tx, key)}
    for doc, seq, body in bodies:
        if doc == "statement" and bills.get(seq, ()) != tuple(body["bill"][name] for name in _FEN):
            yield Found(Amiss.BILL_ALTERED, rx, f"bill {seq} total_fen")


def _released(
    rx: str, body: dict[str, Any], keyring: Keyring, *, pickup: str, nominated: tuple[str | None] | None
) -> Iterator[Found]:
    """The hash that the code is found by, and, while the patient has not chosen anew, the pharmacy."""
    if pickup != keyring.pickup_index(str(body.get("pickup_sha256"))):
        yield Found(Amiss.ROUTING_ALTERED, rx, "pickup")
    if nominated is not None and nominated != (body.get("nominated"),):
        yield Found(Amiss.STATE_UNLOGGED, rx, "nominated")


def _prescribed(rx: str, body: dict[str, Any], row: Row, lines: list[Row]) -> Iterator[Found]:
    """Dates and lines are those that the prescriber signed."""
    try:
        signed = Prescription.from_signed(body)
    except Refused:
        yield Found(Amiss.SEAL_BROKEN, rx, "prescription")
        return
    for name, is_, due in (("issued_at", row[2], signed.issued_at), ("valid_until", row[3], signed.valid_until)):
        if is_ != due:
            yield Found(Amiss.STATE_UNLOGGED, rx, name)
    if [tuple(one) for one in lines] != [(one.n, one.drug, one.quantity, one.unit) for one in signed.lines]:
        yield Found(Amiss.ROUTING_ALTERED, rx, "platform_line")
