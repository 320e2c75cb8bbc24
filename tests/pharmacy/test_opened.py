"""
The own copy is believed only whole, in order, signed by the right people and lawful; made here without any site.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property

import pytest
from counter_world import (
    AREA,
    DOCTOR,
    DRUG,
    HOSPITAL,
    NOW,
    OTHER_DOCTOR,
    OTHER_PHARMACY,
    OTHER_REVIEWER,
    PHARMACIST,
    PHARMACY,
    PLATFORM,
    REVIEWER,
    Keys,
)

from rx_flow.crypto.documents import Document, issue
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.keyrings.files import unlock
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.keyrings.ring import Keyring
from rx_flow.crypto.packages import seal
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen
from rx_flow.law.prescription import Diagnosis, Line, Patient, Prescription
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Area
from rx_flow.pharmacy.opened import Copy, open_copy
from rx_flow.record.dossier import Package


@dataclass
class Desk:
    """Everybody's keys, and documents made with them."""

    keys: Keys
    opened: dict[str, SigningKey] = field(default_factory=dict)

    @cached_property
    def trust(self) -> Trust:
        return Trust.load(self.keys.folder)

    @cached_property
    def ring(self) -> Keyring:
        return Keyring.load(self.keys.folder / PHARMACY, self.keys.passphrase)

    def key(self, who: str) -> SigningKey:
        if who not in self.opened:
            person = self.keys.directory.person(who)
            folder = self.keys.folder / (person.institution if person else who)
            self.opened[who] = (
                unlock(folder, who, self.keys.pins[who]) if person else Keyring.load(folder, self.keys.passphrase).seal
            )
        return self.opened[who]

    def prescription(self, number: str = "N1", issued_at: datetime = NOW) -> Prescription:
        line = Line(1, DRUG, "药", "注射剂", "10mg", 7, "支", Decimal(10), "mg", "qd", "静脉滴注", 7)
        return Prescription(
            number=number,
            area=Area(AREA),
            hospital=HOSPITAL,
            department="消化内科",
            prescriber=DOCTOR,
            patient=Patient("某人", "35010219800101123X", "1", date(1980, 1, 1)),
            diagnoses=(Diagnosis("K25.4", "胃溃疡", main=True),),
            lines=(line,),
            issued_at=issued_at,
        )

    def story(self, *steps: tuple[str, str, dict[str, object]], rx: str | None = None) -> list[Document]:
        """Documents in a chain: (signer, kind, body) each."""
        found: list[Document] = []
        about = rx or str(self.prescription().rx)
        for seq, (who, doc, body) in enumerate(steps, 1):
            prev = found[-1].digest if found else ""
            at = NOW + timedelta(minutes=seq)
            found.append(issue(self.key(who), doc=doc, rx=about, seq=seq, prev=prev, at=at, body=body))
        return found

    def open(self, *packages: list[Document], rx: str | None = None, to: str = PHARMACY) -> Copy:
        about = rx or str(self.prescription().rx)
        reader = self.trust.reader(to, NOW)
        made = [Package(one[0].seq, seal([each.raw for each in one], reader, rx=about)) for one in packages]
        return open_copy(made, self.ring, self.trust, Seen(NOW + timedelta(minutes=10)), rx=about)

    def submit(self, number: str = "N1", issued_at: datetime = NOW) -> tuple[str, str, dict[str, object]]:
        return DOCTOR, "prescription", {"action": "submit", **self.prescription(number, issued_at).to_body()}


APPROVE = (REVIEWER, "opinion1", {"action": "approve", "findings": [], "reason": ""})
SEND_BACK = (REVIEWER, "opinion1", {"action": "send_back", "findings": [], "reason": "更正"})
RELEASE = (HOSPITAL, "release", {"action": "release", "pickup_sha256": "0" * 64, "nominated": None})
CLAIM = (OTHER_PHARMACY, "claim", {"action": "claim", "reason": ""})
HAND_BACK = (OTHER_PHARMACY, "claim", {"action": "hand_back", "reason": "无货"})


@pytest.fixture(scope="module")
def desk(keys: Keys) -> Desk:
    return Desk(keys)


def test_a_whole_story_opens_and_says_where_it_stands(desk: Desk) -> None:
    documents = desk.story(desk.submit(), APPROVE, RELEASE)
    copy = desk.open(documents)

    assert copy.prescription == desk.prescription()
    assert (copy.standing.seq, copy.standing.head) == (3, documents[-1].digest)
    assert (copy.standing.prescriber, copy.standing.first_reviewer) == (DOCTOR, REVIEWER)
    assert "某人" not in repr(copy)


