"""Invoices that AvidXchange captured, on their way into Epicor (avidxchange.md 5.3, epicor.md section 5).

AvidXchange has approved and coded them; here they are only named in Epicor's terms. The vendor comes from the external
id and never from a name, the account from AvidXchange's account number, and the lines must make the gross amount to
the cent. A negative gross amount is a debit memo. Against receipts only where the tenant asked for it (D9): otherwise
a PO number that is no number is kept in the description, so that nobody's reference is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from connector.avidxchange.records import CapturedInvoice, CapturedLine
from connector.epicor.drafts import InvoiceDraft, InvoiceLineDraft
from connector.translate.codebook import Codebook, Rules, VendorEntry
from connector.translate.holds import HoldError, amount, holding, required
from connector.translate.money import cents, product, total
from connector.translate.vendor_lookup import vendor_by_external_id

_INT32 = 2**31 - 1  # REFPONum is an Edm.Int32 (epicor.md 4.5)


@holding
def to_epicor(invoice: CapturedInvoice, *, codebook: Codebook, rules: Rules, today: date) -> InvoiceDraft:
    """Return the draft of a captured invoice, or a ``Hold``.

    ``today`` is the tenant's day, used where the apply date follows it. The AvidXchange invoice id becomes the
    external id, by which the invoice is found again (epicor.md 5.5).
    """
    what = f"captured invoice {invoice.number or invoice.id}"
    number = required("InvoiceNum", invoice.number.strip(), limits=rules.limits, what=f"number of {what}")
    if invoice.invoice_date is None:
        raise HoldError("missing", f"The date of {what} is empty.", field="InvoiceDate")
    vendor = vendor_by_external_id(invoice.vendor_external_id, codebook=codebook, rules=rules, name=invoice.vendor_name)
    gross = amount(invoice.gross_amount, what=f"amount of {what}", field="GrossAmount")
    if not gross:
        raise HoldError("nothing_to_pay", f"The {what} amounts to nothing.", field="GrossAmount")
    po_num = _po_number(invoice.po_number.strip(), rules=rules, what=what)
    lines = _lines(invoice.lines, po_num=po_num, codebook=codebook, rules=rules)
    booked = total(line.amount for line in lines)
    if booked != gross:
        message = f"The lines of {what} sum to {cents(booked)}, the invoice is {gross}."
        raise HoldError("lines_do_not_sum", message, field="GrossAmount", hint="Ask AvidXchange to correct its coding.")
    return InvoiceDraft(
        company=rules.company,
        vendor_num=vendor.vendor_num,
        vendor_id=vendor.vendor_id,
        invoice_num=number,
        invoice_date=invoice.invoice_date,
        due_date=invoice.due_date,
        apply_date=today if rules.apply_date_rule == "today" else invoice.invoice_date,
        currency=rules.payable(invoice.currency),
        amount=gross,
        terms_code=_terms_code(invoice.term_type_name, vendor, codebook=codebook),
        description=_description(invoice, po_num),
        external_id=required("ExternalID", invoice.id.strip(), limits=rules.limits, what=f"AvidXchange id of {what}"),
        po_num=po_num,
        debit_memo=gross < 0,
        lines=lines,
        external_ref_field=rules.external_ref_field,
    )


def _po_number(written: str, *, rules: Rules, what: str) -> int | None:
    """Return the PO number as Epicor's integer, None for none; held only where matching needs it (C8)."""
    if written.isascii() and written.isdecimal() and 0 < int(written) <= _INT32:
        return int(written)
    if written.strip("0") and rules.po_match_mode != "none":
        raise HoldError(
            "po_number_not_numeric",
            f"The {what} names PO {written!r}; purchase orders in Epicor have plain numbers.",
            field="PONumber",
            hint="Correct the PO number in AvidXchange, or write the invoice without matching.",
        )
    return None


def _description(invoice: CapturedInvoice, po_num: int | None) -> str:
    written = invoice.po_number.strip()
    lost = f"PO {written}" if written.strip("0") and po_num is None else ""
    return "; ".join(part for part in (lost, invoice.memo.strip()) if part)


def _terms_code(name: str, vendor: VendorEntry, *, codebook: Codebook) -> str:
    """Return the code of terms named by AvidXchange, else the vendor's own.

    A name that several codes bear is the vendor's code if that is one of them, else the first in order.
    """
    wanted = name.strip().casefold()
    codes = sorted(code for code, said in codebook.terms.items() if wanted and said.strip().casefold() == wanted)
    return codes[0] if codes and vendor.terms_code not in codes else vendor.terms_code


def _lines(
    lines: Sequence[CapturedLine], *, po_num: int | None, codebook: Codebook, rules: Rules
) -> tuple[InvoiceLineDraft, ...]:
    """Return the lines in AvidXchange's order, numbered from 1 as Epicor will number them."""
    if not lines:
        raise HoldError("no_lines", "AvidXchange sent no lines with the invoice.", field="Lines")
    ordered = sorted(lines, key=lambda line: line.line_number)
    return tuple(
        _line(line, number, po_num=po_num, codebook=codebook, rules=rules)
        for number, line in enumerate(ordered, start=1)
    )


def _line(line: CapturedLine, number: int, *, po_num: int | None, codebook: Codebook, rules: Rules) -> InvoiceLineDraft:
    whole = amount(line.amount, what=f"amount of line {number}", field="Amount")
    received = _on_receipt(line, number, po_num=po_num, rules=rules)
    account = line.gl_account.strip()
    if not account and not received:
        raise HoldError("line_without_account", f"Line {number} has no GL account.", field="GLAccount")
    quantity, price = _priced(line, whole)
    return InvoiceLineDraft(
        line_number=number,
        amount=whole,
        gl_account=codebook.account_by_avid(account).gl_account if account else "",
        description=line.description.strip() or rules.default_line_description,
        quantity=quantity,
        unit_price=price,
        po_num=po_num if received else None,
        po_line=line.po_line_number if received else None,
        receipt_number=line.receipt_number.strip() if received else "",
    )


def _on_receipt(line: CapturedLine, number: int, *, po_num: int | None, rules: Rules) -> bool:
    """Say whether a line is written against a receipt; hold a PO line without one where receipts are insisted on.

    Where unreceived lines are allowed, such a line is written by its account like any other.
    """
    if rules.po_match_mode == "none" or po_num is None or not line.po_line_number:
        return False
    if line.receipt_number.strip():
        return True
    if rules.po_match_mode == "receipts_only":
        message = f"Line {number} is for line {line.po_line_number} of PO {po_num}, but names no receipt."
        raise HoldError("receipt_missing", message, field="ReceiptNumber", hint="Receive the goods in Epicor first.")
    return False


def _priced(line: CapturedLine, whole: Decimal) -> tuple[Decimal, Decimal | None]:
    """Return quantity and price if they make the amount to the cent; else one of the whole amount."""
    quantity, price = line.quantity, line.unit_price
    if quantity and price is not None and cents(product(quantity, price), lossy=True) == whole:
        return quantity, price
    return Decimal(1), None
