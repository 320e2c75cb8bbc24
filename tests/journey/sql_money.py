"""
What somebody could change by SQL at the insurer, and what has to be found: site, whose prescription, change, finding.
"""

from __future__ import annotations

from province import INSURER

from rx_flow.record.log.comparing import Amiss

A = Amiss
STRAY = "350100-ZZZZZZZZZZZZZZZZ"  # a prescription that no log tells of
# A place may be "*": any.
Case = tuple[str, str, str, tuple[tuple[Amiss, str], ...]]
MONEY: tuple[Case, ...] = (
    # The insurer: money above all.
    (
        INSURER,
        "done",
        "UPDATE settlement_booking SET fund_fen = fund_fen + 1, patient_fen = patient_fen - 1 WHERE rx = :rx",
        (
            (A.BOOKING_ALTERED, "booking 1 fund_fen"),
            (A.BOOKING_ALTERED, "booking 1 patient_fen"),
            (A.LEDGER_ALTERED, "*"),
        ),
    ),
    (
        INSURER,
        "done",
        "UPDATE settlement_booking SET total_fen = total_fen + 1 WHERE rx = :rx",
        ((A.BOOKING_ALTERED, "booking 1 total_fen"), (A.LEDGER_ALTERED, "*")),
    ),
    (
        INSURER,
        "done",
        "UPDATE settlement_booking SET deductible_fen = 7 WHERE rx = :rx",
        ((A.BOOKING_ALTERED, "booking 1 deductible_fen"),),
    ),
    (
        INSURER,
        "done",
        "UPDATE settlement_booking SET pharmacy = 'P35010000002' WHERE rx = :rx",
        ((A.BOOKING_ALTERED, "*"), (A.LEDGER_ALTERED, "*")),
    ),
    (
        INSURER,
        "done",
        "UPDATE settlement_booking SET account = '350100:390' WHERE rx = :rx",
        ((A.LEDGER_ALTERED, "*"),),
    ),
    (
        INSURER,
        "done",
        "UPDATE settlement_booking SET person = 'x' WHERE rx = :rx",
        ((A.BOOKING_ALTERED, "booking 1 person"),),
    ),
    (
        INSURER,
        "done",
        "UPDATE settlement_booking SET action = 'recover' WHERE rx = :rx",
        ((A.BOOKING_ALTERED, "booking 1 action"), (A.BOOKING_ALTERED, "booking 1 reverses")),
    ),
    (
        INSURER,
        "back",
        "UPDATE settlement_booking SET reverses = NULL WHERE rx = :rx",
        ((A.BOOKING_ALTERED, "booking 2 reverses"),),
    ),
    (INSURER, "done", "UPDATE settlement_booking SET sealed = :other WHERE rx = :rx", ((A.SEAL_BROKEN, "booking 1"),)),
    (
        INSURER,
        "done",
        "UPDATE settlement_booking SET digest = 'x' WHERE rx = :rx",
        ((A.BOOKING_DELETED, "booking 1"), (A.BOOKING_INSERTED, "booking 1"), (A.OUTCOME_UNLOGGED, "*")),
    ),
    (
        INSURER,
        "done",
        "DELETE FROM settlement_booking WHERE rx = :rx",
        ((A.BOOKING_DELETED, "booking 1"), (A.LEDGER_ALTERED, "*"), (A.OUTCOME_UNLOGGED, "*")),
    ),
    (
        INSURER,
        "done",
        (
            "INSERT INTO settlement_booking SELECT area, rx, 9, 'x', action, request, reverses, "
            "pharmacy, person, account, year, total_fen, deductible_fen, fund_fen, patient_fen, at, "
            "message, sealed FROM settlement_booking WHERE rx = :rx"
        ),
        ((A.BOOKING_INSERTED, "booking 9"), (A.LEDGER_ALTERED, "*"), (A.OUTCOME_UNLOGGED, "settlement_open")),
    ),
    (
        INSURER,
        "done",
        "UPDATE settlement_ledger SET amount_fen = amount_fen + 1 WHERE rx = :rx AND account = 'patient'",
        ((A.LEDGER_ALTERED, "booking 1 book patient"),),
    ),
    (
        INSURER,
        "done",
        "DELETE FROM settlement_ledger WHERE rx = :rx AND account = 'patient'",
        ((A.LEDGER_ALTERED, "booking 1 book patient"),),
    ),
    (
        INSURER,
        "done",
        (
            "INSERT INTO settlement_ledger SELECT area, rx, n, 'void', account, -amount_fen, at FROM "
            "settlement_ledger WHERE rx = :rx"
        ),
        ((A.LEDGER_ALTERED, "booking 1 void patient"),),
    ),
    (
        INSURER,
        "done",
        "UPDATE settlement_booking_outcome SET outcome = 'void' WHERE rx = :rx",
        ((A.OUTCOME_UNLOGGED, "booking 1"), (A.LEDGER_ALTERED, "*")),
    ),
    (
        INSURER,
        "done",
        "UPDATE settlement_booking_outcome SET state = 'available' WHERE rx = :rx",
        ((A.OUTCOME_UNLOGGED, "booking 1"),),
    ),
    (INSURER, "done", "DELETE FROM settlement_booking_outcome WHERE rx = :rx", ((A.OUTCOME_UNLOGGED, "booking 1"),)),
    (
        INSURER,
        "done",
        "INSERT INTO settlement_open SELECT area, rx, n, digest FROM settlement_booking WHERE rx = :rx",
        ((A.OUTCOME_UNLOGGED, "settlement_open"),),
    ),
    (
        INSURER,
        "done",
        "UPDATE settlement_quote SET person = 'x' WHERE rx = :rx",
        ((A.QUOTE_ALTERED, "*"), (A.BOOKING_ALTERED, "booking 1 person")),
    ),
    (INSURER, "done", "UPDATE settlement_quote SET sealed = :other WHERE rx = :rx", ((A.SEAL_BROKEN, "*"),)),
    (INSURER, "done", "DELETE FROM settlement_quote WHERE rx = :rx", ((A.QUOTE_ALTERED, "*"),)),
    (INSURER, "done", "DELETE FROM outbox WHERE rx = :rx", ((A.MESSAGE_DELETED, "*"),)),
    (INSURER, "done", "DELETE FROM document WHERE rx = :rx AND doc = 'statement'", ((A.DOCUMENT_DELETED, "*"),)),
    (
        INSURER,
        "done",
        "UPDATE document SET sealed = :other WHERE rx = :rx AND doc = 'statement'",
        ((A.SEAL_BROKEN, "*"),),
    ),
    (
        INSURER,
        "",
        (
            "INSERT INTO settlement_insured SELECT area, 'stranger', scheme, category, enrolled_at "
            "FROM settlement_insured LIMIT 1"
        ),
        ((A.INSURED_UNLOGGED, "350100 stranger"),),
    ),
    *(
        (INSURER, "done", f"UPDATE {table} SET rx = :stray WHERE rx = :rx", ((amiss, table),))  # noqa: S608  tables of ours
        for table, amiss in (
            ("settlement_booking", A.BOOKING_INSERTED),
            ("settlement_booking_outcome", A.OUTCOME_UNLOGGED),
            ("settlement_ledger", A.LEDGER_ALTERED),
            ("settlement_quote", A.QUOTE_ALTERED),
        )
    ),
)
