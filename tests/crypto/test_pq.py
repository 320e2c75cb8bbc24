"""
The suite against quantum computers: two signatures of which both must hold, and a content key wrapped in two ways.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509 import ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from rx_flow.crypto import suites
from rx_flow.crypto.compact import decode, encode
from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.crypto.suites import p256, pair, pq, tally
from rx_flow.crypto.suites.p256 import ORDER
from rx_flow.crypto.suites.pair import ReadingPrivate, SigningPrivate

R = Reason
SIGNER, READER = pq.generate(), pq.generate_reader()
OTHER_SIGNER, OTHER_READER = pq.generate(), pq.generate_reader()
DATA, CEK = b"signed by both", b"k" * 32
SIGNATURE = pq.sign(SIGNER, DATA)
CLASSICAL, QUANTUM = SIGNATURE[:64], SIGNATURE[64:]
PKCS8 = Encoding.DER, PrivateFormat.PKCS8, NoEncryption()


def refusal(signature: bytes, *, data: bytes = DATA, key: SigningPrivate = SIGNER) -> Reason:
    with pytest.raises(Untrusted) as refused:
        pq.verify(key.public_key(), data, signature)
    return refused.value.reason


@given(st.binary(max_size=500))
def test_both_signatures_hold_and_over_nothing_else(data: bytes) -> None:
    signature = pq.sign(SIGNER, data)

    pq.verify(SIGNER.public_key(), data, signature)
    suites.verify(SIGNER.public_key(), data, signature)
    assert refusal(signature, data=data + b"x") is R.BAD_SIGNATURE


def other_form(signature: bytes) -> bytes:
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + signature[64:]


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (CLASSICAL, R.QUANTUM_MISSING),
        (QUANTUM, R.CLASSICAL_MISSING),
        (b"", R.SIGNATURE_RANGE),
        (SIGNATURE[:-1], R.SIGNATURE_RANGE),
        (SIGNATURE + b"\0", R.SIGNATURE_RANGE),
        (bytes(64) + QUANTUM, R.SIGNATURE_RANGE),
        (other_form(SIGNATURE), R.SIGNATURE_MALLEABLE),
        (p256.sign(OTHER_SIGNER.classical, DATA) + QUANTUM, R.BAD_SIGNATURE),
        (p256.sign(SIGNER.classical, b"other") + QUANTUM, R.BAD_SIGNATURE),
        (CLASSICAL + OTHER_SIGNER.quantum.sign(DATA), R.BAD_QUANTUM_SIGNATURE),
        (CLASSICAL + SIGNER.quantum.sign(b"other"), R.BAD_QUANTUM_SIGNATURE),
        (CLASSICAL + SIGNER.quantum.sign(DATA, b"a context"), R.BAD_QUANTUM_SIGNATURE),
        (CLASSICAL + bytes(len(QUANTUM)), R.BAD_QUANTUM_SIGNATURE),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else f"{len(value)} bytes",
)
def test_either_signature_missing_or_bad_is_refused_for_its_own_reason(signature: bytes, reason: Reason) -> None:
    assert refusal(signature) is reason


def test_a_signature_holds_under_the_two_keys_of_one_signer_alone() -> None:
    mixed = SigningPrivate(SIGNER.classical, OTHER_SIGNER.quantum)

    assert refusal(SIGNATURE, key=OTHER_SIGNER) is R.BAD_SIGNATURE
    assert refusal(SIGNATURE, key=mixed) is R.BAD_QUANTUM_SIGNATURE


def test_the_quantum_signature_is_not_looked_at_where_the_first_is_bad() -> None:
    before = tally["verify_quantum"]

    refusal(SIGNATURE, data=b"another")
    assert tally["verify_quantum"] == before

    pq.verify(SIGNER.public_key(), DATA, SIGNATURE)
    assert tally["verify_quantum"] == before + 1


def test_a_content_key_is_wrapped_for_one_reader() -> None:
    header, wrapped = pq.wrap(CEK, READER.public_key())

    pq.shaped(header)
    assert pq.unwrap(READER, header, wrapped) == CEK
    assert pq.wrap(CEK, READER.public_key())[0] != header
    with pytest.raises(Untrusted, match="bad_package"):
        pq.unwrap(OTHER_READER, header, wrapped)


LABEL = rb"\.//^" + b"\\"  # draft-connolly-cfrg-xwing-kem §5.3: the last of what is hashed
HPKE = b"HPKE\x64\x7a\x00\x01\x00\x02"  # RFC 9180 §5.1: X-Wing, HKDF-SHA256, AES-256-GCM


def combined(key: ReadingPrivate, encapsulated: bytes) -> bytes:
    """X-Wing's shared secret as its draft puts it together, from the bare halves."""
    ours, theirs = key.public_key().classical.public_bytes_raw(), encapsulated[1088:]
    quantum = key.quantum.decapsulate(encapsulated[:1088])
    classical = key.classical.exchange(X25519PublicKey.from_public_bytes(theirs))
    return hashlib.sha3_256(quantum + classical + theirs + ours + LABEL).digest()


