"""
Chains of x509-limbo with other keys, so that the leaf can name a person and a purpose of ours.

Every certificate and revocation list is signed anew; all that a case is about stays byte for byte.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.utils import CryptographyDeprecationWarning

from scripts.rig.conformance import der, minting, ours
from scripts.rig.conformance.der import Piece

_KEY_USAGE, _EXTENDED_USAGE = b"\x55\x1d\x0f", b"\x55\x1d\x25"  # 2.5.29.15 and 2.5.29.37
_USAGES = {_KEY_USAGE, _EXTENDED_USAGE}
_COMMON_NAME, _OID_END = b"\x55\x04\x03", 5  # 2.5.4.3; where an identifier of three bytes ends
_OURS = tuple(der.element(der.OID, bytes((0x55, 0x04, number))) for number in (5, 12, 97))  # whom we name, 2.5.4.x
_NOT_SIGNED = (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError, ours.Untrusted)
_SIGN_LISTS = 0x02  # cRLSign among the bits of a key usage, RFC 5280 §4.2.1.3
_SIGN_CERTIFICATES = 0x04
_ALGORITHM, _SUBJECT, _SPKI = 1, 4, 5  # places among the fields of a certificate after its version


@dataclass(frozen=True, slots=True)
class Chain:
    """
    A case's certificates in DER: what is believed, what lies between, the leaf, and the revocation lists.
    """

    roots: Sequence[bytes]
    between: Sequence[bytes]
    leaf: bytes
    lists: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Graft:
    """
    How a case is grafted: whether the leaf keeps its own usages, or its own key, and what else must stay as it is.
    """

    usages: bool = False
    key: bool = False
    algorithm: bool = False
    authorities: bool = False  # authorities stay as they are, though they may not sign revocation lists
    purposes: bool = False  # authorities keep their extended key usages, which are never ours


@dataclass(slots=True)
class _Keys:
    """One new key for each old one."""

    of: dict[bytes, ec.EllipticCurvePrivateKey] = field(default_factory=dict)

    def new(self, spki: bytes) -> ec.EllipticCurvePrivateKey:
        return self.of.setdefault(spki, ec.generate_private_key(ec.SECP256R1()))


def graft(chain: Chain, how: Graft, at: datetime) -> Chain:
    """
    Return a chain of the same shape that we can read, with a revocation list of each authority that has none.
    """
    keys = _Keys()
    pool = [*chain.roots, *chain.between]
    authorities = {old: _authority(old, pool, keys, how) for old in pool}
    lists = [_list(raw, pool, keys) for raw in chain.lists]
    if not chain.lists:
        lists = [
            ours.empty_list(load(new), keys.new(_fields(old)[_SPKI].whole), at) for old, new in authorities.items()
        ]
    return Chain(
        [authorities[old] for old in chain.roots],
        [authorities[old] for old in chain.between],
        _leaf(chain.leaf, pool, keys, how),
        lists,
    )


def load(raw: bytes) -> x509.Certificate:
    """
    Return a certificate, however odd; `Untrusted` for one that cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # odd certificates are what this is about
        return ours.leaf(raw)


def _authority(old: bytes, pool: Iterable[bytes], keys: _Keys, how: Graft) -> bytes:
    fields = _fields(old)
    parts = [piece.whole for piece in fields]
    parts[_SPKI] = minting.encoded(keys.new(fields[_SPKI].whole).public_key())
    if not how.authorities:
        parts[-1] = _as_ours(fields[-1], purposes=how.purposes)
    return _written(old, parts, _signer(old, pool, keys), how)


def _leaf(old: bytes, pool: Iterable[bytes], keys: _Keys, how: Graft) -> bytes:
    fields = _fields(old)
    parts = [piece.whole for piece in fields]
    parts[_SUBJECT] = _named(fields[_SUBJECT])
    if not how.key:
        parts[_SPKI] = minting.encoded(keys.new(fields[_SPKI].whole).public_key())
    if not how.usages:
        parts[-1] = _with_usages(fields[-1])
    return _written(old, parts, _signer(old, pool, keys), how)


def _written(old: bytes, parts: list[bytes], key: ec.EllipticCurvePrivateKey, how: Graft) -> bytes:
    if not how.algorithm:
        parts[_ALGORITHM] = der.ECDSA_SHA256
    version = [piece.whole for piece in der.inside(old)[:1] if piece.tag == der.VERSION]
    return der.sign([*version, *parts], key)


