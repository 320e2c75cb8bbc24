"""
What a platform publishes of certificates and lists: the table of contents, and files that others keep of it.

Nothing of it is believed for being published: a certificate counts by its chain, a list by its issuer's signature.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings import locked
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import thumbprint

MEDIA_CERTIFICATE = "application/pkix-cert"  # RFC 2585
MEDIA_LIST = "application/pkix-crl"
MEDIA_CHAIN = "application/pem-certificate-chain"  # RFC 8555 §9.1


@dataclass(frozen=True, slots=True)
class Published:
    """
    One authority: the name of its files, its certificate's thumbprint, and its last list's number and time, if any.
    """

    name: str
    thumbprint: str
    number: int | None = None
    this_update: datetime | None = None
    next_update: datetime | None = None
    revoked: int = 0


@dataclass(frozen=True, slots=True)
class Index:
    """
    Every authority, and the digest (hex) of all other certificates' thumbprints: equal where nothing new is known.
    """

    authorities: tuple[Published, ...]
    certificates: str


def index(trust: Trust) -> Index:
    """
    Return the table of contents of what is known here.
    """
    found = []
    for name, print_ in trust.names.items():
        last = trust.lists.get(print_)
        if last is None:
            found.append(Published(name, print_))
        else:
            counts = (last.number, last.this_update, last.next_update, len(last.revoked))
            found.append(Published(name, print_, *counts))
    return Index(tuple(found), digest(trust))


def digest(trust: Trust) -> str:
    """
    Return what is equal where two sites know the same certificates: SHA-256 (hex) over their thumbprints in order.
    """
    return hashlib.sha256("\n".join(sorted(trust.certificates)).encode()).hexdigest()


def read(body: bytes) -> Index:
    """
    Return the table of contents that another site answered; `Untrusted(MALFORMED)` for anything else.
    """
    try:
        found = json.loads(body)
        authorities = [_published(one) for one in found["authorities"]]
        return Index(tuple(authorities), str(found["certificates"]))
    except (KeyError, TypeError, ValueError):
        raise Untrusted(Reason.MALFORMED, "the table of contents") from None


def authority(trust: Trust, name: str) -> bytes | None:
    """
    Return the DER of an authority's certificate by the name of its files, or None.
    """
    print_ = trust.names.get(name)
    return None if print_ is None else trust.authorities[print_].public_bytes(Encoding.DER)


def revocations(trust: Trust, name: str) -> bytes | None:
    """
    Return the DER of an authority's last list by the name of its files, or None.
    """
    last = trust.lists.get(trust.names.get(name, ""))
    return None if last is None else last.raw


def chain(trust: Trust) -> bytes:
    """
    Return every certificate that is known and is no authority's, in PEM, by thumbprint.
    """
    return b"".join(one.public_bytes(Encoding.PEM) for _, one in sorted(trust.certificates.items()))


def missing(trust: Trust, found: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """
    Return those of `found` that are not known here.
    """
    return [one for one in found if thumbprint(one) not in trust.certificates]


def keep(path: Path, certificate: x509.Certificate) -> None:
    """
    Write a certificate into a folder that is read again at the next start.
    """
    locked.write(path, certificate.public_bytes(Encoding.PEM), private=False)


def keep_list(path: Path, raw: bytes) -> None:
    """
    Write a list that was believed into a folder that is read again at the next start.
    """
    locked.write(path, raw, private=False)


def _published(one: dict[str, object]) -> Published:
    name, print_, number = one["name"], one["thumbprint"], one["number"]
    if not (isinstance(name, str) and isinstance(print_, str) and (number is None or type(number) is int)):
        raise TypeError("authorities")
    if not name.replace("-", "").isalnum():  # it becomes part of a path
        raise ValueError(name)
    return Published(name, print_, number)