def unlocked(secret: bytes, wrapped: bytes) -> bytes:
    """What HPKE in base mode (RFC 9180 §5.1) opens with a shared secret."""

    def extract(salt: bytes, label: bytes, material: bytes) -> bytes:
        return hmac.digest(salt, b"HPKE-v1" + HPKE + label + material, "sha256")

    def expand(label: bytes, size: int) -> bytes:
        stated = size.to_bytes(2, "big") + b"HPKE-v1" + HPKE + label + context + b"\1"
        return hmac.digest(scheduled, stated, "sha256")[:size]

    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", pq._INFO)
    scheduled = extract(secret, b"secret", b"")
    return AESGCM(expand(b"key", 32)).decrypt(expand(b"base_nonce", 12), wrapped, b"")


def test_a_content_key_is_wrapped_as_the_drafts_say() -> None:
    header, wrapped = pq.wrap(CEK, READER.public_key())

    assert unlocked(combined(READER, decode(header["ek"].encode())), wrapped) == CEK


def test_the_drafts_own_vectors(vectors: Path) -> None:
    """Its appendix C, as JSON: seed, public key, ciphertext, shared secret; both halves, their order, the label."""
    file = vectors / "xwing" / "test-vectors.json"
    if not file.exists():
        pytest.skip("the folder of vectors has no xwing/test-vectors.json")
    for case in json.loads(file.read_text("utf-8")):
        seed = hashlib.shake_256(bytes.fromhex(case["sk"])).digest(96)  # §5.2
        key = ReadingPrivate(
            X25519PrivateKey.from_private_bytes(seed[64:]), MLKEM768PrivateKey.from_seed_bytes(seed[:64])
        )
        public = pair.dump_public(key.public_key())
        assert public.endswith(bytes.fromhex(case["pk"]))
        assert combined(key, bytes.fromhex(case["ct"])).hex() == case["ss"]


@pytest.mark.parametrize("point", [bytes(32), (1).to_bytes(32, "little"), b"\xff" * 32])
def test_a_point_that_agrees_on_nothing_is_an_answer_and_no_accident(point: bytes) -> None:
    header, wrapped = pq.wrap(CEK, READER.public_key())
    encapsulated = decode(header["ek"].encode())[:1088] + point

    with pytest.raises(Untrusted, match="bad_package"):
        pq.unwrap(READER, {"ek": encode(encapsulated).decode()}, wrapped)


@pytest.mark.parametrize("mixed", [0, 1])
def test_both_keys_of_the_reader_are_needed(mixed: int) -> None:
    """Whoever has broken one of the two has nothing."""
    half = (
        ReadingPrivate(READER.classical, OTHER_READER.quantum),
        ReadingPrivate(OTHER_READER.classical, READER.quantum),
    )[mixed]
    header, wrapped = pq.wrap(CEK, READER.public_key())

    with pytest.raises(Untrusted, match="bad_package"):
        pq.unwrap(half, header, wrapped)


