"""
The one interface to where an institution's keys are kept: in a locked file (`files`) or in a token (`hsm`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rx_flow.crypto import suites
from rx_flow.crypto.keyrings.locked import Secrets

Value = bytes | bytearray


class Unreachable(OSError):  # noqa: N818  It says what is the case.
    """
    The token does not answer as it should: not there, locked by itself, or broken.
    """


class Kept(Protocol):
    """
    A keyring as it lies somewhere. Its entries have names: `seal.key`, `seal.crt`, `at_rest`, `log.350100` and so on.

    Certificates and symmetric secrets are entries as they are. The entry of a private key is what this keeping needs to
    come to it: the key itself in a file, the label of an object in a token.
    """

    @property
    def folder(self) -> Path:
        """The institution's folder, named after its code."""

    def read(self) -> Secrets:
        """Return the entries, in buffers that the caller wipes."""

    def write(self, found: Secrets) -> None:
        """Replace the entries, whole or not at all."""

    def pair(self, value: Value) -> suites.PrivateKey:
        """Return the private key of a certificate, by its entry."""

    def log(self, value: Value) -> Ed25519PrivateKey:
        """Return the private key of a log, by its entry."""

    def new_pair(self, name: str, suite: suites.Suite) -> tuple[bytes, suites.PublicKey]:
        """Make a key pair of a suite; return the entry of its private key, and the public key. `UNKNOWN_SUITE`."""

    def new_log(self, name: str) -> bytes:
        """Make a log key; return its entry."""

    def destroy(self, value: Value) -> None:
        """Do away with a private key that no entry leads to any more."""

    def close(self) -> None:
        """Let go of whatever had to be opened. Keys that were handed out are of no use after that in a token."""


def open_kept(folder: Path, passphrase: str, where: str = "") -> Kept:
    """
    Open an institution's keys in its folder (`keys/<code>`), or with `where` (`pkcs11:...`) in a token.

    `passphrase` locks the file, or is the token's PIN. Raises `WrongPin`; `Unreachable` where there is no such token.
    """
    if not where:
        from rx_flow.crypto.keyrings.files import InFile  # noqa: PLC0415  Each keeping is loaded where it is used.

        return InFile(folder, passphrase)
    from rx_flow.crypto.keyrings.hsm import InToken  # noqa: PLC0415  python-pkcs11 is an extra.

    return InToken.open(folder, passphrase, where)
