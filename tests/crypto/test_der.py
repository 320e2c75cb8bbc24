"""
DER taken apart and put together: every byte stays, and no second way of writing a length is read.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rx_flow.crypto.pki import der

ELEMENTS = st.lists(st.binary(max_size=300).map(lambda inside: der.element(4, inside)), max_size=5)


@given(ELEMENTS)
def test_what_is_put_together_comes_apart_again(elements: list[bytes]) -> None:
    assert der.parts(der.sequence(*elements)) == elements


@given(st.binary(max_size=70_000))
def test_bits_and_contents_come_back(data: bytes) -> None:
    assert der.bits(der.bit_string(data)) == data
    assert der.content(der.element(der.EXPLICIT, data), der.EXPLICIT) == data


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65_535, 65_536])
def test_lengths_are_written_as_short_as_they_can_be(size: int) -> None:
    head = {0: "3000", 1: "3001", 127: "307f", 128: "308180", 255: "3081ff", 256: "30820100", 65_535: "3082ffff"}

    assert der.sequence(bytes(size))[: -size or None].hex() == head.get(size, "3083010000")


@pytest.mark.parametrize(
    "wrong",
    [
        "", "30", "3001", "300201", "3080", "30800000", "308100", "30817f" + "00" * 127, "30820001" + "00",
        "3000" + "00", "310100", "3002" + "0403", "3002" + "0405", "30ff", "30890000000000000000ff", "30020481",
    ],
)  # fmt: skip
def test_anything_else_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"cut short|written shorter|not one element"):
        der.parts(bytes.fromhex(wrong))


@pytest.mark.parametrize("wrong", ["0300", "030101", "03020780", "0401ff"])
def test_bits_that_are_not_whole_bytes_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"not whole|not one element"):
        der.bits(bytes.fromhex(wrong))
