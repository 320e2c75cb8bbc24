"""
An institution's keyring: a key for each purpose, never one for two, wherever they are kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import final

from cryptography import x509

from rx_flow.crypto import pickup
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings.kept import Kept, open_kept
from rx_flow.crypto.keyrings.keys import AtRest, LogKey, OpeningKey, SigningKey
from rx_flow.crypto.keyrings.opaque import Opaque, Secret, wipe
from rx_flow.crypto.pki.profile import Certified, Purpose, describe, is_development

PAIRS = {"seal": Purpose.DOCUMENT, "open": Purpose.PACKAGE, "token": Purpose.TOKEN}
SECRETS = ("at_rest", "pseudonym", "pickup", "pickup_index", "access_token")
SECRET_BYTES = 32
LOG = "log."  # what the names of log keys begin with among an institution's secrets

Found = Mapping[str, bytes | bytearray]


@final
@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Keyring(Opaque):
    """
    The keys of one institution. Nothing secret shows in its repr; it cannot be copied or pickled.
    """

    code: str
    seal: SigningKey
    opening: OpeningKey
    token: SigningKey
    at_rest: AtRest
    is_development: bool
    _kept: Kept
    _logs: Mapping[str, LogKey]
    _secrets: Mapping[str, Secret]

    @staticmethod
    def load(folder: Path, passphrase: str, where: str = "") -> Keyring:
        """
        Open an institution's keys (`keys/<code>`) in its file, or with `where` (`pkcs11:...`) in a token; about 60 ms.

        `passphrase` locks the file, or is the token's PIN. `WrongPin` when it is wrong; `Untrusted` for what is unfit;
        `OSError` where there are no keys or no such token; `ValueError` for an address that is none.
        """
        keeping = open_kept(folder, passphrase, where)
        try:
            found = keeping.read()
            try:
                return assemble(found, keeping)
            finally:
                wipe(*found.values())
        except BaseException:
            keeping.close()
            raise

    def close(self) -> None:
        """Let go of the token, where the keys are in one: they are of no use after that."""
        self._kept.close()

    def _shown(self) -> str:
        return f"of {self.code}"

    @property
    def access_token_secret(self) -> bytes:
        """The secret under which this institution's access tokens are made and checked."""
        return self._secrets["access_token"].reveal()

    @property
    def log_names(self) -> tuple[str, ...]:
        """What this institution signs as a log or witness for, in order."""
        return tuple(sorted(self._logs))

    def log_key(self, name: str) -> LogKey:
        """Return the Ed25519 key of a log: a pooling area, `checkpoints`, `witness`; `KeyError` for none of ours."""
        return self._logs[name]

    def pseudonym(self, id_type: str, id_number: str, *, domain: str = "patient") -> str:
        """Return the keyed pseudonym (hex) of a person in `domain`, by their identity document; useless without key."""
        return self._secrets["pseudonym"].mac(f"{domain}\0{id_type}|{id_number}").hex()

    def pickup_code(self, rx: str) -> str:
        """Return the patient's code for a prescription of this hospital; derived, so that it need not be stored."""
        return pickup.code(self._secrets["pickup"].mac(rx))

    def pickup_index(self, code_sha256: str) -> str:
        """Return what the platform stores and looks up for a pick-up code: a keyed hash (hex) of its hash."""
        return self._secrets["pickup_index"].mac(code_sha256).hex()


def assemble(found: Found, keeping: Kept) -> Keyring:
    """
    Return the keyring of an institution from its entries, and from where its private keys are kept.

    `Untrusted` where a key is missing, is another's or for something else than its place, or serves two purposes.
    """
    code = keeping.folder.name
    earlier = older(found, "open")
    names = (*PAIRS, *earlier)
    if not found.keys() >= {*SECRETS, *(f"{name}.{end}" for name in names for end in ("key", "crt"))}:
        raise Untrusted(Reason.BAD_KEY_FILE, "a key is missing")
    if any(len(found[name]) != SECRET_BYTES for name in (*SECRETS, *older(found, "at_rest"))):
        raise Untrusted(Reason.BAD_KEY_FILE, "a secret is too short")
    certified = {name: certificate(found, name) for name in names}
    for name, one in certified.items():
        belongs(one, code, PAIRS[name.partition(".")[0]])
    _apart(found, certified)
    private = {name: keeping.pair(found[f"{name}.key"]) for name in names}
    return Keyring(
        code,
        seal=SigningKey(private["seal"], certified["seal"]),
        opening=OpeningKey(
            private["open"], certified["open"], [OpeningKey(private[name], certified[name]) for name in earlier]
        ),
        token=SigningKey(private["token"], certified["token"]),
        at_rest=AtRest(found["at_rest"], [found[name] for name in older(found, "at_rest")]),
        is_development=is_development(x509.load_der_x509_certificate(bytes(found["seal.crt"]))),
        _kept=keeping,
        _logs={
            name.removeprefix(LOG): LogKey(name.removeprefix(LOG), keeping.log(found[name])) for name in logs(found)
        },
        _secrets={name: Secret(found[name]) for name in SECRETS},
    )


def certificate(found: Found, name: str) -> Certified:
    """
    Return what the certificate of a key says of itself.
    """
    return describe(x509.load_der_x509_certificate(bytes(found[f"{name}.crt"])))


def belongs(one: Certified, owner: str, purpose: Purpose) -> None:
    """
    Return if a certificate names `owner` and is for `purpose`; raise `Untrusted` if not.
    """
    if one.signer.id != owner:
        raise Untrusted(Reason.BAD_KEY_FILE, "the certificate names somebody else")
    if one.purpose is not purpose:
        raise Untrusted(Reason.WRONG_USAGE, "the certificate is for another purpose")


def older(found: Found, name: str) -> list[str]:
    """
    Return the names of a key's predecessors (`open.1`, `at_rest.2`), the latest first.
    """
    numbers = {int(match[1]) for each in found if (match := re.fullmatch(rf"{name}\.(\d+)(?:\.key|\.crt)?", each))}
    return [f"{name}.{number}" for number in sorted(numbers, reverse=True)]


def logs(found: Found) -> list[str]:
    """
    Return the entries of log keys.
    """
    return [name for name in found if name.startswith(LOG)]


def _apart(found: Found, certified: Mapping[str, Certified]) -> None:
    """No key serves two purposes: neither a secret under two names, nor a pair under two certificates."""
    secret = [hashlib.sha256(value).digest() for name, value in found.items() if not name.endswith(".crt")]
    public = [one.public for one in certified.values()]
    if len(set(secret)) != len(secret) or any(one == other for one, other in combinations(public, 2)):
        raise Untrusted(Reason.BAD_KEY_FILE, "one key for two purposes")
