"""AvidXchange's payment words in our terms (contract 6.3): pure functions over tables that a profile may extend.

What is not in a table is UNKNOWN, and nothing is ever posted for an unknown status or method: the list of names is
known to be longer than what is public.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from connector.avidxchange.records import PaymentMethod, PaymentStatus

#: Wire text, as ``key`` writes it -> canonical status. Stopped, Cancelled, Returned and Reissued are assumed.
STATUS_MAP: dict[str, PaymentStatus] = {
    "pending approval": PaymentStatus.AWAITING,
    "held": PaymentStatus.AWAITING,
    "processing": PaymentStatus.IN_FLIGHT,
    "debit requested": PaymentStatus.IN_FLIGHT,
    "funds received": PaymentStatus.IN_FLIGHT,
    "vcc processing": PaymentStatus.IN_FLIGHT,
    "sent to check printer": PaymentStatus.IN_FLIGHT,
    "issued to supplier": PaymentStatus.ISSUED,
    "sent": PaymentStatus.ISSUED,
    "ach credit issued": PaymentStatus.ISSUED,
    "cleared": PaymentStatus.CLEARED,
    "error": PaymentStatus.ERROR,
    "stopped": PaymentStatus.VOID,
    "cancelled": PaymentStatus.VOID,
    "refunded": PaymentStatus.REFUNDED,
    "returned": PaymentStatus.REFUNDED,
    "reissued": PaymentStatus.REISSUED,
}
#: A status text that begins so is VOID unless the table names it (contract 6.3).
_VOID = "void"

#: Wire text -> canonical method (facts 3.6). The intercompany e-Payment is left out: nothing is known of its numbers.
METHOD_MAP: dict[str, PaymentMethod] = {
    "avidpay check": PaymentMethod.CHECK,
    "check": PaymentMethod.CHECK,
    "avidpay direct": PaymentMethod.ACH,
    "avidpay direct (ach)": PaymentMethod.ACH,
    "ach": PaymentMethod.ACH,
    "virtual credit card": PaymentMethod.CARD,
    "virtual card": PaymentMethod.CARD,
    "vcc": PaymentMethod.CARD,
}

#: Reason id of an exception -> whether it passes by itself (facts 3.4: bank account missing, in test, inactive, new).
EXCEPTION_MAP: dict[str, Literal["heals", "review"]] = {"4": "heals", "5": "heals", "6": "heals", "9": "heals"}


def key(text: str) -> str:
    """Return a wire text as the tables hold it: lower case, single blanks."""
    return " ".join(text.split()).casefold()


def payment_status(text: str, status_map: Mapping[str, PaymentStatus]) -> PaymentStatus:
    """Return the canonical status of a wire text."""
    written = key(text)
    known = status_map.get(written)
    if known is not None:
        return known
    return PaymentStatus.VOID if written.startswith(_VOID) else PaymentStatus.UNKNOWN


def payment_method(text: str, method_map: Mapping[str, PaymentMethod]) -> PaymentMethod:
    """Return the canonical method of a wire text."""
    return method_map.get(key(text), PaymentMethod.UNKNOWN)


def heals_by_itself(codes: Iterable[str], exception_map: Mapping[str, str]) -> bool:
    """Return whether a payment in ERROR with these exception codes only needs polling: each of them heals."""
    found = list(codes)
    return bool(found) and all(exception_map.get(key(code)) == "heals" for code in found)
