"""
Disclosures: what is withheld stays provable, what is disclosed is exactly what was signed, and in one spelling only.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable

import pytest
from forge import NOW, RX, House, header, payload, sha256, signed
from hypothesis import given
from hypothesis import strategies as st

from rx_flow.crypto import canonical, disclosures
from rx_flow.crypto.compact import encode
from rx_flow.crypto.documents import DOCUMENT_MAX, Document, digest_of, issue, sign_document, verify_document
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.pki.status import Seen
from rx_flow.law.personal import PERSONAL, personal

PATIENT = {"name": "张三", "id_type": "01", "id_number": "990000196103140011", "sex": "1", "birth": "1961-03-14"}
DIAGNOSES = [{"code": "C34.900", "name": "肺恶性肿瘤", "main": True}]
BODY: dict[str, object] = {
    "action": "submit",
    "patient": PATIENT,
    "diagnoses": DIAGNOSES,
    "long_term_reason": None,
    "lines": [{"n": 1, "quantity": 30}],
}
SECRETS = ("张三", "990000196103140011", "1961-03-14", "C34.900", "肺恶性肿瘤")
PATHS = personal("prescription")


def prescribed(house: House, body: dict[str, object] = BODY) -> Document:
    return issue(house.doctor, doc="prescription", rx=RX, seq=1, prev="", at=NOW, body=body, personal=PATHS)


def verified(raw: str, house: House, *, withheld: bool = False) -> Document:
    return verify_document(raw, house.trust, Seen(NOW), withheld=withheld)


def parts(house: House) -> tuple[str, list[str]]:
    return disclosures.part(prescribed(house).raw)


def reason(raw: str, house: House, *, withheld: bool = True) -> Reason:
    with pytest.raises(Untrusted) as refused:
        verified(raw, house, withheld=withheld)
    return refused.value.reason


def test_a_document_with_all_its_disclosures_reads_as_it_was_written(house: House) -> None:
    made = prescribed(house)

    assert verified(made.raw, house) == made
    assert made.body == BODY
    assert made.withheld == 0


def test_the_digest_is_of_what_is_signed_whatever_is_disclosed(house: House) -> None:
    made = prescribed(house)
    jws, found = disclosures.part(made.raw)

    assert made.digest == sha256(jws) == digest_of(made.raw) == digest_of(jws)
    assert verified(disclosures.join(jws, found[2:]), house, withheld=True).digest == made.digest


def test_signed_bytes_hold_nothing_personal(house: House) -> None:
    made = prescribed(house)
    jws, found = disclosures.part(made.raw)
    plain = base64.urlsafe_b64decode(jws.split(".")[1] + "==").decode()

    assert not [secret for secret in SECRETS if secret in plain]
    assert json.loads(plain)["body"]["patient"].keys() == {"_sd"}
    assert len(found) == 6, "the long-term reason is empty and stays as it is"
    assert json.loads(plain)["body"]["long_term_reason"] is None


@given(st.sets(st.integers(0, 5)))
def test_any_part_of_the_disclosures_verifies_and_shows_no_more(house: House, shown: set[int]) -> None:
    jws, found = parts(house)

    document = verified(disclosures.join(jws, [found[i] for i in sorted(shown)]), house, withheld=True)

    assert document.withheld == 6 - len(shown)
    patient, diagnoses = document.body["patient"], document.body.get("diagnoses")
    assert isinstance(patient, dict)
    seen = {name: value for name, value in patient.items() if name != "_sd"}
    assert seen.items() <= PATIENT.items()
    assert len(seen) + (diagnoses == DIAGNOSES) == len(shown)
    assert document.body["lines"] == BODY["lines"]


def test_a_document_that_withholds_is_read_only_where_that_is_said(house: House) -> None:
    jws, found = parts(house)

    assert reason(jws, house, withheld=False) is Reason.WITHHELD
    assert reason(disclosures.join(jws, found[1:]), house, withheld=False) is Reason.WITHHELD
    assert verified(jws, house, withheld=True).withheld == 6


def test_a_commitment_is_what_rfc_9901_says(house: House) -> None:
    # The digests of its §4.2.3 and the example claims of its §5.1, by nothing but the standard library.
    example = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
    expected = "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"
    assert base64.urlsafe_b64encode(hashlib.sha256(example.encode()).digest()).rstrip(b"=").decode() == expected

    jws, found = parts(house)
    body = json.loads(base64.urlsafe_b64decode(jws.split(".")[1] + "=="))["body"]
    for one in found:
        salt, name, value = json.loads(base64.urlsafe_b64decode(one + "=="))
        digest = base64.urlsafe_b64encode(hashlib.sha256(one.encode()).digest()).rstrip(b"=").decode()
        assert digest in (body["patient"] if name in PATIENT else body)["_sd"]
        assert len(base64.urlsafe_b64decode(salt + "==")) == 16
        assert value == {**PATIENT, "diagnoses": DIAGNOSES}[name]


def test_commitments_stand_in_an_order_that_tells_nothing(house: House) -> None:
    for _ in range(5):
        jws, found = parts(house)
        body = json.loads(base64.urlsafe_b64decode(jws.split(".")[1] + "=="))["body"]
        assert body["patient"]["_sd"] == sorted(body["patient"]["_sd"])
        assert found == sorted(found)


def test_the_same_value_twice_has_two_commitments(house: House) -> None:
    first, second = parts(house)[1], parts(house)[1]

    assert not set(first) & set(second)


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"reason": ""}, (("reason",),)),
        ({"findings": []}, (("findings",),)),
        ({"findings": ()}, (("findings",),)),
        ({"other": 1}, (("reason",),)),
        ({"patient": "not an object"}, (("patient", "name"),)),
        ({"patient": {"name": None}}, (("patient", "name"),)),
        ({"reason": "x"}, ()),
    ],
    ids=str,
)
def test_what_is_empty_or_missing_stays_as_it_is(body: dict[str, object], paths: tuple[tuple[str, ...], ...]) -> None:
    assert disclosures.hide(body, paths) == (body, [])


def test_what_is_committed_to_is_left_as_it_was_for_its_owner() -> None:
    patient = dict(PATIENT)
    body: dict[str, object] = {"patient": patient, "reason": "x"}

    disclosures.hide(body, (("patient", "name"), ("reason",)))

    assert body == {"patient": PATIENT, "reason": "x"}


def test_a_value_of_zero_is_committed_to_as_any_other() -> None:
    hidden, found = disclosures.hide({"before": 0, "known": False}, (("before",), ("known",)))

    assert hidden.keys() == {"_sd"}
    assert len(found) == 2


Tampering = Callable[[str, list[str]], str]


def crafted(name: object, value: object = 1, salt: object = "A" * 22) -> str:
    return encode(json.dumps([salt, name, value], separators=(",", ":")).encode()).decode()


SPELLINGS: dict[str, Tampering] = {
    "an end without disclosures": lambda jws, _: jws + "~",
    "no end": lambda jws, found: jws + "~" + "~".join(found),
    "an empty disclosure": lambda jws, found: jws + "~" + "~~".join(found) + "~",
    "one more end": lambda jws, found: disclosures.join(jws, found) + "~",
    "another order": lambda jws, found: jws + "~" + "~".join(reversed(found)) + "~",
    "one twice": lambda jws, found: disclosures.join(jws, [found[0], *found]),
    "one of no commitment": lambda jws, found: disclosures.join(jws, sorted([crafted("name"), *found])),
    "one altered": lambda jws, found: disclosures.join(jws, sorted([found[0][:-1] + "~"[:0] + "A", *found[1:]])),
    "padding": lambda jws, found: disclosures.join(jws, sorted([found[0] + "=", *found[1:]])),
    "foreign characters": lambda jws, found: disclosures.join(jws, [*found, "张"]),
    "a key binding": lambda jws, found: disclosures.join(jws, found) + jws,
}


@pytest.mark.parametrize("tamper", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_second_spelling_is_refused(house: House, tamper: Tampering) -> None:
    assert reason(tamper(*parts(house)), house) is Reason.BAD_DISCLOSURE


def test_disclosures_of_another_document_are_refused(house: House) -> None:
    jws, _ = parts(house)
    _, other = parts(house)

    assert reason(disclosures.join(jws, other), house) is Reason.BAD_DISCLOSURE


def test_a_document_with_its_disclosures_is_bounded(house: House) -> None:
    jws, _ = parts(house)

    assert reason(jws + "~" + "A" * DOCUMENT_MAX + "~", house) is Reason.TOO_LARGE


def forged(house: House, body: dict[str, object]) -> str:
    return signed(house.doctor._private, header(house), payload(body=body))


def listed(*found: str) -> list[str]:
    return sorted(encode(hashlib.sha256(one.encode()).digest()).decode() for one in found)


GOOD = crafted("name", "x")
HOSTILE: dict[str, tuple[dict[str, object], list[str]]] = {
    "commitments that are no list": ({"_sd": "x"}, []),
    "no commitments": ({"_sd": []}, []),
    "a commitment of another length": ({"_sd": ["x"]}, []),
    "a commitment that is no text": ({"_sd": [1]}, []),
    "a commitment twice in a list": ({"_sd": listed(GOOD) * 2}, [GOOD]),
    "commitments out of order": ({"_sd": listed(GOOD, crafted("b"))[::-1]}, []),
    "a commitment in two places": ({"_sd": listed(GOOD), "patient": {"_sd": listed(GOOD)}}, [GOOD]),
    "commitments too deep": ({"a": {"b": {"_sd": listed(GOOD)}}}, []),
    "commitments in an array": ({"a": [{"_sd": listed(GOOD)}]}, []),
    "a hidden element": ({"a": [{"...": listed(GOOD)[0]}]}, []),
    "a name that is there": ({"_sd": listed(GOOD), "name": "y"}, [GOOD]),
    "a name twice": (
        {"_sd": listed(GOOD, crafted("name", "y"))},
        sorted([GOOD, crafted("name", "y")]),
    ),
    "the name of the list": ({"_sd": listed(crafted("_sd"))}, [crafted("_sd")]),
    "the name of an element": ({"_sd": listed(crafted("..."))}, [crafted("...")]),
    "commitments within": ({"_sd": listed(crafted("a", {"_sd": [1]}))}, [crafted("a", {"_sd": [1]})]),
    "an element within": ({"_sd": listed(crafted("a", [{"...": 1}]))}, [crafted("a", [{"...": 1}])]),
    "a short salt": ({"_sd": listed(crafted("a", salt="A"))}, [crafted("a", salt="A")]),
    "a salt that is no text": ({"_sd": listed(crafted("a", salt=1))}, [crafted("a", salt=1)]),
    "a name that is no text": ({"_sd": listed(crafted(1))}, [crafted(1)]),
    "an object": ({"_sd": listed(encode(b"{}").decode())}, [encode(b"{}").decode()]),
    "two parts": ({"_sd": listed(encode(b'["a",1]').decode())}, [encode(b'["a",1]').decode()]),
}


@pytest.mark.parametrize(("body", "found"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_signer_cannot_commit_in_two_ways(house: House, body: dict[str, object], found: list[str]) -> None:
    jws = forged(house, body)

    assert reason(disclosures.join(jws, found), house) is Reason.BAD_DISCLOSURE


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        (b'["AAAAAAAAAAAAAAAAAAAAAA", "a",1]', Reason.NOT_CANONICAL),
        (b'["AAAAAAAAAAAAAAAAAAAAAA","a",1.5]', Reason.BAD_JSON),
        (b'["AAAAAAAAAAAAAAAAAAAAAA","a",{"b":1,"b":1}]', Reason.DUPLICATE_MEMBER),
        (b"\xff", Reason.BAD_JSON),
    ],
)
def test_a_disclosure_is_canonical_json(house: House, plain: bytes, expected: Reason) -> None:
    one = encode(plain).decode()
    jws = forged(house, {"_sd": listed(one)})

    assert reason(disclosures.join(jws, [one]), house) is expected


def test_words_that_look_like_commitments_are_only_words(house: House) -> None:
    body: dict[str, object] = {"action": "submit", "reason": '"_sd":', "a": ["_sd", "..."], "b": '"...":'}

    document = verified(sign_document(house.doctor, doc="a", rx=RX, seq=1, prev="", at=NOW, body=body), house)

    assert document.body == body


def test_our_own_body_cannot_bring_commitments(house: House) -> None:
    with pytest.raises(Untrusted):
        issue(house.doctor, doc="a", rx=RX, seq=1, prev="", at=NOW, body={"_sd": "x"})


def test_values_that_are_not_canonical_are_not_committed_to(house: House) -> None:
    with pytest.raises(ValueError, match="not canonical"):
        prescribed(house, {**BODY, "diagnoses": [1.5]})


def test_personal_paths_lead_to_members_of_a_body_or_of_an_object_in_it() -> None:
    assert {len(path) for paths in PERSONAL.values() for path in paths} == {1, 2}
    assert personal("release") == personal("expiry") == ()


def test_canonical_json_spells_a_name_in_one_way() -> None:
    # What `reveal` counts on: no escape can write `_sd` or `...` differently.
    with pytest.raises(Untrusted):
        canonical.read(b'{"\\u005fsd":1}')
