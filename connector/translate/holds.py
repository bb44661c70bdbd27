"""A reason to hold a record, and the checks that give one.

Translation either returns a whole record or one ``Hold``: nothing is cut, guessed or left out to make a record fit.
Inside a translation a check raises ``HoldError``; ``holding`` turns it into the returned ``Hold`` at the border, so
that no caller ever has to catch anything and no check has to be threaded through every helper's return type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import wraps
from types import MappingProxyType
from typing import ParamSpec, TypeVar

from connector.epicor.records import day
from connector.translate.money import cents

P = ParamSpec("P")
T = TypeVar("T")

#: Longest values, in characters, by wire field: avidxchange.md sections 2.8 and 4 (R3), avidxchange-facts.md 2.3 for
#: numbers, epicor.md 4.5 for InvoiceNum. A field that is not named here has no known limit and is sent as it is.
LIMITS: Mapping[str, int] = MappingProxyType(
    {
        "VendorExternalSystemID": 100,
        "ExternalId": 100,
        "VendorName": 255,
        "Line1": 255,
        "Line2": 255,
        "Line3": 255,
        "City": 50,
        "State": 50,
        "PostalCode": 20,
        "CountryCode": 3,
        "EmailAddress": 255,
        "PhoneNumber": 20,
        "AccountNo": 100,
        "Number": 50,
        "RemittanceNumber": 50,
        "InvoiceNum": 50,
    }
)

#: Shortest values (avidxchange.md section 4, address object).
MINIMUMS: Mapping[str, int] = MappingProxyType({"City": 2, "State": 2, "PostalCode": 2, "CountryCode": 2})


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a record waits for a person: a stable ``code``, plain words, the field at fault and what to do about it."""

    code: str
    message: str
    field: str = ""
    hint: str = ""


class HoldError(Exception):
    """Carries a ``Hold`` out of a check; never leaves ``connector.translate``."""

    def __init__(self, code: str, message: str, *, field: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.hold = Hold(code, message, field, hint)


def holding(translation: Callable[P, T]) -> Callable[P, T | Hold]:
    """Make a translation return the ``Hold`` that one of its checks raised."""

    @wraps(translation)
    def held(*args: P.args, **kwargs: P.kwargs) -> T | Hold:
        try:
            return translation(*args, **kwargs)
        except HoldError as stop:
            return stop.hold

    return held


def fitting(field: str, value: str, *, limits: Mapping[str, int], what: str, hint: str = "") -> str:
    """Return ``value`` if it is short enough for ``field``; raise ``HoldError`` naming field, length and limit if not.

    ``what`` is what a person calls the value, such as "city of the remit-to address".
    """
    limit = limits.get(field)
    if limit is not None and len(value) > limit:
        message = f"The {what} has {len(value)} characters; {field} takes at most {limit}."
        raise HoldError("too_long", message, field=field, hint=hint)
    return value


def required(field: str, value: str, *, limits: Mapping[str, int], what: str, hint: str = "") -> str:
    """Return a value that must be there and fit; raise ``HoldError`` if it is empty, too short or too long."""
    if not value:
        raise HoldError("missing", f"The {what} is empty.", field=field, hint=hint)
    minimum = MINIMUMS.get(field, 1)
    if len(value) < minimum:
        message = f"The {what} has {len(value)} character; {field} needs at least {minimum}."
        raise HoldError("too_short", message, field=field, hint=hint)
    return fitting(field, value, limits=limits, what=what, hint=hint)


def amount(value: Decimal, *, what: str, field: str) -> Decimal:
    """Return a money amount with exactly two decimals; raise ``HoldError`` if that would lose a part of a cent."""
    try:
        return cents(value)
    except ValueError as error:
        raise HoldError("amount_not_in_cents", f"The {what} cannot be sent: {error}.", field=field) from None


def dated(value: str | None, *, what: str, field: str) -> date | None:
    """Return an Epicor date column as a date, or None if it is empty; raise ``HoldError`` if it is no date."""
    try:
        return day(value)
    except ValueError as error:
        raise HoldError("bad_date", f"The {what} cannot be read: {error}.", field=field) from None


def same_company(row_company: str, ours: str, *, what: str) -> None:
    """Raise ``HoldError`` unless a row belongs to our company; the client checked it too (design section 4)."""
    if row_company.casefold() != ours.casefold():
        raise HoldError(
            "other_company",
            f"The {what} belongs to company {row_company!r}, not to {ours!r}.",
            field="Company",
            hint="Check the company of both connections; nothing of another company is ever sent or written.",
        )
