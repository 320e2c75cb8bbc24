"""
Every way in which a log, a checkpoint or a proof fails, each with its own word. The only place that declares them.
"""

from __future__ import annotations

from enum import StrEnum

from rx_flow.crypto.errors import Reason, Untrusted


class Fault(StrEnum):
    """
    What is wrong; stable words, for machines, for the auditor's report and for its translation.
    """

    # Notes and keys (c2sp.org/signed-note).
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    CONTROL_CHARACTER = "control_character"  # CRLF is the usual one
    MALFORMED_NOTE = "malformed_note"  # no empty line, no signature, no last line feed
    MALFORMED_SIGNATURE_LINE = "malformed_signature_line"
    TOO_MANY_SIGNATURES = "too_many_signatures"
    MALFORMED_KEY = "malformed_key"  # a verifier key that is not name+id+base64, or whose id is another key's
    UNKNOWN_KEY_TYPE = "unknown_key_type"  # a kind of signature that we do not verify: to trust it would be to skip it
    NO_KNOWN_SIGNATURE = "no_known_signature"
    BAD_SIGNATURE = "bad_signature"
    # Checkpoints and cosignatures (c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature).
    MALFORMED_CHECKPOINT = "malformed_checkpoint"
    MALFORMED_SIZE = "malformed_size"  # a leading zero, a sign, a foreign digit, or beyond 2^63
    EXTENSION_LINES = "extension_lines"  # nobody can audit them
    WRONG_ORIGIN = "wrong_origin"
    LOG_SIGNATURE_MISSING = "log_signature_missing"
    BAD_COSIGNATURE = "bad_cosignature"
    COSIGNATURE_FROM_THE_FUTURE = "cosignature_from_the_future"
    QUORUM_NOT_MET = "quorum_not_met"
    STALE = "stale"  # the newest cosignature is too old: perhaps an old checkpoint is shown in place of the newest
    MALFORMED_POLICY = "malformed_policy"
    # Proofs.
    MALFORMED_PROOF = "malformed_proof"
    OUT_OF_RANGE = "out_of_range"  # an index beyond the size, or an old size beyond the new one
    PROOF_LENGTH = "proof_length"  # not as many hashes as this index and size need
    NOT_INCLUDED = "not_included"
    NOT_CONSISTENT = "not_consistent"
    # Tiles and bundles (c2sp.org/tlog-tiles).
    MALFORMED_PATH = "malformed_path"
    ENTRY_TOO_LONG = "entry_too_long"
    CHECKPOINT_MISSING = "checkpoint_missing"
    TILE_MISSING = "tile_missing"
    TILE_LENGTH = "tile_length"  # not as many hashes as the size says
    BUNDLE_MISSING = "bundle_missing"
    BUNDLE_TRUNCATED = "bundle_truncated"  # ends inside an entry, or before the last one that the size promises
    BUNDLE_OVERFULL = "bundle_overfull"  # bytes after its last entry: the 257th
    # The whole log.
    ENTRY_MISMATCH = "entry_mismatch"  # the entry is not the one that the tree commits to
    LEAF_TILE_MISMATCH = "leaf_tile_mismatch"  # the entries are right, the tile of their hashes is not
    NODE_TILE_MISMATCH = "node_tile_mismatch"  # an upper tile is not made of the tiles below it
    ROOT_MISMATCH = "root_mismatch"  # the log signed another root than its entries have
    LOG_SHRANK = "log_shrank"  # a saved checkpoint is larger than the log
    HISTORY_REWRITTEN = "history_rewritten"  # the log had another root at the size of a saved checkpoint
    ENTRY_REFUSED = "entry_refused"  # by the application's own check of each entry
    # The witness protocol (c2sp.org/tlog-witness).
    MALFORMED_REQUEST = "malformed_request"
    MALFORMED_ANSWER = "malformed_answer"
    WITNESS_REFUSED = "witness_refused"


class Broken(Untrusted):
    """
    A part of a log that is not believed: `fault` for machines, `detail` for people (paths, sizes; never an entry).
    """

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(Reason.BAD_LOG, f"{fault}: {detail}" if detail else fault.value)
        self.fault = fault
        self.where = detail
