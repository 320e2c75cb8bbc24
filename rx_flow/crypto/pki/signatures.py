"""
Signatures under certificates, lists and answers, and the public key in a certificate: where suites differ.

What `cryptography` signs and checks itself is left to it; the rest is `foreign`. Nowhere else does this package ask
which suite a key is of.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import foreign, form
from rx_flow.crypto.suites import PrivateKey, PublicKey, fits
from rx_flow.crypto.suites.pair import PublicPair, ReadingPublic

_NAME_BYTES = 20  # of a key in certificates: 160 bits, as RFC 7093 §2


def public_key(certificate: x509.Certificate) -> PublicKey:
    """
    Return the public key of a certificate; `Untrusted(BAD_CERTIFICATE)` for one that is of no suite.
    """
    try:
        public: object = certificate.public_key()
    except UnsupportedAlgorithm:
        return foreign.public_key(certificate)
    except ValueError:
        raise Untrusted(Reason.BAD_CERTIFICATE, "the key cannot be read") from None
    if not fits(public):
        raise Untrusted(Reason.BAD_CERTIFICATE, "the key is of no suite")
    assert isinstance(public, PublicKey)  # noqa: S101  for the type checker: `fits` has just said so
    return public


def serves(public: PublicKey, *, reading: bool) -> None:
    """
    Return if a key can do what it is certified for: open packages (`reading`), or sign; `BAD_CERTIFICATE` if not.

    Where a suite has a kind of key for each, they are not to be mixed up.
    """
    if isinstance(public, PublicPair) and isinstance(public, ReadingPublic) is not reading:
        raise Untrusted(Reason.BAD_CERTIFICATE, "the key is for something else")


def is_foreign(certificate: x509.Certificate) -> bool:
    """
    True where the library cannot judge a certificate: its key or its issuer's is of a suite that it does not know.
    """
    return foreign.signed_so(certificate) or not isinstance(public_key(certificate), ec.EllipticCurvePublicKey)


def key_name(public: PublicKey) -> x509.SubjectKeyIdentifier:
    """
    Return the name of a key in certificates: RFC 5280 §4.2.1.2 (1), for foreign ones by their suite's own hash.
    """
    if isinstance(public, ec.EllipticCurvePublicKey):
        return x509.SubjectKeyIdentifier.from_public_key(public)
    hashed = suites.of_key(public).digest(foreign.key_bits(public))
    return x509.SubjectKeyIdentifier(bytes.fromhex(hashed)[:_NAME_BYTES])


def issuer_name(public: PublicKey) -> x509.AuthorityKeyIdentifier:
    """
    Return the name of an issuer's key, as it stands in what the issuer signs.
    """
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_name(public))


def certify(builder: x509.CertificateBuilder, public: PublicKey, key: PrivateKey) -> x509.Certificate:
    """
    Return the certificate of `public`, signed with an authority's key.
    """
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(public, ec.EllipticCurvePublicKey):
        return builder.public_key(public).sign(key, hashes.SHA256())
    return foreign.certificate(builder, public, key)


def sign_list(builder: x509.CertificateRevocationListBuilder, key: PrivateKey) -> x509.CertificateRevocationList:
    """
    Return the revocation list, signed with an authority's key.
    """
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return builder.sign(key, hashes.SHA256())
    return foreign.revocation_list(builder, key)


def sign_answer(builder: ocsp.OCSPResponseBuilder, key: PrivateKey, certificate: x509.Certificate) -> bytes:
    """
    Return the DER of a responder's answer, signed with its key: its certificate is enclosed, and named by its key.
    """
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return foreign.answer(builder, key, certificate)
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, certificate).certificates([certificate])
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def check_certificate(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """
    Return if `issuer` has signed a certificate; `Untrusted` if not. Whether it might, `walk` and `form` judge.
    """
    public = public_key(issuer)
    if isinstance(public, ec.EllipticCurvePublicKey):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):  # another name, kind of key, or key
            raise Untrusted(Reason.UNTRUSTED_CHAIN, "not signed by its issuer") from None
    else:
        foreign.check(certificate.public_bytes(Encoding.DER), certificate.tbs_certificate_bytes, public)


def check_list(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> None:
    """
    Return if `issuer` has signed a revocation list; `Untrusted(BAD_LIST)` if not.
    """
    usage = form.extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.crl_sign:  # RFC 5280 §6.3.3 (f)
        raise Untrusted(Reason.BAD_LIST, "its issuer may not sign one")
    public = public_key(issuer)
    if isinstance(public, ec.EllipticCurvePublicKey):
        if not found.is_signature_valid(public):
            raise Untrusted(Reason.BAD_LIST, "not signed by its issuer")
        return
    try:
        foreign.check(found.public_bytes(Encoding.DER), found.tbs_certlist_bytes, public)
    except Untrusted:
        raise Untrusted(Reason.BAD_LIST, "not signed by its issuer") from None
