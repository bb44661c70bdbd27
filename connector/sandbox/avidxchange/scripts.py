"""What a payment goes through, step by step (contract 6.3), and the stories that bend it.

The status words and their order by method are the contract's; the numbers (``STATUS_IDS``, ``METHODS``) are assumed.
"""

from __future__ import annotations

from typing import NamedTuple

CHECK, ACH, CARD = "AvidPay Check", "AvidPay Direct", "Virtual Credit Card"

METHODS = {CHECK: 1, ACH: 2, CARD: 3, "e-Payment": 4}

STATUS_IDS = {
    "Pending Approval": 1,
    "Held": 2,
    "Processing": 3,
    "Error": 4,
    "Void": 5,
    "Debit Requested": 6,
    "Funds Received": 7,
    "Sent to Check Printer": 8,
    "Issued to Supplier": 9,
    "ACH Credit Issued": 10,
    "VCC Processing": 11,
    "Sent": 12,
    "Cleared": 13,
    "Refunded": 14,
    "Reissued": 15,
}
#: After these nothing happens by itself.
FINAL = frozenset({"Void", "Cleared", "Refunded", "Reissued", "Stopped", "Cancelled", "Returned"})
#: What a final status takes back: the money of such a payment is not with the supplier.
TAKEN_BACK = FINAL - {"Cleared"}


class Step(NamedTuple):
    """The next status; ``method`` if the payment turns into another kind with it, ``then`` what else happens."""

    status: str
    method: str = ""
    then: str = ""


def steps(*statuses: str) -> list[Step]:
    """Return plain steps."""
    return [Step(status) for status in statuses]


_START = steps("Pending Approval", "Processing", "Debit Requested", "Funds Received")
_BY_CHECK = steps("Sent to Check Printer", "Issued to Supplier", "Cleared")
_TAIL = {CHECK: _BY_CHECK, ACH: steps("ACH Credit Issued", "Cleared"), CARD: steps("VCC Processing", "Sent", "Cleared")}

#: Stories that need a certain method.
NEEDS_METHOD = {"card_to_check": CARD, "reissued": CHECK, "reissued_unlinked": CHECK}


def script(method: str, story: str = "") -> list[Step]:
    """Return every step of a payment's life. Raises ``ValueError`` for an unknown story.

    ``partial`` (an invoice paid by two payments) bends how a payment begins, not its steps.
    """
    plain = _START + _TAIL[method]
    if story in ("", "partial"):
        return plain
    if story == "error_heals":
        return [*_START[:3], Step("Error"), *plain[1:]]
    if story == "void_replaced":
        return [*_START[:2], Step("Void", then="replace")]
    if story == "refunded":
        return [*plain, Step("Refunded")]
    if story == "card_to_check":
        return [*plain[:-1], Step("Sent to Check Printer", method=CHECK), *_BY_CHECK[1:]]
    if story in ("reissued", "reissued_unlinked"):
        return [*plain[:-1], Step("Reissued", then="replace_linked" if story == "reissued" else "replace")]
    raise ValueError(f"no such story: {story}")
