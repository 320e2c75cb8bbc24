"""
Certificates, lists and answers of suites that `cryptography` does not sign or check: it writes the form, we the rest.

Its builder writes each with a stand-in key; then the key and the signature's algorithm are put in their places, and the
suite signs. An authority of ours may certify keys of another suite. Reading, the library parses everything, and the
suite checks the signature over the bytes as they are.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import der
from rx_flow.crypto.suites import PrivateKey, PublicKey

# Places in a TBSCertificate and a TBSCertList with their version stated (RFC 5280 §4.1, §5.1).
_CERTIFICATE_ALGORITHM, _CERTIFICATE_KEY = 2, 6
_LIST_ALGORITHM = 1
_BY_KEY = 0xA2  # [2], how a responder is named in an answer, which comes first there
_ALGORITHMS = frozenset(suite.certifies for suite in suites.SUITES if suite.certifies is not None)
_ECDSA = ec.ECDSA(hashes.SHA256())
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")  # its AlgorithmIdentifier, RFC 5758 §3.2


def certificate(builder: x509.CertificateBuilder, public: PublicKey, key: PrivateKey) -> x509.Certificate:
    """
    Return the certificate of `public`, signed with an authority's key, each of whichever suite.
    """
    draft = builder.public_key(_stand_in().public_key()).sign(_stand_in(), hashes.SHA256())
    tbs = der.parts(draft.tbs_certificate_bytes)
    tbs[_CERTIFICATE_ALGORITHM] = _algorithm(key)
    tbs[_CERTIFICATE_KEY] = suites.dump_public(public)
    return x509.load_der_x509_certificate(_signed(der.sequence(*tbs), key))


def revocation_list(builder: x509.CertificateRevocationListBuilder, key: PrivateKey) -> x509.CertificateRevocationList:
    """
    Return the revocation list, signed with an authority's key.
    """
    tbs = der.parts(builder.sign(_stand_in(), hashes.SHA256()).tbs_certlist_bytes)
    tbs[_LIST_ALGORITHM] = _algorithm(key)
    return x509.load_der_x509_crl(_signed(der.sequence(*tbs), key))


def answer(builder: ocsp.OCSPResponseBuilder, key: PrivateKey, responder: x509.Certificate) -> bytes:
    """
    Return the DER of an answer (RFC 6960 §4.2.1), signed with a responder's key; its certificate is enclosed.
    """
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, _stand_in_certificate())
    status, wrapped = der.parts(builder.sign(_stand_in(), hashes.SHA256()).public_bytes(Encoding.DER))
    kind, basic = der.parts(der.content(wrapped, der.EXPLICIT))
    _, *rest = der.parts(der.parts(der.content(basic, der.OCTET_STRING))[0])
    name = hashlib.sha1(key_bits(public_key(responder)), usedforsecurity=False).digest()  # §4.2.1: KeyHash
    named = der.element(_BY_KEY, der.element(der.OCTET_STRING, name))
    enclosed = der.element(der.EXPLICIT, der.sequence(responder.public_bytes(Encoding.DER)))
    signed = _signed(der.sequence(named, *rest), key, enclosed)
    return der.sequence(status, der.element(der.EXPLICIT, der.sequence(kind, der.element(der.OCTET_STRING, signed))))


def check(whole: bytes, tbs: bytes, public: PublicKey) -> None:
    """
    Return if a certificate or list (`whole`, DER, of which `tbs` is signed) is signed by `public`; else `Untrusted`.

    `WRONG_ALGORITHM` where it names another algorithm than the key's suite, outside or inside of what is signed.
    """
    suite = suites.of_key(public)
    _, outside, signature = der.parts(whole)
    first = der.parts(tbs)
    inside = first[_CERTIFICATE_ALGORITHM if first[0][0] == der.EXPLICIT else _LIST_ALGORITHM]
    if not outside == inside == suite.certifies:
        raise Untrusted(Reason.WRONG_ALGORITHM, "not that of the issuer's key")
    suite.verify(public, tbs, der.bits(signature))


def signed_so(found: x509.Certificate) -> bool:
    """
    True where the signature under a certificate is of a suite that the library does not check.
    """
    return der.parts(found.public_bytes(Encoding.DER))[1] in _ALGORITHMS


def public_key(found: x509.Certificate) -> PublicKey:
    """
    Return the public key in a certificate; `Untrusted(BAD_CERTIFICATE)` for one that is of no suite.
    """
    return suites.load_public(der.parts(found.tbs_certificate_bytes)[_CERTIFICATE_KEY])


def key_bits(public: PublicKey) -> bytes:
    """
    Return the bytes of a public key alone: what RFC 5280 §4.2.1.2 and RFC 6960 §4.1.1 make its name of.
    """
    return der.bits(der.parts(suites.dump_public(public))[1])


def _signed(tbs: bytes, key: PrivateKey, *more: bytes) -> bytes:
    signature = key.sign(tbs, _ECDSA) if isinstance(key, ec.EllipticCurvePrivateKey) else suites.sign(key, tbs)
    return der.sequence(tbs, _algorithm(key), der.bit_string(signature), *more)


def _algorithm(key: PrivateKey) -> bytes:
    return suites.of_key(key).certifies or _ECDSA_WITH_SHA256


@cache
def _stand_in() -> ec.EllipticCurvePrivateKey:
    """Its signatures are thrown away; it is nobody's."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def _stand_in_certificate() -> x509.Certificate:
    """For the builder of answers, which asks that responder and key belong together."""
    name, day = x509.Name([]), datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(day).not_valid_after(day).public_key(_stand_in().public_key())
    return builder.sign(_stand_in(), hashes.SHA256())
