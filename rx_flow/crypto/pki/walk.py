"""
A way from a certificate up to a root, by the rules of RFC 5280 §6.1, where `cryptography`'s verifier cannot check it.

That is where a signature on the way is of a suite that is foreign to it. What is the same for every chain, `form` and
`profile` judge afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import form, signatures

DEPTH_MAX = 4  # certificates: leaf, two authorities at most, root
_TRIES_MAX = 16  # signatures checked for one leaf: authorities of one name with many keys would keep us busy
# Extensions that are read here, in `form` or in `profile`; a critical one beside them would say what nobody heeds.
_READ = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE})


def chain(
    certificate: x509.Certificate,
    between: Iterable[x509.Certificate],
    roots: Sequence[x509.Certificate],
    *,
    at: datetime,
) -> list[x509.Certificate]:
    """
    Return the certificate, the authorities above it and a root, all of them valid at `at` (aware); else `Untrusted`.
    """
    _sound(certificate, at)
    found = _up([certificate], tuple(between), roots, at=at, left=[_TRIES_MAX])
    if found is None:
        raise Untrusted(Reason.UNTRUSTED_CHAIN)
    return found


def _up(
    below: list[x509.Certificate],
    between: tuple[x509.Certificate, ...],
    roots: Sequence[x509.Certificate],
    *,
    at: datetime,
    left: list[int],
) -> list[x509.Certificate] | None:
    """The first way up from what is below; roots first, so that the shortest one is taken."""
    if len(below) == DEPTH_MAX:
        return None
    last = below[-1]
    for one in (*roots, *between):
        if one.subject != last.issuer or one in below or not left[0]:
            continue
        left[0] -= 1
        try:
            _issuer(one, len(below) - 1, at)
            _named(last, one)
            signatures.check_certificate(last, one)
        except Untrusted:
            continue  # another authority of this name, or an earlier certificate of it
        found = [*below, one] if one in roots else _up([*below, one], between, roots, at=at, left=left)
        if found is not None:
            return found
    return None


def _issuer(one: x509.Certificate, depth: int, at: datetime) -> None:
    """Whether a certificate may issue, with `depth` authorities below it: §6.1.4 (k) to (n)."""
    _sound(one, at)
    constraints, usage = form.extension(one, x509.BasicConstraints), form.extension(one, x509.KeyUsage)
    if constraints is None or not constraints.ca or usage is None or not usage.key_cert_sign:
        raise Untrusted(Reason.UNTRUSTED_CHAIN, "not an authority")
    if constraints.path_length is not None and constraints.path_length < depth:
        raise Untrusted(Reason.UNTRUSTED_CHAIN, "too many authorities below it")


def _named(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """§4.2.1.1: where both say which key it is, they say the same."""
    above, own = (
        form.extension(certificate, x509.AuthorityKeyIdentifier),
        form.extension(issuer, x509.SubjectKeyIdentifier),
    )
    if above is not None and own is not None and above.key_identifier != own.digest:
        raise Untrusted(Reason.UNTRUSTED_CHAIN, "of another key")


def _sound(one: x509.Certificate, at: datetime) -> None:
    """What holds for each: its time, and nothing critical in it that is not read."""
    if not one.not_valid_before_utc <= at <= one.not_valid_after_utc:
        raise Untrusted(Reason.UNTRUSTED_CHAIN, "not valid at that time")
    if any(each.critical and each.oid not in _READ for each in form.extensions(one)):
        raise Untrusted(Reason.UNTRUSTED_CHAIN, "a critical extension that nobody here reads")