def test_whatever_was_altered_the_answer_is_the_same() -> None:
    header, wrapped = pq.wrap(CEK, READER.public_key())
    encapsulated = decode(header["ek"].encode())
    told = set()
    for place in range(0, len(encapsulated) + len(wrapped), 7):
        both = bytearray(encapsulated + wrapped)
        both[place] ^= 1
        with pytest.raises(Untrusted) as refused:
            pq.unwrap(READER, {"ek": encode(bytes(both[:1120])).decode()}, bytes(both[1120:]))
        told.add(str(refused.value))
    for short in (b"", wrapped[:-1], wrapped + b"\0"):
        with pytest.raises(Untrusted) as refused:
            pq.unwrap(READER, header, short)
        told.add(str(refused.value))

    assert told == {str(Untrusted(R.BAD_PACKAGE))}


@pytest.mark.parametrize("key", [None, 1, "", "A" * 1493, "A" * 1495, "文" * 1494, ["A" * 1494]])
def test_an_encapsulated_key_has_one_form(key: object) -> None:
    with pytest.raises(Untrusted, match="malformed"):
        pq.shaped({"ek": key})


@pytest.mark.parametrize("private", [SIGNER, READER])
def test_keys_come_back_from_their_bytes(private: pair.PrivatePair) -> None:
    public = private.public_key()

    assert pair.load_private(pair.dump_private(private)).public_key() == public
    assert suites.load_private(suites.dump_private(private)).public_key() == public
    assert pair.load_public(pair.dump_public(public)) == public
    assert suites.load_public(suites.dump_public(public)) == public
    assert suites.of_key(private) is suites.of_key(public) is suites.PQ
    assert not suites.PQ.owns(p256.generate())


def both(classical: Any, quantum: Any) -> bytes:  # noqa: ANN401  keys of any kind
    first, second = (key.private_bytes(*PKCS8) for key in (classical, quantum))
    return asn1.encode_der(pair._Both(classical=first, quantum=second))


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"0",
        pair.dump_private(SIGNER)[:-1],
        pair.dump_private(SIGNER) + b"\0",
        p256.dump_private(SIGNER.classical),
        both(SIGNER.classical, READER.quantum),
        both(READER.classical, SIGNER.quantum),
        both(SIGNER.quantum, SIGNER.classical),
        both(ec.generate_private_key(ec.SECP384R1()), SIGNER.quantum),
        asn1.encode_der(pair._Both(classical=b"no key", quantum=b"no key")),
    ],
)
def test_private_keys_that_make_no_pair_are_refused(der: bytes) -> None:
    with pytest.raises(Untrusted, match="bad_key_file"):
        pair.load_private(der)


POINT = SIGNER.classical.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
READER_BITS = READER.public_key().quantum.public_bytes_raw() + READER.public_key().classical.public_bytes_raw()
SIGNING, READING = pair.dump_public(SIGNER.public_key()), pair.dump_public(READER.public_key())


@pytest.mark.parametrize(
    "der",
    [
        b"",
        SIGNING[:-1],
        SIGNING + b"\0",
        READING[:-1],
        p256.dump_public(SIGNER.classical.public_key()),
        pair._info(pair.SIGNING, b"\x04" + bytes(64) + SIGNER.quantum.public_key().public_bytes_raw()),  # no point
        pair._info(pair.SIGNING, POINT),
        pair._info(pair.SIGNING, POINT + bytes(1951)),
        pair._info(pair.READING, bytes(1184 + 31)),
        pair._info(pair.READING, bytes(32)),
        pair._info(ObjectIdentifier("1.2.3"), READER_BITS),
    ],
)
def test_public_keys_that_make_no_pair_are_refused(der: bytes) -> None:
    with pytest.raises(Untrusted, match="bad_point"):
        pair.load_public(der)


def test_the_names_of_the_suite_are_not_those_of_another() -> None:
    assert suites.named("pq") is suites.PQ
    assert suites.of_signature(suites.PQ.signature) is suites.PQ
    assert suites.of_package(suites.PQ.key_management, suites.PQ.content) is suites.PQ


def test_private_keys_do_not_show() -> None:
    for private in (SIGNER, READER):
        assert repr(private) == f"<{type(private).__name__}>"