def _fields(certificate: bytes) -> list[Piece]:
    """The fields after the version, which the oldest certificates do not have."""
    return [piece for piece in der.inside(certificate) if piece.tag != der.VERSION]


def _signer(old: bytes, pool: Iterable[bytes], keys: _Keys) -> ec.EllipticCurvePrivateKey:
    """The new key of whoever has signed this certificate; of nobody, where the signature was nobody's."""
    for candidate in pool:
        try:
            load(old).verify_directly_issued_by(load(candidate))
        except _NOT_SIGNED:
            continue
        return keys.new(_fields(candidate)[_SPKI].whole)
    return ec.generate_private_key(ec.SECP256R1())


def _list(old: bytes, pool: Iterable[bytes], keys: _Keys) -> bytes:
    """The same revocation list, signed with the new key of whoever has signed it."""
    found = x509.load_der_x509_crl(old)
    parts = [piece.whole for piece in der.inside(old)]
    parts[_ALGORITHM] = der.ECDSA_SHA256
    for candidate in pool:
        public = load(candidate).public_key()
        if isinstance(public, ec.EllipticCurvePublicKey) and found.is_signature_valid(public):
            return der.sign(parts, keys.new(_fields(candidate)[_SPKI].whole))
    return der.sign(parts, ec.generate_private_key(ec.SECP256R1()))


def _named(old: Piece) -> bytes:
    """A leaf's subject that also names somebody of ours."""
    stated = [one for one in der.pieces(old.content) if not _attribute(one).content.startswith(_OURS)]
    mine = der.pieces(der.pieces(minting.subject().public_bytes())[0].content)
    has_name = any(piece.content[:_OID_END].endswith(_COMMON_NAME) for piece in map(_attribute, stated))
    kept = [one for one in mine if not (has_name and _attribute(one).content[:_OID_END].endswith(_COMMON_NAME))]
    return der.element(der.SEQUENCE, *(piece.whole for piece in (*stated, *kept)))


def _attribute(relative: Piece) -> Piece:
    """The first type and value of a relative distinguished name."""
    return der.pieces(relative.content)[0]


def _with_usages(old: Piece) -> bytes:
    """A leaf's extensions, with our two that say what its key is for."""
    if old.tag != der.EXTENSIONS:
        raise ours.Untrusted(ours.Reason.BAD_CERTIFICATE, "no extensions")
    stated = [one.whole for one in der.pieces(der.pieces(old.content)[0].content) if _oid(one) not in _USAGES]
    usage, extended = minting.usages(ours.Purpose.DOCUMENT)
    stated += [_extension(_KEY_USAGE, usage.public_bytes(), critical=True)]
    stated += [_extension(_EXTENDED_USAGE, extended.public_bytes(), critical=False)]
    return der.element(der.EXTENSIONS, der.element(der.SEQUENCE, *stated))


def _as_ours(old: Piece, *, purposes: bool) -> bytes:
    """
    Return an authority's extensions: what may sign certificates may also sign revocation lists, which we ask for.

    What issues for purposes that are not ours issues for any, unless a case is about that.
    """
    if old.tag != der.EXTENSIONS:
        return old.whole
    stated = []
    for one in der.pieces(der.pieces(old.content)[0].content):
        if _oid(one) == _EXTENDED_USAGE and not purposes:
            continue
        parts = der.pieces(one.content)
        bits = der.pieces(parts[-1].content)[0].content if _oid(one) == _KEY_USAGE else b""
        if len(bits) > 1 and bits[1] & _SIGN_CERTIFICATES:
            value = der.element(der.BIT_STRING, b"\1" + bytes((bits[1] | _SIGN_LISTS,)) + bits[2:])
            critical = any(part.tag == der.BOOLEAN for part in parts)
            stated.append(_extension(_KEY_USAGE, value, critical=critical))
        else:
            stated.append(one.whole)
    return der.element(der.EXTENSIONS, der.element(der.SEQUENCE, *stated))


def _extension(oid: bytes, value: bytes, *, critical: bool) -> bytes:
    flag = der.element(der.BOOLEAN, b"\xff") if critical else b""
    return der.element(der.SEQUENCE, der.element(der.OID, oid), flag, der.element(der.OCTETS, value))


def _oid(extension: Piece) -> bytes:
    return der.pieces(extension.content)[0].content
