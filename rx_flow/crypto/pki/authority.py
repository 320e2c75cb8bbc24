"""
The development authority at work: keys and certificates for everybody who has none yet, and lists that are never old.

Everything that it issues is marked (certificate policy `profile.DEVELOPMENT`), so that production refuses it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from rx_flow.crypto import suites
from rx_flow.crypto.keyrings import files, locked
from rx_flow.crypto.keyrings.files import KEYS_FILE, SIGN, staff_file
from rx_flow.crypto.keyrings.ring import PAIRS
from rx_flow.crypto.pki import issuing, register, responders
from rx_flow.crypto.pki.issuing import Who
from rx_flow.crypto.pki.path import PUBLIC
from rx_flow.crypto.pki.profile import Purpose
from rx_flow.crypto.pki.register import AUTHORITY_FILE, OCSP_FILE, Authority

PASSPHRASE_FILE = "dev-passphrase"  # noqa: S105  the name of a file, not a secret
PINS_FILE = "dev-pins.json"
PIN_DIGITS = 6
PLATFORM = "platform"  # the role of who publishes lists and answers


@dataclass(frozen=True, slots=True)
class InstitutionSpec:
    """
    An institution to be certified: national code, role (a word of `law.Role`), name, and its pooling area (统筹区).

    Without an area it is that of its code: the six digits after the letter.
    """

    code: str
    role: str
    name: str
    area: str = ""

    @property
    def pooling_area(self) -> str:
        """The pooling area that the institution belongs to."""
        return self.area or self.code[1:7]


PersonSpec = Who


@dataclass(frozen=True, slots=True)
class Made:
    """
    What `init` has newly written; what was there already is not listed.
    """

    institutions: tuple[str, ...]
    people: tuple[str, ...]


class OtherSuite(ValueError):  # noqa: N818  It says what is the case.
    """
    The authority of a folder is of another suite than the one asked for; the text names it.
    """


def init(
    keys: Path,
    institutions: Iterable[InstitutionSpec],
    people: Iterable[PersonSpec],
    *,
    now: datetime,
    passphrase: str | None = None,
    force: bool = False,
    address: str = "",
    suite: suites.Suite = suites.DEFAULT,
) -> Made:
    """
    Write root, authorities and lists, and key files of everybody who has none yet; with `force`, of everybody anew.

    The authorities are of `suite` (`OtherSuite` where there are others already), and so is everybody's key.

    Without a passphrase a random one is made and kept in `keys/dev-passphrase`; PINs are always made and kept in
    `keys/dev-pins.json`; both 0600. Certificates are valid from the day before `now` (aware), for two years, and name
    `address` (`https://.../pki`, once for a folder) as the place of lists and answers. `WrongPin` when the folder was
    made with another passphrase. About 60 ms for every locked file.
    """
    with register.held(keys):
        secret = passphrase or _development_secret(keys, force=force)
        begins = (now - timedelta(days=1)).replace(microsecond=0)
        if (keys / AUTHORITY_FILE).exists() and not force:
            authority = register.load(keys, secret)
            if suite not in {suites.DEFAULT, *(suites.of_key(one.key) for one in authority.issuers.values())}:
                raise OtherSuite(suites.of_key(authority.root.key).name)
        else:
            authority = register.create(keys, secret, begins=begins, address=address, suite=suite)
        everybody = tuple(institutions)
        made_institutions = []
        areas = {one.pooling_area for one in everybody}
        for one in everybody:
            logs = files.logs_of(one.role, areas)
            if force or not files.has_keys(keys / one.code):
                _institution(keys, one, authority, begins=begins, passphrase=secret, logs=logs)
                made_institutions.append(one.code)
            else:
                files.add_logs(keys / one.code, secret, logs)
            if one.role == PLATFORM:
                responders.certify(keys, one.code, authority, secret, now=now)
        made_people = _people(keys, people, authority, begins=begins, force=force)
        if register.due(keys, now):
            register.publish(keys, authority, now=now)
    return Made(tuple(made_institutions), made_people)


def freshen(keys: Path, now: datetime) -> bool:
    """
    Write the lists of a development folder anew where they are a day old, and give responders certificates that last.

    True if anything was written. Does nothing in a folder without the authority's keys: there the lists come from
    outside. Cheap where nothing is due: the lists are read and no key is touched.
    """
    if not ((keys / AUTHORITY_FILE).exists() and (keys / PASSPHRASE_FILE).exists() and register.due(keys, now)):
        return False
    with register.held(keys):
        if not register.due(keys, now):
            return True  # another process was first
        secret = development_passphrase(keys)
        authority = register.load(keys, secret)
        respond(keys, authority, secret, now=now)
        register.publish(keys, authority, now=now)
    return True


def respond(keys: Path, authority: Authority, passphrase: str, *, now: datetime) -> None:
    """
    Give everybody who answers for the authorities a certificate that lasts, for a new authority too.
    """
    for path in sorted(keys.glob(f"*/{OCSP_FILE}")):
        responders.certify(keys, path.parent.name, authority, passphrase, now=now)


def development_passphrase(keys: Path) -> str:
    """
    Return the passphrase that `init` made for this folder; `OSError` when there is none.
    """
    return (keys / PASSPHRASE_FILE).read_text("utf-8").strip()


def development_pins(keys: Path) -> dict[str, str]:
    """
    Return the PINs that `init` made, by practitioner; empty when there are none.
    """
    path = keys / PINS_FILE
    return {str(who): str(pin) for who, pin in json.loads(path.read_text("utf-8")).items()} if path.exists() else {}


def pair(
    keys: Path, authority: Authority, who: Who, name: str, *, purpose: Purpose, begins: datetime, public: str
) -> dict[str, bytes]:
    """
    Make a key of the issuing authority's suite, certify and publish it, and return both as a locked file names them.
    """
    suite = suites.of_key(authority.issuer(who.kind).key)
    private = suite.generate_reader() if purpose is Purpose.PACKAGE else suite.generate()
    certificate = certify(keys, authority, who, private.public_key(), purpose=purpose, begins=begins, public=public)
    return {f"{name}.key": suites.dump_private(private), f"{name}.crt": certificate}


def certify(
    keys: Path,
    authority: Authority,
    who: Who,
    key: suites.PublicKey,
    *,
    purpose: Purpose,
    begins: datetime,
    public: str,
) -> bytes:
    """
    Certify a key, write the certificate as `public/<public>.pem`, and return its DER.

    One that stands under that name already stays, under its own number: what it signed is still verified.
    """
    certificate = issuing.leaf(authority.issuer(who.kind), who, key, purpose=purpose, begins=begins)
    path = keys / PUBLIC / f"{public}.pem"
    if path.exists():
        earlier = x509.load_pem_x509_certificate(path.read_bytes())
        path.rename(path.with_name(f"{public}.{earlier.serial_number:x}.pem"))
    locked.write(path, certificate.public_bytes(Encoding.PEM), private=False)
    return certificate.public_bytes(Encoding.DER)


def _development_secret(keys: Path, *, force: bool) -> str:
    path = keys / PASSPHRASE_FILE
    if force or not path.exists():
        locked.write(path, (secrets.token_urlsafe(24) + "\n").encode())
    return development_passphrase(keys)


def _people(
    keys: Path, people: Iterable[PersonSpec], authority: Authority, *, begins: datetime, force: bool
) -> tuple[str, ...]:
    pins = {} if force else development_pins(keys)
    made = []
    for person in people:
        path = staff_file(keys / person.institution, person.id)
        if force or not path.exists():
            pins[person.id] = "".join(secrets.choice("0123456789") for _ in range(PIN_DIGITS))
            # The PIN is on disk before the file that it locks: a crash leaves a PIN too many, never a key without one.
            locked.write(keys / PINS_FILE, json.dumps(pins, indent=1, sort_keys=True).encode())
            secret = pair(keys, authority, person, SIGN, purpose=Purpose.DOCUMENT, begins=begins, public=person.id)
            locked.write(path, locked.lock(secret, pins[person.id], owner=person.id))
            made.append(person.id)
    return tuple(made)


def _institution(
    keys: Path, one: InstitutionSpec, authority: Authority, *, begins: datetime, passphrase: str, logs: Iterable[str]
) -> None:
    who = Who(one.code, one.role, one.code, one.name)
    secret = files.fresh(logs)
    for name, purpose in PAIRS.items():
        secret |= pair(keys, authority, who, name, purpose=purpose, begins=begins, public=f"{one.code}.{name}")
    locked.write(keys / one.code / KEYS_FILE, locked.lock(secret, passphrase, owner=one.code))
    files.publish_logs(keys, one.code, secret)
