"""
Documents that a site signs and keeps: sealed for their place, read again as what was recorded and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from walking import DOCTOR, HOSPITAL, NOW, draft, rx_of

from rx_flow.crypto.documents import Document
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings import files
from rx_flow.crypto.keyrings.keys import AtRest, SigningKey
from rx_flow.crypto.pki import authority
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.status import Seen
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import Ask, RxId, State
from rx_flow.record import papers
from rx_flow.record.dossier import Kept

RX = rx_of(1)
AT_REST = AtRest(bytes(32))
SEEN = Seen(NOW)


@dataclass(frozen=True)
class Pen:
    """A doctor's key, and trust in it."""

    key: SigningKey
    trust: Trust


@pytest.fixture(scope="module")
def pen(tmp_path_factory: pytest.TempPathFactory) -> Pen:
    folder = tmp_path_factory.mktemp("keys")
    house = [authority.InstitutionSpec(HOSPITAL, "hospital", "甲医院")]
    authority.init(folder, house, [authority.PersonSpec(DOCTOR.id, DOCTOR.role, HOSPITAL, "王医生")], now=NOW)
    pin = authority.development_pins(folder)[DOCTOR.id]
    return Pen(files.unlock(folder / HOSPITAL, DOCTOR.id, pin), Trust.load(folder))


def signed(pen: Pen, *, reason: str = "诊断更正") -> Document:
    """The third document of a prescription."""
    standing = replace(draft(RX), seq=2, head="0" * 64)
    ask = Ask("revoke", DOCTOR, NOW, reason)
    return papers.sign(pen.key, standing, ask, doc="revocation", body={"reason": reason})


def kept(document: Document, sealed: bytes | None, *, seq: int = 3) -> Kept:
    return Kept(
        rx=RxId(document.rx),
        seq=seq,
        digest=document.digest,
        doc=document.doc,
        action="revoke",
        signer=DOCTOR.id,
        role=DOCTOR.role,
        institution=HOSPITAL,
        at=document.at,
        target=State.REVOKED,
        received_from="",
        sealed=sealed,
    )


def test_a_document_says_its_place_its_action_and_who_signed_it_when(pen: Pen) -> None:
    found = signed(pen)

    assert (found.doc, found.rx, found.seq, found.prev) == ("revocation", RX, 3, "0" * 64)
    assert (found.by, found.at, dict(found.body)["action"]) == (DOCTOR.id, NOW, "revoke")
    assert "~" in found.raw, "a reason is personal: the signed bytes commit to it"


def test_what_is_kept_opens_again_as_what_was_signed(pen: Pen) -> None:
    document = signed(pen)
    sealed = papers.seal(document, AT_REST)

    assert document.raw.encode() not in sealed
    assert papers.raw(kept(document, sealed), AT_REST) == document.raw
    assert papers.reopen(kept(document, sealed), AT_REST, pen.trust, SEEN) == document
    assert papers.unseal(sealed, AT_REST, pen.trust, rx=RX, seq=3, seen=SEEN) == document


@pytest.mark.parametrize(("rx", "seq"), [(RX, 4), (rx_of(2), 3), (rx_of(1, "350200"), 3)])
def test_moved_to_another_place_it_does_not_open(pen: Pen, rx: str, seq: int) -> None:
    sealed = papers.seal(signed(pen), AT_REST)

    with pytest.raises(Untrusted) as untrusted:
        papers.unseal(sealed, AT_REST, pen.trust, rx=rx, seq=seq, seen=SEEN)
    assert untrusted.value.reason is Reason.BAD_PACKAGE


def test_another_document_in_its_place_is_not_what_was_recorded(pen: Pen) -> None:
    row = kept(signed(pen), papers.seal(signed(pen, reason="另一理由"), AT_REST))

    for read in (lambda: papers.raw(row, AT_REST), lambda: papers.reopen(row, AT_REST, pen.trust, SEEN)):
        with pytest.raises(Refused) as refused:
            read()
        assert refused.value.code is Code.BAD_DOCUMENT


def test_what_was_erased_is_not_found(pen: Pen) -> None:
    with pytest.raises(Refused) as refused:
        papers.raw(kept(signed(pen), None), AT_REST)
    assert refused.value.code is Code.NOT_FOUND


def test_what_is_read_again_must_count_as_it_is_seen(pen: Pen) -> None:
    document = signed(pen)
    row = kept(document, papers.seal(document, AT_REST))

    with pytest.raises(Untrusted) as untrusted:
        papers.reopen(row, AT_REST, pen.trust, Seen(NOW, held=NOW - timedelta(hours=1)))
    assert untrusted.value.reason is Reason.SIGNED_AHEAD
