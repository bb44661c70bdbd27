"""The one module where money is quantised.

Money is ``Decimal`` from the wire on. AvidXchange takes two decimals (avidxchange.md 2.9), so an amount either is a
whole number of cents or is refused; rounding happens only where the caller says that nobody is owed the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

CENT = Decimal("0.01")
ZERO = Decimal(0)

#: Wide enough for any amount a ledger holds, so that no sum is ever rounded by the default context's 28 digits.
_EXACT = Context(prec=100)

#: Decimals of a currency (ISO 4217) where they are not two.
_DECIMALS = {"CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "VND": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}


def decimals(currency: str) -> int:
    """Return how many decimals a currency's amounts have (ISO 4217); two for any that is not known."""
    return _DECIMALS.get(currency.strip().upper(), 2)


def cents(value: Decimal, *, lossy: bool = False) -> Decimal:
    """Return ``value`` with exactly two decimals.

    Raises ``ValueError`` if that would lose something, unless ``lossy`` says to round halves away from zero, and
    always if ``value`` is not a finite number. Minus nothing becomes nothing.
    """
    if not value.is_finite():
        raise ValueError(f"{value} is not an amount")
    with localcontext(_EXACT):
        rounded = value.quantize(CENT, rounding=ROUND_HALF_UP)
        if rounded != value and not lossy:
            raise ValueError(f"{value} has a part of a cent")
        return rounded or ZERO.quantize(CENT)


def total(values: Iterable[Decimal]) -> Decimal:
    """Return the exact sum of amounts, without rounding."""
    with localcontext(_EXACT):
        return sum(values, ZERO)


def product(quantity: Decimal, price: Decimal) -> Decimal:
    """Return quantity times price without rounding."""
    with localcontext(_EXACT):
        return quantity * price


def same_sign(value: Decimal, other: Decimal) -> bool:
    """Say whether two amounts have the same sign; nothing has the sign of nothing only."""
    return (value > 0) == (other > 0) and (value < 0) == (other < 0)


def apportion(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Split ``amount`` over ``weights`` into whole cents that sum to ``amount`` exactly.

    Each part is the difference of two rounded running totals, so no part is off by more than a cent and the last one
    takes no pile of remainders. Without any weight (none, or all nothing) the first part takes everything. Weights
    are not negative. Raises ``ValueError`` for no parts, a negative weight, or an amount with a part of a cent.
    """
    if not weights or any(weight < 0 for weight in weights):
        raise ValueError("an amount is split over at least one weight, none of them negative")
    whole = cents(amount)
    with localcontext(_EXACT):
        everything = sum(weights, ZERO)
        if not everything:
            return [whole, *([cents(ZERO)] * (len(weights) - 1))]
        parts, running, given = [], ZERO, ZERO
        for weight in weights:
            running += weight
            upto = cents(whole * running / everything, lossy=True)
            parts.append(cents(upto - given))
            given = upto
        return parts
