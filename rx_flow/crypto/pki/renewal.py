"""
How certificates come and go at the development authority: renewed, revoked, issued by another authority from now on.

What was signed before stays verifiable: earlier certificates stay published, earlier opening keys stay in the ring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings import locked, rotation
from rx_flow.crypto.keyrings.files import SIGN, InFile, staff_file
from rx_flow.crypto.keyrings.ring import PAIRS
from rx_flow.crypto.pki import authority, register
from rx_flow.crypto.pki.issuing import Kind, Who
from rx_flow.crypto.pki.lists import Revoked, Why
from rx_flow.crypto.pki.path import ROOT, Trust
from rx_flow.crypto.pki.profile import Purpose, describe, thumbprint
from rx_flow.crypto.pki.register import Authority
from rx_flow.crypto.pki.status import SKEW


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """
    A certificate that was revoked: which, whose (None: an authority's), by which authority, what the list says.
    """

    thumbprint: str
    who: Who | None
    purpose: Purpose | None
    issuer: str
    revoked: Revoked
    begins: datetime


def holder(trust: Trust, code: str) -> Who:
    """
    Return whom the newest certificate of a person or institution names; `Untrusted(UNKNOWN_SIGNER)` for nobody known.
    """
    found = sorted((trust.certificates[print_] for print_ in trust.of(code)), key=_begins)
    if not found:
        raise Untrusted(Reason.UNKNOWN_SIGNER, code)
    return _who(found[-1])


def certifier(keys: Path, code: str, *, now: datetime, passphrase: str) -> Callable[[str, suites.PublicKey], bytes]:
    """
    Return what certifies new keys of an institution (`rotation.Certify`): by the newest authority, from `now` on.
    """
    who, found = holder(Trust.load(keys), code), register.load(keys, passphrase)
    begins = (now - SKEW).replace(microsecond=0)

    def certify(name: str, public: suites.PublicKey) -> bytes:
        return authority.certify(keys, found, who, public, purpose=PAIRS[name], begins=begins, public=f"{code}.{name}")

    return certify


def renew(keys: Path, code: str, *, now: datetime, passphrase: str, pin: str = "") -> tuple[str, ...]:
    """
    Give a person (with `pin`) or an institution new keys and certificates; return the thumbprints of the new ones.

    A running site uses them after its next start. The earlier ones still count until they end: revoke them if they are
    to count no more. `WrongPin` for another passphrase or PIN than the files are locked with.
    """
    with register.held(keys):
        before = Trust.load(keys)
        who = holder(before, code)
        if who.kind is Kind.INSTITUTIONS:
            certify = certifier(keys, code, now=now, passphrase=passphrase)
            suite = suites.of_key(register.load(keys, passphrase).issuer(who.kind).key)
            for name in PAIRS:
                rotation.rotate(InFile(keys / code, passphrase), name, certify=certify, suite=suite)
        else:
            path = staff_file(keys / who.institution, code)
            locked.unlock(path.read_bytes(), pin, owner=code)
            found, begins = register.load(keys, passphrase), (now - SKEW).replace(microsecond=0)
            secret = authority.pair(keys, found, who, SIGN, purpose=Purpose.DOCUMENT, begins=begins, public=code)
            locked.write(path, locked.lock(secret, pin, owner=code))
        return tuple(print_ for print_ in Trust.load(keys).of(code) if print_ not in before.certificates)


def revoke(
    keys: Path, what: str, why: Why, *, now: datetime, passphrase: str, since: datetime | None = None
) -> tuple[Withdrawn, ...]:
    """
    Revoke a certificate (by thumbprint), every one of a person or institution, or an authority; publish new lists.

    `since`: from when on the key may have been in other hands; then also what was recorded between that and now does
    not count. Only for KEY_COMPROMISE and CA_COMPROMISE, else `ValueError`. `Untrusted(UNKNOWN_SIGNER)` for nothing
    that is known here, or the root, which nobody can revoke.
    """
    if since is not None and (why not in {Why.KEY_COMPROMISE, Why.CA_COMPROMISE} or since > now):
        raise ValueError("since when a key is in other hands is said of a compromised one, and lies in the past")
    with register.held(keys):
        trust, found = Trust.load(keys), register.load(keys, passphrase)
        issuers = {thumbprint(one.certificate): name for name, one in found.issuers.items()}
        done = []
        for print_, certificate, above in _meant(trust, what):
            said = Revoked(
                certificate.serial_number,
                now.replace(microsecond=0),
                why.value,
                None if since is None else since.astimezone(UTC).replace(microsecond=0),
            )
            found = register.revoke(keys, found, issuers[above], [said], passphrase)
            listed = {one.serial: one for one in found.revoked[issuers[above]]}
            done.append(_withdrawn(print_, certificate, issuers[above], listed[said.serial]))
        register.publish(keys, found, now=now)
    return tuple(done)


def roll(keys: Path, kind: Kind, *, now: datetime, passphrase: str, suite: suites.Suite | None = None) -> Authority:
    """
    Let another authority, with a new key under the same root, issue for a kind of holder from now on.

    With `suite`, in that suite: whoever is renewed after that gets keys of it. Sites must accept both until then.
    """
    begins = (now - SKEW).replace(microsecond=0)
    with register.held(keys):
        found = register.roll(keys, register.load(keys, passphrase), kind, passphrase, begins=begins, suite=suite)
        authority.respond(keys, found, passphrase, now=now)
        register.publish(keys, found, now=now)
    return found


def _meant(trust: Trust, what: str) -> Iterable[tuple[str, x509.Certificate, str]]:
    """Thumbprint, certificate and the thumbprint of its issuer, for everything that `what` names."""
    if what in trust.names and what != ROOT:
        print_ = trust.names[what]
        return [(print_, trust.authorities[print_], trust.names[ROOT])]
    prints = (what,) if what in trust.certificates else trust.of(what)
    if not prints:
        raise Untrusted(Reason.UNKNOWN_SIGNER, "no such person, institution, authority or thumbprint")
    return [(print_, trust.certificates[print_], trust.chain(print_)[0]) for print_ in prints]


def _withdrawn(print_: str, certificate: x509.Certificate, issuer: str, revoked: Revoked) -> Withdrawn:
    if issuer == ROOT:
        return Withdrawn(print_, None, None, issuer, revoked, _begins(certificate))
    purpose = describe(certificate).purpose
    return Withdrawn(print_, _who(certificate), purpose, issuer, revoked, _begins(certificate))


def _who(certificate: x509.Certificate) -> Who:
    signer = describe(certificate).signer
    return Who(signer.id, signer.role, signer.institution, signer.name)


def _begins(certificate: x509.Certificate) -> datetime:
    return certificate.not_valid_before_utc
