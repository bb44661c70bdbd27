"""The number an AP payment gets in Epicor, where CheckNum is an integer and unique per bank account.

Epicor numbers electronic payments itself from 50,000,000 (epicor.md 4.7), so ours stay below; that is also below the
column's 2**31. A check has the number printed on it: the network's, else the payer's. ACH and card payments have none,
so the AvidXchange payment id stands in, as it does wherever the tenant chose so (epicor-unknowns E2). Only a number
written as one counts ("000123", "CHK-123", "12-345"): digits picked out of an id such as "9f3c" would be anyone's.
"""

from __future__ import annotations

import re

from connector.avidxchange.records import Payment, PaymentMethod
from connector.translate.codebook import Rules
from connector.translate.holds import HoldError

#: Where Epicor's own numbers for electronic payments begin.
FIRST_ELECTRONIC = 50_000_000

_NUMBER = re.compile(r"[A-Za-z]*[\s#.:/-]*([0-9][0-9\s-]*)")


def check_number(payment: Payment, *, rules: Rules) -> int:
    """Return the check number of a payment, or raise ``HoldError`` (no_check_number) if nothing gives one."""
    sources = [payment.id]
    if payment.method is PaymentMethod.CHECK and rules.check_num_source == "avid_number":
        sources = [payment.network_check_number, payment.payer_check_number, payment.id]
    for source in sources:
        number = as_number(source)
        if 0 < number < FIRST_ELECTRONIC:
            return number
    raise HoldError(
        "no_check_number",
        f"Payment {payment.id} has no number below {FIRST_ELECTRONIC:,} that could be its check number.",
        field="CheckNum",
        hint="Record it in Epicor by hand, with a check number of your own.",
    )


def as_number(written: str) -> int:
    """Return the number a text is, behind a prefix of letters and across blanks and dashes; 0 if it is none."""
    found = _NUMBER.fullmatch(written.strip())
    digits = re.sub(r"[^0-9]", "", found[1]) if found else ""
    return int(digits) if digits and len(digits) <= 18 else 0
