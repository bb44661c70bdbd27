"""Documents to be written into Epicor, complete before the first call is made.

A draft is what ``translate`` hands to a posting and what the posting stores as its payload: plain, frozen values from
which the calls of ``ap_invoice_entry`` and ``payment_entry`` are made, and against which the result is verified.
Amounts are in document currency with the sign a person would write: debit memos and their lines are negative.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct


class InvoiceLineDraft(Struct, frozen=True, kw_only=True):
    """One line to be written. ``gl_account`` is Epicor's internal string (segments joined by a pipe).

    ``po_num``, ``po_line`` and ``receipt_number`` (packing slip) are set only where the tenant asked for matching
    against receipts; such a line takes its account from the receipt, not from here.
    """

    line_number: int
    amount: Decimal
    gl_account: str
    description: str
    quantity: Decimal = Decimal(1)
    unit_price: Decimal | None = None
    po_num: int | None = None
    po_line: int | None = None
    receipt_number: str = ""


class InvoiceDraft(Struct, frozen=True, kw_only=True):
    """A captured AP invoice on its way into Epicor; (company, vendor_num, invoice_num) is its key over there."""

    company: str
    vendor_num: int
    vendor_id: str
    invoice_num: str
    invoice_date: date
    due_date: date | None
    apply_date: date | None
    currency: str
    amount: Decimal
    terms_code: str
    description: str
    external_id: str
    po_num: int | None
    debit_memo: bool
    lines: tuple[InvoiceLineDraft, ...]
    external_ref_field: str = "ExternalID"


class AllocationDraft(Struct, frozen=True, kw_only=True):
    """What a payment takes off one invoice: ``amount`` gross off the balance, of which ``discount`` is not cash.
    Both are negative for a debit memo."""

    invoice_num: str
    amount: Decimal
    discount: Decimal = Decimal(0)


class PaymentDraft(Struct, frozen=True, kw_only=True):
    """A settled AvidXchange payment on its way into Epicor as an AP payment.

    ``reference`` (check number, ACH trace or a card's last four) goes to the column ``reference_field``;
    ``description`` carries the AvidXchange payment id, by which the payment is found again, in ``identity_field``.
    """

    company: str
    vendor_num: int
    vendor_id: str
    bank_account_id: str
    payment_method_id: int
    check_number: int
    check_date: date
    currency: str
    cash: Decimal
    reference: str
    reference_field: str
    identity: str
    identity_field: str
    allocations: tuple[AllocationDraft, ...]
