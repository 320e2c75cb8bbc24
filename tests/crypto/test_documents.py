"""
Documents: what is signed can be believed, what is altered cannot, and every attack is refused for its own reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from forge import (
    DAY,
    DOCTOR,
    HOSPITAL,
    NOW,
    RX,
    House,
    b64,
    decode,
    flipped,
    leaf,
    other_s,
    root,
    sha256,
    signed,
    signing_key,
)
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from rx_flow.crypto import canonical
from rx_flow.crypto.certificates import Purpose, Trust, thumbprint
from rx_flow.crypto.compact import HEADER_MAX
from rx_flow.crypto.documents import (
    DOCUMENT_MAX,
    TYPE,
    Document,
    issue,
    moment,
    rfc3339,
    sign_document,
    verify_document,
)
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyring import SigningKey
from rx_flow.crypto.suites import ORDER

AT = "2026-11-23T08:30:00.123456Z"
BODY: dict[str, object] = {"action": "submit", "patient": {"name": "张三"}, "lines": [{"n": 1, "quantity": 30}]}


def made(key: SigningKey, **change: Any) -> str:  # noqa: ANN401  whatever a test wants to change
    return sign_document(
        key, **{"doc": "prescription", "rx": RX, "seq": 1, "prev": "", "at": NOW, "body": BODY, **change}
    )


def refusal(raw: str, trust: Trust) -> Reason:
    with pytest.raises(Untrusted) as refused:
        verify_document(raw, trust)
    return refused.value.reason


def header(house: House, **change: object) -> dict[str, object]:
    return {"alg": "ES256", "sigT": AT, "typ": TYPE, "x5t#S256": house.doctor.thumbprint, **change}


def payload(**change: object) -> dict[str, object]:
    return {"doc": "prescription", "rx": RX, "seq": 1, "prev": "", "at": AT, "by": DOCTOR, "body": BODY, **change}


def without(members: dict[str, object], name: str) -> dict[str, object]:
    return {each: value for each, value in members.items() if each != name}


def test_a_document_says_who_what_and_when(house: House) -> None:
    raw = made(house.doctor)

    document = verify_document(raw, house.trust)

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

    assert verify_document(document.raw, house.trust) == document
    assert document.at.utcoffset() == timedelta(0)


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9) | st.booleans(), max_size=5)
)
def test_every_body_comes_back_as_it_was(house: House, body: dict[str, object]) -> None:
    assert verify_document(made(house.doctor, body=body), house.trust).body == body


def test_header_and_payload_are_canonical_and_under_the_signature(house: House) -> None:
    head, content, _ = (decode(part) for part in made(house.doctor).split("."))

    assert canonical.read(head) == header(house)
    assert canonical.read(content) == payload()


def test_another_library_believes_our_documents(house: House) -> None:
    raw = made(house.doctor)
    key = ECKey.import_key(house.doctor._private.public_key())
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)

    token = jws.deserialize_compact(raw, key, registry=registry)

    assert canonical.loads(token.payload) == payload()


def test_we_believe_the_documents_of_another_library(house: House) -> None:
    key = ECKey.import_key(house.doctor._private)
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    raw = jws.serialize_compact(header(house), canonical.dumps(payload()), key, registry=registry)
    lower = min(raw, other_s(raw), key=lambda each: decode(each.rpartition(".")[2])[32:])

    assert verify_document(lower, house.trust).body == BODY


def test_the_second_form_of_a_signature_is_no_second_document(house: House) -> None:
    """(r, n-s) verifies as well as (r, s) does; a document known by its digest must have one form."""
    for _ in range(8):
        assert refusal(other_s(made(house.doctor)), house.trust) is Reason.SIGNATURE_MALLEABLE


def test_one_bit_of_any_byte_is_noticed(house: House) -> None:
    raw = made(house.doctor)
    for part, text in enumerate(raw.split(".")):
        reasons = {refusal(flipped(raw, part=part, byte=byte), house.trust) for byte in range(len(decode(text)))}
        if part == 1:
            assert reasons == {Reason.BAD_SIGNATURE}
        if part == 2:
            assert reasons <= {Reason.BAD_SIGNATURE, Reason.SIGNATURE_MALLEABLE, Reason.SIGNATURE_RANGE}


def test_every_single_character_matters(house: House) -> None:
    raw = made(house.doctor, body={})
    for place in range(len(raw)):
        with pytest.raises(Untrusted):
            verify_document(f"{raw[:place]}{'A' if raw[place] != 'A' else 'B'}{raw[place + 1 :]}", house.trust)


def test_parts_of_two_documents_do_not_make_a_third(house: House) -> None:
    one, two = made(house.doctor).split("."), made(house.doctor, seq=2, prev="a" * 64).split(".")

    assert refusal(f"{one[0]}.{two[1]}.{one[2]}", house.trust) is Reason.BAD_SIGNATURE
    assert refusal(f"{one[0]}.{one[1]}.{two[2]}", house.trust) is Reason.BAD_SIGNATURE


R = Reason
ALGORITHMS = ["none", "None", "NONE", "nOnE", "NoNe", "HS256", "HS384", "HS512", "RS256", "PS256", "ES384", "ES256K"]
ALGORITHMS += ["EdDSA", "Ed25519", "SM2", "es256", "ES256 ", "ES256\0", ""]
HEADERS: list[tuple[dict[str, object], Reason]] = [
    *(({"alg": name}, R.WRONG_ALGORITHM) for name in (*ALGORITHMS, None, 1, True, ["ES256"], {"ES256": 1})),
    *(({"crit": names}, R.UNKNOWN_CRITICAL) for names in (["exp"], [], "exp", ["b64"], ["alg"], ["x", "x"])),
    ({"b64": False}, R.UNENCODED_PAYLOAD),
    ({"b64": True}, R.UNENCODED_PAYLOAD),
    ({"b64": False, "crit": ["b64"]}, R.UNENCODED_PAYLOAD),
    ({"jwk": {"kty": "EC"}}, R.FOREIGN_KEY),
    *(
        ({"jku": url}, R.FOREIGN_KEY)
        for url in ("http://127.0.0.1/", "file:///etc/passwd", "gopher://x", "http://[::1]")
    ),
    ({"x5u": "http://169.254.169.254/"}, R.FOREIGN_KEY),
    ({"x5c": ["MIIB"]}, R.FOREIGN_KEY),
    ({"x5t": "x"}, R.FOREIGN_KEY),
    *(({"kid": kid}, R.FOREIGN_KEY) for kid in ("../../etc/passwd", "' OR 1=1 --", "\0", ["a"], 1)),
    ({"zip": "DEF"}, R.UNKNOWN_HEADER),
    ({"cty": "JWT"}, R.UNKNOWN_HEADER),
    ({"x5t#s256": "x"}, R.UNKNOWN_HEADER),
    *(({"typ": typ}, R.WRONG_TYPE) for typ in ("JWT", "rx-document", TYPE.upper(), "", None, 1, [TYPE])),
    *(({"sigT": at}, R.MALFORMED) for at in ("", "now", AT[:-1], AT.lower(), None, 1700000000, [AT], "2026-11-23")),
    ({"sigT": "2026-11-23T16:30:00.123456+08:00"}, R.MALFORMED),
    ({"sigT": "2026-11-23T08:30:00Z"}, R.MALFORMED),
    ({"sigT": "2026-02-30T08:30:00.123456Z"}, R.MALFORMED),
    ({"sigT": "2026-11-23T08:30:00.123457Z"}, R.TIME_MISMATCH),
    ({"x5t#S256": None}, R.MALFORMED),
    ({"x5t#S256": ["x"]}, R.MALFORMED),
    ({"x5t#S256": "x"}, R.UNKNOWN_SIGNER),
    ({"x5t#S256": "../root"}, R.UNKNOWN_SIGNER),
    ({"kid": "k" * HEADER_MAX}, R.TOO_LARGE),
]


@pytest.mark.parametrize(("change", "reason"), HEADERS, ids=lambda value: str(value)[:40])
def test_every_hostile_header_is_refused_for_its_own_reason(
    house: House, change: dict[str, object], reason: Reason
) -> None:
    """Truly signed, so that it is the header that is refused and not the signature."""
    assert refusal(signed(house.doctor._private, header(house, **change), payload()), house.trust) is reason


@pytest.mark.parametrize("name", ["alg", "sigT", "typ", "x5t#S256"])
def test_a_header_without_one_of_its_members_is_refused(house: House, name: str) -> None:
    raw = signed(house.doctor._private, without(header(house), name), payload())

    assert refusal(raw, house.trust) is (R.WRONG_TYPE if name == "typ" else R.UNKNOWN_HEADER)


RAW_HEADERS: list[tuple[Callable[[str], str | bytes], Reason]] = [
    (lambda text: text.replace('"alg"', '"alg":"none","alg"'), R.DUPLICATE_MEMBER),
    (lambda text: text.replace('"alg"', '"\\u0061lg":"none","alg"'), R.DUPLICATE_MEMBER),
    (lambda text: "\ufeff" + text, R.BAD_JSON),
    (lambda text: text.encode("utf-16"), R.BAD_JSON),
    (lambda text: text[:-1] + ',"n":NaN}', R.BAD_JSON),
    (lambda text: text[:-1] + ',"n":1.5}', R.BAD_JSON),
    (lambda text: text[:-1] + f',"n":{10**30}}}', R.BAD_JSON),
    (lambda text: text + "{}", R.BAD_JSON),
    (lambda text: text[:-1] + ',"n":' + "[" * 200 + "]" * 200 + "}", R.NOT_CANONICAL),
    (lambda _: "[" * 700, R.BAD_JSON),
    (lambda text: " " + text, R.NOT_CANONICAL),
    (lambda text: text + "\n", R.NOT_CANONICAL),
    (lambda text: text.replace(",", ", "), R.NOT_CANONICAL),
    (lambda text: text.replace("alg", "\\u0061lg"), R.NOT_CANONICAL),
    (lambda text: json.dumps(json.loads(text)), R.NOT_CANONICAL),
    (lambda _: "[]", R.MALFORMED),
    (lambda _: '"ES256"', R.MALFORMED),
    (lambda _: "null", R.MALFORMED),
    (lambda text: text + " " * HEADER_MAX, R.TOO_LARGE),
]


@pytest.mark.parametrize(("change", "reason"), RAW_HEADERS)
def test_a_header_has_one_spelling(house: House, change: Callable[[str], str | bytes], reason: Reason) -> None:
    text = canonical.dumps(header(house)).decode()
    written = change(text)
    raw = signed(house.doctor._private, written if isinstance(written, bytes) else written.encode(), payload())

    assert refusal(raw, house.trust) is reason


FORMS: list[tuple[Callable[[str], str], Reason]] = [
    (lambda _: "", R.MALFORMED),
    (lambda _: "..", R.MALFORMED),
    (lambda raw: raw.replace(".", ""), R.MALFORMED),
    (lambda raw: raw.rpartition(".")[0], R.MALFORMED),
    (lambda raw: raw.rpartition(".")[0] + ".", R.MALFORMED),
    (lambda raw: "." + raw.partition(".")[2], R.MALFORMED),
    (lambda raw: raw + ".", R.MALFORMED),
    (lambda raw: raw + ".x.y", R.MALFORMED),
    (lambda raw: raw.replace(".", "..", 1), R.MALFORMED),
    (lambda raw: raw + "=", R.BAD_ENCODING),
    (lambda raw: raw + "==", R.BAD_ENCODING),
    (lambda raw: raw + "A", R.SIGNATURE_RANGE),
    (lambda raw: raw + "AAA", R.BAD_ENCODING),
    (lambda raw: raw + " ", R.BAD_ENCODING),
    (lambda raw: raw + "\n", R.BAD_ENCODING),
    (lambda raw: " " + raw, R.BAD_ENCODING),
    (lambda raw: raw.replace(".", ".\n", 1), R.BAD_ENCODING),
    (lambda raw: raw[:-1] + chr(ord(raw[-1]) + 1), R.BAD_ENCODING),
    (lambda raw: raw.replace("e", "é", 1), R.BAD_ENCODING),
    (lambda raw: raw[:5] + "+" + raw[6:], R.BAD_ENCODING),
    (lambda raw: raw[:5] + "/" + raw[6:], R.BAD_ENCODING),
    (lambda raw: raw[:5] + "\0" + raw[6:], R.BAD_ENCODING),
    (lambda raw: raw + "A" * DOCUMENT_MAX, R.TOO_LARGE),
]


@pytest.mark.parametrize(("change", "reason"), FORMS)
def test_a_document_has_one_form(house: House, change: Callable[[str], str], reason: Reason) -> None:
    assert refusal(change(made(house.doctor)), house.trust) is reason


N = ORDER.to_bytes(32, "big")
ONE, ZERO = (1).to_bytes(32, "big"), bytes(32)
SIGNATURES: list[tuple[bytes, Reason]] = [
    (ZERO + ZERO, R.SIGNATURE_RANGE),
    (ZERO + ONE, R.SIGNATURE_RANGE),
    (ONE + ZERO, R.SIGNATURE_RANGE),
    (N + ONE, R.SIGNATURE_RANGE),
    (ONE + N, R.SIGNATURE_RANGE),
    (b"\xff" * 64, R.SIGNATURE_RANGE),
    (ONE + ONE + b"\0", R.SIGNATURE_RANGE),
    ((ONE + ONE)[:-1], R.SIGNATURE_RANGE),
    (b"\x30\x06\x02\x01\x01\x02\x01\x01", R.SIGNATURE_RANGE),  # DER instead of r || s
    (ONE + (ORDER - 1).to_bytes(32, "big"), R.SIGNATURE_MALLEABLE),
    (ONE + (ORDER // 2 + 1).to_bytes(32, "big"), R.SIGNATURE_MALLEABLE),
    (ONE + (ORDER // 2).to_bytes(32, "big"), R.BAD_SIGNATURE),
    (ONE + ONE, R.BAD_SIGNATURE),
]


@pytest.mark.parametrize(("signature", "reason"), SIGNATURES)
def test_numbers_that_are_no_signature_are_refused(house: House, signature: bytes, reason: Reason) -> None:
    head = made(house.doctor).rpartition(".")[0]

    assert refusal(f"{head}.{b64(signature)}", house.trust) is reason


def test_the_public_key_is_not_a_shared_secret(house: House) -> None:
    """HS256 keyed with the certificate's public key, the oldest confusion of them all."""
    public = house.doctor._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = f"{b64(header(house, alg='HS256'))}.{b64(payload())}"
    mac = hmac.HMAC(public, hashes.SHA256())
    mac.update(head.encode())

    assert refusal(f"{head}.{b64(mac.finalize())}", house.trust) is R.WRONG_ALGORITHM


