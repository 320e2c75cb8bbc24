"""
Private keys and symmetric secrets of one institution, and the signing keys of its practitioners. They never leave here.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_private_key

from rx_flow.crypto import locked, pickup, suites
from rx_flow.crypto.certificates import Certified, OpenKey, Purpose, Signer, describe, is_development
from rx_flow.crypto.errors import Reason, Untrusted

KEYS_FILE = "keys.locked.json"
STAFF = "staff"
SECRETS = ("at_rest", "pseudonym", "pickup", "pickup_index", "access_token")
SECRET_BYTES = 32
_NONCE = 12
_VERSION = b"\x01"


class SigningKey:
    """
    A private key and whom its certificate names. It signs; it cannot be read, printed, copied or pickled.
    """

    __slots__ = ("_certified", "_private")

    def __init__(self, private: suites.PrivateKey, certified: Certified) -> None:
        if private.public_key() != certified.public:
            raise Untrusted(Reason.BAD_KEY_FILE, "the certificate is not for this key")
        self._private = private
        self._certified = certified

    def __repr__(self) -> str:
        return f"<SigningKey of {self.id} for {self.purpose}>"

    def __reduce__(self) -> str:
        raise TypeError("a signing key stays where it is")

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
        return suites.sign(self._private, data)


class OpeningKey:
    """
    The private key that opens packages sealed for one institution. Opaque, as `SigningKey`.
    """

    __slots__ = ("_private", "public")

    def __init__(self, private: suites.PrivateKey, certified: Certified) -> None:
        if private.public_key() != certified.public or certified.purpose is not Purpose.PACKAGE:
            raise Untrusted(Reason.BAD_KEY_FILE, "the certificate is not for this key")
        self._private = private
        self.public = OpenKey(certified.signer.thumbprint, certified.signer.institution, certified.public)

    def __repr__(self) -> str:
        return f"<OpeningKey of {self.public.institution}>"

    def __reduce__(self) -> str:
        raise TypeError("an opening key stays where it is")

    def agree(self, ephemeral: suites.PublicKey) -> bytes:
        """Return the secret that this key shares with an ephemeral one."""
        return suites.agree(self._private, ephemeral)


class AtRest:
    """
    Encryption of what is stored: AES-256-GCM, each value bound to its `context` (say, which document).
    """

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return "<AtRest>"

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Return version, nonce and ciphertext; opens only with the same context."""
        nonce = secrets.token_bytes(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Return the plain bytes; `Untrusted` when altered, of another context, or under another key."""
        if len(sealed) <= 1 + _NONCE or sealed[:1] != _VERSION:
            raise Untrusted(Reason.BAD_PACKAGE, "stored value")
        try:
            return self._cipher.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], context.encode())
        except InvalidTag:
            raise Untrusted(Reason.BAD_PACKAGE, "stored value") from None


@dataclass(frozen=True, slots=True)
class Keyring:
    """
    The keys of one institution: a key per purpose, never one for two. Nothing secret shows in its repr.
    """

    code: str
    seal: SigningKey
    opening: OpeningKey
    token: SigningKey
    at_rest: AtRest
    is_development: bool
    _secrets: dict[str, bytes] = field(repr=False)

    @classmethod
    def load(cls, folder: Path, passphrase: str) -> Keyring:
        """
        Read an institution's folder (`keys/<code>`), named after its code; one scrypt, about 50 ms.

        `WrongPin` for a wrong passphrase, `Untrusted` for a file that is not this institution's, `OSError` for none.
        """
        found = locked.unlock((folder / KEYS_FILE).read_bytes(), passphrase, owner=folder.name)
        keys = {name: _pair(found, name) for name in ("seal", "open", "token")}
        return cls(
            code=folder.name,
            seal=SigningKey(*keys["seal"]),
            opening=OpeningKey(*keys["open"]),
            token=SigningKey(*keys["token"]),
            at_rest=AtRest(found["at_rest"]),
            is_development=is_development(x509.load_der_x509_certificate(found["seal.crt"])),
            _secrets={name: found[name] for name in SECRETS},
        )

    @property
    def access_token_secret(self) -> bytes:
        """The secret under which this institution's access tokens are made and checked."""
        return self._secrets["access_token"]

    def pseudonym(self, domain: str, value: str) -> str:
        """Return the keyed pseudonym (hex) of `value`, say a patient, in `domain`; it says nothing without the key."""
        return self._mac("pseudonym", f"{domain}\0{value}").hex()

    def pickup_code(self, rx: str) -> str:
        """Return the patient's code for a prescription of this hospital; derived, so that it need not be stored."""
        return pickup.code(self._mac("pickup", rx))

    def pickup_index(self, code_sha256: str) -> str:
        """Return what the platform stores and looks up for a pick-up code: a keyed hash (hex) of its hash."""
        return self._mac("pickup_index", code_sha256).hex()

    def _mac(self, name: str, text: str) -> bytes:
        return hmac.digest(self._secrets[name], text.encode(), "sha256")


def unlock(folder: Path, person: str, pin: str) -> SigningKey:
    """
    Return a practitioner's signing key from the institution's folder; one scrypt, 50 ms: not on the event loop.

    `WrongPin` for a wrong PIN, `Untrusted` for a damaged file, `OSError` for a person without a key here.
    """
    if not person.isalnum():  # an identifier from a request must not become a path
        raise FileNotFoundError(STAFF)
    found = locked.unlock((folder / STAFF / f"{person}.locked.json").read_bytes(), pin, owner=person)
    return SigningKey(*_pair(found, "sign"))


def _pair(found: dict[str, bytes], name: str) -> tuple[suites.PrivateKey, Certified]:
    private = load_der_private_key(found[f"{name}.key"], password=None)
    assert isinstance(private, suites.PrivateKey)  # noqa: S101  authenticated: the authority wrote it
    return private, describe(x509.load_der_x509_certificate(found[f"{name}.crt"]))
