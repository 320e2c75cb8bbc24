"""
Whom we believe: the authorities, the certificates that we know, and the last revocation list of each authority.

The only place that decides whether a certificate is believed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.x509 import verification

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import form, lists, signatures, status, walk
from rx_flow.crypto.pki.lists import RevocationList
from rx_flow.crypto.pki.profile import (
    EXTENDED_USAGE,
    Certified,
    OpenKey,
    Purpose,
    describe,
    holders,
    is_authority,
    is_development,
    issues,
    thumbprint,
)
from rx_flow.crypto.pki.status import Link, Status
from rx_flow.crypto.suites import tally

CACHE_MAX = 8192  # certificates whose chain is remembered; one takes about 2 KiB
ROOT_FILE = "root.pem"
PUBLIC, AUTHORITIES, LISTS = "public", "authorities", "lists"  # folders of a folder of keys
ROOT = "root"  # the name of the root's own list


@dataclass(frozen=True, slots=True)
class _Walked:
    """A believed certificate, and the steps from it to the root."""

    certified: Certified
    links: tuple[Link, ...]


class Trust:
    """
    The authorities that we believe (at least one root, or `ValueError`), what we know of their certificates and lists.

    `accepts` names the suites of which every key from leaf to root must be, all of ours where it names none; a suite
    must stay among them as long as documents signed in it are to be read here.
    Certificates and lists are only ever added to (`learn`, `take`), each by one assignment: whoever reads meanwhile
    sees what was before or what is now.
    """

    def __init__(
        self,
        roots: Iterable[x509.Certificate],
        certificates: Iterable[x509.Certificate],
        revocations: Iterable[bytes] = (),
        *,
        accepts: Collection[str] = (),
    ) -> None:
        self._accepts = tuple(suites.named(name) for name in accepts) or suites.SUITES
        self._roots = tuple(roots)
        self._policy = _policy(self._roots)
        self._authorities = {thumbprint(one): one for one in self._roots}
        self._known: dict[str, x509.Certificate] = {}
        self._of: dict[str, list[str]] = {}
        self._issued: frozenset[tuple[bytes, int]] = frozenset()
        self._stamps: dict[Path, int] = {}
        self._names: dict[str, str] = {}
        self._lists: dict[str, RevocationList] = {}
        self._certify = lru_cache(maxsize=CACHE_MAX)(self._walk)
        self._readers = lru_cache(maxsize=CACHE_MAX)(self._candidates)
        self.learn(certificates)
        for raw in revocations:
            self.take(raw)

    @property
    def accepts(self) -> tuple[str, ...]:
        """The names of the suites of which every key has to be."""
        return tuple(one.name for one in self._accepts)

    @classmethod
    def load(cls, keys: Path, *, accepts: Collection[str] = ()) -> Trust:
        """
        Read a folder of keys: `root.pem`, and what there is of `authorities/`, `public/` and `lists/`.

        `OSError` or `ValueError` when a certificate cannot be read; a list that is not believed counts as none.
        """
        roots = _read(keys / ROOT_FILE)
        trust = cls(roots, (), accepts=accepts)
        trust._names = {ROOT if n == 1 else f"{ROOT}-{n}": thumbprint(one) for n, one in enumerate(roots, 1)}
        trust.refresh(keys)
        return trust

    def refresh(self, keys: Path) -> None:
        """
        Read what has come into a folder of keys since it was last read here; errors as `load`. Cheap where nothing has.
        """
        changed = [at for at in (AUTHORITIES, PUBLIC, LISTS) if self._is_new(keys / at)]
        found = [path for at in changed for path in sorted((keys / at).glob("*.pem"))]
        read = [(path, one) for path in found for one in _read(path)]
        self.learn(one for _, one in read)
        named = {path.stem: thumbprint(one) for path, one in read if path.parent.name == AUTHORITIES}
        self._names = {**self._names, **{name: print_ for name, print_ in named.items() if print_ in self._authorities}}
        for path in sorted((keys / LISTS).glob("*.crl")) if LISTS in changed else ():
            try:
                self.take(path.read_bytes())
            except Untrusted:
                continue  # what has no list that is believed is undeterminable, which blocks: it need not be said here

    def learn(self, certificates: Iterable[x509.Certificate]) -> None:
        """
        Know these certificates too; whether they are believed is judged when one is asked for.
        """
        found = {thumbprint(one): one for one in certificates}
        known = self._known.keys() | self._authorities.keys()
        new = {print_: one for print_, one in found.items() if print_ not in known}
        if not new:
            return
        between = {print_: one for print_, one in new.items() if is_authority(one)}
        leaves = {print_: one for print_, one in new.items() if print_ not in between}
        of = {holder: list(prints) for holder, prints in self._of.items()}
        for print_, one in leaves.items():
            for holder in holders(one):
                of.setdefault(holder, []).append(print_)
        self._authorities = {**self._authorities, **between}
        self._known = {**self._known, **leaves}
        self._of = of
        self._issued |= {(one.issuer.public_bytes(), one.serial_number) for one in new.values()}
        self._certify.cache_clear()
        self._readers.cache_clear()

    def take(self, raw: bytes) -> RevocationList:
        """
        Read a revocation list, and return what counts for its issuer from now on: this, or a later one known before.

        `Untrusted(BAD_LIST)` for a list that no authority known here has signed.
        """
        found = lists.parse(raw)
        issuers = [(print_, one) for print_, one in self._authorities.items() if one.subject == found.issuer]
        taken: RevocationList | None = None
        for print_, issuer in issuers:
            try:
                new = lists.read(found, issuer)
            except Untrusted:
                continue  # an authority of the same name with another key
            known = self._lists.get(print_)
            taken = new if known is None or _rank(new) > _rank(known) else known
            self._lists = {**self._lists, print_: taken}
        if taken is None:
            raise Untrusted(Reason.BAD_LIST, "of no authority that is known")
        return taken

    @property
    def is_development(self) -> bool:
        """True when an authority or a certificate here is marked as made for development."""
        return any(map(is_development, (*self._authorities.values(), *self._known.values())))

    @property
    def roots(self) -> tuple[x509.Certificate, ...]:
        """What is believed without proof."""
        return self._roots

    @property
    def authorities(self) -> Mapping[str, x509.Certificate]:
        """Every authority that is known, roots included, by thumbprint."""
        return self._authorities

    @property
    def names(self) -> Mapping[str, str]:
        """The thumbprints of authorities by the names of their files: `root`, `persons-1`."""
        return self._names

    @property
    def certificates(self) -> Mapping[str, x509.Certificate]:
        """Every certificate that is known and is no authority's, by thumbprint."""
        return self._known

    @property
    def lists(self) -> Mapping[str, RevocationList]:
        """The last list of each authority, by its thumbprint."""
        return self._lists

    def certified(
        self, thumbprint: str, purpose: Purpose, at: datetime, *, now: datetime, since: datetime | None = None
    ) -> Certified:
        """
        Return what a certificate says, if what was signed with it at `at` is to be believed at `now`.

        It is known, chains to a root, is for `purpose`, was valid at `at`; and it was not revoked before `since`, from
        when on the signature is known to exist (None: since now). Raises `Untrusted` otherwise, also where nobody can
        say. A chain is walked once and remembered; time and revocation are judged every time.
        """
        found = self._valid(thumbprint, purpose, at)
        status.judge(found.links, self._lists, now=now, since=since or now)
        return found.certified

    def named(self, thumbprint: str, purpose: Purpose, at: datetime) -> Certified:
        """
        Return what a certificate says as `certified` does, but whatever has been revoked.

        For whoever must tell what somebody signed whose signature does not count; never for whoever acts on it.
        """
        return self._valid(thumbprint, purpose, at).certified

    def status(self, thumbprint: str, *, now: datetime) -> Status:
        """
        Return what is known at `now` of a certificate: valid, revoked, or undeterminable.

        `Untrusted` for one that is not known, not of our kind, or chains to no root of ours: of that nobody answers.
        """
        return status.of(self._certify(thumbprint).links, self._lists, now=now)

    def chain(self, thumbprint: str) -> tuple[str, ...]:
        """
        Return the thumbprints of the authorities above a certificate, the root last; `Untrusted` where there is no way.
        """
        return tuple(link.authority for link in self._certify(thumbprint).links)

    def of(self, holder: str) -> tuple[str, ...]:
        """
        Return the thumbprints of every certificate that is known of a person or institution, by national code.
        """
        return tuple(self._of.get(holder, ()))

    def issued(self, authority: str, serial: int) -> bool:
        """
        True where a certificate of this number, by the authority of this thumbprint, is known.
        """
        return (self._authorities[authority].subject.public_bytes(), serial) in self._issued

    def doubtful(self, holders: Iterable[str]) -> bool:
        """
        True where a certificate of one of these holders may have been revoked: then it counts when it was recorded.

        For whoever would have to ask the log for that, and need not where nobody's certificate is in question.
        """
        return any(self._revoked(print_) for holder in {*holders} for print_ in self._of.get(holder, ()))

    def reader(self, institution: str, at: datetime) -> OpenKey:
        """
        Return the key to seal packages for an institution with: the newest believed at `at`; `Untrusted` if none is.
        """
        found = self._readers(institution)
        refusal: Untrusted | None = None
        for one in found:
            if one.certified.begins <= at <= one.certified.ends:
                try:
                    status.judge(one.links, self._lists, now=at, since=at)
                except Untrusted as untrusted:
                    refusal = refusal or untrusted
                    continue
                signer = one.certified.signer
                return OpenKey(signer.thumbprint, signer.institution, one.certified.public)
        if refusal is not None:
            raise refusal
        if not found:
            raise Untrusted(Reason.UNKNOWN_READER)
        late = at > found[0].certified.ends
        raise Untrusted(Reason.CERTIFICATE_EXPIRED if late else Reason.CERTIFICATE_NOT_YET_VALID)

    def _is_new(self, folder: Path) -> bool:
        """Files are written beside and renamed, so that a folder's own time tells of every change."""
        try:
            stamp = folder.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        before, self._stamps[folder] = self._stamps.get(folder), stamp
        return before != stamp

    def _revoked(self, thumbprint: str) -> bool:
        try:
            links = self._certify(thumbprint).links
        except Untrusted:
            return False  # it is not believed anyway
        known = self._lists
        return any(link.serial in known[link.authority].revoked for link in links if link.authority in known)

    def _candidates(self, institution: str) -> tuple[_Walked, ...]:
        """The believed certificates for packages of an institution, newest first."""
        found = []
        for print_ in self._of.get(institution, ()):
            try:
                one = self._certify(print_)
            except Untrusted:
                continue  # somebody's stray certificate must not keep the institution from being written to
            if one.certified.purpose is Purpose.PACKAGE and one.certified.signer.institution == institution:
                found.append(one)
        return tuple(sorted(found, key=lambda one: one.certified.begins, reverse=True))

    def _valid(self, thumbprint: str, purpose: Purpose, at: datetime) -> _Walked:
        """A believed certificate for `purpose` that was valid at `at`, revoked or not."""
        found = self._certify(thumbprint)
        if found.certified.purpose is not purpose:
            raise Untrusted(Reason.WRONG_USAGE)
        found.certified.at(at)
        return found

    def _walk(self, thumbprint: str) -> _Walked:
        """
        The chain is judged at the moment the certificate was issued; what is remembered is when all of it is valid.
        """
        certificate = self._known.get(thumbprint)
        if certificate is None:
            raise Untrusted(Reason.UNKNOWN_SIGNER)
        found = describe(certificate)
        tally["chain"] += 1
        chain = self._chain(certificate, found.begins)
        form.check(chain)
        if not all(any(suite.owns(signatures.public_key(one)) for suite in self._accepts) for one in chain):
            raise Untrusted(Reason.SUITE_NOT_ACCEPTED)
        for authority in chain[1:-1]:
            issues(authority, found, EXTENDED_USAGE[found.purpose])
        prints = [thumbprint, *(_print(one) for one in chain[1:])]
        certified = Certified(
            found.signer,
            found.public,
            found.purpose,
            begins=max(one.not_valid_before_utc for one in chain),
            ends=min(one.not_valid_after_utc for one in chain),
        )
        links = tuple(
            Link(above, one.serial_number, one.not_valid_after_utc)
            for one, above in zip(chain, prints[1:], strict=False)
        )
        return _Walked(certified, links)

    def _chain(self, certificate: x509.Certificate, at: datetime) -> list[x509.Certificate]:
        """The certificate, the authorities above it, and a root of ours; `Untrusted` if there is no such way."""
        between = [one for one in self._authorities.values() if one not in self._roots]
        above = [one for one in between if one.subject == certificate.issuer]
        if any(map(signatures.is_foreign, (certificate, *above))):
            return walk.chain(certificate, between, self._roots, at=at)
        try:
            return self._policy.time(at).build_client_verifier().verify(certificate, between).chain
        except verification.VerificationError:
            raise Untrusted(Reason.UNTRUSTED_CHAIN) from None


def suites_of_roots(keys: Path) -> tuple[str, ...]:
    """
    Return the names of the suites that the roots of a folder of keys are of; errors as `Trust.load`, and `Untrusted`.
    """
    found = [suites.of_key(signatures.public_key(one)).name for one in _read(keys / ROOT_FILE)]
    return tuple(dict.fromkeys(found))


def _policy(roots: tuple[x509.Certificate, ...]) -> verification.PolicyBuilder:
    """
    What a path must be like (RFC 5280 §6). Purposes are ours to judge: `describe` and `issues` do.
    """
    anything = verification.ExtensionPolicy.permit_all()
    present = verification.Criticality
    ee = anything.require_present(x509.KeyUsage, present.CRITICAL, None).require_present(
        x509.ExtendedKeyUsage, present.AGNOSTIC, None
    )
    ca = verification.ExtensionPolicy.webpki_defaults_ca().may_be_present(x509.ExtendedKeyUsage, present.AGNOSTIC, None)
    store = verification.Store(list(roots))
    return verification.PolicyBuilder().store(store).extension_policies(ca_policy=ca, ee_policy=ee)


def _rank(one: RevocationList) -> tuple[int, datetime]:
    return one.number, one.this_update


_print = thumbprint


def _read(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())
