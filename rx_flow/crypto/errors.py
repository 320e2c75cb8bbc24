"""
Every reason for which a document, package, token, key or code is not believed. The only place that declares them.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """
    Why something presented as proof was not accepted; stable words, for logs and for the caller's mapping to codes.
    """

    # The form.
    TOO_LARGE = "too_large"
    HEADER_TOO_LARGE = "header_too_large"
    MALFORMED = "malformed"  # not the shape that its kind must have
    BAD_ENCODING = "bad_encoding"  # base64url with padding, unused bits or foreign characters
    BAD_JSON = "bad_json"  # not JSON, or with floats, NaN or numbers beyond 2^53
    DUPLICATE_MEMBER = "duplicate_member"  # one name twice in one JSON object
    NOT_CANONICAL = "not_canonical"  # JSON that could have been written in another way
    # The header.
    UNSIGNED = "unsigned"  # `alg` is `none`, in whatever spelling
    SHARED_SECRET = "shared_secret"  # noqa: S105  `alg` is an HMAC: whoever can check it could have made it
    WRONG_ALGORITHM = "wrong_algorithm"  # any other that no suite names for this purpose, or not that of the key
    WRONG_TYPE = "wrong_type"  # a token given as a document, or the reverse
    UNKNOWN_CRITICAL = "unknown_critical"  # `crit`: we know no extension that must be understood
    UNENCODED_PAYLOAD = "unencoded_payload"  # `b64`
    SECOND_SIGNATURE = "second_signature"  # a form that can carry several: the JSON one, or a fourth part
    FOREIGN_KEY = "foreign_key"  # it brings the key to check it with: jwk, x5c
    KEY_ADDRESS = "key_address"  # it says where to fetch the key from: jku, x5u
    KEY_NAME = "key_name"  # it names the key in a way that is not ours: kid, x5t
    COMPRESSED = "compressed"  # `zip`: a little that becomes a lot
    PASSWORD_BASED = "password_based"  # noqa: S105  where the sender chooses how long we are to work (PBES2)
    UNKNOWN_HEADER = "unknown_header"  # a member that the profile does not have, or lacks one that it has
    UNKNOWN_SUITE = "unknown_suite"
    SUITE_NOT_ACCEPTED = "suite_not_accepted"  # one of ours, and the settings here do not accept it
    # The signer and the signature.
    UNKNOWN_SIGNER = "unknown_signer"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_REVOKED = "certificate_revoked"  # and nothing shows that the signature was there before
    STATUS_UNDETERMINABLE = "status_undeterminable"  # no revocation list, one out of date: nobody can say, so it blocks
    BAD_LIST = "bad_list"  # a revocation list that its issuer did not sign, or of a kind that is not ours
    SIGNED_AHEAD = "signed_ahead"  # the stated time of signing lies after the moment it was recorded
    SIGNED_LONG_AGO = "signed_long_ago"  # it lies so long before that the document cannot have been on its way
    WRONG_USAGE = "wrong_usage"  # a certificate for another purpose
    UNTRUSTED_CHAIN = "untrusted_chain"
    BAD_CERTIFICATE = "bad_certificate"  # no role, code or institution in it, or a key outside the suites
    SIGNATURE_RANGE = "signature_range"  # wrong length, or r or s outside 1..n-1
    SIGNATURE_MALLEABLE = "signature_malleable"  # s above n/2: the same signature written in the other way
    BAD_SIGNATURE = "bad_signature"
    CLASSICAL_MISSING = "classical_missing"  # of two signatures that belong together, ML-DSA's alone
    QUANTUM_MISSING = "quantum_missing"  # of the two, ES256's alone
    BAD_QUANTUM_SIGNATURE = "bad_quantum_signature"  # ES256's is right, ML-DSA's is not
    SIGNER_MISMATCH = "signer_mismatch"  # `by` or `iss` is not whom the certificate names
    TIME_MISMATCH = "time_mismatch"  # `at` is not the signing time of the header
    # The dossier.
    NO_DOCUMENTS = "no_documents"
    FOREIGN_DOSSIER = "foreign_dossier"  # all of it another prescription's, shown as this one's
    FOREIGN_DOCUMENT = "foreign_document"  # one of another prescription's among those of this one
    DOCUMENT_MISSING = "document_missing"  # cut out of the chain
    DOCUMENT_TWICE = "document_twice"  # two documents for one place
    OUT_OF_ORDER = "out_of_order"
    BROKEN_CHAIN = "broken_chain"  # `prev` names another document than the one that stands before
    CUT_SHORT = "cut_short"  # the last document is not the one that is known to be the last
    # Commitments.
    BAD_DISCLOSURE = "bad_disclosure"  # matches no commitment, twice, or written in another way
    WITHHELD = "withheld"  # a commitment without its disclosure, where the whole document is needed
    # Sealed PDF files.
    ALTERED = "altered"  # not the bytes that were signed
    CHANGED_SINCE = "changed_since"  # something was added after the signature: what is seen need not be what was sealed
    BAD_EVIDENCE = "bad_evidence"  # evidence.faults says what of a bundle
    # Packages.
    UNKNOWN_READER = "unknown_reader"  # no certificate to seal for this institution
    NOT_FOR_US = "not_for_us"
    BAD_PACKAGE = "bad_package"  # key unwrap or authentication failed; deliberately not told apart
    WRONG_PRESCRIPTION = "wrong_prescription"  # sealed for another prescription
    TAG_LENGTH = "tag_length"  # an authentication tag that is not whole
    BAD_POINT = "bad_point"  # the ephemeral key is not a point of the curve
    # Tokens.
    TOKEN_EXPIRED = "token_expired"  # noqa: S105  a reason, not a secret
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"  # noqa: S105  a reason, not a secret
    TOKEN_TOO_LONG = "token_too_long"  # noqa: S105  lives longer than an assertion may
    WRONG_AUDIENCE = "wrong_audience"
    # Pick-up codes and protected key files.
    MALFORMED_CODE = "malformed_code"
    BAD_KEY_FILE = "bad_key_file"
    # Transparency logs.
    BAD_LOG = "bad_log"  # `tlog.faults.Fault` says in which of its many ways


class Untrusted(Exception):  # noqa: N818  An answer, as law.refusals.Refused is; not an accident.
    """
    Not accepted: `reason` for machines, `detail` for people; never key material and never content.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


class Missing(Exception):  # noqa: N818  It says what is the case; the text says what to do.
    """
    What a suite needs is not on this machine; the text says what to install.
    """


class WrongPin(Exception):  # noqa: N818  An answer, not an accident.
    """
    The PIN or passphrase does not open this key; also what a damaged key file looks like, by design of its encryption.
    """
