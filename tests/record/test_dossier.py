"""
The dossier gives back what was kept, in order; a package is only ever replaced by itself with more recipients.
"""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError
from walking import DOCTOR, NOW, PHARMACY, available, document, draft, rx_of

from rx_flow.law.standing import State
from rx_flow.record import dossier
from rx_flow.record.database import Database
from rx_flow.record.dossier import Answer, Package

RX = rx_of(1)


def test_a_copy_is_kept_without_a_row_of_state(db: Database) -> None:
    paper = document(draft(RX), "claim", PHARMACY)
    db.run(dossier.keep, paper, action="claim", target=State.CLAIMED, received_from="", sealed=None)

    kept = db.look(dossier.last, RX)
    assert kept is not None
    assert (kept.digest, kept.action, kept.target, kept.sealed) == (paper.digest, "claim", State.CLAIMED, None)
    assert isinstance(kept.target, State)
    assert db.look(dossier.find, RX, paper.digest) == Answer(RX, State.CLAIMED, 1, paper.digest, NOW)
    with pytest.raises(IntegrityError):
        db.run(dossier.keep, paper, action="claim", target=State.CLAIMED, received_from="", sealed=None)


def test_an_unknown_prescription_has_an_empty_dossier(db: Database) -> None:
    assert db.look(dossier.documents, RX) == ()
    assert db.look(dossier.last, RX) is None
    assert db.look(dossier.packages, RX) == ()


def test_the_last_document_is_the_last(db: Database) -> None:
    standing = db.run(available, RX)
    kept = db.look(dossier.documents, RX)

    assert [one.seq for one in kept] == [1, 2, 3]
    assert db.look(dossier.last, RX) == kept[-1]
    assert kept[-1].digest == standing.head


def test_another_s_document_is_not_found_here(db: Database) -> None:
    paper = document(draft(rx_of(2)), "submit", DOCTOR)
    db.run(dossier.keep, paper, action="submit", target=State.SIGNED, received_from="", sealed=None)

    assert db.look(dossier.find, RX, paper.digest) is None


def test_packages_come_in_the_order_of_their_documents(db: Database) -> None:
    for package in (Package(4, "four"), Package(1, "one")):
        db.run(dossier.put_package, RX, package)
    db.run(dossier.put_package, rx_of(2), Package(1, "another's"))

    assert db.look(dossier.packages, RX) == (Package(1, "one"), Package(4, "four"))
    with pytest.raises(IntegrityError):
        db.run(dossier.put_package, RX, Package(1, "again"))
