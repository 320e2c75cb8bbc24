"""
Three answers about a certificate, and when a signature is judged: what was there before a revocation stays good.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cryptography import x509
from forge import (
    DAY,
    DOCTOR,
    HOSPITAL,
    NOW,
    Issuer,
    believing,
    leaf,
    listed,
    refusal,
    root,
    signer,
    signing_key,
    written,
)
from hypothesis import given
from hypothesis import strategies as st

from rx_flow.crypto import suites
from rx_flow.crypto.documents import take_apart, verify_document, weigh
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki import lists, status
from rx_flow.crypto.pki.lists import Revoked, Why
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import Purpose, thumbprint
from rx_flow.crypto.pki.status import Answer, Seen, plausible, told

R = Reason
AT = NOW.replace(microsecond=0)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
ISSUER = root(begins=NOW - 400 * DAY)
DOCTORS = leaf(ISSUER, begins=NOW - 20 * DAY)
PRINT = thumbprint(DOCTORS[1])


def revoked(at: datetime = AT, since: datetime | None = None, why: Why = Why.KEY_COMPROMISE) -> Revoked:
    return Revoked(DOCTORS[1].serial_number, at, why.value, since)


def trusting(*entries: Revoked, number: int = 2, issuer: Issuer = ISSUER) -> Trust:
    return Trust([issuer[1]], [DOCTORS[1]], [listed(issuer, entries, number=number)])


def document(at: datetime = NOW) -> str:
    return written(signing_key(*DOCTORS), at=at)


def test_the_three_answers() -> None:
    assert trusting().status(PRINT, now=NOW).answer is Answer.VALID
    found = trusting(revoked()).status(PRINT, now=NOW)
    assert (found.answer, found.revoked) == (Answer.REVOKED, revoked())
    assert Trust([ISSUER[1]], [DOCTORS[1]]).status(PRINT, now=NOW).answer is Answer.UNDETERMINABLE
    with pytest.raises(Untrusted, match="unknown_signer"):
        trusting().status("nobody's", now=NOW)


def test_no_list_an_old_one_and_one_that_drops_the_ended_are_undeterminable() -> None:
    none = Trust([ISSUER[1]], [DOCTORS[1]])
    old = trusting()
    until = AT + 80 * DAY
    short = leaf(ISSUER, begins=NOW - 40 * DAY, ends=NOW - 30 * DAY)
    dropping = Trust([ISSUER[1]], [short[1]])
    taken = dropping.take(listed(ISSUER))
    dropping._lists = {print_: type(taken)(
        taken.number, taken.this_update, taken.next_update, taken.revoked, None, taken.raw
    ) for print_ in dropping.lists}  # fmt: skip

    assert none.status(PRINT, now=NOW).detail == "no revocation list"
    assert old.status(PRINT, now=until).answer is Answer.VALID
    assert old.status(PRINT, now=until + SECOND).detail == "the revocation list is out of date"
    assert dropping.status(thumbprint(short[1]), now=NOW).detail == "the list has left out what has ended"
    for trust, now, print_, at in (
        (none, NOW, PRINT, NOW),
        (old, until + SECOND, PRINT, NOW),
        (dropping, NOW, thumbprint(short[1]), NOW - 35 * DAY),
    ):
        with pytest.raises(Untrusted) as untrusted:
            trust.certified(print_, Purpose.DOCUMENT, at, now=now)
        assert untrusted.value.reason is R.STATUS_UNDETERMINABLE


def test_undeterminable_is_never_valid() -> None:
    trust = Trust([ISSUER[1]], [DOCTORS[1]])
    packages = leaf(ISSUER, purpose=Purpose.PACKAGE, subject={x509.NameOID.SERIAL_NUMBER: HOSPITAL})
    trust.learn([packages[1]])

    assert refusal(document(), trust) is R.STATUS_UNDETERMINABLE
    assert refusal(document(NOW - DAY), trust, Seen(NOW, held=NOW - DAY)) is R.STATUS_UNDETERMINABLE
    with pytest.raises(Untrusted, match="status_undeterminable"):
        trust.reader(HOSPITAL, NOW)


def test_an_old_list_still_tells_what_it_has_revoked() -> None:
    trust = trusting(revoked())
    late = AT + 90 * DAY

    assert trust.status(PRINT, now=late).answer is Answer.REVOKED
    assert refusal(document(NOW), trust, Seen(late, held=late - DAY * 89)) is R.CERTIFICATE_REVOKED
    assert refusal(document(NOW - HOUR), trust, Seen(late, held=NOW - HOUR)) is R.STATUS_UNDETERMINABLE


def test_what_was_recorded_before_the_revocation_stays_good() -> None:
    trust = trusting(revoked(AT))
    raw = document(NOW - HOUR)
    digest = verify_document(raw, trusting(), Seen(NOW - HOUR)).digest
    later = NOW + 30 * DAY

    assert verify_document(raw, trust, Seen(later, {digest: AT - SECOND})).by == DOCTOR
    assert verify_document(raw, trust, Seen(later, held=AT - SECOND)).by == DOCTOR
    assert refusal(raw, trust, Seen(later, {digest: AT})) is R.CERTIFICATE_REVOKED
    assert refusal(raw, trust, Seen(later, held=AT)) is R.CERTIFICATE_REVOKED
    assert refusal(raw, trust, Seen(later, {"of another": AT - DAY})) is R.CERTIFICATE_REVOKED


def test_who_has_stolen_a_key_cannot_sign_into_the_past() -> None:
    """The stated time lies before the revocation; the document comes after it."""
    trust = trusting(revoked(AT))
    raw = document(AT - HOUR)

    assert verify_document(raw, trust, Seen(AT - SECOND)).by == DOCTOR  # the list came in advance: nothing is known yet
    assert refusal(raw, trust, Seen(AT)) is R.CERTIFICATE_REVOKED
    assert refusal(raw, trust, Seen(AT + DAY)) is R.CERTIFICATE_REVOKED


def test_what_a_revoked_certificate_signed_can_be_told_and_why_it_does_not_count() -> None:
    raw = document(NOW - 2 * HOUR)
    taken, seen = take_apart(raw), Seen(NOW, held=NOW - HOUR)
    stolen, later = trusting(revoked(AT, NOW - DAY)), trusting(revoked(AT, NOW - HOUR / 2))

    for trust, due in ((trusting(), None), (later, None), (stolen, R.CERTIFICATE_REVOKED)):
        found, why = weigh(taken, trust, seen)
        assert (found.raw, found.by, found.signer.id) == (raw, DOCTOR, DOCTOR)
        assert (why and why.reason) == due
    # Nothing else is overlooked: not what else is wrong, and not a signature that is not even the revoked key's.
    body, _, signature = raw.rpartition(".")
    forged = take_apart(body + "." + ("A" if signature[0] != "A" else "B") + signature[1:])
    for one, trust, when, reason in (
        (forged, stolen, seen, R.BAD_SIGNATURE),
        (taken, stolen, Seen(NOW, held=NOW - 2 * DAY), R.SIGNED_AHEAD),
        (taken, Trust([ISSUER[1]], [DOCTORS[1]]), seen, R.STATUS_UNDETERMINABLE),
    ):
        with pytest.raises(Untrusted) as untrusted:
            weigh(one, trust, when)
        assert untrusted.value.reason is reason


def test_whom_a_certificate_names_is_told_though_it_was_revoked_but_not_beyond_its_time_or_purpose() -> None:
    stolen = trusting(revoked())

    assert stolen.named(PRINT, Purpose.DOCUMENT, NOW).signer.id == DOCTOR
    for purpose, at, reason in (
        (Purpose.PACKAGE, NOW, R.WRONG_USAGE),
        (Purpose.DOCUMENT, NOW - 21 * DAY, R.CERTIFICATE_NOT_YET_VALID),
    ):
        with pytest.raises(Untrusted) as untrusted:
            stolen.named(PRINT, purpose, at)
        assert untrusted.value.reason is reason


def test_what_was_recorded_while_the_key_was_in_other_hands_does_not_count() -> None:
    trust = trusting(revoked(AT, since=AT - 2 * DAY))
    raw = document(NOW - DAY)

    assert refusal(raw, trust, Seen(NOW, held=NOW - DAY)) is R.CERTIFICATE_REVOKED
    assert refusal(raw, trust, Seen(NOW, held=AT - 2 * DAY)) is R.SIGNED_AHEAD
    early = document(NOW - 3 * DAY)
    assert verify_document(early, trust, Seen(NOW, held=AT - 2 * DAY - SECOND)).by == DOCTOR
    assert refusal(early, trust, Seen(NOW, held=AT - 2 * DAY)) is R.CERTIFICATE_REVOKED


def test_a_revoked_authority_takes_with_it_what_it_issued() -> None:
    top = root()
    from test_certificates import between  # noqa: PLC0415  the same shape as there

    middle = between(top)
    _, doctor = leaf(middle)
    gone = Revoked(middle[1].serial_number, AT, Why.CA_COMPROMISE.value)
    trust = Trust([top[1]], [middle[1], doctor], [listed(top, [gone]), listed(middle)])

    assert trust.status(thumbprint(doctor), now=NOW).answer is Answer.REVOKED
    assert trust.chain(thumbprint(doctor)) == (thumbprint(middle[1]), thumbprint(top[1]))
    assert trust.doubtful([DOCTOR])
    with pytest.raises(Untrusted, match="certificate_revoked: ca_compromise"):
        signer(trust, thumbprint(doctor), NOW)


def test_only_who_is_in_question_makes_anybody_look_into_the_log() -> None:
    stray = leaf(root("stranger"), subject={x509.NameOID.SERIAL_NUMBER: "D000000000000"})
    trust = trusting(revoked())
    trust.learn([stray[1]])

    assert trust.doubtful([DOCTOR, DOCTOR, HOSPITAL])
    assert not trust.doubtful([HOSPITAL, "nobody"])
    assert not trust.doubtful(["D000000000000"])
    assert not trusting().doubtful([DOCTOR])
    assert not Trust([ISSUER[1]], [DOCTORS[1]]).doubtful([DOCTOR])


def test_a_revoked_key_for_packages_is_passed_over_for_an_earlier_one() -> None:
    whose = {x509.NameOID.SERIAL_NUMBER: HOSPITAL}
    old = leaf(ISSUER, purpose=Purpose.PACKAGE, begins=NOW - 9 * DAY, subject=whose)
    new = leaf(ISSUER, purpose=Purpose.PACKAGE, begins=NOW - DAY, subject=whose)
    gone = [Revoked(one[1].serial_number, AT - HOUR, Why.SUPERSEDED.value) for one in (new, old)]

    def reading(*entries: Revoked) -> Trust:
        return Trust([ISSUER[1]], [old[1], new[1]], [listed(ISSUER, entries)])

    assert reading().reader(HOSPITAL, NOW).kid == thumbprint(new[1])
    assert reading(gone[0]).reader(HOSPITAL, NOW).kid == thumbprint(old[1])
    assert reading(gone[0]).reader(HOSPITAL, NOW - 2 * HOUR).kid == thumbprint(new[1])
    with pytest.raises(Untrusted, match="certificate_revoked"):
        reading(*gone).reader(HOSPITAL, NOW)


def test_a_newer_list_counts_and_an_older_one_changes_nothing() -> None:
    trust = trusting(number=5)
    old, new = listed(ISSUER, number=4), listed(ISSUER, [revoked()], number=6)

    assert trust.take(old).number == 5
    assert trust.status(PRINT, now=NOW).answer is Answer.VALID
    assert trust.take(new).number == 6
    assert trust.status(PRINT, now=NOW).answer is Answer.REVOKED
    assert trust.take(listed(ISSUER, number=5)).number == 6
    assert trust.status(PRINT, now=NOW).answer is Answer.REVOKED


def test_of_two_lists_of_one_number_the_later_counts() -> None:
    trust = trusting(number=5)
    again = listed(ISSUER, [revoked()], number=5, begins=NOW + DAY)

    assert trust.take(again).revoked
    assert trust.take(listed(ISSUER, number=5)).revoked


def test_a_list_is_taken_for_the_authority_whose_key_signed_it() -> None:
    other = root(begins=NOW - 400 * DAY)  # of the same name
    trust = Trust([ISSUER[1], other[1]], [DOCTORS[1]])

    trust.take(listed(other, number=3))
    assert trust.lists.keys() == {thumbprint(other[1])}
    trust.take(listed(ISSUER, number=4))
    assert trust.lists[thumbprint(ISSUER[1])].number == 4
    for raw in (listed(root()), listed(root("stranger"))):
        with pytest.raises(Untrusted, match="of no authority that is known"):
            trust.take(raw)


def test_judging_a_chain_that_is_known_walks_nothing() -> None:
    trust = trusting()
    signer(trust, PRINT, NOW)
    before = dict(suites.tally)

    for _ in range(10):
        trust.certified(PRINT, Purpose.DOCUMENT, NOW, now=NOW, since=NOW)
        trust.doubtful([DOCTOR])

    assert suites.tally == before


def test_a_stated_time_must_fit_since_when_the_document_is_known() -> None:
    plausible(NOW, NOW)
    plausible(NOW + status.SKEW, NOW)
    plausible(NOW - status.ON_THE_WAY_MOST, NOW)
    with pytest.raises(Untrusted, match="signed_ahead"):
        plausible(NOW + status.SKEW + SECOND, NOW)
    with pytest.raises(Untrusted, match="signed_long_ago"):
        plausible(NOW - status.ON_THE_WAY_MOST - SECOND, NOW)


def test_an_ended_certificate_signs_no_more_however_early_it_says_it_did() -> None:
    short = leaf(ISSUER, begins=NOW - 90 * DAY, ends=NOW - 60 * DAY)
    trust = believing([ISSUER], [short[1]])
    raw = written(signing_key(*short), at=NOW - 61 * DAY)

    assert refusal(raw, trust) is R.SIGNED_LONG_AGO
    assert verify_document(raw, trust, Seen(NOW, held=NOW - 61 * DAY)).by == DOCTOR


NOTHING: dict[str, datetime] = {}


@pytest.mark.parametrize(
    ("seen", "since"),
    [
        (Seen(NOW), NOW),
        (Seen(NOW, held=NOW - DAY), NOW - DAY),
        (Seen(NOW, NOTHING), None),
        (Seen(NOW, {"d": NOW - DAY}), NOW - DAY),
        (Seen(NOW, {"e": NOW - DAY}), None),
        (Seen(NOW, {"e": NOW - DAY}, NOW - HOUR), NOW - HOUR),
        (Seen(NOW, {"d": NOW - DAY}, NOW - HOUR), NOW - DAY),
        (Seen(NOW, {"d": NOW - HOUR}, NOW - DAY), NOW - DAY),
    ],
)
def test_since_when_a_document_is_known(seen: Seen, since: datetime | None) -> None:
    assert seen.since("d") == since


def test_what_a_log_tells_is_times_by_digest() -> None:
    assert told({}) == {}
    assert told({"a": "2026-11-23T16:30:00+08:00"}) == {"a": NOW.replace(microsecond=0)}
    for bad in (None, [], "x", {"a": None}, {"a": 5}, {"a": "yesterday"}, {"a": "2026-11-23T16:30:00"}):
        with pytest.raises(Untrusted, match="malformed: recorded"):
            told(bad)


@given(st.integers(-5000, 5000), st.integers(-5000, 5000), st.integers(0, 5000))
def test_a_signature_counts_exactly_when_it_was_there_before(recorded: int, gone: int, hidden: int) -> None:
    """The rule, said once more in other words, over many times."""
    at, since = AT + timedelta(seconds=gone), AT + timedelta(seconds=gone - hidden)
    found = lists.RevocationList(1, AT - DAY, AT + DAY, {7: Revoked(7, at, "key_compromise", since)}, AT, b"")
    links = (status.Link("a", 7, AT + DAY),)
    moment = AT + timedelta(seconds=recorded)

    if recorded < gone - hidden:
        status.judge(links, {"a": found}, now=AT, since=moment)
    else:
        with pytest.raises(Untrusted, match="certificate_revoked"):
            status.judge(links, {"a": found}, now=AT, since=moment)
