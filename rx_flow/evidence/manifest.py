"""
What a bundle says of itself: a document under the platform's seal, next after the dossier, over the sums of all files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from rx_flow.crypto.documents import Document, sign_document
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.evidence.faults import Fault, Unproven
from rx_flow.law.standing import State

VERSION = 1
KIND = "evidence"  # no document of the law: it can never be taken for a step
ACTION = "export"
MANIFEST, SUMS, GUIDE = "manifest.jws", "SHA256SUMS", "VERIFY.md"
_BODY = frozenset({"v", "action", "purpose", "withheld", "state", "sums", "entries", "packages", "logs"})
_PACKAGE = frozenset({"first_seq", "sha256"})
_LINE = re.compile(r"([0-9a-f]{64})  ([!-~]+)", re.ASCII)


class Purpose(StrEnum):
    """
    What evidence is given out for; it stands in the log, so it is one of these words and never anybody's name.
    """

    COURT = "court"
    PATIENT = "patient"
    SUPERVISION = "supervision"
    INSURANCE = "insurance"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Package:
    """
    A sealed package by its first document's number and the SHA-256 (hex) of its bytes.
    """

    first_seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Stated:
    """
    What a manifest states: for what, whether the patient's values are withheld, where the prescription stands.

    `sums` is the SHA-256 (hex) of the file of sums; `logs` are the verifier keys of the platform's log, if it has one.
    """

    purpose: Purpose
    withheld: bool
    state: State
    sums: str
    entries: int
    packages: tuple[Package, ...]
    logs: tuple[str, ...] = ()


def sign(key: SigningKey, stated: Stated, *, rx: str, seq: int, head: str, at: datetime) -> str:
    """
    Return the manifest after a dossier whose last document is number `seq` with digest `head`.
    """
    body = {
        "v": VERSION,
        "action": ACTION,
        "purpose": stated.purpose,
        "withheld": stated.withheld,
        "state": stated.state,
        "sums": stated.sums,
        "entries": stated.entries,
        "packages": [{"first_seq": one.first_seq, "sha256": one.sha256} for one in stated.packages],
        "logs": list(stated.logs),
    }
    return sign_document(key, doc=KIND, rx=rx, seq=seq + 1, prev=head, at=at, body=body)


def read(document: Document) -> Stated:
    """
    Return what a verified manifest states; `Unproven(MANIFEST_MALFORMED)` for a document that is none.
    """
    body: Any = document.body
    if document.doc != KIND or body.keys() != _BODY or (body["v"], body["action"]) != (VERSION, ACTION):
        raise Unproven(Fault.MANIFEST_MALFORMED)
    if type(body["withheld"]) is not bool or type(body["entries"]) is not int:
        raise Unproven(Fault.MANIFEST_MALFORMED)
    packages = body["packages"]
    if not isinstance(packages, list) or not all(isinstance(one, dict) and one.keys() == _PACKAGE for one in packages):
        raise Unproven(Fault.MANIFEST_MALFORMED, "packages")
    logs = body["logs"]
    if not isinstance(body["sums"], str) or not isinstance(logs, list) or not all(isinstance(one, str) for one in logs):
        raise Unproven(Fault.MANIFEST_MALFORMED)
    try:
        return Stated(
            purpose=Purpose(body["purpose"]),
            withheld=body["withheld"],
            state=State(body["state"]),
            sums=body["sums"],
            entries=body["entries"],
            packages=tuple(Package(one["first_seq"], one["sha256"]) for one in packages),
            logs=tuple(logs),
        )
    except ValueError:
        raise Unproven(Fault.MANIFEST_MALFORMED) from None


def digest(data: bytes) -> str:
    """
    Return SHA-256 in hexadecimal.
    """
    return sha256(data).hexdigest()


def sums_of(members: Mapping[str, bytes]) -> bytes:
    """
    Return the file of sums over all members but itself and the manifest, as `sha256sum -c` reads it.
    """
    named = sorted(members.keys() - {MANIFEST, SUMS})
    return "".join(f"{digest(members[name])}  {name}\n" for name in named).encode()


def check_sums(members: Mapping[str, bytes]) -> Sequence[str]:
    """
    Return the names that the file of sums covers: all but itself and the manifest, or `Unproven` says which is wrong.
    """
    for name in (MANIFEST, SUMS):
        if name not in members:
            raise Unproven(Fault.MEMBER_MISSING, name)
    listed: dict[str, str] = {}
    for line in members[SUMS].decode("ascii", "replace").splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            raise Unproven(Fault.SUMS_MALFORMED)
        listed[found[2]] = found[1]
    present = members.keys() - {MANIFEST, SUMS}
    for name in sorted(listed.keys() - present):
        raise Unproven(Fault.MEMBER_MISSING, name)
    for name in sorted(present - listed.keys()):
        raise Unproven(Fault.MEMBER_UNKNOWN, name)
    for name in sorted(present):
        if digest(members[name]) != listed[name]:
            raise Unproven(Fault.SUM_MISMATCH, name)
    if sums_of(members) != members[SUMS]:
        raise Unproven(Fault.SUMS_MALFORMED)
    return sorted(present)
