"""
Hostile documents: every attack that is known on signed tokens, each refused for its own reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from forge import AT, House, b64, header, payload, refusal, signed, without, written

from rx_flow.crypto import canonical
from rx_flow.crypto.compact import HEADER_MAX
from rx_flow.crypto.documents import DOCUMENT_MAX, TYPE
from rx_flow.crypto.errors import Reason
from rx_flow.crypto.suites.p256 import ORDER

R = Reason
UNSIGNED = ["none", "None", "NONE", "nOnE", "NoNe", " none ", "none\0"]
ALGORITHMS = ["RS256", "PS256", "ES384", "ES256K"]
ALGORITHMS += ["EdDSA", "Ed25519", "SM2", "es256", "ES256 ", "ES256\0", ""]
HEADERS: list[tuple[dict[str, object], Reason]] = [
    *(({"alg": name}, R.WRONG_ALGORITHM) for name in (*ALGORITHMS, None, 1, True, ["ES256"], {"ES256": 1})),
    *(({"alg": name}, R.UNSIGNED) for name in UNSIGNED),
    *(({"alg": name}, R.SHARED_SECRET) for name in ("HS256", "HS384", "HS512", "hs256")),
    ({"alg": "PBES2-HS256+A128KW"}, R.PASSWORD_BASED),
    *(({"crit": names}, R.UNKNOWN_CRITICAL) for names in (["exp"], [], "exp", ["b64"], ["alg"], ["x", "x"])),
    ({"b64": False}, R.UNENCODED_PAYLOAD),
    ({"b64": True}, R.UNENCODED_PAYLOAD),
    ({"b64": False, "crit": ["b64"]}, R.UNENCODED_PAYLOAD),
    ({"jwk": {"kty": "EC"}}, R.FOREIGN_KEY),
    *(
        ({"jku": url}, R.KEY_ADDRESS)
        for url in ("http://127.0.0.1/", "file:///etc/passwd", "gopher://x", "http://[::1]")
    ),
    ({"x5u": "http://169.254.169.254/"}, R.KEY_ADDRESS),
    ({"x5c": ["MIIB"]}, R.FOREIGN_KEY),
    ({"x5t": "x"}, R.KEY_NAME),
    *(({"kid": kid}, R.KEY_NAME) for kid in ("../../etc/passwd", "' OR 1=1 --", "\0", ["a"], 1)),
    ({"zip": "DEF"}, R.COMPRESSED),
    ({"cty": "JWT"}, R.UNKNOWN_HEADER),
    ({"x5t#s256": "x"}, R.UNKNOWN_HEADER),
    *(({"typ": typ}, R.WRONG_TYPE) for typ in ("JWT", "rx-document", TYPE.upper(), "", None, 1, [TYPE])),
    *(({"sigT": at}, R.MALFORMED) for at in ("", "now", AT[:-1], AT.lower(), None, 1700000000, [AT], "2026-11-23")),
    ({"sigT": "2026-11-23T16:30:00.123456+08:00"}, R.MALFORMED),
    # As long as ours, and read by Python as the same moment.
    *(
        ({"sigT": at}, R.MALFORMED)
        for at in (
            AT.replace("T", " "),
            AT.replace(".", ","),
            AT.replace("11-23", "W48-1"),
            AT.replace("2026", "２０２６"),
        )
    ),
    ({"sigT": "2026-11-23T08:30:00Z"}, R.MALFORMED),
    ({"sigT": "2026-02-30T08:30:00.123456Z"}, R.MALFORMED),
    ({"sigT": "2026-11-23T08:30:00.123457Z"}, R.TIME_MISMATCH),
    ({"x5t#S256": None}, R.MALFORMED),
    ({"x5t#S256": ["x"]}, R.MALFORMED),
    ({"x5t#S256": "x"}, R.UNKNOWN_SIGNER),
    ({"x5t#S256": "../root"}, R.UNKNOWN_SIGNER),
    ({"kid": "k" * HEADER_MAX}, R.HEADER_TOO_LARGE),
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
    (lambda text: text + " " * HEADER_MAX, R.HEADER_TOO_LARGE),
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
    (lambda raw: raw + ".x", R.SECOND_SIGNATURE),
    (lambda raw: '{"payload":"' + raw.split(".")[1] + '","signatures":[{},{}]}', R.SECOND_SIGNATURE),
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
    assert refusal(change(written(house.doctor)), house.trust) is reason


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
    head = written(house.doctor).rpartition(".")[0]

    assert refusal(f"{head}.{b64(signature)}", house.trust) is reason


def test_the_public_key_is_not_a_shared_secret(house: House) -> None:
    """HS256 keyed with the certificate's public key, the oldest confusion of them all."""
    public = house.doctor._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = f"{b64(header(house, alg='HS256'))}.{b64(payload())}"
    mac = hmac.HMAC(public, hashes.SHA256())
    mac.update(head.encode())

    assert refusal(f"{head}.{b64(mac.finalize())}", house.trust) is R.SHARED_SECRET


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
