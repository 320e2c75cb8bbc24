"""
Signatures under certificates and revocation lists, and the public key in a certificate: where suites differ.

A suite whose keys the library does not know is a further branch here, and nowhere else in this package.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import form
from rx_flow.crypto.suites import PrivateKey, PublicKey, fits


def public_key(certificate: x509.Certificate) -> PublicKey:
    """
    Return the public key of a certificate; `Untrusted(BAD_CERTIFICATE)` for one that is of no suite.
    """
    try:
        public = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        raise Untrusted(Reason.BAD_CERTIFICATE, "the key cannot be read") from None
    if not fits(public):
        raise Untrusted(Reason.BAD_CERTIFICATE, "the key is of no suite")
    assert isinstance(public, PublicKey)  # noqa: S101  for the type checker: `fits` has just said so
    return public


def certify(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    """
    Return the certificate, signed with an authority's key.
    """
    return builder.sign(key, hashes.SHA256())


def sign_list(builder: x509.CertificateRevocationListBuilder, key: PrivateKey) -> x509.CertificateRevocationList:
    """
    Return the revocation list, signed with an authority's key.
    """
    return builder.sign(key, hashes.SHA256())


def check_list(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> None:
    """
    Return if `issuer` has signed a revocation list; `Untrusted(BAD_LIST)` if not.
    """
    usage = form.extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.crl_sign:  # RFC 5280 §6.3.3 (f)
        raise Untrusted(Reason.BAD_LIST, "its issuer may not sign one")
    if not found.is_signature_valid(public_key(issuer)):
        raise Untrusted(Reason.BAD_LIST, "not signed by its issuer")
