"""
The keys with which a platform answers for the authorities (`<code>/ocsp.locked.json`): one for each, for nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from rx_flow.crypto import suites
from rx_flow.crypto.keyrings import locked
from rx_flow.crypto.keyrings.files import read_pair
from rx_flow.crypto.keyrings.opaque import wipe
from rx_flow.crypto.pki import issuing
from rx_flow.crypto.pki.issuing import RESPONDER_DAYS
from rx_flow.crypto.pki.path import ROOT
from rx_flow.crypto.pki.register import OCSP_FILE, Authority

Pair = tuple[suites.PrivateKey, x509.Certificate]


def load(folder: Path, passphrase: str) -> dict[str, Pair]:
    """
    Return the responder's keys of an institution by the authority's name; none where it has no such file.

    `WrongPin` for a wrong passphrase, `Untrusted` for a file that is not this institution's.
    """
    try:
        data = (folder / OCSP_FILE).read_bytes()
    except FileNotFoundError:
        return {}
    found = locked.unlock(data, passphrase, owner=folder.name)
    try:
        names = [name.removesuffix(".crt") for name in found if name.endswith(".crt")]
        return {name: _pair(found, name) for name in names}
    finally:
        wipe(*found.values())


def certify(keys: Path, code: str, authority: Authority, passphrase: str, *, now: datetime) -> None:
    """
    Give institution `code` a responder's key for every issuing authority: where it has none, or half of its time is up.
    """
    have = load(keys / code, passphrase)
    half = timedelta(days=RESPONDER_DAYS) / 2
    secret: dict[str, bytes] = {}
    fresh = False
    for name, issuer in authority.issuers.items():
        if name == ROOT:
            continue
        pair = have.get(name)
        if pair is None or not pair[1].not_valid_before_utc <= now < pair[1].not_valid_after_utc - half:
            key = suites.of_key(issuer.key).generate()
            begins = (now - timedelta(days=1)).replace(microsecond=0)
            pair, fresh = (key, issuing.responder(issuer, code, key.public_key(), begins=begins)), True
        secret |= {f"{name}.key": suites.dump_private(pair[0]), f"{name}.crt": pair[1].public_bytes(Encoding.DER)}
    if fresh:
        locked.write(keys / code / OCSP_FILE, locked.lock(secret, passphrase, owner=code))


def _pair(found: Mapping[str, bytes | bytearray], name: str) -> Pair:
    return read_pair(found[f"{name}.key"]), x509.load_der_x509_certificate(bytes(found[f"{name}.crt"]))
