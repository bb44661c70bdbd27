"""Money: whole cents or a refusal, sums that are never rounded, splits that lose nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.translate.money import apportion, cents, decimals, product, same_sign, total
from tests.translate.examples import CENTS, property_test


@property_test
@given(CENTS)
def test_whole_cents_pass_unchanged_with_two_decimals(value: Decimal) -> None:
    assert cents(value) == value
    assert cents(value).as_tuple().exponent == -2


@property_test
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12))
def test_a_part_of_a_cent_is_refused_and_never_rounded_unasked(value: Decimal) -> None:
    if value == value.quantize(Decimal("0.01")):
        assert cents(value) == value
    else:
        with pytest.raises(ValueError, match="part of a cent"):
            cents(value)
    assert abs(cents(value, lossy=True) - value) <= Decimal("0.005")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_what_is_no_amount_is_refused_even_when_rounding(value: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        cents(Decimal(value), lossy=True)


def test_halves_are_rounded_away_from_zero() -> None:
    assert [cents(Decimal(text), lossy=True) for text in ("0.005", "-0.005", "2.675", "1.004")] == [
        Decimal("0.01"),
        Decimal("-0.01"),
        Decimal("2.68"),
        Decimal("1.00"),
    ]


def test_minus_nothing_is_nothing() -> None:
    assert str(cents(Decimal("-0.00"))) == "0.00"
    assert str(cents(Decimal("-0.001"), lossy=True)) == "0.00"


def test_sums_and_products_keep_every_digit() -> None:
    large, small = Decimal("12345678901234567890123456789.01"), Decimal("0.01")
    assert total([large, small, large.copy_negate()]) == small
    assert str(product(large, Decimal("1.01"))) == "12469135690246913569024691356.9001"


@property_test
@given(CENTS, st.lists(st.decimals(min_value=0, max_value=10_000, places=3), min_size=1, max_size=12))
def test_a_split_sums_to_its_amount_and_no_part_is_off_by_more_than_a_cent(
    amount: Decimal, weights: list[Decimal]
) -> None:
    parts = apportion(amount, weights)

    assert sum(parts) == amount
    assert len(parts) == len(weights)
    assert all(part.as_tuple().exponent == -2 for part in parts)
    if sum(weights):
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part - amount * weight / sum(weights)) <= Decimal("0.01")


def test_a_split_without_weight_goes_to_the_first() -> None:
    assert apportion(Decimal("9.99"), [Decimal(0), Decimal(0)]) == [Decimal("9.99"), Decimal("0.00")]


@pytest.mark.parametrize("weights", [[], [Decimal(1), Decimal(-1)]])
def test_a_split_over_nothing_or_less_is_refused(weights: list[Decimal]) -> None:
    with pytest.raises(ValueError, match="at least one weight"):
        apportion(Decimal(1), weights)


def test_signs_are_compared_with_nothing_apart() -> None:
    values = (Decimal(-2), Decimal(0), Decimal(3))
    assert [[same_sign(left, right) for right in values] for left in values] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]


def test_a_currency_has_its_decimals() -> None:
    assert [decimals(code) for code in ("USD", " jpy", "KWD", "")] == [2, 0, 3, 2]
