"""
What somebody could change by SQL at a hospital or a pharmacy, and what has to be found.
"""

from __future__ import annotations

from province import HOSPITAL, PHARMACY
from sql_money import Case

from rx_flow.record.log.comparing import Amiss

A = Amiss
HOUSE_ROWS: tuple[Case, ...] = (
    # The hospital.
    (HOSPITAL, "open", "UPDATE prescription SET state = 'revoked' WHERE rx = :rx", ((A.STATE_UNLOGGED, "state"),)),
    (
        HOSPITAL,
        "open",
        "UPDATE document SET sealed = :other WHERE rx = :rx AND seq = 1",
        ((A.SEAL_BROKEN, "document 1"),),
    ),
    (
        HOSPITAL,
        "open",
        "DELETE FROM document WHERE rx = :rx AND seq = 2",
        ((A.DOCUMENT_DELETED, "entry 2"), (A.DOCUMENT_ALTERED, "*")),
    ),
    (HOSPITAL, "open", "DELETE FROM outbox WHERE rx = :rx", ((A.MESSAGE_DELETED, "*"),)),
    (
        HOSPITAL,
        "open",
        (
            "INSERT INTO hospital_revocation SELECT area, rx, digest, seq, at, sealed FROM document "
            "WHERE rx = :rx AND seq = 1"
        ),
        ((A.REVOCATION_ALTERED, "hospital_revocation"),),
    ),
    (
        HOSPITAL,
        "open",
        (
            "INSERT INTO hospital_revocation SELECT area, :stray, digest, seq, at, sealed FROM "
            "document WHERE rx = :rx AND seq = 1"
        ),
        ((A.REVOCATION_ALTERED, "hospital_revocation"),),
    ),
    # The pharmacy.
    (PHARMACY, "done", "UPDATE pharmacy_holding SET ended = 'revoked' WHERE rx = :rx", ((A.HOLDING_ALTERED, "ended"),)),
    (
        PHARMACY,
        "held",
        "DELETE FROM pharmacy_holding WHERE rx = :rx",
        ((A.HOLDING_ALTERED, "pharmacy_holding"), (A.PACKAGE_ALTERED, "package")),
    ),
    (PHARMACY, "held", "DELETE FROM package WHERE rx = :rx", ((A.PACKAGE_ALTERED, "package"),)),
    (PHARMACY, "given_back", "INSERT INTO package VALUES ('350100', :rx, 1, 'x')", ((A.PACKAGE_ALTERED, "package"),)),
    (PHARMACY, "done", "DELETE FROM pharmacy_handed_out WHERE rx = :rx", ((A.UNITS_ALTERED, "pharmacy_handed_out"),)),
    (
        PHARMACY,
        "done",
        "UPDATE pharmacy_handed_out SET digest = 'x' WHERE rx = :rx",
        ((A.UNITS_ALTERED, "*"), (A.UNITS_ALTERED, "pharmacy_handed_out")),
    ),
    (
        PHARMACY,
        "held",
        (
            "INSERT INTO pharmacy_handed_out SELECT area, 'T1', :rx, digest, n, lot, expiry FROM "
            "pharmacy_handed_out LIMIT 1"
        ),
        ((A.UNITS_ALTERED, "trace code T1"),),
    ),
    (
        PHARMACY,
        "held",
        "INSERT INTO pharmacy_pending SELECT area, rx, digest, 'accept', 'x', at, 5, NULL FROM document WHERE rx = :rx",
        ((A.HOLDING_ALTERED, "pharmacy_pending"),),
    ),
    (
        PHARMACY,
        "done",
        "UPDATE document SET sealed = :other WHERE rx = :rx AND doc = 'dispense'",
        ((A.SEAL_BROKEN, "*"),),
    ),
    (
        PHARMACY,
        "done",
        "UPDATE document SET target = 'claimed' WHERE rx = :rx AND doc = 'dispense'",
        ((A.DOCUMENT_ALTERED, "*"),),
    ),
    (PHARMACY, "done", "DELETE FROM document WHERE rx = :rx AND doc = 'dispense'", ((A.DOCUMENT_DELETED, "*"),)),
    *(
        (PHARMACY, "done", f"UPDATE {table} SET rx = :stray WHERE rx = :rx", ((amiss, table),))  # noqa: S608  tables of ours
        for table, amiss in (
            ("pharmacy_holding", A.HOLDING_ALTERED),
            ("package", A.PACKAGE_ALTERED),
            ("pharmacy_handed_out", A.UNITS_ALTERED),
        )
    ),
)
