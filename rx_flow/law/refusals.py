"""
Every way in which this system says no. The only place where refusal codes are declared.

The order is the precedence: where several reasons hold, the first one listed is given.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """
    A stable problem code, in descending precedence; new ones are inserted, none is ever renamed.
    """

    # What arrived cannot be read at all.
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    MALFORMED_CODE = "malformed_code"
    # Who is asking.
    UNAUTHENTICATED = "unauthenticated"
    WRONG_PIN = "wrong_pin"
    PIN_LOCKED = "pin_locked"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    REPLAYED_ASSERTION = "replayed_assertion"
    WRONG_ROLE = "wrong_role"
    # What was presented as proof.
    NOT_FOR_US = "not_for_us"
    BAD_DOCUMENT = "bad_document"
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_SIGNER = "unknown_signer"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_REVOKED = "certificate_revoked"
    SUITE_NOT_ACCEPTED = "suite_not_accepted"
    CERTIFICATE_STATUS_UNKNOWN = "certificate_status_unknown"
    NOT_CONSISTENT = "not_consistent"  # a log's checkpoint that does not continue the one seen before
    WRONG_SIGNER = "wrong_signer"
    CLOCK_SKEW = "clock_skew"
    # What it is about; another's prescription answers exactly like one that does not exist.
    NOT_FOUND = "not_found"
    NUMBER_USED = "number_used"
    DOCUMENT_REPLAYED = "document_replayed"
    DOCUMENT_OUT_OF_ORDER = "document_out_of_order"
    # The table.
    WRONG_STATE = "wrong_state"
    REASON_REQUIRED = "reason_required"
    # The guards of the table's rows.
    ANOTHER_INSTITUTION = "another_institution"
    NOT_THE_PRESCRIBER = "not_the_prescriber"
    NOT_THE_CLAIMANT = "not_the_claimant"
    NOT_INDEPENDENT = "not_independent"
    NOMINATED_ELSEWHERE = "nominated_elsewhere"
    CODE_REQUIRED = "code_required"
    OUT_OF_DATE = "out_of_date"
    STILL_VALID = "still_valid"
    SUPPLY_TOO_LONG = "supply_too_long"
    FINDING_UNANSWERED = "finding_unanswered"
    PICKER_REQUIRED = "picker_required"
    LOTS_INCOMPLETE = "lots_incomplete"
    TRACE_CODE_USED = "trace_code_used"
    # Money.
    NOT_INSURED = "not_insured"
    QUOTE_CHANGED = "quote_changed"
    NOT_SETTLED = "not_settled"
    ALREADY_DECIDED = "already_decided"
    # The neighbours and the machine.
    UNRECONCILED = "unreconciled"  # rows that are not as the log tells: changed behind the application's back
    CONFLICT = "conflict"
    PEER_UNREACHABLE = "peer_unreachable"
    BUSY = "busy"


class Refused(Exception):  # noqa: N818  A refusal is an answer, not an error.
    """
    An expected no: `code` for machines, `detail` for people; never a value that could be personal.
    """

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code.value)
        self.code = code
        self.detail = detail
