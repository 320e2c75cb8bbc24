"""
What the judging of a bundle carries from step to step, and the lines that a step leaves to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from rx_flow.crypto.documents import Claimed, Document
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki.path import Trust
from rx_flow.evidence.entries import Entry
from rx_flow.evidence.faults import Fault, Unproven
from rx_flow.evidence.lawful import Way
from rx_flow.evidence.manifest import Stated
from rx_flow.tlog.policy import Policy

SKEW = timedelta(minutes=5)  # between the clocks of two machines


class Fact(NamedTuple):
    """
    A line worth reading, in Chinese and English; never a value of the patient.
    """

    zh: str
    en: str


class Unchecked(Exception):  # noqa: N818  An answer of a step, as a refusal is.
    """
    The bundle does not have what the step is about.
    """

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.facts = (Fact(zh, en),)


class Discounted(Untrusted):
    """
    Documents that do not count, their signers' certificates having been revoked before they were recorded.

    All else about them is right, so that the further steps are taken; `facts` tell of every document.
    """

    def __init__(self, detail: str, facts: Sequence[Fact]) -> None:
        super().__init__(Reason.CERTIFICATE_REVOKED, detail)
        self.facts = tuple(facts)


@dataclass(slots=True)
class Case:
    """
    A bundle, the root, the moment, and what the steps so far have shown.
    """

    data: bytes = field(repr=False)
    root: bytes = field(repr=False)
    now: datetime
    policy: Policy | None = None
    rx: str = ""
    members: dict[str, bytes] = field(default_factory=dict, repr=False)
    trust: Trust = field(init=False, repr=False)
    at: datetime = field(init=False)
    manifest: Document = field(init=False)
    stated: Stated = field(init=False)
    entries: tuple[Entry, ...] = ()
    claimed: tuple[Claimed, ...] = ()  # the documents as they claim to be, taken apart once
    documents: tuple[Document, ...] = ()
    discounted: tuple[int, ...] = ()  # the numbers of documents that do not count
    way: Way = field(init=False)

    def folder(self, name: str) -> dict[str, bytes]:
        """Return the members of a folder, by their names in it, in order."""
        start = f"{name}/"
        return {each.removeprefix(start): data for each, data in sorted(self.members.items()) if each.startswith(start)}

    def stems(self, name: str) -> dict[str, bytes]:
        """Return the PEM files of a folder by the thumbprint that each is called by."""
        found = self.folder(name)
        for each in found:
            if not each.endswith(".pem"):
                raise Unproven(Fault.MEMBER_UNKNOWN, f"{name}/{each}")
        return {each.removesuffix(".pem"): data for each, data in found.items()}


def text(raw: bytes) -> str:
    """Return what must be ASCII; `Untrusted(BAD_ENCODING)` for anything else."""
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise Untrusted(Reason.BAD_ENCODING) from None
