"""
Documents: what is signed can be believed, what is altered cannot, and every attack is refused for its own reason.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from forge import (
    AT,
    BODY,
    DAY,
    DOCTOR,
    HOSPITAL,
    NOW,
    RX,
    House,
    decode,
    flipped,
    header,
    leaf,
    listed,
    other_s,
    payload,
    refusal,
    root,
    sha256,
    signed,
    signing_key,
    written,
)
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from rx_flow.crypto import canonical
from rx_flow.crypto.documents import (
    DOCUMENT_MAX,
    Document,
    issue,
    moment,
    rfc3339,
    take_apart,
    verify_document,
)
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki.path import Trust
from rx_flow.crypto.pki.profile import Purpose, thumbprint
from rx_flow.crypto.pki.status import Seen


def test_a_document_says_who_what_and_when(house: House) -> None:
    raw = written(house.doctor)

    document = verify_document(raw, house.trust, Seen(NOW))

    assert document == Document(
        raw,
        sha256(raw),
        "prescription",
        rx=RX,
        seq=1,
        prev="",
        at=NOW,
        by=DOCTOR,
        body=BODY,
        signer=house.doctor.signer,
    )
    assert (document.signer.role, document.signer.institution) == ("prescriber", HOSPITAL)
    assert document.at.utcoffset() == timedelta(0)


def test_what_one_signs_is_what_others_verify(house: House) -> None:
    eight = timezone(timedelta(hours=8))
    document = issue(
        house.doctor, doc="claim", rx=RX, seq=2, prev="a" * 64, at=NOW.astimezone(eight), body={"action": ("a", "b")}
    )

    assert verify_document(document.raw, house.trust, Seen(NOW)) == document
    assert document.at.utcoffset() == timedelta(0)


NAMES = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda name: name not in {"_sd", "..."})


@given(st.dictionaries(NAMES, st.integers(0, 9) | st.booleans(), max_size=5))
def test_every_body_comes_back_as_it_was(house: House, body: dict[str, object]) -> None:
    assert verify_document(written(house.doctor, body=body), house.trust, Seen(NOW)).body == body


def test_header_and_payload_are_canonical_and_under_the_signature(house: House) -> None:
    head, content, _ = (decode(part) for part in written(house.doctor).split("."))

    assert canonical.read(head) == header(house)
    assert canonical.read(content) == payload()


def test_another_library_believes_our_documents(house: House) -> None:
    raw = written(house.doctor)
    key = ECKey.import_key(house.doctor._private.public_key())
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)

    token = jws.deserialize_compact(raw, key, registry=registry)

    assert canonical.loads(token.payload) == payload()


def test_we_believe_the_documents_of_another_library(house: House) -> None:
    key = ECKey.import_key(house.doctor._private)
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    raw = jws.serialize_compact(header(house), canonical.dumps(payload()), key, registry=registry)
    lower = min(raw, other_s(raw), key=lambda each: decode(each.rpartition(".")[2])[32:])

    assert verify_document(lower, house.trust, Seen(NOW)).body == BODY


def test_the_second_form_of_a_signature_is_no_second_document(house: House) -> None:
    """(r, n-s) verifies as well as (r, s) does; a document known by its digest must have one form."""
    for _ in range(8):
        assert refusal(other_s(written(house.doctor)), house.trust) is Reason.SIGNATURE_MALLEABLE


FORM = {Reason.BAD_JSON, Reason.NOT_CANONICAL, Reason.DUPLICATE_MEMBER, Reason.MALFORMED, Reason.TIME_MISMATCH}


def test_one_bit_of_any_byte_is_noticed(house: House) -> None:
    raw = written(house.doctor)
    for part, text in enumerate(raw.split(".")):
        reasons = {refusal(flipped(raw, part=part, byte=byte), house.trust) for byte in range(len(decode(text)))}
        if part == 1:  # what its form does not condemn, the signature does
            assert Reason.BAD_SIGNATURE in reasons
            assert reasons <= {Reason.BAD_SIGNATURE, *FORM}
        if part == 2:
            assert reasons <= {Reason.BAD_SIGNATURE, Reason.SIGNATURE_MALLEABLE, Reason.SIGNATURE_RANGE}


def test_every_single_character_matters(house: House) -> None:
    raw = written(house.doctor, body={})
    for place in range(len(raw)):
        with pytest.raises(Untrusted):
            verify_document(
                f"{raw[:place]}{'A' if raw[place] != 'A' else 'B'}{raw[place + 1 :]}", house.trust, Seen(NOW)
            )


def test_parts_of_two_documents_do_not_make_a_third(house: House) -> None:
    one, two = written(house.doctor).split("."), written(house.doctor, seq=2, prev="a" * 64).split(".")

    assert refusal(f"{one[0]}.{two[1]}.{one[2]}", house.trust) is Reason.BAD_SIGNATURE
    assert refusal(f"{one[0]}.{one[1]}.{two[2]}", house.trust) is Reason.BAD_SIGNATURE


def test_a_key_for_tokens_or_packages_signs_no_document(house: House) -> None:
    token = house.hospital.token
    raw = signed(token._private, header(house, **{"x5t#S256": token.thumbprint}), payload(by=HOSPITAL))
    reader = house.hospital.opening
    other = signed(reader._private, header(house, **{"x5t#S256": reader.public.kid}), payload(by=HOSPITAL))

    assert refusal(raw, house.trust) is Reason.WRONG_USAGE
    assert refusal(other, house.trust) is Reason.WRONG_USAGE
    with pytest.raises(Untrusted, match="wrong_usage"):
        written(token)


def test_a_stranger_of_the_same_name_is_unknown(house: House) -> None:
    private, certificate = leaf(root())
    raw = written(signing_key(private, certificate))

    assert refusal(raw, house.trust) is Reason.UNKNOWN_SIGNER
    embedded = signed(private, header(house, **{"x5t#S256": thumbprint(certificate), "x5c": ["MIIB"]}), payload())
    assert refusal(embedded, house.trust) is Reason.FOREIGN_KEY


def test_another_signers_certificate_does_not_fit_the_signature(house: House) -> None:
    raw = signed(house.hospital.seal._private, header(house), payload())

    assert refusal(raw, house.trust) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (NOW - DAY - timedelta(seconds=1), Reason.CERTIFICATE_NOT_YET_VALID),
        (NOW - DAY, None),
        (NOW + 700 * DAY, None),
        (NOW + 700 * DAY + timedelta(seconds=1), Reason.CERTIFICATE_EXPIRED),
    ],
)
def test_a_certificate_is_judged_at_the_moment_of_signing(at: datetime, reason: Reason | None) -> None:
    issuer = root()
    on = {"begins": NOW.replace(microsecond=0) - DAY, "ends": NOW.replace(microsecond=0) + 700 * DAY}
    private, certificate = leaf(issuer, **on)
    trust = Trust([issuer[1]], [certificate], [listed(issuer, begins=at)])
    raw = written(signing_key(private, certificate), at=at.replace(microsecond=0))

    if reason is None:
        assert verify_document(raw, trust, Seen(at)).by == DOCTOR
    else:
        assert refusal(raw, trust, Seen(at)) is reason


def test_nobody_signs_with_a_certificate_that_is_not_valid(house: House) -> None:
    with pytest.raises(Untrusted, match="certificate_expired"):
        written(house.doctor, at=NOW + 3 * 366 * DAY)
    with pytest.raises(Untrusted, match="certificate_not_yet_valid"):
        written(house.doctor, at=NOW - 2 * DAY)


@pytest.mark.parametrize(
    "change",
    [
        {"body": {"price": 1.5}},
        {"body": {"when": NOW}},
        {"body": []},
        {"seq": 0},
        {"seq": True},
        {"seq": 2},
        {"prev": "a" * 64},
        {"doc": ""},
        {"rx": ""},
        {"at": datetime(2026, 11, 23)},  # noqa: DTZ001  naive is the point
        {"body": {"text": "x" * DOCUMENT_MAX}},
    ],
    ids=str,
)
def test_what_would_not_verify_is_not_signed(house: House, change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"not a document|not canonical|zone"):
        written(house.doctor, **change)


def test_what_is_only_claimed_does_not_show_either(house: House) -> None:
    claimed = take_apart(written(house.doctor))

    assert repr(claimed) == f"<Claimed {claimed.digest}>"
    assert repr(claimed.parts) == f"<Parts, {len(claimed.raw)} bytes>"


def test_the_content_does_not_show(house: House) -> None:
    document = verify_document(written(house.doctor), house.trust, Seen(NOW))

    assert "张三" not in repr(document)
    assert document.raw not in repr(document)
    assert "林医生" not in repr(document)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_has_one_spelling(at: datetime) -> None:
    assert moment(rfc3339(at)) == at
    assert len(rfc3339(at)) == len(AT)


def test_purposes_are_told_apart_when_signing(house: House) -> None:
    with pytest.raises(Untrusted, match="wrong_usage"):
        house.doctor.sign(b"anything", purpose=Purpose.TOKEN, at=NOW)
