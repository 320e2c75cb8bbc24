"""
What a suite is: the shape of a row of the table, and the count of expensive operations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

# How many expensive operations this process has done; a benchmark reads it and prices them at the bare library's cost.
# Plain integers, raised without a lock: a benchmark can bear a lost unit. `chain` is a certificate chain walked (cold),
# `unlock` one scrypt over a PIN or passphrase; the last four are what the suite `pq` does besides.
tally: dict[str, int] = dict.fromkeys(
    (
        "sign", "verify", "keygen", "ecdh", "chain", "unlock",
        "sign_quantum", "verify_quantum", "encapsulate", "decapsulate",
    ), 0,
)  # fmt: skip


@asn1.sequence
class Algorithm:
    """An AlgorithmIdentifier without parameters (RFC 5280 §4.1.1.2)."""

    algorithm: ObjectIdentifier


Entry = dict[str, Any]  # members of a reader's `header` in a package, beside `kid`


class Name(StrEnum):
    """
    What people and settings call the suites.
    """

    P256 = "p256"
    SM = "sm"
    PQ = "pq"


@dataclass(frozen=True, slots=True)
class Suite:
    """
    Algorithms that belong together, and what is done with them; the operations take keys of this suite and no other.

    `signature`, `key_management` and `content` are what documents and packages say (`alg`, `alg`, `enc`): registered
    JOSE names (RFC 7518) where there are any, else collision-resistant ones (RFC 7515 §4.1.1). No two rows share a
    `signature`, nor a pair of `key_management` and `content`.
    """

    name: Name
    signature: str
    key_management: str
    content: str

    # Keys. Private ones have `public_key()`; public ones compare equal when they are.
    owns: Callable[[object], bool]  # True for a key, private or public, of this suite
    generate: Callable[[], Any]  # a private key for signing
    generate_reader: Callable[[], Any]  # one for opening packages
    dump_private: Callable[[Any], bytes]  # PKCS#8 (RFC 5958), DER, not encrypted: for what encrypts it at once
    load_private: Callable[[bytes], Any]  # its reverse; `Untrusted(BAD_KEY_FILE)`
    dump_public: Callable[[Any], bytes]  # SubjectPublicKeyInfo (RFC 5280), DER
    load_public: Callable[[bytes], Any]  # its reverse; `Untrusted(BAD_POINT)`

    # AlgorithmIdentifier (RFC 5280 §4.1.1.2), DER, under certificates and lists, which then carry what `sign` makes;
    # None where `cryptography` itself signs and checks them with keys of this suite.
    certifies: bytes | None

    # Signatures: `verify` raises `Untrusted` for every signature but the one spelling of a right one.
    sign: Callable[[Any, bytes], bytes]
    verify: Callable[[Any, bytes, bytes], None]

    # The content key of a package, for one reader: `entry` names the members that the reader's header has beside
    # `kid`; `shaped` judges that header before any key is used; `unwrap` says the same for all failures of a key.
    entry: frozenset[str]
    shaped: Callable[[Entry], None]
    wrap: Callable[[bytes, Any], tuple[Entry, bytes]]
    unwrap: Callable[[Any, Entry, bytes], bytes]

    # The content: (content key, nonce, plain, additional data) -> ciphertext, tag; and the reverse, `BAD_PACKAGE`.
    seal: Callable[[bytes, bytes, bytes, bytes], tuple[bytes, bytes]]
    open: Callable[[bytes, bytes, tuple[bytes, bytes], bytes], bytes]

    # Hexadecimal, of 64 digits in every suite.
    digest: Callable[[bytes], str]

    cek_bytes: int = field(default=32)
    iv_bytes: int = field(default=12)
    tag_bytes: int = field(default=16)
