"""
Dossiers: all documents of one prescription, in order, and nothing else; whatever is cut, mixed or forged is named.
"""

from __future__ import annotations

import pytest
from forge import NOW, RX, House, flipped, sha256, written

from rx_flow.crypto.documents import Document, issue
from rx_flow.crypto.dossiers import verify_dossier
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki.status import Seen

OTHER_RX = "350100-BBBBBBBBBBBBBBBB"
R = Reason


def story(house: House, *, rx: str = RX, count: int = 4, what: str = "") -> list[Document]:
    """So many documents of one prescription, one after another."""
    found: list[Document] = []
    for seq in range(1, count + 1):
        prev = found[-1].digest if found else ""
        body = {"action": "submit", "what": what}
        found.append(issue(house.doctor, doc="prescription", rx=rx, seq=seq, prev=prev, at=NOW, body=body))
    return found


def refusal(house: House, documents: list[Document], *, rx: str = RX, head: str | None = None) -> Reason:
    with pytest.raises(Untrusted) as refused:
        verify_dossier([document.raw for document in documents], house.trust, Seen(NOW), rx=rx, head=head)
    return refused.value.reason


def test_a_whole_dossier_is_what_its_signers_signed(house: House) -> None:
    documents = story(house)
    raws = [document.raw for document in documents]

    assert verify_dossier(raws, house.trust, Seen(NOW), rx=RX) == tuple(documents)
    assert verify_dossier(raws, house.trust, Seen(NOW), rx=RX, head=documents[-1].digest) == tuple(documents)


def test_a_dossier_without_documents_is_none(house: House) -> None:
    assert refusal(house, []) is R.NO_DOCUMENTS


def test_a_signature_is_judged_wherever_it_stands(house: House) -> None:
    """The digest covers the signature too: an altered one is missed by what follows it, or does not verify itself."""
    raws = [document.raw for document in story(house)]
    for place, reason in ((0, R.BROKEN_CHAIN), (2, R.BROKEN_CHAIN), (3, R.BAD_SIGNATURE)):
        broken = list(raws)
        broken[place] = flipped(raws[place], part=2, byte=9)

        with pytest.raises(Untrusted) as refused:
            verify_dossier(broken, house.trust, Seen(NOW), rx=RX)

        assert refused.value.reason is reason


def test_a_false_signature_is_found_where_the_chain_itself_is_right(house: House) -> None:
    """Somebody writes the whole chain again, in order, without the doctor's key: every signature is looked at."""
    one, *_ = story(house)
    forged = flipped(one.raw, part=2, byte=9)
    next_ = written(house.doctor, seq=2, prev=sha256(forged))

    with pytest.raises(Untrusted) as refused:
        verify_dossier([forged, next_], house.trust, Seen(NOW), rx=RX)

    assert refused.value.reason is R.BAD_SIGNATURE


def test_a_document_cut_out_is_missed(house: House) -> None:
    one, two, three, four = story(house)

    assert refusal(house, [one, three, four]) is R.DOCUMENT_MISSING
    assert refusal(house, [two, three, four]) is R.DOCUMENT_MISSING
    assert refusal(house, [one, two, three], head=four.digest) is R.CUT_SHORT


def test_the_order_cannot_be_changed(house: House) -> None:
    one, two, three, four = story(house)

    assert refusal(house, [one, three, two, four]) is R.OUT_OF_ORDER
    assert refusal(house, [four, three, two, one]) is R.OUT_OF_ORDER


def test_a_document_stands_once(house: House) -> None:
    one, two, three, _ = story(house)

    assert refusal(house, [one, two, two, three]) is R.DOCUMENT_TWICE


def test_a_document_of_another_prescription_cannot_be_spliced_in(house: House) -> None:
    one, _, three, _ = story(house)
    other = story(house, rx=OTHER_RX)

    assert refusal(house, [one, other[1], three]) is R.FOREIGN_DOCUMENT


def test_a_dossier_cannot_be_shown_for_another_prescription(house: House) -> None:
    assert refusal(house, story(house), rx=OTHER_RX) is R.FOREIGN_DOSSIER


def test_a_document_of_another_story_of_the_same_prescription_does_not_fit(house: House) -> None:
    one, two, _, _ = story(house)
    other = story(house, what="another")

    assert refusal(house, [one, two, other[2]]) is R.BROKEN_CHAIN
    assert refusal(house, [other[0], two]) is R.BROKEN_CHAIN


def test_what_is_signed_but_follows_nothing_is_refused(house: House) -> None:
    one, two, *_ = story(house)
    loose = written(house.doctor, seq=3, prev="0" * 64)

    with pytest.raises(Untrusted, match="broken_chain: document 3"):
        verify_dossier([one.raw, two.raw, loose], house.trust, Seen(NOW), rx=RX)