PAYLOADS: list[tuple[object, Reason]] = [
    *((without(payload(), name), R.MALFORMED) for name in ("doc", "rx", "seq", "prev", "at", "by", "body")),
    (payload(extra=1), R.MALFORMED),
    *((payload(seq=seq, prev="a" * 64), R.MALFORMED) for seq in (0, -1, "1", True, None, [1])),
    (payload(seq=1, prev="a" * 64), R.MALFORMED),
    *((payload(seq=2, prev=prev), R.MALFORMED) for prev in ("", "a" * 63, "a" * 65, "A" * 64, "g" * 64, None, 1)),
    *((payload(**{name: ""}), R.MALFORMED) for name in ("doc", "rx")),
    *((payload(**{name: 1}), R.MALFORMED) for name in ("doc", "rx")),
    *((payload(body=body), R.MALFORMED) for body in (None, [], "text", 1)),
    (payload(at="2026-11-23T08:30:00.123457Z"), R.TIME_MISMATCH),
    (payload(at=None), R.TIME_MISMATCH),
    (payload(by="D350100000002"), R.SIGNER_MISMATCH),
    (payload(by=None), R.SIGNER_MISMATCH),
    ([], R.MALFORMED),
    ("text", R.BAD_JSON),
    (b"null", R.MALFORMED),
    (b"\xff", R.BAD_JSON),
    (b'{"a":1,"a":1}', R.DUPLICATE_MEMBER),
    (b'{"amount":1e400}', R.BAD_JSON),
    (b"{} ", R.NOT_CANONICAL),
]


