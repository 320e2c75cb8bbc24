"""
Certificates and revocation lists as files that travel: what is to be enclosed with signatures, and how it is believed.

The root is never among them: whoever verifies brings it, so that nothing enclosed is believed on its own word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import certificates, thumbprint


@dataclass(frozen=True, slots=True)
class Enclosed:
    """
    Certificates in PEM by their thumbprint (`x5t#S256`), and the list in PEM of each authority that has issued one.

    `authorities` are those between the leaves and the root; `lists` goes by the thumbprint of the list's issuer.
    """

    leaves: Mapping[str, bytes] = field(repr=False)
    authorities: Mapping[str, bytes] = field(repr=False)
    lists: Mapping[str, bytes] = field(repr=False)


def enclose(trust: Trust, leaves: Iterable[str]) -> Enclosed:
    """
    Return everything by which these certificates can be verified with the root alone; `Untrusted` if one cannot.
    """
    wanted = sorted(set(leaves))
    above = sorted({print_ for leaf in wanted for print_ in trust.chain(leaf)})
    roots = {thumbprint(one) for one in trust.roots}
    missing = [print_ for print_ in above if print_ not in trust.lists]
    if missing:
        raise Untrusted(Reason.STATUS_UNDETERMINABLE, "no revocation list")
    return Enclosed(
        leaves={print_: _pem(trust.certificates[print_]) for print_ in wanted},
        authorities={print_: _pem(trust.authorities[print_]) for print_ in above if print_ not in roots},
        lists={print_: x509.load_der_x509_crl(trust.lists[print_].raw).public_bytes(Encoding.PEM) for print_ in above},
    )


def believe(roots: bytes, enclosed: Enclosed) -> Trust:
    """
    Return a trust in `roots` (PEM) alone that knows what is enclosed, each under its own name and in one spelling.

    `Untrusted`: BAD_CERTIFICATE or BAD_LIST for a file that is not what its name says or that no authority here has
    signed, UNTRUSTED_CHAIN for one that does not lead to the root, STATUS_UNDETERMINABLE where a list is missing.
    """
    trust = Trust(certificates(roots), ())
    named = {**enclosed.authorities, **enclosed.leaves}
    found = {}
    for name, pem in named.items():
        certificate, *others = certificates(pem)
        if others or thumbprint(certificate) != name or _pem(certificate) != pem:
            raise Untrusted(Reason.BAD_CERTIFICATE, name)
        found[name] = certificate
    trust.learn(found.values())
    if {*trust.certificates} != {*enclosed.leaves}:
        raise Untrusted(Reason.BAD_CERTIFICATE, "an authority among the signers, or the reverse")
    used = {above for leaf in sorted(enclosed.leaves) for above in trust.chain(leaf)}
    if used - {thumbprint(one) for one in trust.roots} != {*enclosed.authorities}:
        raise Untrusted(Reason.UNTRUSTED_CHAIN, "an authority that has issued none of them")
    for issuer, pem in enclosed.lists.items():
        taken = trust.take(pem)
        if trust.lists.get(issuer) is not taken or _listed(taken.raw) != pem:
            raise Untrusted(Reason.BAD_LIST, issuer)
    if {*trust.lists} != used:
        raise Untrusted(Reason.STATUS_UNDETERMINABLE, "no revocation list")
    return trust


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _listed(der: bytes) -> bytes:
    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)
