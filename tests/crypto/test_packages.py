"""
Packages: sealed once, passed on without touching the ciphertext, and opened by nobody else and for nothing else.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from forge import INSURER, NOW, PHARMACY, PLATFORM, RX, House, b64, decode
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

from rx_flow.crypto import canonical
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.keyrings.keys import OpeningKey
from rx_flow.crypto.packages import DOCUMENTS_MAX, PACKAGE_MAX, RECIPIENTS_MAX, TYPE, add_recipient, open_package, seal
from rx_flow.crypto.pki.profile import OpenKey

DOCUMENTS = ("e30.e30.x", "文书.二.三", "")
OTHER_RX = "350200-ABCDEFGHJKMNPQRS"
REGISTRY = jwe.JWERegistry(
    header_registry={"rx": HeaderParameter("Prescription", "str", required=True)},
    algorithms=["ECDH-ES+A256KW", "A256GCM"],
)


def reader(house: House, code: str = PLATFORM) -> OpenKey:
    return house.trust.reader(code, NOW)


def made(house: House) -> str:
    return seal(DOCUMENTS, reader(house), rx=RX)


def members(package: str) -> dict[str, Any]:
    found = canonical.read(package.encode())
    assert isinstance(found, dict)
    return found


def refusal(package: str, key: OpeningKey, *, rx: str = RX) -> Reason:
    with pytest.raises(Untrusted) as refused:
        open_package(package, key, rx=rx)
    return refused.value.reason


def by_joserfc(package: str, key: OpeningKey) -> bytes:
    """The plain bytes as the JOSE library opens them, given its own recipient alone."""
    found = members(package)
    found["recipients"] = [each for each in found["recipients"] if each["header"]["kid"] == key.public.kid]
    opened = jwe.decrypt_json(found, ECKey.import_key(key._private), registry=REGISTRY)
    assert opened.plaintext is not None
    return opened.plaintext


def sealed_by_joserfc(to: OpenKey, documents: tuple[str, ...], *, rx: str = RX) -> str:
    protected = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "rx": rx, "typ": TYPE}
    encryption = jwe.GeneralJSONEncryption(protected, canonical.dumps(documents))
    encryption.add_recipient({"kid": to.kid}, ECKey.import_key(to.public))
    return canonical.dumps(jwe.encrypt_json(encryption, None, registry=REGISTRY)).decode()


def test_the_reader_gets_what_was_sealed(house: House) -> None:
    assert open_package(made(house), house.platform.opening, rx=RX) == DOCUMENTS


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_whatever_the_texts_they_come_back_in_order(house: House, documents: list[str]) -> None:
    package = seal(documents, reader(house), rx=RX)

    assert open_package(package, house.platform.opening, rx=RX) == tuple(documents)


def test_a_reader_is_added_without_touching_a_bit_of_the_rest(house: House) -> None:
    package = made(house)

    more = add_recipient(package, house.platform.opening, reader(house, PHARMACY), rx=RX)
    most = add_recipient(more, house.pharmacy.opening, reader(house, INSURER), rx=RX)

    before, after = members(package), members(most)
    for name in ("protected", "iv", "ciphertext", "tag"):
        assert before[name] == after[name]
    assert after["recipients"][:1] == before["recipients"]
    assert len(after["recipients"]) == 3
    for code in (PLATFORM, PHARMACY, INSURER):
        assert open_package(most, house.keyrings[code].opening, rx=RX) == DOCUMENTS


def test_joserfc_opens_what_we_seal_and_extend(house: House) -> None:
    package = add_recipient(made(house), house.platform.opening, reader(house, PHARMACY), rx=RX)

    for key in (house.platform.opening, house.pharmacy.opening):
        assert by_joserfc(package, key) == canonical.dumps(DOCUMENTS)


def test_we_open_and_extend_what_joserfc_seals(house: House) -> None:
    package = sealed_by_joserfc(reader(house), DOCUMENTS)

    more = add_recipient(package, house.platform.opening, reader(house, PHARMACY), rx=RX)

    assert members(more)["ciphertext"] == members(package)["ciphertext"]
    for key in (house.platform.opening, house.pharmacy.opening):
        assert open_package(more, key, rx=RX) == DOCUMENTS
        assert by_joserfc(more, key) == canonical.dumps(DOCUMENTS)


def test_two_packages_of_the_same_documents_have_nothing_in_common(house: House) -> None:
    one, two = members(made(house)), members(made(house))

    assert one["protected"] == two["protected"]
    for name in ("iv", "ciphertext", "tag", "recipients"):
        assert one[name] != two[name]


def test_nobody_else_opens_it_or_passes_it_on(house: House) -> None:
    package = made(house)

    assert refusal(package, house.pharmacy.opening) is Reason.NOT_FOR_US
    with pytest.raises(Untrusted, match="not_for_us"):
        add_recipient(package, house.pharmacy.opening, reader(house, PHARMACY), rx=RX)


def test_it_opens_for_its_own_prescription_alone(house: House) -> None:
    package = made(house)

    assert refusal(package, house.platform.opening, rx=OTHER_RX) is Reason.WRONG_PRESCRIPTION
    with pytest.raises(Untrusted, match="wrong_prescription"):
        add_recipient(package, house.platform.opening, reader(house, PHARMACY), rx=OTHER_RX)


def test_a_false_entry_in_a_readers_name_is_replaced(house: House) -> None:
    """Otherwise whoever seals could keep a pharmacy from ever opening, by naming it with a key that does not fit."""
    found = members(made(house))
    false = {
        **found["recipients"][0],
        "header": {**found["recipients"][0]["header"], "kid": reader(house, PHARMACY).kid},
    }
    package = canonical.dumps({**found, "recipients": [false, *found["recipients"]]}).decode()
    assert refusal(package, house.pharmacy.opening) is Reason.BAD_PACKAGE

    more = add_recipient(package, house.platform.opening, reader(house, PHARMACY), rx=RX)

    assert len(members(more)["recipients"]) == 2
    assert open_package(more, house.pharmacy.opening, rx=RX) == DOCUMENTS


def test_one_bit_of_any_byte_is_noticed(house: House) -> None:
    package = made(house)
    found = members(package)
    for name in ("protected", "iv", "ciphertext", "tag"):
        for byte in range(len(decode(found[name]))):
            data = bytearray(decode(found[name]))
            data[byte] ^= 1
            reason = refusal(canonical.dumps({**found, name: b64(bytes(data))}).decode(), house.platform.opening)
            assert name == "protected" or reason is Reason.BAD_PACKAGE
    entry = found["recipients"][0]
    for byte in range(40):
        data = bytearray(decode(entry["encrypted_key"]))
        data[byte] ^= 1
        broken = {**found, "recipients": [{**entry, "encrypted_key": b64(bytes(data))}]}
        assert refusal(canonical.dumps(broken).decode(), house.platform.opening) is Reason.BAD_PACKAGE


R = Reason
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B32 = "A" * 43


def protected(**change: object) -> str:
    return b64({"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "rx": RX, "typ": TYPE, **change})


def entry(found: dict[str, Any], **change: object) -> list[dict[str, Any]]:
    first = found["recipients"][0]
    return [{**first, "header": {**first["header"], **change}}]


def epk(found: dict[str, Any], **change: object) -> list[dict[str, Any]]:
    return entry(found, epk={**found["recipients"][0]["header"]["epk"], **change})


def negated(found: dict[str, Any]) -> str:
    y = int.from_bytes(decode(found["recipients"][0]["header"]["epk"]["y"]), "big")
    return b64(((y + 1) % P).to_bytes(32, "big"))


CHANGES: list[tuple[Callable[[dict[str, Any]], dict[str, Any]], Reason]] = [
    *(
        (lambda found, name=name: {each: value for each, value in found.items() if each != name}, R.MALFORMED)
        for name in ("protected", "recipients", "iv", "ciphertext", "tag")
    ),
    (lambda found: {**found, "aad": "AA"}, R.MALFORMED),
    (lambda found: {**found, "unprotected": {"alg": "dir"}}, R.MALFORMED),
    (lambda found: {**found, "header": {}, "encrypted_key": "AA"}, R.MALFORMED),
    *(
        (lambda found, name=name, value=value: {**found, name: value}, R.MALFORMED)
        for name in ("protected", "iv", "ciphertext", "tag")
        for value in (1, None, [], {})
    ),
    (lambda found: {**found, "iv": ""}, R.MALFORMED),
    (lambda found: {**found, "iv": b64(bytes(8))}, R.MALFORMED),
    (lambda found: {**found, "iv": b64(bytes(16))}, R.MALFORMED),
    (lambda found: {**found, "tag": b64(decode(found["tag"])[:12])}, R.TAG_LENGTH),
    (lambda found: {**found, "tag": b64(decode(found["tag"])[:4])}, R.TAG_LENGTH),
    (lambda found: {**found, "tag": ""}, R.TAG_LENGTH),
    (lambda found: {**found, "tag": found["tag"] + "="}, R.BAD_ENCODING),
    (lambda found: {**found, "ciphertext": found["ciphertext"] + "="}, R.BAD_ENCODING),
    (lambda found: {**found, "ciphertext": "文"}, R.BAD_ENCODING),
    (lambda found: {**found, "ciphertext": ""}, R.BAD_PACKAGE),
    (lambda found: {**found, "ciphertext": found["ciphertext"][:-4]}, R.BAD_PACKAGE),
    (lambda found: {**found, "protected": "文"}, R.BAD_ENCODING),
    (lambda found: {**found, "protected": "e30="}, R.BAD_ENCODING),
    (lambda found: {**found, "protected": b64("[]")}, R.MALFORMED),
    (lambda found: {**found, "protected": b64("{}")}, R.UNKNOWN_HEADER),
    (lambda found: {**found, "protected": "A" * 2000}, R.HEADER_TOO_LARGE),
    (lambda found: {**found, "protected": protected(zip="DEF")}, R.COMPRESSED),
    (lambda found: {**found, "protected": protected(crit=["rx"])}, R.UNKNOWN_CRITICAL),
    (lambda found: {**found, "protected": protected(p2c=2**31 - 1, p2s="AA")}, R.PASSWORD_BASED),
    (lambda found: {**found, "protected": protected(p2c=10**9)}, R.PASSWORD_BASED),
    (lambda found: {**found, "protected": protected(jku="http://127.0.0.1/")}, R.KEY_ADDRESS),
    (lambda found: {**found, "protected": protected(typ="JWE")}, R.WRONG_TYPE),
    (lambda found: {**found, "protected": protected(typ=None)}, R.WRONG_TYPE),
    *(
        (lambda found, alg=alg: {**found, "protected": protected(alg=alg)}, R.UNKNOWN_SUITE)
        for alg in ("dir", "ECDH-ES", "ECDH-ES+A128KW", "A256KW", "RSA1_5", None, 1, [1])
    ),
    (lambda found: {**found, "protected": protected(alg="none")}, R.UNSIGNED),
    (lambda found: {**found, "protected": protected(alg="PBES2-HS256+A128KW")}, R.PASSWORD_BASED),
    *(
        (lambda found, enc=enc: {**found, "protected": protected(enc=enc)}, R.UNKNOWN_SUITE)
        for enc in ("A128GCM", "A256CBC-HS512", "none", None, ["A256GCM"])
    ),
    (lambda found: {**found, "protected": protected(rx=OTHER_RX)}, R.WRONG_PRESCRIPTION),
    (lambda found: {**found, "protected": protected(rx=None)}, R.WRONG_PRESCRIPTION),
    (lambda found: {**found, "protected": b64('{"alg":"dir",' + '"alg":"ECDH-ES+A256KW"}')}, R.DUPLICATE_MEMBER),
    (lambda found: {**found, "protected": b64(decode(protected()) + b" ")}, R.NOT_CANONICAL),
    *((lambda found, value=value: {**found, "recipients": value}, R.MALFORMED) for value in ([], {}, None, "x", [1])),
    (lambda found: {**found, "recipients": found["recipients"] * (RECIPIENTS_MAX + 1)}, R.TOO_LARGE),
    (lambda found: {**found, "recipients": [{"header": {}}]}, R.MALFORMED),
    (lambda found: {**found, "recipients": [{**found["recipients"][0], "encrypted_key": 1}]}, R.MALFORMED),
    (lambda found: {**found, "recipients": [{**found["recipients"][0], "encrypted_key": ""}]}, R.MALFORMED),
    (lambda found: {**found, "recipients": [{**found["recipients"][0], "encrypted_key": B32}]}, R.MALFORMED),
    (lambda found: {**found, "recipients": entry(found, kid=1)}, R.MALFORMED),
    (lambda found: {**found, "recipients": entry(found, alg="dir")}, R.UNKNOWN_HEADER),
    (lambda found: {**found, "recipients": entry(found, apu="AA")}, R.UNKNOWN_HEADER),
    (lambda found: {**found, "recipients": entry(found, epk="x")}, R.MALFORMED),
    (lambda found: {**found, "recipients": epk(found, d="AA")}, R.MALFORMED),
    (lambda found: {**found, "recipients": epk(found, x=1)}, R.MALFORMED),
    (lambda found: {**found, "recipients": epk(found, kty="OKP")}, R.UNKNOWN_SUITE),
    (lambda found: {**found, "recipients": epk(found, crv="P-384")}, R.UNKNOWN_SUITE),
    (lambda found: {**found, "recipients": epk(found, x="")}, R.MALFORMED),
    (lambda found: {**found, "recipients": epk(found, x="A" * 42 + "B")}, R.BAD_ENCODING),
    (lambda found: {**found, "recipients": epk(found, x=b64(bytes(33)))}, R.MALFORMED),
    (lambda found: {**found, "recipients": epk(found, x=B32, y=B32)}, R.BAD_POINT),  # (0, 0)
    (lambda found: {**found, "recipients": epk(found, x=b64(P.to_bytes(32, "big")))}, R.BAD_POINT),
    (lambda found: {**found, "recipients": epk(found, x=b64(b"\xff" * 32), y=b64(b"\xff" * 32))}, R.BAD_POINT),
    (lambda found: {**found, "recipients": epk(found, y=negated(found))}, R.BAD_POINT),  # beside the curve
]


@pytest.mark.parametrize(("change", "reason"), CHANGES)
def test_every_hostile_package_is_refused_for_its_own_reason(
    house: House, change: Callable[[dict[str, Any]], dict[str, Any]], reason: Reason
) -> None:
    package = canonical.dumps(change(members(made(house)))).decode()

    assert refusal(package, house.platform.opening) is reason


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        ("", R.BAD_JSON),
        ("x" * (PACKAGE_MAX + 1), R.TOO_LARGE),
        ("\ud800", R.BAD_ENCODING),
        ("[]", R.MALFORMED),
        ("null", R.MALFORMED),
        ("e30.e30.e30.e30.e30", R.BAD_JSON),
        ('{"iv":"a","iv":"a"}', R.DUPLICATE_MEMBER),
        (' {"a":1}', R.NOT_CANONICAL),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_is_no_package_is_refused(house: House, package: str, reason: Reason) -> None:
    assert refusal(package, house.platform.opening) is reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, R.MALFORMED),
        ([], R.MALFORMED),
        ("text", R.MALFORMED),
        ([1], R.MALFORMED),
        (["a", None], R.MALFORMED),
        (["a"] * (DOCUMENTS_MAX + 1), R.MALFORMED),
        (b"\xff", R.BAD_JSON),
        (b'["a" ]', R.NOT_CANONICAL),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_package_of_something_else_is_refused(house: House, content: object, reason: Reason) -> None:
    to = reader(house)
    plain = content if isinstance(content, bytes) else canonical.dumps(content)
    header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "rx": RX, "typ": TYPE}
    encryption = jwe.GeneralJSONEncryption(header, plain)
    encryption.add_recipient({"kid": to.kid}, ECKey.import_key(to.public))
    package = canonical.dumps(jwe.encrypt_json(encryption, None, registry=REGISTRY)).decode()

    assert refusal(package, house.platform.opening) is reason


def test_a_package_has_its_limits(house: House) -> None:
    for documents in ([], ["a"] * (DOCUMENTS_MAX + 1)):
        with pytest.raises(ValueError, match="1 to 64"):
            seal(documents, reader(house), rx=RX)
    with pytest.raises(ValueError, match="too large"):
        seal(["x" * PACKAGE_MAX], reader(house), rx=RX)
    strangers = [
        OpenKey(str(n), "x", ec.generate_private_key(ec.SECP256R1()).public_key()) for n in range(RECIPIENTS_MAX)
    ]
    package = made(house)
    for stranger in strangers[:-1]:
        package = add_recipient(package, house.platform.opening, stranger, rx=RX)
    with pytest.raises(Untrusted, match="too_large"):
        add_recipient(package, house.platform.opening, strangers[-1], rx=RX)


def test_the_documents_do_not_show_in_the_package(house: House) -> None:
    secret = "张三 350102199001011234"  # made up
    package = seal([secret], reader(house), rx=RX)

    for form in (
        secret,
        base64.b64encode(secret.encode()).decode(),
        base64.urlsafe_b64encode(secret.encode()).decode(),
    ):
        assert form not in package
