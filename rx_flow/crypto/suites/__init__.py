"""
The one table of suites: which algorithms belong together. Documents and packages name theirs; keys have one.

To add a suite: a module beside `p256.py` with its operations and a `Suite` of them (`suite.py` says what each must
promise), its `Name`, its row in `SUITES`, its key types in `PrivateKey` and `PublicKey`. Nothing else chooses an
algorithm: signing takes the suite of the key, reading takes it from the header's names and refuses a key of another.
"""

from __future__ import annotations

from typing import TypeAlias

from rx_flow.crypto import compact
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.suites import p256, pair, sm
from rx_flow.crypto.suites.p256 import P256
from rx_flow.crypto.suites.pq import PQ
from rx_flow.crypto.suites.sm import SM
from rx_flow.crypto.suites.suite import Name, Suite, tally

__all__ = (
    "DEFAULT", "SUITES", "Name", "PrivateKey", "PublicKey", "Suite",
    "dump_private", "dump_public", "fits", "load_private", "load_public", "named",
    "of_key", "of_package", "of_signature", "sign", "tally", "verify",
)  # fmt: skip

PrivateKey: TypeAlias = p256.PrivateKey | sm.PrivateKey | pair.PrivatePair
PublicKey: TypeAlias = p256.PublicKey | sm.PublicKey | pair.PublicPair

DEFAULT = P256
SUITES: tuple[Suite, ...] = (P256, SM, PQ)
_BY_NAME = {suite.name: suite for suite in SUITES}
_BY_SIGNATURE = {suite.signature: suite for suite in SUITES}
_BY_PACKAGE = {(suite.key_management, suite.content): suite for suite in SUITES}


def named(name: str) -> Suite:
    """
    Return the suite that settings call `name`; `ValueError` for none of ours.
    """
    try:
        return _BY_NAME[Name(name)]
    except ValueError:
        raise ValueError(f"no suite {name}: one of {', '.join(Name)}") from None


def of_signature(alg: object) -> Suite:
    """
    Return the suite that signs with `alg`, or raise `Untrusted`: `none`, HS* and the unheard-of alike.
    """
    suite = _BY_SIGNATURE.get(alg) if isinstance(alg, str) else None
    if suite is None:
        raise Untrusted(compact.strange(alg, Reason.WRONG_ALGORITHM))
    return suite


def of_package(alg: object, enc: object) -> Suite:
    """
    Return the suite that wraps keys with `alg` and encrypts content with `enc`, or raise `Untrusted`.
    """
    suite = _BY_PACKAGE.get((alg, enc)) if isinstance(alg, str) and isinstance(enc, str) else None
    if suite is None:
        raise Untrusted(compact.strange(alg, Reason.UNKNOWN_SUITE))
    return suite


def of_key(key: object) -> Suite:
    """
    Return the suite that a private or public key is of; `Untrusted(BAD_CERTIFICATE)` for none.
    """
    for suite in SUITES:
        if suite.owns(key):
            return suite
    raise Untrusted(Reason.BAD_CERTIFICATE, "the key is of no suite")


def dump_private(key: PrivateKey) -> bytes:
    """
    Return PKCS#8 DER, not encrypted: for what encrypts it at once.
    """
    return of_key(key).dump_private(key)


def load_private(der: bytes) -> PrivateKey:
    """
    Return the private key, of whichever suite, that PKCS#8 DER holds; `Untrusted(BAD_KEY_FILE)` for anything else.
    """
    for suite in SUITES:
        try:
            key: PrivateKey = suite.load_private(der)
        except Untrusted:
            continue
        return key
    raise Untrusted(Reason.BAD_KEY_FILE, "not a key of any suite")


def dump_public(key: PublicKey) -> bytes:
    """
    Return SubjectPublicKeyInfo DER.
    """
    return of_key(key).dump_public(key)


def load_public(der: bytes) -> PublicKey:
    """
    Return the public key, of whichever suite, that SubjectPublicKeyInfo DER holds; `BAD_CERTIFICATE` for anything else.
    """
    for suite in SUITES:
        try:
            key: PublicKey = suite.load_public(der)
        except Untrusted:
            continue
        return key
    raise Untrusted(Reason.BAD_CERTIFICATE, "the key is of no suite")


def fits(key: object) -> bool:
    """
    Return whether a key is of one of the suites.
    """
    return any(suite.owns(key) for suite in SUITES)


def sign(key: PrivateKey, data: bytes) -> bytes:
    """
    Return the signature over `data` that the key's suite makes.
    """
    return of_key(key).sign(key, data)


def verify(key: PublicKey, data: bytes, signature: bytes) -> None:
    """
    Return if `signature` is `key`'s over `data`; raise `Untrusted` with the precise reason if not.
    """
    of_key(key).verify(key, data, signature)
