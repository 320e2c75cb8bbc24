"""
Pick-up codes: every slip of one or two characters is noticed, and a code is read as people type it.
"""

from __future__ import annotations

import hashlib
import itertools

import pytest
from forge import House
from hypothesis import given, settings
from hypothesis import strategies as st

from rx_flow.crypto import pickup
from rx_flow.crypto.errors import Reason, Untrusted

BITS = st.binary(min_size=12, max_size=32)


def noticed(text: str) -> bool:
    try:
        pickup.normalise(text)
    except Untrusted as refused:
        return refused.reason is Reason.MALFORMED_CODE
    return False


@given(BITS)
def test_a_code_reads_back_however_it_is_typed(bits: bytes) -> None:
    code = pickup.code(bits)

    assert len(code) == pickup.LENGTH
    for typed in (code, code.lower(), pickup.grouped(code), f" {pickup.grouped(code.lower())}\n", " ".join(code)):
        assert pickup.normalise(typed) == code
    mixed_up = code.replace("0", "o").replace("1", "l")
    assert pickup.normalise(mixed_up) == pickup.normalise(mixed_up.upper().replace("L", "I")) == code


@settings(max_examples=20)
@given(BITS)
def test_every_single_wrong_character_is_noticed(bits: bytes) -> None:
    code = pickup.code(bits)

    for place, character in itertools.product(range(pickup.LENGTH), pickup.ALPHABET):
        assert character == code[place] or noticed(code[:place] + character + code[place + 1 :])


@settings(max_examples=20)
@given(BITS)
def test_every_two_swapped_characters_are_noticed(bits: bytes) -> None:
    code = pickup.code(bits)

    for one, two in itertools.combinations(range(pickup.LENGTH), 2):
        swapped = list(code)
        swapped[one], swapped[two] = swapped[two], swapped[one]
        assert code[one] == code[two] or noticed("".join(swapped))


@pytest.mark.parametrize(
    "text", ["", "0", "0" * 19, "0" * 21, "0" * 5000, "U" * 20, "文" * 20, "0" * 19 + "!", "０" * 20]
)
def test_what_is_no_code_is_refused(text: str) -> None:
    assert noticed(text)


def test_the_code_carries_the_first_95_bits() -> None:
    assert pickup.code(bytes(12)) == "0" * 20
    assert pickup.code(b"\xff" * 12)[:19] == "Z" * 19
    assert pickup.code(bytes(11) + b"\x02")[:19] == "0" * 18 + "1"
    assert pickup.code(bytes(11) + b"\x01") == "0" * 20


def test_a_code_is_printed_in_groups_of_five() -> None:
    assert pickup.grouped("ABCDEFGHJKMNPQRSTVWX") == "ABCDE-FGHJK-MNPQR-STVWX"


def test_the_hash_is_of_the_normal_form() -> None:
    code = pickup.code(bytes(range(12)))

    assert pickup.code_sha256(pickup.grouped(code).lower()) == hashlib.sha256(code.encode()).hexdigest()
    with pytest.raises(Untrusted, match="malformed_code"):
        pickup.code_sha256("not a code")


def test_a_hospital_derives_the_code_and_nobody_else_can(house: House) -> None:
    one = house.hospital.pickup_code("350100-ABCDEFGHJKMNPQRS")

    assert one == house.hospital.pickup_code("350100-ABCDEFGHJKMNPQRS") == pickup.normalise(one)
    assert one != house.hospital.pickup_code("350100-ABCDEFGHJKMNPQRT")
    assert one != house.platform.pickup_code("350100-ABCDEFGHJKMNPQRS")


def test_what_is_stored_is_keyed(house: House) -> None:
    hashed = pickup.code_sha256(house.hospital.pickup_code("350100-ABCDEFGHJKMNPQRS"))
    stored = house.platform.pickup_index(hashed)

    assert stored == house.platform.pickup_index(hashed)
    assert len(stored) == 64
    assert stored not in {hashed, house.hospital.pickup_index(hashed), hashlib.sha256(hashed.encode()).hexdigest()}
