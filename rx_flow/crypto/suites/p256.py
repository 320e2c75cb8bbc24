"""
The default suite: ECDSA and ECDH on P-256, AES-256-GCM, SHA-256. The only place that computes with its keys.

All of it is `cryptography`'s; what stands here is how RFC 7518 puts it together (§3.4, §4.6, §5.3).
"""

from __future__ import annotations

from contextlib import suppress
from typing import cast

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from rx_flow.crypto.canonical import digest
from rx_flow.crypto.compact import decode, text
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.suites.suite import Entry, Name, Suite, tally

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey

# The order of the P-256 base point (SEC 2, 2.4.2), and half of it: the greatest s that we accept.
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
HALF = ORDER >> 1
SIZE = 32  # bytes of a field element or scalar
_CURVE = ec.SECP256R1()
_ECDSA = ec.ECDSA(hashes.SHA256())
_ECDH = ec.ECDH()
_CRV = "P-256"
_ALG, _ENC = "ECDH-ES+A256KW", "A256GCM"
_CEK, _TAG = 32, 16  # bytes, RFC 7518 §5.3; a wrapped key has eight more
_EPK = {"kty", "crv", "x", "y"}
# AlgorithmID, PartyUInfo and PartyVInfo (both empty), SuppPubInfo: the length of the derived key in bits.
_OTHER_INFO = len(_ALG).to_bytes(4, "big") + _ALG.encode() + bytes(8) + (8 * _CEK).to_bytes(4, "big")


def owns(key: object) -> bool:
    """
    Return whether `key` is one on P-256, private or public.
    """
    return isinstance(key, (PublicKey, PrivateKey)) and isinstance(key.curve, ec.SECP256R1)


def generate() -> PrivateKey:
    """
    Return a new private key.
    """
    tally["keygen"] += 1
    return ec.generate_private_key(_CURVE)


def dump_private(key: PrivateKey) -> bytes:
    """
    Return PKCS#8 DER, not encrypted.
    """
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def load_private(der: bytes) -> PrivateKey:
    """
    Return the private key of PKCS#8 DER; `Untrusted(BAD_KEY_FILE)` for anything else.
    """
    key: object = None
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):
        key = load_der_private_key(der, password=None)
    if not owns(key):
        raise Untrusted(Reason.BAD_KEY_FILE, "not a key of this suite")
    return cast("PrivateKey", key)


def dump_public(key: PublicKey) -> bytes:
    """
    Return SubjectPublicKeyInfo DER.
    """
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def load_public(der: bytes) -> PublicKey:
    """
    Return the public key of SubjectPublicKeyInfo DER; `Untrusted(BAD_POINT)` for anything else.
    """
    key: object = None
    with suppress(ValueError, UnsupportedAlgorithm):
        key = load_der_public_key(der)
    if not owns(key):
        raise Untrusted(Reason.BAD_POINT, "not a key of this suite")
    return cast("PublicKey", key)


def sign(key: PrivateKey, data: bytes) -> bytes:
    """
    Return the ES256 signature r || s (RFC 7518 §3.4), s always in its lower form.

    (r, s) and (r, n-s) both verify. As a document is known by its digest, only one of the two may exist.
    """
    tally["sign"] += 1
    r, s = decode_dss_signature(key.sign(data, _ECDSA))
    return ((r << 256) | (ORDER - s if s > HALF else s)).to_bytes(2 * SIZE, "big")


def verify(key: PublicKey, data: bytes, signature: bytes) -> None:
    """
    Return if `signature` is `key`'s over `data`; raise `Untrusted` with the precise reason if not.
    """
    if len(signature) != 2 * SIZE:
        raise Untrusted(Reason.SIGNATURE_RANGE, "length")
    r, s = int.from_bytes(signature[:SIZE], "big"), int.from_bytes(signature[SIZE:], "big")
    if not (0 < r < ORDER and 0 < s < ORDER):
        raise Untrusted(Reason.SIGNATURE_RANGE)
    if s > HALF:
        raise Untrusted(Reason.SIGNATURE_MALLEABLE)
    tally["verify"] += 1
    try:
        key.verify(encode_dss_signature(r, s), data, _ECDSA)
    except InvalidSignature:
        raise Untrusted(Reason.BAD_SIGNATURE) from None


