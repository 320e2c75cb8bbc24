"""Nothing that the platform hands over is believed: each fault of a dossier is found by the insurer itself."""

# ruff: noqa: ANN401  What a test changes in a body can be anything.

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from counter import Counter
from platform_world import (
    DOCTOR,
    HOSPITAL,
    INSURER,
    OTHER_PHARMACIST,
    OTHER_PHARMACY,
    PHARMACIST,
    PHARMACY,
    REVIEWER,
    Keys,
    World,
)

from rx_flow.auth.titles import code_of
from rx_flow.crypto.documents import Document
from rx_flow.crypto.errors import Untrusted
from rx_flow.crypto.packages import seal
from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import RxId
from rx_flow.settlement import dossiers

Change = Callable[[list[Document]], None]


class Story:
    """The documents of a prescription up to the second opinion, and the answer that a platform would give of them."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.p = w.prescription("N1")
        self.rx = str(self.p.rx)
        self.documents = list(w.story(self.p))
        self.add(PHARMACY, "claim", {"action": "claim", "reason": ""})
        self.add(PHARMACIST, "opinion2", {"action": "accept", "findings": [], "reason": ""})

    def add(self, who: str, doc: str, body: dict[str, Any], **other: Any) -> None:
        last = self.documents[-1]
        place = {"seq": last.seq + 1, "prev": last.digest, **other}
        self.documents.append(self.w.sign(who, doc, self.rx, body, **place))

    def cut(self, count: int) -> None:
        del self.documents[count:]

    def read(self, *, reader: str = INSURER, **other: Any) -> dossiers.Dossier:
        """Read it as the insurer would, with `other` members of the answer."""
        to = self.w.keys.trust.reader(reader, self.w.now)
        package = seal([one.raw for one in self.documents], to, rx=self.rx)
        answer = {
            "rx": self.rx,
            "area": self.rx[:6],
            "state": "accepted",
            "seq": len(self.documents),
            "head": self.documents[-1].digest,
            "packages": [{"first_seq": self.documents[0].seq, "body": package}],
        } | other
        ring = self.w.keys.ring(INSURER)
        return dossiers.read(
            json.dumps(answer).encode(), RxId(self.rx), key=ring.opening, trust=self.w.keys.trust, now=self.w.now
        )


@pytest.fixture
def story(c: Counter) -> Story:
    return Story(c.w)


def refused(story: Story, **other: Any) -> tuple[Code, str]:
    with pytest.raises((Refused, Untrusted)) as caught:
        story.read(**other)
    assert isinstance(caught.value, Refused | Untrusted)
    return code_of(caught.value), caught.value.detail


async def test_a_whole_dossier_is_read_with_the_state_after_every_document(story: Story) -> None:
    found = story.read()
    assert [state.value for state in found.states] == ["signed", "approved", "available", "claimed", "accepted"]
    assert found.standing.claimant == PHARMACY
    assert (found.standing.first_reviewer, found.standing.second_reviewer) == (REVIEWER, PHARMACIST)
    assert found.prescription == story.p


async def test_two_opinions_by_one_person_or_one_institution_are_found(story: Story) -> None:
    story.cut(4)
    story.add(REVIEWER, "opinion2", {"action": "accept", "findings": [], "reason": ""})
    code, detail = refused(story)
    assert code is Code.BAD_DOCUMENT
    assert "document 5" in detail


async def test_an_opinion_by_a_pharmacist_of_another_pharmacy_than_the_claimant_is_found(story: Story) -> None:
    story.cut(4)
    story.add(OTHER_PHARMACIST, "opinion2", {"action": "accept", "findings": [], "reason": ""})
    assert refused(story) == (Code.BAD_DOCUMENT, "document 5: not_the_claimant")


async def test_a_step_that_the_law_does_not_know_is_found(story: Story) -> None:
    story.cut(3)
    story.add(PHARMACIST, "opinion2", {"action": "accept", "findings": [], "reason": ""})
    assert refused(story) == (Code.BAD_DOCUMENT, "document 4: wrong_state")


async def test_an_action_under_the_wrong_kind_of_document_is_found(story: Story) -> None:
    story.cut(4)
    story.add(PHARMACIST, "opinion1", {"action": "accept", "findings": [], "reason": ""})
    assert refused(story)[0] is Code.BAD_DOCUMENT


async def test_a_missing_or_swapped_document_is_found(story: Story) -> None:
    whole = list(story.documents)
    for broken in (whole[1:], whole[:2] + whole[3:], [whole[1], whole[0], *whole[2:]], [*whole, whole[-1]]):
        story.documents = broken
        assert refused(story)[0] is Code.DOCUMENT_OUT_OF_ORDER


async def test_a_document_made_for_another_prescription_is_found(story: Story) -> None:
    last = story.documents[-2]
    other = str(story.w.prescription("N2").rx)
    place = {"seq": last.seq + 1, "prev": last.digest}
    story.documents[-1] = story.w.sign(PHARMACIST, "opinion2", other, {"action": "accept", "reason": ""}, **place)
    assert refused(story)[0] is Code.DOCUMENT_REPLAYED


async def test_a_dossier_that_ends_early_is_found_by_its_head(story: Story) -> None:
    head = story.documents[-1].digest
    story.cut(4)
    assert refused(story, head=head, state="claimed")[0] is Code.DOCUMENT_OUT_OF_ORDER


async def test_a_state_that_the_documents_do_not_lead_to_is_found(story: Story) -> None:
    assert refused(story, state="settled")[0] is Code.BAD_DOCUMENT


async def test_a_package_for_somebody_else_does_not_open(story: Story) -> None:
    with pytest.raises(Untrusted):
        story.read(reader=OTHER_PHARMACY)


async def test_a_package_that_begins_elsewhere_than_it_says_is_found(story: Story) -> None:
    to = story.w.keys.trust.reader(INSURER, story.w.now)
    package = seal([one.raw for one in story.documents], to, rx=story.rx)
    assert refused(story, packages=[{"first_seq": 2, "body": package}])[0] is Code.DOCUMENT_OUT_OF_ORDER


async def test_the_prescription_is_the_one_of_the_id(story: Story) -> None:
    other = story.w.prescription("N2")
    first = story.w.sign(DOCTOR, "prescription", story.rx, {"action": "submit", **other.to_body()}, seq=1, prev="")
    story.documents = [first]
    assert refused(story)[0] is Code.BAD_DOCUMENT


async def test_a_dossier_begins_with_the_prescription(story: Story) -> None:
    first = story.w.sign(HOSPITAL, "release", story.rx, {"action": "release"}, seq=1, prev="")
    story.documents = [first]
    assert refused(story) == (Code.BAD_DOCUMENT, "a dossier begins with the prescription")


async def test_a_reason_that_is_no_text_is_malformed(story: Story) -> None:
    story.cut(4)
    story.add(PHARMACIST, "opinion2", {"action": "accept", "findings": [], "reason": {"a": 1}})
    assert refused(story)[0] is Code.MALFORMED


@pytest.mark.parametrize(
    "other",
    [
        {"rx": "350100-7M2K9Q4T1V8B3XHR"},
        {"packages": []},
        {"packages": "none"},
        {"packages": [{"first_seq": 1}]},
        {"packages": [{"first_seq": 1, "body": 1}]},
        {"packages": [{"first_seq": "1", "body": "{}"}]},
    ],
)
async def test_an_answer_of_another_form_is_malformed(story: Story, other: dict[str, Any]) -> None:
    assert refused(story, **other)[0] is Code.MALFORMED


async def test_what_is_no_json_is_malformed(keys: Keys, story: Story) -> None:
    for body in (b"<html>", b"[]", b"{}"):
        with pytest.raises(Refused) as caught:
            dossiers.read(body, RxId(story.rx), key=keys.ring(INSURER).opening, trust=keys.trust, now=story.w.now)
        assert caught.value.code is Code.MALFORMED


async def test_a_corrected_prescription_is_the_one_that_counts(c: Counter) -> None:
    """Sent back, corrected and approved: the insurer settles by the last prescription that was signed."""
    w = c.w
    first = w.prescription("N1")
    rx = str(first.rx)
    documents = [w.sign(DOCTOR, "prescription", rx, {"action": "submit", **first.to_body()}, seq=1, prev="")]

    def add(who: str, doc: str, body: dict[str, Any]) -> None:
        last = documents[-1]
        documents.append(w.sign(who, doc, rx, body, seq=last.seq + 1, prev=last.digest))

    add(REVIEWER, "opinion1", {"action": "send_back", "findings": [], "reason": "剂量"})
    second = w.prescription("N1", department="内科")
    add(DOCTOR, "prescription", {"action": "submit", **second.to_body()})
    tail = w.story(second)[1:]
    for one in tail:
        add(one.by, one.doc, dict(one.body))
    assert (await w.hand_over(*documents)).status_code == 200
    assert (await w.claim(rx)).status_code == 200
    assert (await w.accept(rx)).status_code == 200
    answer = await c.quote(rx)
    assert answer.status_code == 200, answer.text


async def test_a_second_history_is_never_taken_for_the_first(c: Counter) -> None:
    """A platform that tells the same prescription differently the next time is not believed."""
    story = Story(c.w)
    c.site.db.run(dossiers.keep, story.read(), "C35990000001")
    c.site.db.run(dossiers.keep, story.read(), "C35990000001")  # the same again is nothing new
    story.cut(4)
    story.add(PHARMACIST, "opinion2", {"action": "accept", "findings": [], "reason": "另一个故事"})
    with pytest.raises(Refused) as caught:
        c.site.db.run(dossiers.keep, story.read(), "C35990000001")
    assert caught.value.code is Code.BAD_DOCUMENT
