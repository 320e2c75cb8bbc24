"""
Every way in which an evidence bundle fails to prove what it says, each with its own word.
"""

from __future__ import annotations

from enum import StrEnum

from rx_flow.crypto.errors import Reason, Untrusted


class Fault(StrEnum):
    """
    What is wrong with a bundle itself; what is wrong with a signature or a document has a `Reason` of its own.
    """

    # The file.
    NOT_A_BUNDLE = "not_a_bundle"  # no ZIP file, or one that ends too early
    BUNDLE_TOO_LARGE = "bundle_too_large"
    COMPRESSED_MEMBER = "compressed_member"  # members are stored as they are: nothing can become larger than it was
    BAD_NAME = "bad_name"  # a path that leaves the folder, or has characters that some file system reads differently
    NAME_TWICE = "name_twice"
    NOT_AS_WRITTEN = "not_as_written"  # a byte of the container is not what packing these members gives
    # What belongs to it.
    MEMBER_MISSING = "member_missing"
    MEMBER_UNKNOWN = "member_unknown"
    SUMS_MALFORMED = "sums_malformed"
    SUM_MISMATCH = "sum_mismatch"
    MANIFEST_MALFORMED = "manifest_malformed"
    MANIFEST_NOT_BY_PLATFORM = "manifest_not_by_platform"
    MANIFEST_MISMATCH = "manifest_mismatch"  # it is about other files, or another head of the dossier
    FROM_THE_FUTURE = "from_the_future"
    CERTIFICATE_UNUSED = "certificate_unused"
    # What happened.
    SIGNED_BY_ANOTHER_ROLE = "signed_by_another_role"
    NOT_DISCLOSED = "not_disclosed"  # a bundle that says it is complete, and withholds
    DISCLOSED = "disclosed"  # a bundle that says it withholds, and shows
    NOT_COMMITTED = "not_committed"  # a personal value stands in the signed bytes themselves
    UNLAWFUL = "unlawful"
    WRONG_STATE = "wrong_state"  # the dossier does not lead to where the platform says it stands
    ENTRY_MALFORMED = "entry_malformed"
    ENTRY_OUT_OF_ORDER = "entry_out_of_order"
    ENTRY_CHAIN_BROKEN = "entry_chain_broken"
    ENTRY_OF_ANOTHER = "entry_of_another"  # of another prescription or another site
    ENTRY_MISMATCH = "entry_mismatch"  # an entry that does not tell of the document that it names
    UNRECORDED = "unrecorded"  # a document of which no entry tells
    PACKAGE_MISMATCH = "package_mismatch"
    LOG_MISMATCH = "log_mismatch"


class Unproven(Untrusted):
    """
    A bundle that does not prove what it says: `fault` for machines, `detail` for people (names and numbers only).
    """

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(Reason.BAD_EVIDENCE, f"{fault}: {detail}" if detail else fault.value)
        self.fault = fault
        self.where = detail
