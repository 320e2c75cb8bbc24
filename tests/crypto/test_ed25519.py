"""
Ed25519 of the transparency log: Wycheproof's signatures, and keys under which one signature would fit many texts.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from rx_flow.crypto import ed25519
from rx_flow.crypto.ed25519 import Seed
from rx_flow.crypto.errors import Reason, Untrusted

# RFC 8032 §7.1, test 2: seed, public key, message, signature.
RFC_SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
RFC_PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
RFC_SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)
P = 2**255 - 19


def encoded(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


def reason_of(public: bytes, signature: bytes, data: bytes) -> Reason | None:
    try:
        ed25519.verify(public, signature, data)
    except Untrusted as no:
        return no.reason
    return None


def test_the_example_of_the_rfc() -> None:
    seed = Seed(RFC_SEED)

    assert seed.public == RFC_PUBLIC
    assert seed.sign(b"\x72") == RFC_SIGNATURE
    assert reason_of(RFC_PUBLIC, RFC_SIGNATURE, b"\x72") is None
    assert reason_of(RFC_PUBLIC, RFC_SIGNATURE, b"\x73") is Reason.BAD_SIGNATURE


def test_wycheproof(vectors: Path) -> None:
    seen = {"valid": 0, "invalid": 0}
    for group in json.loads((vectors / "wycheproof" / "ed25519_test.json").read_text("utf-8"))["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for test in group["tests"]:
            got = reason_of(public, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
            assert (got is None) is (test["result"] == "valid"), test["tcId"]
            seen[test["result"]] += 1

    assert min(seen.values()) > 50


def test_a_signature_has_one_spelling() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(RFC_SIGNATURE[32:], "little")
    again = RFC_SIGNATURE[:32] + (s + order).to_bytes(32, "little")

    assert reason_of(RFC_PUBLIC, again, b"\x72") is Reason.SIGNATURE_RANGE
    assert reason_of(RFC_PUBLIC, RFC_SIGNATURE[:-1], b"\x72") is Reason.SIGNATURE_RANGE
    assert reason_of(RFC_PUBLIC, RFC_SIGNATURE + b"\0", b"\x72") is Reason.SIGNATURE_RANGE


# y of a point of order 8, and of its mirror; those of order 1, 2 and 4 are 1, -1 and 0.
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826


@pytest.mark.parametrize(
    "public",
    [
        b"",
        bytes(31),
        bytes(33),
        *(encoded(y, sign) for y in (0, 1, P - 1, ORDER_8, P - ORDER_8) for sign in (0, 1)),
        encoded(P),  # 0, written in another way
        encoded(P + 1),
        encoded(2**255 - 1),
        encoded(2),  # no point of the curve has this y
    ],
)
def test_keys_that_are_none(public: bytes) -> None:
    assert reason_of(public, RFC_SIGNATURE, b"\x72") is Reason.BAD_POINT


def test_a_forged_signature_under_a_point_of_small_order() -> None:
    """R and the key the neutral point, S zero: without the check of the key it holds for every text."""
    neutral = encoded(1)

    assert reason_of(neutral, neutral + bytes(32), b"any text") is Reason.BAD_POINT


def test_a_seed_signs_and_stays() -> None:
    with pytest.raises(Untrusted) as no:
        Seed(bytes(31))
    assert no.value.reason is Reason.BAD_KEY_FILE
    assert repr(Seed(RFC_SEED)) == "<Ed25519 seed of 3d4017c3>"
    with pytest.raises(TypeError):
        pickle.dumps(Seed(RFC_SEED))
