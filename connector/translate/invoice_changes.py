"""What is different about an invoice since it was submitted, in plain words: old → new.

A changed invoice is shown to a person and never sent a second time, so the words have to name what changed. Only what
was submitted counts: a payment lowers a balance and closes an invoice, and neither is a change of the invoice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from connector.avidxchange.records import InvoiceItem, InvoiceLineItem
from connector.epicor.records import Invoice, InvoiceDocument, day

#: Fields of a submitted invoice and what a person calls them.
_HEADER = {
    "document_type": "type",
    "gross_amount": "amount",
    "currency": "currency",
    "invoice_date": "invoice date",
    "invoice_due_date": "due date",
    "discount_amount": "discount",
    "discount_date": "discount date",
    "po_number": "purchase order",
    "term_type_name": "terms",
    "memo": "description",
}
_LINE = {
    "amount": "amount",
    "gl_account": "GL account",
    "description": "description",
    "quantity": "quantity",
    "unit_price": "unit price",
    "po_line_number": "PO line",
    "receipt_number": "receipt",
}
#: More lines than this are counted instead of listed.
_LINES_SHOWN = 5


def open_again(document: InvoiceDocument) -> InvoiceDocument:
    """Return the document as if nothing had happened to the invoice since it was submitted: open, unpaid, on no hold.

    So it translates, and what it says can be compared with what was sent.
    """
    header = [
        msgspec.structs.replace(
            row, open_payable=True, invoice_held=False, pay_hold=False, doc_unposted_bal=row.doc_invoice_amt
        )
        for row in document.header
    ]
    return msgspec.structs.replace(document, header=header)


def changes(sent: InvoiceItem, now: InvoiceItem, *, leave_out: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Return what differs, such as ``amount 10.00 → 12.00``; nothing when the two say the same.

    ``leave_out`` names fields of ``InvoiceItem`` that do not count.
    """
    counted = {name: word for name, word in _HEADER.items() if name not in leave_out}
    header = [_words(word, getattr(sent, name), getattr(now, name)) for name, word in counted.items()]
    return tuple(filter(None, [*header, *_lines(sent.lines, now.lines)]))


def header_changes(sent: InvoiceItem, header: Invoice) -> tuple[str, ...]:
    """Return what differs as far as a header tells, for an invoice that no longer translates."""
    return tuple(
        filter(
            None,
            [
                _words("amount", sent.gross_amount, header.doc_invoice_amt),
                _words("invoice date", sent.invoice_date, _day(header.invoice_date)),
                _words("due date", sent.invoice_due_date, _day(header.due_date)),
            ],
        )
    )


def on_hold(header: Invoice) -> tuple[str, ...]:
    """Return that an invoice is on hold, if it is: the hold was put on after it was submitted."""
    held = [name for name, on in (("InvoiceHeld", header.invoice_held), ("PayHold", header.pay_hold)) if on]
    return (f"put on hold in Epicor ({', '.join(held)})",) if held else ()


def _lines(sent: Sequence[InvoiceLineItem], now: Sequence[InvoiceLineItem]) -> Iterator[str]:
    if len(sent) != len(now):
        yield f"lines {len(sent)} → {len(now)}"
        return
    differing = [(old, new) for old, new in zip(sent, now, strict=True) if old != new]
    if len(differing) > _LINES_SHOWN:
        yield f"{len(differing)} of {len(sent)} lines"
        return
    for old, new in differing:
        for name, word in _LINE.items():
            yield _words(f"line {old.line_number} {word}", getattr(old, name), getattr(new, name))


def _words(what: str, old: object, new: object) -> str:
    if old == new:
        return ""
    return f"{what} {_shown(old)} → {_shown(new)}"


def _day(value: str | None) -> date | str | None:
    try:
        return day(value)
    except ValueError:
        return value


def _shown(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if value not in (None, "") else "none"
