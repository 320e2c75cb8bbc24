"""
The national algorithms (国密): SM2 with SM3 (GB/T 32918, GM/T 0009), SM4-GCM, SM3. The only place that uses SM2 keys.

None has a registered JOSE name; a document or package names them by their object identifiers (GM/T 0006, RFC 8998).
A signature is the standard's own DER, SEQUENCE { r, s }, by the identity 1234567812345678: what `openssl pkeyutl
-verify` takes as it is. There is one for every (r, s): no second form exists as ECDSA's n-s does, because s is
multiplied by what only the signer knows; and no second spelling is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.x509 import ObjectIdentifier

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings.opaque import Opaque
from rx_flow.crypto.suites import libcrypto
from rx_flow.crypto.suites.suite import Algorithm, Entry, Name, Suite, tally

SIGNATURE = "1.2.156.10197.1.501"  # SM2 with SM3
_ENCRYPTION = "1.2.156.10197.1.301.3"  # SM2 public-key encryption
_CONTENT = "1.2.156.10197.1.104.8"  # SM4-GCM
_URN = "urn:oid:"  # RFC 3061

# How a key begins (SubjectPublicKeyInfo: id-ecPublicKey, the curve, a whole point), and what names the curve in PKCS#8.
_PUBLIC = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
_CURVE = bytes.fromhex("06082a811ccf5501822d")
# The order of the base point (GB/T 32918.5 §2).
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
SIGNATURE_MAX = 72  # bytes: two integers of 33, their heads, the sequence's
WRAPPED_MAX = 128  # bytes: two coordinates, a hash and a key, and their heads
_CEK, _HASH, _TAG, _COORDINATE = 16, 32, 16, 32  # bytes


@final
class PublicKey:
    """
    An SM2 public key. Equal keys have equal `der` (SubjectPublicKeyInfo).
    """

    __slots__ = ("der", "handle")

    def __init__(self, handle: libcrypto.Handle) -> None:
        self.handle = handle
        self.der = libcrypto.dump_public(handle)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and other.der == self.der

    def __hash__(self) -> int:
        return hash(self.der)


@final
class PrivateKey(Opaque):
    """
    An SM2 private key; `dump_private` is for what encrypts it at once.
    """

    __slots__ = ("_public", "handle")

    def __init__(self, handle: libcrypto.Handle) -> None:
        self.handle = handle
        self._public = PublicKey(handle)

    def public_key(self) -> PublicKey:
        """Return the public half."""
        return self._public


@asn1.sequence
@dataclass(frozen=True, slots=True)
class _Wrapped:
    """SM2Cipher of GM/T 0009-2012 §7.2."""

    x: int
    y: int
    hash: bytes
    cipher: bytes


def owns(key: object) -> bool:
    """
    Return whether `key` is an SM2 key, private or public.
    """
    return isinstance(key, (PublicKey, PrivateKey))


def generate() -> PrivateKey:
    """
    Return a new private key.
    """
    tally["keygen"] += 1
    return PrivateKey(libcrypto.generate())


def dump_private(key: PrivateKey) -> bytes:
    """
    Return PKCS#8 DER, not encrypted.
    """
    return libcrypto.dump_private(key.handle)


def load_private(der: bytes) -> PrivateKey:
    """
    Return the private key of PKCS#8 DER; `Untrusted(BAD_KEY_FILE)` for anything else.
    """
    handle = libcrypto.load_private(der) if _CURVE in der[:40] else None
    if handle is None:
        raise Untrusted(Reason.BAD_KEY_FILE, "not a key of this suite")
    return PrivateKey(handle)


def dump_public(key: PublicKey) -> bytes:
    """
    Return SubjectPublicKeyInfo DER.
    """
    return key.der


def load_public(der: bytes) -> PublicKey:
    """
    Return the public key of SubjectPublicKeyInfo DER; `Untrusted(BAD_POINT)` for anything else, other spellings too.
    """
    handle = libcrypto.load_public(der) if der.startswith(_PUBLIC) else None
    if handle is None:
        raise Untrusted(Reason.BAD_POINT, "not a key of this suite")
    return PublicKey(handle)


def sign(key: PrivateKey, data: bytes) -> bytes:
    """
    Return the signature with SM3 over `data`: DER, SEQUENCE of r and s.
    """
    tally["sign"] += 1
    return libcrypto.sign(key.handle, data)


def verify(key: PublicKey, data: bytes, signature: bytes) -> None:
    """
    Return if `signature` is `key`'s over `data`; raise `Untrusted` with the precise reason if not.
    """
    if len(signature) > SIGNATURE_MAX:
        raise Untrusted(Reason.SIGNATURE_RANGE, "length")
    try:
        r, s = decode_dss_signature(signature)  # DER alone: the one spelling
    except ValueError:
        raise Untrusted(Reason.SIGNATURE_RANGE, "not a sequence of r and s") from None
    if not (0 < r < ORDER and 0 < s < ORDER) or r + s == ORDER:  # GB/T 32918.2 §7.1, B1, B2 and B5
        raise Untrusted(Reason.SIGNATURE_RANGE)
    tally["verify"] += 1
    libcrypto.verify(key.handle, data, signature)


def shaped(header: Entry) -> None:
    """
    Return: a reader's header has nothing of this suite; the ephemeral point stands in the wrapped key itself.
    """


def wrap(cek: bytes, to: PublicKey) -> tuple[Entry, bytes]:
    """
    Return the content key encrypted for one reader (GB/T 32918.4); the ephemeral point stands in what is returned.
    """
    tally["ecdh"] += 1
    tally["keygen"] += 1
    return {}, libcrypto.encrypt(to.handle, cek)


def unwrap(key: PrivateKey, header: Entry, wrapped: bytes) -> bytes:
    """
    Return the content key; `MALFORMED` for what is not the one spelling of its form, `BAD_PACKAGE` for the rest.

    But `BAD_POINT` for an ephemeral key that is none, which OpenSSL sees before it multiplies.
    """
    _ = header
    if len(wrapped) > WRAPPED_MAX:
        raise Untrusted(Reason.MALFORMED, "length")
    try:
        found = asn1.decode_der(_Wrapped, wrapped)
    except ValueError:
        raise Untrusted(Reason.MALFORMED, "not SM2's form") from None
    if (len(found.hash), len(found.cipher)) != (_HASH, _CEK):
        raise Untrusted(Reason.MALFORMED, "not SM2's form")
    tally["ecdh"] += 1
    try:
        return libcrypto.decrypt(key.handle, wrapped)
    except Untrusted:
        _on_the_curve(found)  # asked only now: reading a point costs as much again, and who failed may wait
        raise


def _on_the_curve(found: _Wrapped) -> None:
    """Return if the ephemeral key is a point; everybody can see that, so that it may be told apart."""
    try:
        load_public(_PUBLIC + found.x.to_bytes(_COORDINATE, "big") + found.y.to_bytes(_COORDINATE, "big"))
    except (OverflowError, Untrusted):
        raise Untrusted(Reason.BAD_POINT) from None


def seal(cek: bytes, iv: bytes, plain: bytes, aad: bytes) -> tuple[bytes, bytes]:
    """
    Return ciphertext and tag of SM4-GCM.
    """
    cipher = Cipher(algorithms.SM4(cek), modes.GCM(iv)).encryptor()
    cipher.authenticate_additional_data(aad)
    ciphertext = cipher.update(plain) + cipher.finalize()
    return ciphertext, cipher.tag


def open_(cek: bytes, iv: bytes, sealed: tuple[bytes, bytes], aad: bytes) -> bytes:
    """
    Return what `seal` sealed; `Untrusted(BAD_PACKAGE)` when anything of it was altered.
    """
    ciphertext, tag = sealed
    cipher = Cipher(algorithms.SM4(cek), modes.GCM(iv, tag)).decryptor()
    cipher.authenticate_additional_data(aad)
    plain = cipher.update(ciphertext)
    try:
        return plain + cipher.finalize()
    except InvalidTag:
        raise Untrusted(Reason.BAD_PACKAGE) from None


def digest(data: bytes) -> str:
    """
    Return SM3 in hexadecimal.
    """
    hashed = hashes.Hash(hashes.SM3())
    hashed.update(data)
    return hashed.finalize().hex()


SM = Suite(
    name=Name.SM,
    signature=_URN + SIGNATURE,
    key_management=_URN + _ENCRYPTION,
    content=_URN + _CONTENT,
    owns=owns,
    generate=generate,
    generate_reader=generate,
    dump_private=dump_private,
    load_private=load_private,
    dump_public=dump_public,
    load_public=load_public,
    certifies=asn1.encode_der(Algorithm(algorithm=ObjectIdentifier(SIGNATURE))),
    sign=sign,
    verify=verify,
    entry=frozenset(),
    shaped=shaped,
    wrap=wrap,
    unwrap=unwrap,
    seal=seal,
    open=open_,
    digest=digest,
    cek_bytes=_CEK,
)