@pytest.mark.parametrize(("content", "reason"), PAYLOADS, ids=lambda value: str(value)[-40:])
def test_a_true_signature_over_the_wrong_content_is_refused(house: House, content: Any, reason: Reason) -> None:  # noqa: ANN401  anything at all
    assert refusal(signed(house.doctor._private, header(house), content), house.trust) is reason


def test_a_key_for_tokens_or_packages_signs_no_document(house: House) -> None:
    token = house.hospital.token
    raw = signed(token._private, header(house, **{"x5t#S256": token.thumbprint}), payload(by=HOSPITAL))
    reader = house.hospital.opening
    other = signed(reader._private, header(house, **{"x5t#S256": reader.public.kid}), payload(by=HOSPITAL))

    assert refusal(raw, house.trust) is R.WRONG_USAGE
    assert refusal(other, house.trust) is R.WRONG_USAGE
    with pytest.raises(Untrusted, match="wrong_usage"):
        made(token)


def test_a_stranger_of_the_same_name_is_unknown(house: House) -> None:
    private, certificate = leaf(root())
    raw = made(signing_key(private, certificate))

    assert refusal(raw, house.trust) is R.UNKNOWN_SIGNER
    embedded = signed(private, header(house, **{"x5t#S256": thumbprint(certificate), "x5c": ["MIIB"]}), payload())
    assert refusal(embedded, house.trust) is R.FOREIGN_KEY


