"""
Intake (处方接收): the platform records a hospital's documents, from the pen to the release, each as a step of its own.
"""

from __future__ import annotations

import re
from dataclasses import replace

from sqlalchemy import Connection, bindparam, select

from rx_flow.config import Directory, Kind
from rx_flow.crypto.documents import Document
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.law import fields as f
from rx_flow.law.prescription import Prescription
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Ask, Facts, Standing, State
from rx_flow.platform import facts, receipt
from rx_flow.platform.receipt import Delivery
from rx_flow.platform.tables import line, routing
from rx_flow.record import dossier
from rx_flow.record.advance import Evidence, advance, create, load
from rx_flow.record.audit import PATIENT, Origin
from rx_flow.record.dossier import Answer, Package
from rx_flow.record.statements import Prepared, insert_into

_IN_USE = Prepared(select(routing.c.rx).where(routing.c.pickup == bindparam("pickup")))
_ROUTE = Prepared(insert_into(routing))
_LINE = Prepared(insert_into(line))
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What a hospital may have done before it hands over, by the kind of document; an opinion says which of the two.
_ACTIONS = {"prescription": ("submit",), "opinion1": ("approve", "send_back"), "release": ("release",)}


def receive(tx: Connection, delivery: Delivery, *, keyring: Keyring, directory: Directory) -> Answer:
    """
    Take a released prescription in. The same package again answers as the first time did.

    Raise `Refused`: NUMBER_USED where the hospital has used the prescription's number for another one, WRONG_SIGNER,
    CLOCK_SKEW, DOCUMENT_OUT_OF_ORDER, BAD_DOCUMENT, MALFORMED, or what the law says to any of the steps.
    """
    # 1. A second delivery changes nothing.
    standing = load(tx, delivery.rx, lock=True)
    if standing is not None:
        if standing.hospital == delivery.caller.institution and (answer := receipt.answered(tx, delivery)):
            return answer
        raise Refused(Code.NUMBER_USED, "another prescription of this number was received")
    # 2. The whole story, from the first prescription to the release, by people of this hospital.
    release = delivery.documents[-1]
    if delivery.document.doc != "prescription" or release.doc != "release":
        raise Refused(Code.BAD_DOCUMENT, "a package for intake goes from the prescription to the release")
    nominated = _nominated(release, directory)
    # 3. Replay it by the law, step by step, with our own facts.
    prescription = _prescription(delivery, delivery.document)
    standing = Standing(
        rx=delivery.rx,
        area=prescription.area,
        state=State.DRAFT,
        hospital=prescription.hospital,
        prescriber=prescription.prescriber,
        issued_at=prescription.issued_at,
        valid_until=prescription.valid_until,
        nominated=nominated,
    )
    create(tx, standing)
    for document, before in zip(delivery.documents, (None, *delivery.documents), strict=False):
        if document.doc == "prescription":
            prescription = _prescription(delivery, document)
            standing = replace(standing, issued_at=prescription.issued_at, valid_until=prescription.valid_until)
        receipt.in_time(document.at, before.at if before else None, delivery.now)
        origin = delivery.recorded()
        if before is None:  # the first entry says, hidden, whose prescription the chain is about
            origin = replace(origin, personal=((PATIENT, _pseudonym(prescription, keyring)),))
        standing = _replay(tx, delivery, standing, document=document, prescription=prescription, origin=origin)
    if standing.state is not State.AVAILABLE:
        raise Refused(Code.BAD_DOCUMENT, "the package does not end with the release")
    # 4. Keep the package as it came, and in clear what routing and supervision need.
    dossier.put_package(tx, delivery.rx, Package(1, delivery.package))
    _route(tx, delivery, prescription, release=release, keyring=keyring)
    return Answer(delivery.rx, standing.state, standing.seq, standing.head, release.at)


def _prescription(delivery: Delivery, document: Document) -> Prescription:
    """The prescription of a document, if it is the one that its id and its sender say."""
    prescription = Prescription.from_signed(document.body)
    if prescription.rx != delivery.rx or prescription.hospital != delivery.caller.institution:
        raise Refused(Code.BAD_DOCUMENT, "the prescription is not the one that its id says")
    return prescription


def _nominated(release: Document, directory: Directory) -> str | None:
    """The pharmacy that the patient chose at the hospital, if any."""
    nominated = release.body.get("nominated")
    if nominated is None:
        return None
    pharmacy = directory.institution(nominated) if isinstance(nominated, str) else None
    if pharmacy is None or pharmacy.kind is not Kind.PHARMACY:
        f.malformed("nominated: no pharmacy of this platform")
    return pharmacy.code


def _replay(
    tx: Connection,
    delivery: Delivery,
    standing: Standing,
    *,
    document: Document,
    prescription: Prescription,
    origin: Origin,
) -> Standing:
    """Take one step; at the hospital the time of signing counts, for the hospital was the authority then."""
    action = str(document.body.get("action", "submit"))
    if action not in _ACTIONS.get(document.doc, ()):
        raise Refused(Code.BAD_DOCUMENT, "a step that is not a hospital's, or not of this kind of document")
    established = Facts()
    if action == "submit":
        established = facts.of_submission(prescription, document)
    elif action == "approve":
        established = facts.of_opinion(prescription, document)
    ask = Ask(
        action=action,
        actor=receipt.actor_of(document, delivery.caller.institution),
        now=document.at,
        reason=facts.reason_of(document),
        facts=established,
    )
    return advance(tx, standing, ask, document=Evidence(document, action), origin=origin)


def _route(
    tx: Connection, delivery: Delivery, prescription: Prescription, *, release: Document, keyring: Keyring
) -> None:
    """Write the routing facts: keyed hashes of the pick-up code and of the patient; drug codes and quantities."""
    pickup = release.body.get("pickup_sha256")
    f.shaped(pickup, "pickup_sha256", _SHA256)
    index = keyring.pickup_index(str(pickup))
    if _IN_USE.first(tx, {"pickup": index}) is not None:
        raise Refused(Code.BAD_DOCUMENT, "the pick-up code is in use")
    key = {"area": prescription.area, "rx": delivery.rx}
    _ROUTE.run(tx, key | {"pickup": index, "patient": _pseudonym(prescription, keyring), "received_at": delivery.now})
    _LINE.many(
        tx,
        [
            key | {"n": one.n, "drug": one.drug, "quantity": one.quantity, "unit": one.unit}
            for one in prescription.lines
        ],
    )


def _pseudonym(prescription: Prescription, keyring: Keyring) -> str:
    """Under which pseudonym the platform knows the patient."""
    person = prescription.patient
    return keyring.pseudonym(person.id_type, person.id_number)