def test_a_long_story_in_several_packages_opens_and_the_last_issue_counts(desk: Desk) -> None:
    later = NOW + timedelta(seconds=90)
    steps = (desk.submit(), SEND_BACK, desk.submit(issued_at=later), APPROVE, RELEASE, CLAIM, HAND_BACK)
    documents = desk.story(*steps)
    copy = desk.open(documents[:5], documents[5:6], documents[6:])

    assert copy.prescription.issued_at == later
    assert copy.standing.issued_at == later
    assert copy.standing.claimant is None


def _dropped(desk: Desk) -> Copy:
    documents = desk.story(desk.submit(), APPROVE, RELEASE)
    return desk.open([documents[0], documents[2]])


def _exchanged(desk: Desk) -> Copy:
    documents = desk.story(desk.submit(), APPROVE, RELEASE)
    return desk.open([documents[0], documents[2], documents[1]])


def _rewritten(desk: Desk) -> Copy:
    """Every link names the number before it, and one of them another document than the one that is there."""
    documents = desk.story(desk.submit(), APPROVE, RELEASE)
    other = desk.story(desk.submit(), (REVIEWER, "opinion1", {"action": "approve", "findings": [], "reason": "另一份"}))
    return desk.open([documents[0], other[1], documents[2]])


def _beheaded(desk: Desk) -> Copy:
    return desk.open(desk.story(APPROVE, RELEASE))


def _of_another(desk: Desk) -> Copy:
    """Signed for one prescription, sealed as another's."""
    return desk.open(desk.story(desk.submit(), APPROVE, RELEASE), rx=str(desk.prescription("N2").rx))


def _renamed(desk: Desk) -> Copy:
    """The prescription inside is not the one that its documents name."""
    return desk.open(desk.story(desk.submit("N2"), APPROVE, RELEASE))


def _unreleased(desk: Desk) -> Copy:
    return desk.open(desk.story(desk.submit(), APPROVE))


def _still_claimed(desk: Desk) -> Copy:
    return desk.open(desk.story(desk.submit(), APPROVE, RELEASE, CLAIM))


def _signed_by(who: str, place: int) -> Callable[[Desk], Copy]:
    def forged(desk: Desk) -> Copy:
        steps = [desk.submit(), APPROVE, RELEASE]
        steps[place] = (who, *steps[place][1:])
        return desk.open(desk.story(*steps))

    return forged


def _of_another_kind(desk: Desk) -> Copy:
    steps = (desk.submit(), (REVIEWER, "release", APPROVE[2]), RELEASE)
    return desk.open(desk.story(*steps))


def _without_a_reason(desk: Desk) -> Copy:
    silent = (REVIEWER, "opinion1", {"action": "send_back", "findings": [], "reason": ""})
    return desk.open(desk.story(desk.submit(), silent, desk.submit(), APPROVE, RELEASE))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (_dropped, "document_missing"),
        (_exchanged, "out_of_order"),
        (_rewritten, "broken_chain"),
        (_of_another, "foreign_dossier"),
    ],
)
def test_what_is_not_one_chain_is_refused(desk: Desk, made: Callable[[Desk], Copy], reason: str) -> None:
    with pytest.raises(Untrusted, match=reason):
        made(desk)


@pytest.mark.parametrize(
    "made",
    [
        _beheaded,
        _renamed,
        _unreleased,
        _still_claimed,
        _of_another_kind,
        _without_a_reason,
        _signed_by(OTHER_DOCTOR, 0),
        _signed_by(REVIEWER, 0),
        _signed_by(DOCTOR, 1),
        _signed_by(OTHER_REVIEWER, 1),
        _signed_by(PHARMACIST, 1),
        _signed_by(PLATFORM, 2),
        _signed_by(REVIEWER, 2),
    ],
)
def test_a_story_that_does_not_hold_is_refused(desk: Desk, made: Callable[[Desk], Copy]) -> None:
    with pytest.raises(Refused) as refused:
        made(desk)
    assert refused.value.code is Code.BAD_DOCUMENT


def test_no_story_at_all_is_refused(desk: Desk) -> None:
    with pytest.raises(Untrusted, match="no_documents"):
        open_copy([], desk.ring, desk.trust, Seen(NOW), rx=str(desk.prescription().rx))


def test_what_is_sealed_for_another_pharmacy_does_not_open(desk: Desk) -> None:
    with pytest.raises(Untrusted, match="not_for_us"):
        desk.open(desk.story(desk.submit(), APPROVE, RELEASE), to=OTHER_PHARMACY)