def shaped(header: Entry) -> None:
    """
    Return if a reader's header has the form of this suite; raise `Untrusted` if not.
    """
    epk = header["epk"]
    if not isinstance(epk, dict) or epk.keys() != _EPK or not all(isinstance(value, str) for value in epk.values()):
        raise Untrusted(Reason.MALFORMED, "epk")
    if (epk["kty"], epk["crv"]) != ("EC", _CRV):
        raise Untrusted(Reason.UNKNOWN_SUITE, "epk")


def wrap(cek: bytes, to: PublicKey) -> tuple[Entry, bytes]:
    """
    Return header and wrapped content key for one reader: a fresh ephemeral key, ECDH, Concat KDF, AES key wrap.
    """
    ephemeral = generate()
    wrapped = aes_key_wrap(_derive(agree(ephemeral, to)), cek)
    x, y = coordinates(ephemeral.public_key())
    return {"epk": {"kty": "EC", "crv": _CRV, "x": text(x), "y": text(y)}}, wrapped


def unwrap(key: PrivateKey, header: Entry, wrapped: bytes) -> bytes:
    """
    Return the content key; `BAD_POINT` for an ephemeral key that is none, `BAD_PACKAGE` for every other failure.
    """
    epk = header["epk"]
    x, y = (decode(epk[name].encode()) for name in ("x", "y"))
    if not len(x) == len(y) == SIZE or len(wrapped) != _CEK + 8:
        raise Untrusted(Reason.MALFORMED, "length")
    try:
        return aes_key_unwrap(_derive(agree(key, point(x, y))), wrapped)
    except InvalidUnwrap:
        raise Untrusted(Reason.BAD_PACKAGE) from None


def seal(cek: bytes, iv: bytes, plain: bytes, aad: bytes) -> tuple[bytes, bytes]:
    """
    Return ciphertext and tag of AES-256-GCM.
    """
    both = AESGCM(cek).encrypt(iv, plain, aad)
    return both[:-_TAG], both[-_TAG:]


def open_(cek: bytes, iv: bytes, sealed: tuple[bytes, bytes], aad: bytes) -> bytes:
    """
    Return what `seal` sealed; `Untrusted(BAD_PACKAGE)` when anything of it was altered.
    """
    try:
        return AESGCM(cek).decrypt(iv, b"".join(sealed), aad)
    except InvalidTag:
        raise Untrusted(Reason.BAD_PACKAGE) from None


def agree(key: PrivateKey, public: PublicKey) -> bytes:
    """
    Return the shared secret Z of ECDH.
    """
    tally["ecdh"] += 1
    return key.exchange(_ECDH, public)


def point(x: bytes, y: bytes) -> PublicKey:
    """
    Return the public key with these coordinates; `Untrusted` when they are not a point of the curve.
    """
    try:
        return PublicKey.from_encoded_point(_CURVE, b"\x04" + x + y)
    except ValueError:
        raise Untrusted(Reason.BAD_POINT) from None


def coordinates(key: PublicKey) -> tuple[bytes, bytes]:
    """
    Return x and y of a public key, each of the field's full length.
    """
    encoded = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return encoded[1 : 1 + SIZE], encoded[1 + SIZE :]


def _derive(shared: bytes) -> bytes:
    return ConcatKDFHash(hashes.SHA256(), _CEK, _OTHER_INFO).derive(shared)


P256 = Suite(
    name=Name.P256,
    signature="ES256",
    key_management=_ALG,
    content=_ENC,
    owns=owns,
    generate=generate,
    generate_reader=generate,
    dump_private=dump_private,
    load_private=load_private,
    dump_public=dump_public,
    load_public=load_public,
    certifies=None,
    sign=sign,
    verify=verify,
    entry=frozenset({"epk"}),
    shaped=shaped,
    wrap=wrap,
    unwrap=unwrap,
    seal=seal,
    open=open_,
    digest=digest,
)
