"""
The form of certificates in a chain: what RFC 5280 asks of every one, and path validation does not look at.

A certificate that our authorities have issued keeps all of this. One that does not was made by somebody careless or
somebody clever, and what two readers would read in two ways is believed by none of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from rx_flow.crypto.errors import Reason, Untrusted

SERIAL_BITS = 160  # §4.1.2.2: positive, and at most 20 octets
NAMES_MAX = 32  # attributes in a subject; thousands would be there to keep us busy

# Extensions that must be marked as critical, and those that must not (§4.2.1, §4.2.2).
_CRITICAL = frozenset({ExtensionOID.NAME_CONSTRAINTS, ExtensionOID.POLICY_CONSTRAINTS, ExtensionOID.INHIBIT_ANY_POLICY})
_NOT_CRITICAL = frozenset(
    {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.SUBJECT_INFORMATION_ACCESS,
        ExtensionOID.FRESHEST_CRL,
    }
)
_OF_AUTHORITIES = _CRITICAL | {ExtensionOID.POLICY_MAPPINGS}

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)


def extensions(certificate: x509.Certificate) -> x509.Extensions:
    """
    Return a certificate's extensions; `Untrusted(BAD_CERTIFICATE)` when they cannot be read, or one stands there twice.
    """
    try:
        return certificate.extensions
    except (TypeError, ValueError, x509.DuplicateExtension):  # of a type, too: an address that is none
        raise Untrusted(Reason.BAD_CERTIFICATE, "its extensions") from None


def extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    """
    Return the value of a certificate's extension, or None where it has none; `Untrusted` as `extensions`.
    """
    try:
        return extensions(certificate).get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def check(chain: Sequence[x509.Certificate]) -> None:
    """
    Return if leaf, authorities and root, in this order, have the form that each must have; `Untrusted` if not.
    """
    leaf, *authorities = chain
    for one in chain[:-1]:
        _number(one)
    _any(leaf)
    if _oids(leaf) & _OF_AUTHORITIES:
        raise Untrusted(Reason.BAD_CERTIFICATE, "it limits what it could issue, and may issue nothing")
    _names_issuer(leaf)
    for one in authorities:
        _any(one)
        if extension(one, x509.SubjectKeyIdentifier) is None:
            raise Untrusted(Reason.UNTRUSTED_CHAIN, "an authority without the name of its key")
        if one.issuer != one.subject:
            _names_issuer(one)
    _root(authorities[-1])


def _number(certificate: x509.Certificate) -> None:
    """What a revocation list would name it by; nobody revokes a root so, and some roots have none."""
    if not 0 < certificate.serial_number < 1 << SERIAL_BITS:
        raise Untrusted(Reason.BAD_CERTIFICATE, "its serial number")


def _any(certificate: x509.Certificate) -> None:
    """What holds for leaves and authorities alike."""
    if len(list(certificate.subject)) > NAMES_MAX:
        raise Untrusted(Reason.BAD_CERTIFICATE, "its subject")
    for one in extensions(certificate):
        if one.oid in (_NOT_CRITICAL if one.critical else _CRITICAL):
            raise Untrusted(Reason.BAD_CERTIFICATE, "an extension is critical that must not be, or is not and must be")


def _names_issuer(certificate: x509.Certificate) -> None:
    """§4.2.1.1: by the name of its key, so that one authority of two keys is never taken for the other."""
    found = extension(certificate, x509.AuthorityKeyIdentifier)
    if found is None or found.key_identifier is None:
        raise Untrusted(Reason.BAD_CERTIFICATE, "it does not name its issuer's key")


def _root(root: x509.Certificate) -> None:
    """A root's name for the key above it, if it has one, is its own key's; and it is not for single purposes."""
    above, own = extension(root, x509.AuthorityKeyIdentifier), extension(root, x509.SubjectKeyIdentifier)
    if above is not None and root.issuer == root.subject:
        named = (above.key_identifier, above.authority_cert_issuer, above.authority_cert_serial_number)
        if own is None or named != (own.digest, None, None):
            raise Untrusted(Reason.UNTRUSTED_CHAIN, "a root under another key")
    if extension(root, x509.ExtendedKeyUsage) is not None:
        raise Untrusted(Reason.UNTRUSTED_CHAIN, "a root for single purposes")


def _oids(certificate: x509.Certificate) -> set[x509.ObjectIdentifier]:
    return {one.oid for one in extensions(certificate)}
