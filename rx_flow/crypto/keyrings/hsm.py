"""
A keyring in a PKCS #11 token: private keys are made in it or brought to it, and never leave it.

Symmetric secrets are used in the process, thousands of times a second, and stay in a locked file; what unlocks that
file is an HMAC that only the token can compute. So the file without the token is worth nothing.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from pkcs11 import KDF, Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Reason, Untrusted, WrongPin
from rx_flow.crypto.keyrings import locked, pkcs11_uri
from rx_flow.crypto.keyrings.files import TOKEN_FILE
from rx_flow.crypto.keyrings.held import HeldLog, HeldPair
from rx_flow.crypto.keyrings.kept import Unreachable, Value
from rx_flow.crypto.keyrings.locked import Secrets
from rx_flow.crypto.keyrings.opaque import Opaque
from rx_flow.crypto.keyrings.pkcs11_uri import Where
from rx_flow.crypto.suites import p256

_P256 = encode_named_curve_parameters("secp256r1")
_EDWARDS = b"\x13\x0cedwards25519"  # PKCS #11 v3.0, 2.3.10: the curve as a PrintableString
_PARAMETERS = {KeyType.EC: _P256, KeyType.EC_EDWARDS: _EDWARDS}
_MAKING = {KeyType.EC: Mechanism.EC_KEY_PAIR_GEN, KeyType.EC_EDWARDS: Mechanism.EC_EDWARDS_KEY_PAIR_GEN}
_KEPT = {Attribute.TOKEN: True, Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
_POINT = {KeyType.EC: 65, KeyType.EC_EDWARDS: 32}  # bytes
_WRONG = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange)

# What a key can do, python-pkcs11 decides when it looks at the object; no static type of it has these methods.
Usable = Any

_process = secrets.token_bytes(32)
_opened: dict[Where, Device] = {}
_opening = threading.Lock()


@final
class Device(Opaque):
    """
    A token that this process is logged in to. Operations come one after the other: a session does only one at a time.
    """

    __slots__ = ("_lock", "_pin", "_session", "_users", "_where")

    def __init__(self, where: Where, session: pkcs11.Session, pin: bytes) -> None:
        self._where = where
        self._session = session
        self._pin = pin
        self._lock = threading.RLock()
        self._users = 1

    def _shown(self) -> str:
        return self._where.label

    @classmethod
    def open(cls, where: Where, pin: str) -> Device:
        """
        Log in, or share the login that this process has: a token knows but one of each process.

        `WrongPin` for a wrong PIN, `Unreachable` where there is no such token or it has locked itself.
        """
        given = hmac.digest(_process, pin.encode(errors="surrogatepass"), "sha256")
        with _opening:
            there = _opened.get(where)
            if there is not None:
                if not hmac.compare_digest(there._pin, given):  # noqa: SLF001  another of this class
                    raise WrongPin
                there._users += 1  # noqa: SLF001  as above
                return there
            try:
                token = pkcs11.lib(where.module).get_token(token_label=where.label)
                session = token.open(rw=True, user_pin=pin)
            except (*_WRONG, UnicodeError):  # broken text is no token's PIN
                raise WrongPin from None
            except pkcs11.PKCS11Error as fault:
                raise Unreachable(f"{where.label}: {type(fault).__name__}") from None
            made = _opened[where] = cls(where, session, given)
            return made

    def close(self) -> None:
        """Log out when the last user has closed it; every key of the token is of no use then."""
        with _opening:
            self._users -= 1
            if self._users == 0:
                del _opened[self._where]
                self._session.close()

    def ecdsa(self, key: Usable, digest: bytes) -> bytes:
        """Return r || s over a digest (CKM_ECDSA)."""
        with self._working():
            signature: bytes = key.sign(digest, mechanism=Mechanism.ECDSA)
        return signature

    def eddsa(self, key: Usable, data: bytes) -> bytes:
        """Return the Ed25519 signature over data (CKM_EDDSA)."""
        with self._working():
            signature: bytes = key.sign(data, mechanism=Mechanism.EDDSA)
        return signature

    def ecdh(self, key: Usable, point: bytes) -> bytes:
        """Return the shared secret with a point (CKM_ECDH1_DERIVE); its object in the token is destroyed at once."""
        with self._working():
            derived = key.derive_key(
                KeyType.GENERIC_SECRET,
                8 * p256.SIZE,
                mechanism=Mechanism.ECDH1_DERIVE,
                mechanism_param=(KDF.NULL, None, point),
                template={Attribute.TOKEN: False, Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True},
            )
            shared: bytes = derived[Attribute.VALUE]
            derived.destroy()
        return shared

    def mac(self, label: str, text: str) -> str:
        """Return HMAC-SHA256 (hex) under the secret of a label, which is made at the first call."""
        wanted = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: label}
        with self._working():
            found = list(self._session.get_objects(wanted))
            key: Usable = (
                found[0]
                if found
                else self._session.generate_key(
                    KeyType.GENERIC_SECRET, 256, label=label, store=True, template=_KEPT | {Attribute.SIGN: True}
                )
            )
            mac: bytes = key.sign(text.encode(), mechanism=Mechanism.SHA256_HMAC)
        return mac.hex()

    def find(self, label: str, kind: KeyType) -> tuple[Usable, bytes]:
        """Return a private key by its label, and its public point; `Untrusted` where there is not exactly one."""
        with self._working():
            private, public = (
                list(
                    self._session.get_objects({Attribute.CLASS: part, Attribute.KEY_TYPE: kind, Attribute.LABEL: label})
                )
                for part in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
            )
            if (len(private), len(public)) != (1, 1):
                raise Untrusted(Reason.BAD_KEY_FILE, "the token has no such key, or several")
            return private[0], _point(public[0], kind)

    def generate(self, label: str, kind: KeyType, use: Attribute) -> bytes:
        """Make a key pair in the token for one use; return its public point."""
        with self._working():
            parameters = self._session.create_domain_parameters(
                kind, {Attribute.EC_PARAMS: _PARAMETERS[kind]}, local=True
            )
            public, _ = parameters.generate_keypair(
                store=True,
                label=label,
                id=label.encode(),
                mechanism=_MAKING[kind],
                private_template=_KEPT | _uses(use),
                public_template={Attribute.VERIFY: use is Attribute.SIGN},
            )
            return _point(public, kind)

    def bring(self, label: str, kind: KeyType, use: Attribute, *, value: bytes, point: bytes) -> None:
        """Bring a private key that was made elsewhere into the token for one use: it cannot be taken out again."""
        same = {
            Attribute.KEY_TYPE: kind, Attribute.EC_PARAMS: _PARAMETERS[kind], Attribute.TOKEN: True,
            Attribute.LABEL: label, Attribute.ID: label.encode(),
        }  # fmt: skip
        octets = b"\x04" + len(point).to_bytes() + point
        with self._working():
            self._session.create_object(
                same | _KEPT | _uses(use) | {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.VALUE: value}
            )
            self._session.create_object(
                same | {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.EC_POINT: octets, Attribute.PRIVATE: False}
            )

    def destroy(self, label: str) -> None:
        """Remove every object of a label."""
        with self._working():
            for one in list(self._session.get_objects({Attribute.LABEL: label})):
                one.destroy()

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except pkcs11.PKCS11Error as fault:
                raise Unreachable(f"{self._where.label}: {type(fault).__name__}") from None


@final
class InToken(Opaque):
    """
    An institution's keys in a token, and beside it the file that only the token unlocks.
    """

    __slots__ = ("_device", "folder")

    def __init__(self, folder: Path, device: Device) -> None:
        self.folder = folder
        self._device = device

    @classmethod
    def open(cls, folder: Path, pin: str, where: str) -> InToken:
        """Log in with the token's PIN; errors as `Device.open`, `ValueError` for an address that is none."""
        return cls(folder, Device.open(pkcs11_uri.parse(where, code=folder.name), pin))

    def read(self) -> Secrets:
        """Return the entries; `OSError` where there are none."""
        return locked.unlock((self.folder / TOKEN_FILE).read_bytes(), self._passphrase(), owner=self.folder.name)

    def write(self, found: Secrets) -> None:
        """Replace the entries."""
        locked.write(self.folder / TOKEN_FILE, locked.lock(found, self._passphrase(), owner=self.folder.name))

    def pair(self, value: Value) -> suites.PrivateKey:
        """Return the private key of a certificate, by its label."""
        key, point = self._device.find(value.decode(), KeyType.EC)
        return HeldPair(self._device, key, p256.point(point[1:33], point[33:]))

    def log(self, value: Value) -> ed25519.Ed25519PrivateKey:
        """Return the private key of a log, by its label."""
        key, point = self._device.find(value.decode(), KeyType.EC_EDWARDS)
        return HeldLog(self._device, key, ed25519.Ed25519PublicKey.from_public_bytes(point))

    def new_pair(self, name: str, suite: suites.Suite) -> tuple[bytes, suites.PublicKey]:
        """Make a pair in the token; `UNKNOWN_SUITE` for any but P-256."""
        _p256(suite)
        label = self._label(name)
        point = self._device.generate(label, KeyType.EC, _use(name))
        return label.encode(), p256.point(point[1:33], point[33:])

    def new_log(self, name: str) -> bytes:
        """Make a log key in the token."""
        label = self._label(name)
        self._device.generate(label, KeyType.EC_EDWARDS, Attribute.SIGN)
        return label.encode()

    def bring_pair(self, name: str, private: suites.PrivateKey) -> bytes:
        """Bring a pair into the token; return its entry. `UNKNOWN_SUITE` for any but P-256."""
        _p256(suites.of_key(private))
        assert isinstance(private, ec.EllipticCurvePrivateKey)  # noqa: S101  for the type checker: `_p256` said so
        label = self._label(name)
        value = private.private_numbers().private_value.to_bytes(p256.SIZE)
        point = b"\x04" + b"".join(p256.coordinates(private.public_key()))
        self._device.bring(label, KeyType.EC, _use(name), value=value, point=point)
        return label.encode()

    def bring_log(self, name: str, private: ed25519.Ed25519PrivateKey) -> bytes:
        """Bring a log key into the token; return its entry."""
        label = self._label(name)
        point = private.public_key().public_bytes_raw()
        value = private.private_bytes_raw()
        self._device.bring(label, KeyType.EC_EDWARDS, Attribute.SIGN, value=value, point=point)
        return label.encode()

    def destroy(self, value: Value) -> None:
        """Remove a key from the token."""
        self._device.destroy(value.decode())

    def close(self) -> None:
        """Log out, if nobody else here uses the token."""
        self._device.close()

    def _passphrase(self) -> str:
        return self._device.mac(f"{self.folder.name}/box", f"rx-flow secrets of {self.folder.name}")

    def _label(self, name: str) -> str:
        """A label of its own for every key that ever was: an older one stays beside its successor."""
        return f"{self.folder.name}/{name}/{secrets.token_hex(4)}"


def _p256(suite: suites.Suite) -> None:
    """PKCS #11 v3.1 has no mechanism for SM2, and tokens with ML-DSA and ML-KEM (v3.2) are yet to come."""
    if suite is not suites.DEFAULT:
        raise Untrusted(Reason.UNKNOWN_SUITE, "a token holds keys on P-256 alone")


def _point(public: pkcs11.Object, kind: KeyType) -> bytes:
    """The point without the octet string around it, which not every token writes."""
    return bytes(public[Attribute.EC_POINT])[-_POINT[kind] :]


def _use(name: str) -> Attribute:
    return Attribute.DERIVE if name.partition(".")[0] == "open" else Attribute.SIGN


def _uses(use: Attribute) -> dict[Attribute, Any]:
    return {Attribute.SIGN: use is Attribute.SIGN, Attribute.DERIVE: use is Attribute.DERIVE}
