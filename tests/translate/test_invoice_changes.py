"""What changed since an invoice was submitted, in words that name it; payments are no change."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from connector.avidxchange.records import InvoiceItem, InvoiceLineItem
from connector.epicor.records import Invoice, InvoiceDocument
from connector.translate.invoice_changes import changes, header_changes, on_hold, open_again


def line(number: int, amount: str, **values: object) -> InvoiceLineItem:
    fields = {"gl_account": "6100-00", "description": "Freight", **values}
    return InvoiceLineItem(line_number=number, amount=Decimal(amount), **fields)  # type: ignore[arg-type]


SENT = InvoiceItem(
    external_id="E|1|A|1", document_type="Invoice", vendor_external_system_id="E|1|MAIN", number="A",
    invoice_date=date(2026, 1, 2), invoice_due_date=date(2026, 2, 1), gross_amount=Decimal("30.00"), currency="USD",
    lines=(line(1, "10.00"), line(2, "20.00")),
)  # fmt: skip
HEADER = Invoice(
    company="E", vendor_num=1, invoice_num="A", posted=True, open_payable=True, invoice_date="2026-01-02T00:00:00",
    due_date="2026-02-01T00:00:00", doc_invoice_amt=Decimal(30), doc_unposted_bal=Decimal(30), currency_code="USD",
)  # fmt: skip


def test_nothing_changed_says_nothing() -> None:
    assert changes(SENT, SENT) == ()
    assert changes(SENT, msgspec.structs.replace(SENT, gross_amount=Decimal("30.0"))) == ()


def test_every_change_is_named_old_then_new() -> None:
    now = msgspec.structs.replace(
        SENT, gross_amount=Decimal("31.50"), invoice_due_date=None, po_number="4500", currency="CAD",
        discount_amount=Decimal("0.50"), discount_date=date(2026, 1, 9), document_type="CreditMemo",
        term_type_name="Net 60", memo="corrected", invoice_date=date(2026, 1, 3),
    )  # fmt: skip
    assert changes(SENT, now) == (
        "type Invoice → CreditMemo",
        "amount 30.00 → 31.50",
        "currency USD → CAD",
        "invoice date 2026-01-02 → 2026-01-03",
        "due date 2026-02-01 → none",
        "discount none → 0.50",
        "discount date none → 2026-01-09",
        "purchase order none → 4500",
        "terms none → Net 60",
        "description none → corrected",
    )
    assert changes(SENT, msgspec.structs.replace(SENT, memo="Approved"), leave_out=frozenset({"memo"})) == ()


def test_lines_are_named_by_number_or_counted() -> None:
    recoded = msgspec.structs.replace(SENT, lines=(line(1, "10.00"), line(2, "19.00", gl_account="6200-00")))
    assert changes(SENT, recoded) == ("line 2 amount 20.00 → 19.00", "line 2 GL account 6100-00 → 6200-00")
    assert changes(SENT, msgspec.structs.replace(SENT, lines=SENT.lines[:1])) == ("lines 2 → 1",)
    many = msgspec.structs.replace(SENT, lines=tuple(line(n, "1.00") for n in range(1, 9)))
    other = msgspec.structs.replace(SENT, lines=tuple(line(n, "2.00") for n in range(1, 9)))
    assert changes(many, other) == ("8 of 8 lines",)


def test_a_header_alone_tells_amount_and_dates() -> None:
    assert header_changes(SENT, HEADER) == ()
    now = msgspec.structs.replace(HEADER, doc_invoice_amt=Decimal("29.99"), due_date="soon", invoice_date=None)
    assert header_changes(SENT, now) == (
        "amount 30.00 → 29.99",
        "invoice date 2026-01-02 → none",
        "due date 2026-02-01 → soon",
    )


def test_holds_are_named() -> None:
    assert on_hold(HEADER) == ()
    both = msgspec.structs.replace(HEADER, pay_hold=True, invoice_held=True)
    assert on_hold(both) == ("put on hold in Epicor (InvoiceHeld, PayHold)",)


@given(
    left=st.decimals(min_value=-1000, max_value=1000, places=2),
    open_payable=st.booleans(), pay_hold=st.booleans(), invoice_held=st.booleans(),
)  # fmt: skip
def test_whatever_a_payment_does_the_document_opens_again_as_it_was(
    left: Decimal, open_payable: bool, pay_hold: bool, invoice_held: bool
) -> None:
    moved = msgspec.structs.replace(
        HEADER, doc_unposted_bal=left, open_payable=open_payable, pay_hold=pay_hold, invoice_held=invoice_held
    )
    assert open_again(InvoiceDocument(header=[moved])) == InvoiceDocument(header=[HEADER])
