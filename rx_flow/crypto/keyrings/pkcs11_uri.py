"""
Which token is meant: the part of a PKCS #11 URI (RFC 7512) that says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

SCHEME = "pkcs11:"


@dataclass(frozen=True, slots=True)
class Where:
    """
    A token: the shared library of its maker, and its label there.
    """

    module: str
    label: str


def parse(uri: str, *, code: str) -> Where:
    """
    Read `pkcs11:token=LABEL?module-path=/usr/lib/softhsm/libsofthsm2.so`; without a label it is the institution's code.

    `ValueError` for anything else, above all for a PIN (`pin-value`): addresses are written down and logged.
    """
    path, _, query = uri.removeprefix(SCHEME).partition("?")
    given = dict(part.partition("=")[::2] for part in (*path.split(";"), *query.split("&")) if part)
    if not uri.startswith(SCHEME) or given.keys() - {"token", "module-path"} or "module-path" not in given:
        raise ValueError("not of the form pkcs11:token=LABEL?module-path=FILE")
    return Where(unquote(given["module-path"]), unquote(given.get("token", code)))
