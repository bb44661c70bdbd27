"""Payments that AvidXchange executed, on their way into Epicor as AP payments (avidxchange.md 6, epicor.md section 6).

A draft is made only if every cent of the payment is accounted for: its remittances' nets make its amount, each of them
is an invoice we know, and all are one vendor's. What AvidXchange decided is never corrected here. An unknown status or
method never becomes a draft (avidxchange.md 6.3). The payment is found again in Epicor by ``identity``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Literal, assert_never
from zoneinfo import ZoneInfo

from connector.avidxchange.records import Payment, PaymentMethod, PaymentStatus
from connector.epicor.drafts import PaymentDraft
from connector.translate.check_numbers import check_number
from connector.translate.codebook import Codebook, Rules, VendorEntry
from connector.translate.holds import HoldError, amount, holding, required
from connector.translate.remittances import InvoiceRef, Key, allocate, avid_key, external_key, number_key, wanted
from connector.translate.vendor_lookup import vendor_by_external_id

__all__ = [
    "InvoiceRef", "Key", "avid_key", "external_key", "identity", "identity_field", "number_key", "recordable",
    "reference", "reverses", "to_epicor", "wanted",
]  # fmt: skip

_SETTLED = frozenset({PaymentStatus.ISSUED, PaymentStatus.CLEARED})
_REVERSED = frozenset({PaymentStatus.VOID, PaymentStatus.REFUNDED, PaymentStatus.REISSUED})


def recordable(status: PaymentStatus, record_on: Literal["ISSUED", "CLEARED"] = "CLEARED") -> bool:
    """Say whether a payment of this status is posted in Epicor (avidxchange.md 6.3: setting ``record_on``)."""
    return status is PaymentStatus.CLEARED or (status is PaymentStatus.ISSUED and record_on == "ISSUED")


def reverses(status: PaymentStatus) -> bool:
    """Say whether this status takes back a payment that was recorded (avidxchange.md 6.3)."""
    return status in _REVERSED


def identity(payment_id: str) -> str:
    """Return the text by which a payment written to Epicor is found again."""
    return f"AvidXchange payment {payment_id}"


def identity_field(rules: Rules) -> str:
    """Return the column that carries the identity: Description, or XRefCheckNum where that is taken (E3)."""
    return "XRefCheckNum" if rules.payment_ref_field == "Description" else "Description"


@holding
def to_epicor(
    payment: Payment, invoices: Mapping[Key, InvoiceRef], *, codebook: Codebook, rules: Rules
) -> PaymentDraft:
    """Return the draft of a settled payment, or a ``Hold``.

    ``invoices`` resolves the keys that ``wanted()`` names for the payment. The check date is the day the payment was
    made, in the tenant's time zone. Whether a status is recorded yet is for ``recordable()``.
    """
    payment_id = required("PaymentId", payment.id.strip(), limits=rules.limits, what="AvidXchange id of a payment")
    _check_settled(payment)
    method_id = _method(payment, rules=rules)
    bank, currency = _bank(payment, rules=rules)
    cash = amount(payment.amount, what=f"amount of payment {payment_id}", field="Amount")
    if cash <= 0:
        message = f"Payment {payment_id} amounts to {cash}; only money paid out is a payment in Epicor."
        raise HoldError("amount_not_positive", message, field="Amount")
    vendor_num, allocations = allocate(payment, invoices, cash=cash, codebook=codebook, rules=rules)
    vendor = _vendor(payment, vendor_num, codebook=codebook, rules=rules)
    return PaymentDraft(
        company=rules.company,
        vendor_num=vendor.vendor_num,
        vendor_id=vendor.vendor_id,
        bank_account_id=bank,
        payment_method_id=method_id,
        check_number=check_number(payment, rules=rules),
        check_date=_day(payment, rules=rules),
        currency=currency,
        cash=cash,
        reference=reference(payment),
        reference_field=rules.payment_ref_field,
        identity=identity(payment_id),
        identity_field=identity_field(rules),
        allocations=allocations,
    )


def reference(payment: Payment) -> str:
    """Return how a person knows the payment: "CHK 123", "ACH 0123", "VCC 1234" (a card's last four, no more).

    Where AvidXchange sent no such number, its own payment id stands in, said as such: the fields are assumed
    (avidxchange.md 6.2) and a payment is not held for want of one.
    """
    otherwise = f"payment {payment.id.strip()}"
    match payment.method:
        case PaymentMethod.CHECK:
            number = payment.network_check_number.strip() or payment.payer_check_number.strip()
            return f"CHK {number or otherwise}"
        case PaymentMethod.ACH:
            return f"ACH {payment.ach_trace.strip() or otherwise}"
        case PaymentMethod.CARD:
            last = payment.card_last4
            return f"VCC {last if len(last) == 4 and last.isascii() and last.isdecimal() else otherwise}"
        case PaymentMethod.UNKNOWN:
            return otherwise
        case _:
            assert_never(payment.method)


def _check_settled(payment: Payment) -> None:
    if payment.status is PaymentStatus.UNKNOWN:
        message = f"AvidXchange calls the status of payment {payment.id} {payment.status_text!r}, which is not known."
        hint = "Add the status to the profile's status map, or ask AvidXchange what it means."
        raise HoldError("payment_status_unknown", message, field="Status", hint=hint)
    if payment.status not in _SETTLED:
        message = f"Payment {payment.id} is {payment.status.value}: there is nothing to record."
        raise HoldError("payment_not_settled", message, field="Status")


def _method(payment: Payment, *, rules: Rules) -> int:
    if payment.method is PaymentMethod.UNKNOWN:
        message = f"AvidXchange calls the method of payment {payment.id} {payment.method_text!r}, which is not known."
        hint = "Add the method to the profile's method map."
        raise HoldError("payment_method_unknown", message, field="PaymentMethod", hint=hint)
    method_id = rules.payment_methods.get(payment.method.value)
    if method_id is None:
        message = f"No payment method of Epicor is set for AvidXchange's {payment.method.value}."
        hint = "Set the tenant's payment method id (PMUID) for it."
        raise HoldError("payment_method_not_mapped", message, field="PMUID", hint=hint)
    return method_id


def _bank(payment: Payment, *, rules: Rules) -> tuple[str, str]:
    """Return bank account and currency; a currency is paid only from a bank account set for it (E6, E12)."""
    currency = payment.currency.strip().upper() or rules.base_currency
    bank = rules.bank_accounts.get(currency, "")
    if not bank:
        message = f"No bank account of Epicor is set for payments in {currency}."
        raise HoldError("no_bank_account", message, field="BankAcctID", hint="Set the tenant's bank account for it.")
    return bank, currency


def _vendor(payment: Payment, vendor_num: int, *, codebook: Codebook, rules: Rules) -> VendorEntry:
    """Return the mapped vendor whose invoices are paid; it must be the one the payment itself names, if it does."""
    vendor = codebook.vendor(vendor_num)
    if payment.vendor_external_id.strip():
        named = vendor_by_external_id(payment.vendor_external_id, codebook=codebook, rules=rules)
        if named.vendor_num != vendor_num:
            message = (
                f"Payment {payment.id} is made to vendor {named.vendor_id}, "
                f"its remittances are invoices of vendor {vendor.vendor_id}."
            )
            raise HoldError("vendor_differs", message, field="VendorNum")
    return vendor


def _day(payment: Payment, *, rules: Rules) -> date:
    """Return the day a payment was made: paid, else cleared, else last changed over there.

    Midnight is how a bare date is written, so such a timestamp is taken as written and never shifted into the day
    before (field lesson 8).
    """
    made: datetime | None = payment.paid_at or payment.cleared_at or payment.modified_at
    if made is None:
        message = f"AvidXchange gives no day on which payment {payment.id} was made."
        raise HoldError("no_payment_date", message, field="CheckDate")
    if made.timetz().replace(tzinfo=None) == time.min or made.tzinfo is None:
        return made.date()
    return made.astimezone(ZoneInfo(rules.time_zone)).date()
