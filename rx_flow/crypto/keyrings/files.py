"""
Keyrings in locked files: an institution's (`keys/<code>/keys.locked.json`) and its practitioners' (`staff/`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rx_flow.crypto import suites
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.keyrings import locked
from rx_flow.crypto.keyrings.kept import Value
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.keyrings.locked import Secrets
from rx_flow.crypto.keyrings.opaque import Opaque, wipe
from rx_flow.crypto.keyrings.ring import LOG, SECRET_BYTES, SECRETS, Found, belongs, certificate, logs
from rx_flow.crypto.pki.profile import Purpose

KEYS_FILE = "keys.locked.json"
TOKEN_FILE = "token.locked.json"  # noqa: S105  the name of a file, not a secret; beside a token, see `hsm`
STAFF = "staff"
SIGN = "sign"


class InFile(Opaque):
    """
    An institution's keys in a file that a passphrase locks.
    """

    __slots__ = ("_passphrase", "folder")

    def __init__(self, folder: Path, passphrase: str) -> None:
        self.folder = folder
        self._passphrase = passphrase

    def read(self) -> Secrets:
        """Return the entries: one argon2id, 60 ms. `WrongPin`; `Untrusted` for another's file; `OSError` for none."""
        return locked.unlock((self.folder / KEYS_FILE).read_bytes(), self._passphrase, owner=self.folder.name)

    def write(self, found: Secrets) -> None:
        """Replace the entries."""
        locked.write(self.folder / KEYS_FILE, locked.lock(found, self._passphrase, owner=self.folder.name))

    def pair(self, value: Value) -> suites.PrivateKey:
        """Return the private key of a certificate."""
        return read_pair(value)

    def log(self, value: Value) -> Ed25519PrivateKey:
        """Return the private key of a log."""
        return Ed25519PrivateKey.from_private_bytes(value)

    def new_pair(self, name: str, suite: suites.Suite) -> tuple[bytes, suites.PublicKey]:
        """Make a pair."""
        private = suite.generate_reader() if name == "open" else suite.generate()
        return suite.dump_private(private), private.public_key()

    def new_log(self, name: str) -> bytes:
        """Make a log key."""
        _ = name
        return secrets.token_bytes(SECRET_BYTES)

    def destroy(self, value: Value) -> None:
        """Nothing is left where the file no longer has it."""

    def close(self) -> None:
        """Nothing was opened."""


def read_pair(value: Value) -> suites.PrivateKey:
    """
    Return the private key of an entry; `Untrusted(BAD_KEY_FILE)` for none of any suite.
    """
    with suppress(Untrusted):  # the default suite reads the buffer itself, the others want a copy
        return suites.DEFAULT.load_private(cast("bytes", value))  # type: ignore[no-any-return]  # of that suite
    return suites.load_private(bytes(value))


def unlock(folder: Path, person: str, pin: str) -> SigningKey:
    """
    Return a practitioner's signing key from the institution's folder; one argon2id, 60 ms: not on the event loop.

    `WrongPin` for a wrong PIN, `Untrusted` for a damaged file, `OSError` for a person without a key here.
    """
    found = locked.unlock(staff_file(folder, person).read_bytes(), pin, owner=person)
    try:
        certified = certificate(found, SIGN)
        belongs(certified, person, Purpose.DOCUMENT)
        return SigningKey(read_pair(found[f"{SIGN}.key"]), certified)
    finally:
        wipe(*found.values())


def has_keys(folder: Path) -> bool:
    """
    Return whether an institution has keys already, in a file or in a token.
    """
    return (folder / KEYS_FILE).exists() or (folder / TOKEN_FILE).exists()


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
    Make the log keys that an institution lacks, say for a further pooling area; not in a token, whose PIN nobody gave.

    `WrongPin` for a wrong passphrase.
    """
    missing = [name for name in names if not log_file(folder.parent, folder.name, name).exists()]
    if missing and (folder / KEYS_FILE).exists():
        keeping = InFile(folder, passphrase)
        found = keeping.read()
        found |= {f"{LOG}{name}": bytearray(keeping.new_log(name)) for name in missing}
        keeping.write(found)
        publish_logs(folder.parent, folder.name, found)
        wipe(*found.values())


def publish_logs(keys: Path, code: str, found: Found) -> None:
    """
    Publish the public half of each log key among the entries of a file.
    """
    for entry in logs(found):
        public = Ed25519PrivateKey.from_private_bytes(found[entry]).public_key().public_bytes_raw()
        publish_log(keys, code, entry.removeprefix(LOG), public)


def publish_log(keys: Path, code: str, name: str, public: bytes) -> None:
    """
    Write a log's public key into `public/<code>.<name>.log.pub`: hex, a line for each key, the newest last.

    Earlier lines stay: what was signed with an earlier key must still be verified.
    """
    path = log_file(keys, code, name)
    earlier = path.read_text("ascii").split() if path.exists() else []
    if public.hex() not in earlier:
        locked.write(path, "".join(f"{one}\n" for one in (*earlier, public.hex())).encode(), private=False)


def read_logs(keys: Path, code: str) -> dict[str, tuple[bytes, ...]]:
    """
    Return the published keys of an institution's logs by name, each with the newest last; none where none are.

    `ValueError` for a file that is not hex.
    """
    found = sorted((keys / "public").glob(f"{code}.*.log.pub"))
    return {
        path.name.split(".")[1]: tuple(bytes.fromhex(line) for line in path.read_text("ascii").split())
        for path in found
    }


def log_file(keys: Path, code: str, name: str) -> Path:
    """
    Return where the public keys of an institution's log are published.
    """
    return keys / "public" / f"{code}.{name}.log.pub"
