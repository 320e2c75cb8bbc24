"""
What somebody could change by SQL at the platform, and what has to be found.
"""

from __future__ import annotations

from province import PLATFORM
from sql_money import Case

from rx_flow.record.log.comparing import Amiss

A = Amiss
PLATFORM_ROWS: tuple[Case, ...] = (
    # The platform.
    (PLATFORM, "open", "UPDATE platform_routing SET pickup = 'x' WHERE rx = :rx", ((A.ROUTING_ALTERED, "pickup"),)),
    (PLATFORM, "done", "UPDATE platform_routing SET patient = 'x' WHERE rx = :rx", ((A.ROUTING_ALTERED, "patient"),)),
    (PLATFORM, "done", "DELETE FROM platform_routing WHERE rx = :rx", ((A.ROUTING_ALTERED, "platform_routing"),)),
    (PLATFORM, "open", "UPDATE platform_line SET drug = 'x' WHERE rx = :rx", ((A.ROUTING_ALTERED, "platform_line"),)),
    (
        PLATFORM,
        "done",
        "UPDATE platform_line SET quantity = quantity + 1 WHERE rx = :rx",
        ((A.UNITS_ALTERED, "line 1"),),
    ),
    (
        PLATFORM,
        "done",
        "DELETE FROM platform_line WHERE rx = :rx",
        ((A.ROUTING_ALTERED, "platform_line"), (A.UNITS_ALTERED, "line 1")),
    ),
    (
        PLATFORM,
        "nominated",
        "UPDATE prescription SET nominated = 'P35010000002' WHERE rx = :rx",
        ((A.STATE_UNLOGGED, "nominated"),),
    ),
    (
        PLATFORM,
        "open",
        "UPDATE prescription SET nominated = 'P35010000002' WHERE rx = :rx",
        ((A.STATE_UNLOGGED, "nominated"),),
    ),
    (
        PLATFORM,
        "given_back",
        "UPDATE prescription SET nominated = 'P35010000002' WHERE rx = :rx",
        ((A.STATE_UNLOGGED, "nominated"),),
    ),
    (
        PLATFORM,
        "open",
        "UPDATE prescription SET valid_until = '2027-01-01 00:00:00+00:00' WHERE rx = :rx",
        ((A.STATE_UNLOGGED, "valid_until"),),
    ),
    (
        PLATFORM,
        "held",
        "UPDATE prescription SET issued_at = '2027-01-01 00:00:00+00:00' WHERE rx = :rx",
        ((A.STATE_UNLOGGED, "issued_at"),),
    ),
    (
        PLATFORM,
        "settled",
        "UPDATE platform_bill SET fund_fen = fund_fen + 1, patient_fen = patient_fen - 1 WHERE rx = :rx",
        ((A.BILL_ALTERED, "bill 6 total_fen"),),
    ),
    (
        PLATFORM,
        "done",
        "UPDATE platform_bill SET total_fen = total_fen + 1 WHERE rx = :rx",
        ((A.BILL_ALTERED, "bill 6 total_fen"),),
    ),
    (
        PLATFORM,
        "back",
        (
            "UPDATE platform_bill SET total_fen = total_fen + 1, patient_fen = patient_fen + 1 WHERE "
            "rx = :rx AND action = 'reverse'"
        ),
        ((A.BILL_ALTERED, "bill 9 total_fen"),),
    ),
    (PLATFORM, "done", "UPDATE platform_bill SET insurer = 'x' WHERE rx = :rx", ((A.BILL_ALTERED, "bill 6"),)),
    (
        PLATFORM,
        "back",
        "DELETE FROM platform_bill WHERE rx = :rx AND action = 'reverse'",
        ((A.BILL_ALTERED, "bill 9"),),
    ),
    (
        PLATFORM,
        "done",
        (
            "INSERT INTO platform_bill SELECT area, rx, 99, insurer, action, total_fen, fund_fen, "
            "patient_fen FROM platform_bill WHERE rx = :rx"
        ),
        ((A.BILL_ALTERED, "bill 99"),),
    ),
    (PLATFORM, "done", "UPDATE platform_trace_code SET returned = TRUE WHERE rx = :rx", ((A.UNITS_ALTERED, "*"),)),
    (PLATFORM, "back", "UPDATE platform_trace_code SET returned = FALSE WHERE rx = :rx", ((A.UNITS_ALTERED, "*"),)),
    (PLATFORM, "done", "DELETE FROM platform_trace_code WHERE rx = :rx", ((A.UNITS_ALTERED, "line 1"),)),
    (
        PLATFORM,
        "open",
        "INSERT INTO platform_trace_code VALUES ('350100', :rx, '1', 1, FALSE)",
        ((A.UNITS_ALTERED, "line 1"), (A.UNITS_ALTERED, "*")),
    ),
    (PLATFORM, "done", "DELETE FROM package WHERE rx = :rx AND first_seq = 6", ((A.PACKAGE_ALTERED, "package 6"),)),
    (
        PLATFORM,
        "done",
        "INSERT INTO package SELECT area, rx, 77, body FROM package WHERE rx = :rx AND first_seq = 1",
        ((A.PACKAGE_ALTERED, "package 77"),),
    ),
    (
        PLATFORM,
        "held",
        (
            "UPDATE package SET body = (SELECT body FROM package WHERE rx = :rx AND first_seq = 4) "
            "WHERE rx = :rx AND first_seq = 1"
        ),
        ((A.SEAL_BROKEN, "package 1"),),
    ),
    (
        PLATFORM,
        "held",
        "UPDATE package SET body = 'x' WHERE rx = :rx AND first_seq = 1",
        ((A.SEAL_BROKEN, "package 1"),),
    ),
    *(
        (PLATFORM, "done", f"UPDATE {table} SET rx = :stray WHERE rx = :rx", ((amiss, table),))  # noqa: S608  tables of ours
        for table, amiss in (
            ("platform_routing", A.ROUTING_ALTERED),
            ("platform_line", A.ROUTING_ALTERED),
            ("platform_bill", A.BILL_ALTERED),
            ("platform_trace_code", A.UNITS_ALTERED),
            ("package", A.PACKAGE_ALTERED),
        )
    ),
    (
        PLATFORM,
        "done",
        "UPDATE prescription SET state = 'settled' WHERE rx = :rx",
        ((A.STATE_UNLOGGED, "state"),),
    ),
    (
        PLATFORM,
        "done",
        "UPDATE audit_secret SET value = 'x' WHERE chain = :rx",
        ((A.SECRET_ALTERED, "*"), (A.ROUTING_ALTERED, "patient")),
    ),
)
