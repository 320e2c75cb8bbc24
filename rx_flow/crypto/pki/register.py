"""
The development authority's own files: its keys, what it has revoked, the lists and certificates that it publishes.

The only place that writes `authority.locked.json`, `authorities/` and `lists/`. One process at a time: whoever changes
something holds the folder's lock (`held`).
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.keyrings import locked
from rx_flow.crypto.keyrings.files import read_pair
from rx_flow.crypto.keyrings.opaque import wipe
from rx_flow.crypto.pki import issuing, lists
from rx_flow.crypto.pki.issuing import ROOT_NAME, Issuer, Kind
from rx_flow.crypto.pki.lists import Revoked
from rx_flow.crypto.pki.path import AUTHORITIES, LISTS, PUBLIC, ROOT, ROOT_FILE

AUTHORITY_FILE = "authority.locked.json"
OCSP_FILE = "ocsp.locked.json"  # in a platform's own folder: see `responders`
_ADDRESS, _REVOKED = "address", "revoked"  # beside keys and certificates in the locked file
LIST_LASTS = timedelta(days=10)  # as the CA/Browser Forum allows at most (Baseline Requirements §4.9.7)
LIST_RENEWED = timedelta(days=1)  # a list older than this is written anew


@dataclass(frozen=True, slots=True)
class Authority:
    """
    Root and issuing authorities by name, all there have been, and what each has revoked. The newest of a kind issues.
    """

    issuers: Mapping[str, Issuer]
    revoked: Mapping[str, tuple[Revoked, ...]] = field(default_factory=dict)

    @property
    def root(self) -> Issuer:
        """The root, which certifies authorities and nobody else."""
        return self.issuers[ROOT]

    def issuer(self, kind: Kind) -> Issuer:
        """The authority that issues for a kind of holder now."""
        return self.issuers[f"{kind}-{self.generation(kind)}"]

    def generation(self, kind: Kind) -> int:
        """How many authorities of a kind there have been."""
        return sum(name.startswith(f"{kind}-") for name in self.issuers)


@contextmanager
def held(keys: Path) -> Iterator[None]:
    """
    Keep every other process from changing the authority's files meanwhile.
    """
    keys.mkdir(parents=True, exist_ok=True)
    handle = os.open(keys, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def create(
    keys: Path, passphrase: str, *, begins: datetime, address: str, suite: suites.Suite = suites.DEFAULT
) -> Authority:
    """
    Make a new root and an issuing authority of each kind, and write them down; nothing is revoked yet.
    """
    key = suite.generate()
    first = Issuer(ROOT, key, issuing.root(key, begins=begins), address)
    made = Authority({ROOT: first})
    for kind in Kind:
        made = _with(made, kind, begins=begins, suite=suite)
    for earlier in (f"{PUBLIC}/*.pem", f"{AUTHORITIES}/*.pem", f"{LISTS}/*.crl", f"*/{OCSP_FILE}"):
        for path in keys.glob(earlier):
            path.unlink()  # of the root before, where everything is made anew
    _save(keys, made, passphrase)
    return made


def load(keys: Path, passphrase: str) -> Authority:
    """
    Open the authority of a folder; `WrongPin` for another passphrase, `OSError` for none, `ValueError` for an old one.
    """
    found = locked.unlock((keys / AUTHORITY_FILE).read_bytes(), passphrase, owner=ROOT_NAME)
    try:
        names = [name.removesuffix(".crt") for name in found if name.endswith(".crt")]
        if len(names) == 1:
            raise ValueError("these keys were made by an earlier version, whose root had no issuing authorities")
        address = found[_ADDRESS].decode()
        told = json.loads(found[_REVOKED])
        return Authority(
            {name: _issuer(found, name, address) for name in names},
            {name: tuple(map(_entry, entries)) for name, entries in told.items()},
        )
    finally:
        wipe(*found.values())


def roll(
    keys: Path,
    found: Authority,
    kind: Kind,
    passphrase: str,
    *,
    begins: datetime,
    suite: suites.Suite | None = None,
) -> Authority:
    """
    Add a further issuing authority under the same root, which issues from now on; what the earlier one issued stays.

    It is of the same suite as that, or of `suite`: so keys change over to another suite one by one.
    """
    made = _with(found, kind, begins=begins, suite=suite or suites.of_key(found.issuer(kind).key))
    _save(keys, made, passphrase)
    return made


def revoke(keys: Path, found: Authority, issuer: str, entries: Iterable[Revoked], passphrase: str) -> Authority:
    """
    Write down that certificates of an authority do not count any more.

    What was revoked before stays so since then; only that it was so earlier still, and why, can be learned later.
    """
    known = {one.serial: one for one in found.revoked.get(issuer, ())}
    for one in entries:
        before = known.get(one.serial)
        if before is None:
            known[one.serial] = one
        elif one.since < before.since:
            known[one.serial] = replace(one, at=before.at)
    made = replace(found, revoked={**found.revoked, issuer: tuple(known.values())})
    _save(keys, made, passphrase)
    return made


def publish(keys: Path, found: Authority, *, now: datetime) -> None:
    """
    Write the list of every authority anew: what stands in the register, and what stood in the list before.
    """
    at = now.replace(microsecond=0)
    for name, issuer in found.issuers.items():
        path = keys / LISTS / f"{name}.crl"
        before = _before(path, issuer)
        entries = {} if before is None else dict(before.revoked)
        entries |= {one.serial: one for one in found.revoked.get(name, ())}
        # A number that only grows, also where the last list was lost.
        number = max(int(at.timestamp()), 0 if before is None else before.number + 1)
        raw = lists.write(
            issuer.certificate,
            issuer.key,
            entries.values(),
            number=number,
            this_update=at,
            next_update=at + LIST_LASTS,
        )
        locked.write(path, raw, private=False)


def due(keys: Path, now: datetime) -> bool:
    """
    True where a list of this folder is missing, damaged, or a day old.
    """
    names = [ROOT, *(path.stem for path in (keys / AUTHORITIES).glob("*.pem"))]
    try:
        parsed = [lists.parse((keys / LISTS / f"{name}.crl").read_bytes()) for name in names]
    except (OSError, Untrusted):
        return True
    return any(not one.last_update_utc <= now < one.last_update_utc + LIST_RENEWED for one in parsed)


def _with(found: Authority, kind: Kind, *, begins: datetime, suite: suites.Suite) -> Authority:
    number = found.generation(kind) + 1
    key = suite.generate()
    certificate = issuing.authority(found.root, kind, key.public_key(), number=number, begins=begins)
    made = replace(found.root, name=f"{kind}-{number}", key=key, certificate=certificate)
    return replace(found, issuers={**found.issuers, made.name: made})


def _save(keys: Path, found: Authority, passphrase: str) -> None:
    told = {name: [_told(one) for one in entries] for name, entries in sorted(found.revoked.items())}
    secret = {_ADDRESS: found.root.address.encode(), _REVOKED: json.dumps(told).encode()}
    for name, issuer in found.issuers.items():
        certificate = issuer.certificate.public_bytes(Encoding.DER)
        secret |= {f"{name}.key": suites.dump_private(issuer.key), f"{name}.crt": certificate}
        path = keys / ROOT_FILE if name == ROOT else keys / AUTHORITIES / f"{name}.pem"
        locked.write(path, issuer.certificate.public_bytes(Encoding.PEM), private=False)
    locked.write(keys / AUTHORITY_FILE, locked.lock(secret, passphrase, owner=ROOT_NAME))


def _issuer(found: Mapping[str, bytes | bytearray], name: str, address: str) -> Issuer:
    certificate = x509.load_der_x509_certificate(bytes(found[f"{name}.crt"]))
    return Issuer(name, read_pair(found[f"{name}.key"]), certificate, address)


def _before(path: Path, issuer: Issuer) -> lists.RevocationList | None:
    try:
        return lists.read(lists.parse(path.read_bytes()), issuer.certificate)
    except (OSError, Untrusted):
        return None  # what was revoked stands in the register as well


def _entry(told: Mapping[str, str | None]) -> Revoked:
    since = told["invalid_since"]
    return Revoked(
        int(str(told["serial"]), 16),
        datetime.fromisoformat(str(told["at"])),
        str(told["why"]),
        None if since is None else datetime.fromisoformat(since),
    )


def _told(one: Revoked) -> dict[str, str | None]:
    since = one.invalid_since
    return {
        "serial": f"{one.serial:x}",
        "at": one.at.isoformat(),
        "why": one.why,
        "invalid_since": None if since is None else since.isoformat(),
    }
