"""
The dossier as the platform hands it over: opened, verified to the last signature, and replayed by the law.

Nothing that the platform says is believed that the documents do not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, chain
from typing import Any

import orjson
from sqlalchemy import Connection

from rx_flow.crypto.documents import Document
from rx_flow.crypto.dossiers import verify_dossier
from rx_flow.crypto.keyrings.keys import OpeningKey
from rx_flow.crypto.packages import open_package
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen, told
from rx_flow.evidence.lawful import replay
from rx_flow.law import fields as f
from rx_flow.law.prescription import Prescription
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import RxId, Standing, State
from rx_flow.record import dossier
from rx_flow.record.dossier import Package

PACKAGES_MOST = 200


@dataclass(frozen=True, slots=True)
class Dossier:
    """
    Every document of a prescription in order, the state that each led to, and the prescription that holds now.
    """

    packages: tuple[Package, ...]
    documents: tuple[Document, ...]
    states: tuple[State, ...]
    standing: Standing
    prescription: Prescription


def read(body: bytes, rx: RxId, *, key: OpeningKey, trust: Trust, now: datetime) -> Dossier:
    """
    Open and verify what the platform answered for `rx`.

    Raise `Untrusted` for a package, a chain or a signature that does not hold, `Refused(DOCUMENT_OUT_OF_ORDER)` for a
    package elsewhere than it says, `Refused(BAD_DOCUMENT)` for what else cannot be, such as two opinions by one person.
    """
    # 1. The form of the answer.
    answer = _answer(body, rx)
    packages = tuple(Package(one["first_seq"], one["body"]) for one in answer["packages"])
    seen = Seen(now, told(answer.get("recorded", {})) or None)
    # 2. Every package opens with our key and begins where the one before it ended.
    opened = [open_package(one.body, key, rx=rx) for one in packages]
    ends = accumulate(map(len, opened), initial=0)
    if any(one.first_seq != end + 1 for one, end in zip(packages, ends, strict=False)):
        raise Refused(Code.DOCUMENT_OUT_OF_ORDER, "a package does not begin where it says")
    # 3. The documents are one chain to the head that the platform names, each signed by whom it says.
    documents = verify_dossier(chain.from_iterable(opened), trust, seen, rx=rx, head=str(answer["head"]))
    # 4. Each step was one that the law permits; the state that follows is the one that the platform names.
    way = replay(documents)
    if way.state.value != answer["state"]:
        raise Refused(Code.BAD_DOCUMENT, "the documents do not lead to the state that the platform names")
    return Dossier(packages, documents, way.states, way.standing, way.prescription)


def keep(tx: Connection, found: Dossier, platform: str) -> None:
    """
    Keep what was not known yet of a dossier: its packages as they came, its documents' places.

    `Refused(BAD_DOCUMENT)` where the platform told another story before: no history is ever replaced by a second one.
    """
    rx = found.standing.rx
    known = dossier.documents(tx, rx)
    told = {document.seq: document.digest for document in found.documents}
    if any(told.get(kept.seq) != kept.digest for kept in known):
        raise Refused(Code.BAD_DOCUMENT, "the dossier is not the one that was handed over before")
    had = {kept.seq for kept in known}
    for document, state in zip(found.documents, found.states, strict=True):
        if document.seq not in had:
            action = _action(document)
            dossier.keep(tx, document, action=action, target=state, received_from=platform, sealed=None)
    packed = {package.first_seq for package in dossier.packages(tx, rx)}
    for package in found.packages:
        if package.first_seq not in packed:
            dossier.put_package(tx, rx, package)


def _answer(body: bytes, rx: RxId) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        f.malformed("dossier")
    if not isinstance(answer, Mapping) or not {"rx", "state", "head", "packages"} <= answer.keys():
        f.malformed("dossier")
    if answer["rx"] != rx:
        f.malformed("dossier.rx")
    packages = f.items(answer["packages"], "dossier.packages")
    if not 1 <= len(packages) <= PACKAGES_MOST:
        f.malformed("dossier.packages")
    for one in packages:
        f.exactly(one, ("first_seq", "body"), "dossier.packages")
        f.whole(one["first_seq"], "dossier.packages.first_seq", least=1, most=10**6)
        if not isinstance(one["body"], str):
            f.malformed("dossier.packages.body")
    return answer


def _action(document: Document) -> str:
    return str(document.body.get("action", "submit"))
