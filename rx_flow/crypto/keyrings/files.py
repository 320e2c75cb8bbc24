"""
Keyrings in locked files: an institution's (`keys/<code>/keys.locked.json`) and its practitioners' (`staff/`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from rx_flow.crypto import suites
from rx_flow.crypto.certificates import Purpose
from rx_flow.crypto.keyrings import locked
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.keyrings.opaque import wipe
from rx_flow.crypto.keyrings.ring import LOG, SECRET_BYTES, SECRETS, Found, Keyring, assemble, belongs, certificate

KEYS_FILE = "keys.locked.json"
STAFF = "staff"
SIGN = "sign"


class FromFile:
    """
    The private keys among the secrets of an unlocked file.
    """

    __slots__ = ("_found",)

    def __init__(self, found: Found) -> None:
        self._found = found

    def pair(self, name: str) -> suites.PrivateKey:
        """Return the private key of a certificate."""
        private = load_der_private_key(self._found[f"{name}.key"], password=None)
        assert isinstance(private, suites.PrivateKey)  # noqa: S101  authenticated: the authority wrote it
        return private

    def log(self, name: str) -> Ed25519PrivateKey:
        """Return the private key of a log."""
        return Ed25519PrivateKey.from_private_bytes(self._found[name])


def load(folder: Path, passphrase: str) -> Keyring:
    """
    Read an institution's folder (`keys/<code>`), named after its code; one argon2id, about 60 ms.

    `WrongPin` for a wrong passphrase, `Untrusted` for a file that is not this institution's, `OSError` for none.
    """
    found = locked.unlock((folder / KEYS_FILE).read_bytes(), passphrase, owner=folder.name)
    try:
        return assemble(folder.name, found, FromFile(found))
    finally:
        wipe(*found.values())


def unlock(folder: Path, person: str, pin: str) -> SigningKey:
    """
    Return a practitioner's signing key from the institution's folder; one argon2id, 60 ms: not on the event loop.

    `WrongPin` for a wrong PIN, `Untrusted` for a damaged file, `OSError` for a person without a key here.
    """
    found = locked.unlock(staff_file(folder, person).read_bytes(), pin, owner=person)
    try:
        certified = certificate(found, SIGN)
        belongs(certified, person, Purpose.DOCUMENT)
        return SigningKey(FromFile(found).pair(SIGN), certified)
    finally:
        wipe(*found.values())


def staff_file(folder: Path, person: str) -> Path:
    """
    Return where a practitioner's key lies; `FileNotFoundError` for what is no identifier of a person.
    """
    if not person.isalnum():  # an identifier from a request must not become a path
        raise FileNotFoundError(STAFF)
    return folder / STAFF / f"{person}.locked.json"


def fresh(logs: Iterable[str] = ()) -> dict[str, bytes]:
    """
    Return new symmetric secrets and log keys for an institution, by their names in the ring.
    """
    return {name: secrets.token_bytes(SECRET_BYTES) for name in (*SECRETS, *(f"{LOG}{log}" for log in logs))}


def logs_of(role: str, areas: Iterable[str]) -> tuple[str, ...]:
    """
    Return the names of an institution's log keys.

    A platform has one for each pooling area and one for checkpoints; hospitals and pharmacies are witnesses.
    """
    if role == "platform":
        return ("checkpoints", *sorted(areas))
    return ("witness",) if role in {"hospital", "pharmacy"} else ()


def add_logs(folder: Path, passphrase: str, names: Iterable[str]) -> None:
    """
    Make the log keys that an institution lacks, say for a further pooling area; `WrongPin` for a wrong passphrase.
    """
    missing = [name for name in names if not log_file(folder.parent, folder.name, name).exists()]
    if missing:
        path = folder / KEYS_FILE
        found = locked.unlock(path.read_bytes(), passphrase, owner=folder.name)
        made = {f"{LOG}{name}": secrets.token_bytes(SECRET_BYTES) for name in missing}
        locked.write(path, locked.lock({**made, **found}, passphrase, owner=folder.name))
        publish_logs(folder.parent, folder.name, {**made, **found})
        wipe(*found.values())


def publish_logs(keys: Path, code: str, found: Found) -> None:
    """
    Write the public half of each log key into `public/<code>.<name>.log.pub`: hex, a line for each, the newest last.

    Earlier lines stay: what was signed with an earlier key must still be verified.
    """
    for name in (each.removeprefix(LOG) for each in found if each.startswith(LOG)):
        public = Ed25519PrivateKey.from_private_bytes(found[f"{LOG}{name}"]).public_key().public_bytes_raw().hex()
        path = log_file(keys, code, name)
        earlier = path.read_text("ascii").split() if path.exists() else []
        if public not in earlier:
            locked.write(path, "".join(f"{one}\n" for one in (*earlier, public)).encode(), private=False)


def log_file(keys: Path, code: str, name: str) -> Path:
    """
    Return where the public keys of an institution's log are published.
    """
    return keys / "public" / f"{code}.{name}.log.pub"
