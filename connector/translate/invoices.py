"""AP invoices in both directions (avidxchange.md sections 5.1 and 5.3, epicor.md section 4.5).

Out goes what AvidXchange may pay whole: posted, open, on no hold, untouched by any payment, in a payable currency.
Everything else is a ``Hold`` that says which of these fails; several of them heal by themselves and are looked at
again on the next run. Amounts are in the invoice's currency. Debit memos are stored negative in Epicor's Doc columns
and go out as credit memos with negative amounts. What comes in is in ``captured_invoices``.
"""

from __future__ import annotations

from connector.avidxchange.records import ImageNote, InvoiceItem
from connector.epicor.records import Invoice, InvoiceDocument, text
from connector.translate.captured_invoices import to_epicor
from connector.translate.codebook import Codebook, Rules
from connector.translate.holds import HoldError, amount, dated, holding, required, same_company
from connector.translate.invoice_lines import reference, submitted_lines

__all__ = ["to_avidxchange", "to_epicor"]


@holding
def to_avidxchange(
    document: InvoiceDocument,
    *,
    external_id: str,
    image: ImageNote | None,
    codebook: Codebook,
    rules: Rules,
) -> InvoiceItem:
    """Return the item that submits an invoice for approval and payment, or a ``Hold``.

    ``external_id`` ends in the version of the submission. A PO is named only if Epicor names one by number. A discount
    is offered only with the last day it may be taken on; one without a day could not be checked by anyone.
    """
    if len(document.header) != 1:
        raise HoldError("document_incomplete", f"Epicor answered {len(document.header)} invoice headers, not one.")
    header = document.header[0]
    what = f"invoice {header.invoice_num}"
    same_company(header.company, rules.company, what=what)
    _check_open(header)
    currency = rules.payable(text(header.currency_code))
    gross = amount(header.doc_invoice_amt, what=f"amount of {what}", field="GrossAmount")
    _check_whole(header)
    vendor = codebook.vendor(header.vendor_num)
    invoice_date = dated(header.invoice_date, what=f"date of {what}", field="InvoiceDate")
    if invoice_date is None:
        raise HoldError("missing", f"The date of {what} is empty.", field="InvoiceDate")
    discount = amount(header.doc_discount_amt, what=f"discount of {what}", field="DiscountAmount")
    discount_date = dated(header.discount_date, what=f"discount date of {what}", field="DiscountDate")
    offered = bool(discount) and discount_date is not None
    po_num = reference(header, document.lines)
    limits = rules.limits
    return InvoiceItem(
        external_id=required("ExternalId", external_id, limits=limits, what=f"external id of {what}"),
        document_type="CreditMemo" if header.debit_memo else "Invoice",
        vendor_external_system_id=vendor.external_id,
        number=required("Number", text(header.invoice_num), limits=limits, what=f"number of {what}"),
        invoice_date=invoice_date,
        invoice_due_date=dated(header.due_date, what=f"due date of {what}", field="InvoiceDueDate"),
        gross_amount=gross,
        currency=currency,
        discount_amount=discount if offered else None,
        discount_date=discount_date if offered else None,
        po_number=str(po_num) if po_num else "",
        term_type_name=codebook.term_name(text(header.terms_code)),
        memo=text(header.description),
        lines=submitted_lines(document, header, codebook=codebook, rules=rules),
        image=image,
    )


def _check_open(header: Invoice) -> None:
    """Raise ``HoldError`` unless the invoice is posted, open and on no hold."""
    number = header.invoice_num
    if not header.posted:
        hint = "Epicor: AP Invoice Entry, post its group."
        raise HoldError("not_posted", f"Invoice {number} is not posted in Epicor.", field="Posted", hint=hint)
    if not header.open_payable:
        raise HoldError("closed", f"Invoice {number} is closed in Epicor: nothing is left to pay.", field="OpenPayable")
    if header.invoice_held or header.pay_hold:
        field = "InvoiceHeld" if header.invoice_held else "PayHold"
        hint = "Epicor: AP Invoice Tracker, release it when it may be paid."
        raise HoldError("on_hold", f"Invoice {number} is on hold in Epicor ({field}).", field=field, hint=hint)


def _check_whole(header: Invoice) -> None:
    """Raise ``HoldError`` if the amount contradicts the type, or if any payment has touched the invoice.

    The balance that counts is DocUnpostedBal: it also knows payments that are entered but not posted (epicor.md 4.5).
    """
    number, gross = header.invoice_num, header.doc_invoice_amt
    if not gross:
        raise HoldError("nothing_to_pay", f"Invoice {number} amounts to nothing.", field="GrossAmount")
    if header.debit_memo != (gross < 0):
        kind = "debit memo" if header.debit_memo else "invoice"
        message = f"Number {number} is a {kind} in Epicor, but its amount is {gross}."
        raise HoldError("sign_contradicts_type", message, field="GrossAmount")
    if header.doc_unposted_bal != gross:
        raise HoldError(
            "partly_paid",
            f"Invoice {number} is {gross}, but {header.doc_unposted_bal} is left to pay: Epicor has a payment for it.",
            field="DocUnpostedBal",
            hint="Pay the rest in Epicor, or void the payment there; AvidXchange gets whole invoices only.",
        )