def test_another_signers_certificate_does_not_fit_the_signature(house: House) -> None:
    raw = signed(house.hospital.seal._private, header(house), payload())

    assert refusal(raw, house.trust) is R.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (NOW - DAY - timedelta(seconds=1), R.CERTIFICATE_NOT_YET_VALID),
        (NOW - DAY, None),
        (NOW + 700 * DAY, None),
        (NOW + 700 * DAY + timedelta(seconds=1), R.CERTIFICATE_EXPIRED),
    ],
)
def test_a_certificate_is_judged_at_the_moment_of_signing(at: datetime, reason: Reason | None) -> None:
    issuer = root()
    on = {"begins": NOW.replace(microsecond=0) - DAY, "ends": NOW.replace(microsecond=0) + 700 * DAY}
    private, certificate = leaf(issuer, **on)
    trust = Trust([issuer[1]], [certificate])
    raw = made(signing_key(private, certificate), at=at.replace(microsecond=0))

    if reason is None:
        assert verify_document(raw, trust).by == DOCTOR
    else:
        assert refusal(raw, trust) is reason


def test_nobody_signs_with_a_certificate_that_is_not_valid(house: House) -> None:
    with pytest.raises(Untrusted, match="certificate_expired"):
        made(house.doctor, at=NOW + 3 * 366 * DAY)
    with pytest.raises(Untrusted, match="certificate_not_yet_valid"):
        made(house.doctor, at=NOW - 2 * DAY)


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
        made(house.doctor, **change)


def test_the_content_does_not_show(house: House) -> None:
    document = verify_document(made(house.doctor), house.trust)

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
