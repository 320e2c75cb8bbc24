"""
Private keys that can be used and not read: for signing, for opening packages, for logs, and for what is stored.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings.opaque import Opaque
from rx_flow.crypto.pki.profile import Certified, OpenKey, Purpose, Signer
from rx_flow.crypto.suites.suite import Entry

_KEY, _NONCE = 32, 12  # bytes
_VERSION = b"\x02"
_NAME = 4  # bytes by which a stored value names its key
_HEAD = len(_VERSION) + _NAME + _NONCE


@final
class SigningKey(Opaque):
    """
    A private key and whom its certificate names. It signs; it cannot be read, printed, copied or pickled.
    """

    __slots__ = ("_certified", "_private", "suite")

    def __init__(self, private: suites.PrivateKey, certified: Certified) -> None:
        if private.public_key() != certified.public:
            raise Untrusted(Reason.BAD_KEY_FILE, "the certificate is not for this key")
        self._private = private
        self._certified = certified
        self.suite = suites.of_key(private)

    def _shown(self) -> str:
        return f"of {self.id} for {self.purpose}"

    @property
    def signer(self) -> Signer:
        """Whom the certificate names."""
        return self._certified.signer

    @property
    def id(self) -> str:
        """The national code of the person or institution."""
        return self._certified.signer.id

    @property
    def role(self) -> str:
        """The role in the certificate, a word of `law.Role`."""
        return self._certified.signer.role

    @property
    def institution(self) -> str:
        """The national code of the institution signed for."""
        return self._certified.signer.institution

    @property
    def thumbprint(self) -> str:
        """The certificate's `x5t#S256`."""
        return self._certified.signer.thumbprint

    @property
    def purpose(self) -> Purpose:
        """What the key may sign."""
        return self._certified.purpose

    def sign(self, data: bytes, *, purpose: Purpose, at: datetime) -> bytes:
        """
        Return the signature over `data`; `Untrusted` for another purpose or outside the certificate's validity.
        """
        if purpose is not self.purpose:
            raise Untrusted(Reason.WRONG_USAGE)
        self._certified.at(at)
        return self.suite.sign(self._private, data)


@final
class OpeningKey(Opaque):
    """
    The private key that opens packages sealed for one institution, and the `older` ones that it came after.
    """

    __slots__ = ("_of", "_private", "public")

    def __init__(self, private: suites.PrivateKey, certified: Certified, older: Iterable[OpeningKey] = ()) -> None:
        if private.public_key() != certified.public or certified.purpose is not Purpose.PACKAGE:
            raise Untrusted(Reason.BAD_KEY_FILE, "the certificate is not for this key")
        self._private = private
        self.public = OpenKey(certified.signer.thumbprint, certified.signer.institution, certified.public)
        self._of = {one.public.kid: one for one in older}

    def _shown(self) -> str:
        return f"of {self.public.institution}"

    def of(self, kid: str) -> OpeningKey | None:
        """Return the key that a package names by its certificate's thumbprint: this, an older one, or None."""
        return self if kid == self.public.kid else self._of.get(kid)

    def unwrap(self, suite: suites.Suite, header: Entry, wrapped: bytes) -> bytes:
        """Return the content key that was wrapped for this key; `Untrusted` if it was not, or in another suite."""
        if not suite.owns(self._private):
            raise Untrusted(Reason.UNKNOWN_SUITE, "not that of the key")
        return suite.unwrap(self._private, header, wrapped)


@final
class LogKey(Opaque):
    """
    A key of a log or of a witness: Ed25519 (RFC 8032), and nothing but that. It has a name and no certificate.
    """

    __slots__ = ("_private", "name", "public")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self.name = name
        self.public = private.public_key().public_bytes_raw()  # 32 bytes
        self._private = private

    def _shown(self) -> str:
        return self.name

    def sign(self, data: bytes) -> bytes:
        """Return the signature over `data`: 64 bytes."""
        return self._private.sign(data)


@final
class AtRest(Opaque):
    """
    Encryption of what is stored: AES-256-GCM, each value bound to its `context` (say, which document).

    Sealed under `key`; opened under that or an `older` one, which the value names.
    """

    __slots__ = ("_ciphers", "_name")

    def __init__(self, key: bytes | bytearray, older: Iterable[bytes | bytearray] = ()) -> None:
        self._name = _name(key)
        self._ciphers = {_name(one): AESGCM(one) for one in (*older, key)}

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Return version, the key's name, nonce and ciphertext; opens only with the same context."""
        nonce = secrets.token_bytes(_NONCE)
        return _VERSION + self._name + nonce + self._ciphers[self._name].encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Return the plain bytes; `Untrusted` when altered, of another context, or under another key."""
        cipher = self._ciphers.get(sealed[1 : 1 + _NAME])
        if len(sealed) <= _HEAD or sealed[:1] != _VERSION or cipher is None:
            raise Untrusted(Reason.BAD_PACKAGE, "stored value")
        try:
            return cipher.decrypt(sealed[1 + _NAME : _HEAD], sealed[_HEAD:], context.encode())
        except InvalidTag:
            raise Untrusted(Reason.BAD_PACKAGE, "stored value") from None


def _name(key: bytes | bytearray) -> bytes:
    """How a stored value names its key; it says nothing about the key itself."""
    if len(key) != _KEY:  # the library takes shorter ones, and calls that AES-128
        raise Untrusted(Reason.BAD_KEY_FILE, "not a key of 256 bits")
    return hmac.digest(key, b"rx-flow at rest", "sha256")[:_NAME]
