"""
How keys change: a new one in the place of an old one, a file moved into a token, another PIN.

A site takes up new keys when it is started anew. What the old ones are needed for stays possible: packages sealed for
an old key open, what was stored under an old key can be read, signatures stay good under their certificates.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rx_flow.crypto import suites
from rx_flow.crypto.errors import WrongPin
from rx_flow.crypto.keyrings import locked
from rx_flow.crypto.keyrings.files import KEYS_FILE, InFile, publish_log, read_pair, staff_file
from rx_flow.crypto.keyrings.kept import Kept
from rx_flow.crypto.keyrings.locked import Secrets
from rx_flow.crypto.keyrings.opaque import wipe
from rx_flow.crypto.keyrings.ring import LOG, PAIRS, SECRET_BYTES, assemble, certificate, logs, older

if TYPE_CHECKING:
    from rx_flow.crypto.keyrings.hsm import InToken

# What may be replaced alone. The pseudonym's and the pick-up codes' secrets may not: what was derived from them is in
# databases and in patients' hands, and would be found no more.
ROTATED = ("seal", "open", "token", "log", "access_token", "at_rest")
KEEPS = frozenset({"open", "at_rest"})  # whose predecessors stay, for reading

# Certify a public key for a purpose (`seal`, `open`, `token`), publish the certificate, and return its DER.
Certify = Callable[[str, suites.PublicKey], bytes]


def rotate(keeping: Kept, purpose: str, *, certify: Certify, log: str = "", suite: suites.Suite | None = None) -> None:
    """
    Put a new key in the place of the one for `purpose` (one of `ROTATED`; for `log`, that log's, or every one).

    A new pair is of `suite`, or of that of the old one.

    The new key is on disk before the old one is destroyed. `WrongPin` and `OSError` as `Kept.read`; `KeyError` for a
    log that the institution does not have.
    """
    found = keeping.read()
    before = tuple(found.values())
    gone: list[bytes] = []
    try:
        if purpose in PAIRS:
            gone = _pair(keeping, found, purpose, certify, suite)
        elif purpose == "log":
            for name in [LOG + log] if log else logs(found):
                gone.append(bytes(found[name]))
                found[name] = bytearray(keeping.new_log(name))
        else:
            _secret(found, purpose)
        ring = assemble(found, keeping)  # what could not be opened again is not written
        keeping.write(found)
        for name in ring.log_names:
            publish_log(keeping.folder.parent, ring.code, name, ring.log_key(name).public)
        for value in gone:
            keeping.destroy(value)
    finally:
        wipe(*before, *found.values())


def into_token(folder: Path, passphrase: str, token: InToken) -> None:
    """
    Bring an institution's private keys from its locked file into a token, and remove the file.

    `WrongPin` for a wrong passphrase. Whoever has a copy of the file and its passphrase still has the keys: rotate them
    afterwards, in the token, if that must not be.
    """
    file = InFile(folder, passphrase)
    found = file.read()
    brought: dict[str, bytearray] = {}
    try:
        for name in (*PAIRS, *older(found, "open")):
            brought[f"{name}.key"] = bytearray(token.bring_pair(name, read_pair(found[f"{name}.key"])))
        for name in logs(found):
            brought[name] = bytearray(token.bring_log(name, file.log(found[name])))
        assemble({**found, **brought}, token)
        token.write({**found, **brought})
    except BaseException:
        for value in brought.values():
            token.destroy(value)
        raise
    finally:
        wipe(*found.values())
    (folder / KEYS_FILE).unlink()


def change_pin(folder: Path, person: str, old: str, new: str) -> None:
    """
    Lock a practitioner's key with another PIN; `WrongPin` for a wrong old one, `OSError` for a person without a key.
    """
    _relock(staff_file(folder, person), old, new, owner=person)


def change_passphrase(folder: Path, old: str, new: str) -> None:
    """
    Lock an institution's keys with another passphrase, and what else of it the old one locks.

    `WrongPin` for a wrong old one, `OSError` for none. The keys come last: after a crash between two files the old
    passphrase still opens them, and doing it again finishes it.
    """
    if not (folder / KEYS_FILE).exists():
        raise FileNotFoundError(KEYS_FILE)
    for path in sorted(folder.glob("*.locked.json"), key=lambda path: path.name == KEYS_FILE):
        try:
            _relock(path, old, new, owner=folder.name)
        except WrongPin:
            if path.name == KEYS_FILE:
                raise
            wipe(*locked.unlock(path.read_bytes(), new, owner=folder.name).values())  # done before the crash


def _relock(path: Path, old: str, new: str, *, owner: str) -> None:
    found = locked.unlock(path.read_bytes(), old, owner=owner)
    try:
        locked.write(path, locked.lock(found, new, owner=owner))
    finally:
        wipe(*found.values())


def _pair(keeping: Kept, found: Secrets, name: str, certify: Certify, suite: suites.Suite | None) -> list[bytes]:
    """Put a new pair in; return the entry of the old one where it is not kept."""
    entry, public = keeping.new_pair(name, suite or suites.of_key(certificate(found, name).public))
    before = {end: found[f"{name}.{end}"] for end in ("key", "crt")}
    found[f"{name}.key"], found[f"{name}.crt"] = bytearray(entry), bytearray(certify(name, public))
    if name not in KEEPS:
        return [bytes(before["key"])]
    kept = _next(found, name)
    found |= {f"{kept}.{end}": value for end, value in before.items()}
    return []


def _secret(found: Secrets, name: str) -> None:
    old = found[name]
    if name in KEEPS:
        found[_next(found, name)] = old
    found[name] = bytearray(secrets.token_bytes(SECRET_BYTES))


def _next(found: Secrets, name: str) -> str:
    earlier = older(found, name)
    return f"{name}.{1 + int(earlier[0].rpartition('.')[2]) if earlier else 1}"
