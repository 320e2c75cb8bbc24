"""Rounding happens in one function, half up; what is shared out sums to what was there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rx_flow.settlement.benefit.money import allot, percent, share, yuan


@pytest.mark.parametrize(
    ("amount_fen", "ratio", "expected"),
    [
        (0, 10_000, 0),
        (1, 4_999, 0),  # 0.4999 fen
        (1, 5_000, 1),  # exactly half goes up
        (3, 5_000, 2),  # 1.5: half up, where half-even would say 2 as well
        (5, 5_000, 3),  # 2.5: half up says 3, half-even would say 2
        (333, 1_500, 50),  # 49.95
        (330, 1_500, 50),  # 49.5
        (329, 1_500, 49),  # 49.35
        (1, 10_000, 1),
        (999_999_999, 0, 0),
        (10**15, 7_000, 7 * 10**14),  # exact where a binary fraction would not be
    ],
)
def test_a_share_is_rounded_half_up_to_the_fen(amount_fen: int, ratio: int, expected: int) -> None:
    assert share(amount_fen, ratio) == expected


@pytest.mark.parametrize(("amount_fen", "ratio"), [(-1, 5_000), (1, -1), (1, 10_001)])
def test_a_share_of_nonsense_is_an_error(amount_fen: int, ratio: int) -> None:
    with pytest.raises(ValueError, match="a share is"):
        share(amount_fen, ratio)


@pytest.mark.parametrize(
    ("amount_fen", "weights", "due"),
    [
        (100, {1: 1, 2: 1, 3: 1}, {1: 34, 2: 33, 3: 33}),  # equal fractions: the lower number first
        (100, {3: 1, 2: 1, 1: 1}, {1: 34, 2: 33, 3: 33}),  # whatever the order
        (10, {1: 15, 2: 15, 3: 70}, {1: 2, 2: 1, 3: 7}),  # 1.5, 1.5, 7
        (8, {1: 1, 2: 9}, {1: 1, 2: 7}),  # 0.8 and 7.2: the larger fraction gets the odd fen
        (0, {1: 0, 2: 5}, {1: 0, 2: 0}),
        (0, {1: 0}, {1: 0}),
        (7, {1: 0, 2: 7}, {1: 0, 2: 7}),
    ],
)
def test_odd_fen_go_to_the_largest_fractions(amount_fen: int, weights: dict[int, int], due: dict[int, int]) -> None:
    assert allot(amount_fen, weights) == due


@pytest.mark.parametrize(("amount_fen", "weights"), [(-1, {1: 1}), (1, {1: -1, 2: 3}), (1, {1: 0}), (1, {})])
def test_nothing_is_shared_out_over_what_cannot_bear_it(amount_fen: int, weights: dict[int, int]) -> None:
    with pytest.raises(ValueError, match="can bear it"):
        allot(amount_fen, weights)


@given(weights=st.dictionaries(st.integers(1, 99), st.integers(0, 10**9), min_size=1), part=st.integers(0, 10_000))
def test_what_is_shared_out_sums_exactly_and_no_part_exceeds_its_weight(weights: dict[int, int], part: int) -> None:
    amount = share(sum(weights.values()), part)
    parts = allot(amount, weights)
    assert sum(parts.values()) == amount
    assert all(0 <= parts[key] <= weights[key] for key in weights)


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (1, "0.01"), (12_345, "123.45"), (-5, "-0.05"), (-100, "-1.00")]
)
def test_amounts_read_as_yuan(fen: int, text: str) -> None:
    assert yuan(fen) == text


@pytest.mark.parametrize(("ratio", "text"), [(0, "0%"), (10_000, "100%"), (8_550, "85.5%"), (1, "0.01%"), (500, "5%")])
def test_ratios_read_as_percentages(ratio: int, text: str) -> None:
    assert percent(ratio) == text
