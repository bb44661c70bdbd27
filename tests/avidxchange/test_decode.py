"""Rows of AvidXchange as records: whole records asserted, awkward spellings included (contract 5 and 6)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connector.avidxchange import decode
from connector.avidxchange.decode import BadRow
from connector.avidxchange.profile import Profile
from connector.avidxchange.records import (
    CapturedBatch,
    CapturedInvoice,
    CapturedLine,
    Payment,
    PaymentMethod,
    PaymentStatus,
    Remittance,
    SubmittedInvoice,
    Vendor,
)
from connector.avidxchange.wire import Unreadable

PROFILE = Profile()

PAYMENT: dict[str, Any] = {
    "PaymentId": 500001,
    "Status": {"Id": 13, "Description": "Cleared"},
    "PaymentMethod": {"Id": 1, "Description": "AvidPay Check"},
    "Amount": "150.00",
    "Remittances": {"Number": 77, "ExternalId": {"Value": "E|1|77|1"}, "InvoiceId": 9, "Gross": 150, "Net": "150.00"},
}


def test_payment_in_full() -> None:
    row = {
        **PAYMENT,
        "ExternalPaymentIds": [{"Value": "P-1"}, {"Value": None}, "P-2"],
        "BatchId": "PB-1",
        "CheckNumber": 1001,
        "avidpaycheckNUMBER": "300000101",
        "AchTraceNumber": "021000020000001",
        "VirtualCardLast4": "4111-1111-1111-1234",
        "ClearedDate": "2026-11-20T08:00:00",
        "LastModified": "2026-11-20T08:00:00Z",
        "VoidedDate": None,
        "VoidReason": "card 4111 1111 1111 1111 expired",
        "RefundedAmount": "0.00",
        "ReplacesPaymentId": 499999,
        "Exceptions": {"ReasonCode": {"Id": 4, "Description": "Missing bank account"}},
        "Channel": "new over there",
    }
    assert decode.payment(row, PROFILE) == Payment(
        id="500001",
        status=PaymentStatus.CLEARED,
        status_text="Cleared",
        method=PaymentMethod.CHECK,
        method_text="AvidPay Check",
        amount=Decimal("150.00"),
        batch_id="PB-1",
        external_ids=("P-1", "P-2"),
        payer_check_number="1001",
        network_check_number="300000101",
        ach_trace="021000020000001",
        card_last4="1234",
        cleared_at=datetime(2026, 11, 20, 8, tzinfo=UTC),
        modified_at=datetime(2026, 11, 20, 8, tzinfo=UTC),
        void_reason="card [redacted]1111 expired",
        refunded_amount=Decimal("0.00"),
        replaces_id="499999",
        exception_codes=("4",),
        remittances=(
            Remittance(
                number="77",
                external_id="E|1|77|1",
                invoice_id="9",
                gross=Decimal(150),
                discount=Decimal("0.00"),
                net=Decimal("150.00"),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("4111111111111234", "1234"),
        (4111111111111234, "1234"),
        ("**** 1234", "1234"),
        ("1234", "1234"),
        ("234", ""),
        ("", ""),
        (None, ""),
        ("none", ""),
    ],
)
@pytest.mark.parametrize("name", ["VirtualCardLast4", "VirtualCardNumber", "CardNumber"])
def test_never_more_of_a_card_than_four_digits(name: str, sent: Any, kept: str) -> None:
    found = decode.payment({**PAYMENT, name: sent}, PROFILE)
    assert found.card_last4 == kept
    assert "4111111111111" not in repr(found)


def test_unknown_words_are_kept_and_unknown() -> None:
    found = decode.payment(
        {**PAYMENT, "Status": "Escheated", "PaymentMethod": {"Id": 9, "Description": "Pigeon"}}, PROFILE
    )
    assert (found.status, found.status_text) == (PaymentStatus.UNKNOWN, "Escheated")
    assert (found.method, found.method_text) == (PaymentMethod.UNKNOWN, "Pigeon")
    bare = decode.payment({"PaymentId": 1, "Amount": 1}, PROFILE)
    assert (bare.status, bare.method, bare.status_text) == (PaymentStatus.UNKNOWN, PaymentMethod.UNKNOWN, "")


@pytest.mark.parametrize(
    ("amounts", "read"),
    [
        ({"Gross": 100, "Discount": 2, "Net": 98}, (100, 2, 98)),
        ({"Gross": 100, "Net": 98}, (100, 2, 98)),
        ({"Gross": 100, "Discount": "2"}, (100, 2, 98)),
        ({"Discount": 2, "Net": 98}, (100, 2, 98)),
        ({"Net": -98}, (-98, 0, -98)),
        ({"Gross": "100"}, (100, 0, 100)),
        ({"Gross": 100, "Discount": 2, "Net": 99}, (100, 2, 99)),  # a contradiction is translate's to refuse
    ],
)
def test_one_missing_amount_of_a_remittance_follows_from_the_others(amounts: Any, read: tuple[int, int, int]) -> None:
    (found,) = decode.payment({**PAYMENT, "Remittances": [{"Number": "1", **amounts}]}, PROFILE).remittances
    assert (found.gross, found.discount, found.net) == read


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"PaymentId": None}, "PaymentId is missing"),
        ({"Amount": None}, "Amount is missing"),
        ({"Amount": "a lot"}, "Amount is not a number"),
        ({"ClearedDate": "soon"}, "ClearedDate is not a timestamp"),
        ({"Remittances": [{"Number": "1"}]}, "remittance 1: neither Gross nor Net is there"),
        ({"Remittances": ["x"]}, "remittance 1: the row is not an object"),
    ],
)
def test_a_payment_that_cannot_be_read_is_not_guessed(change: Any, reason: str) -> None:
    with pytest.raises(Unreadable, match=rf"^{reason}$"):
        decode.payment({**PAYMENT, **change}, PROFILE)


def test_a_bad_row_is_put_aside_and_the_page_goes_on() -> None:
    rows = [PAYMENT, {**PAYMENT, "PaymentId": 7, "Amount": "?"}, None, {**PAYMENT, "PaymentId": 8}]
    found = decode.records(rows, decode.payment, PROFILE, kind="payment")
    assert [payment.id for payment in found] == ["500001", "8"]
    assert found.bad == (BadRow("7", "Amount is not a number"), BadRow("", "the row is not an object"))


def test_vendor() -> None:
    row = {
        "Id": 41001,
        "VendorExternalSystemID": "E|1|MAIN",
        "VendorName": "Quill Works",
        "TaxId": {"Value": "00-0000101"},
        "Address": {"Line1": "1 Main", "City": "Erie"},
        "RemitToAddress": {"Line1": "PO Box 1", "City": "Dayton", "State": "OH", "PostalCode": 45402},
        "IsActive": "false",
        "LastModified": "2026-11-20T08:00:00Z",
    }
    assert decode.vendor(row, PROFILE) == Vendor(
        id="41001",
        external_id="E|1|MAIN",
        name="Quill Works",
        tax_id="00-0000101",
        line1="PO Box 1",
        city="Dayton",
        state="OH",
        postal_code="45402",
        is_active=False,
        modified_at=datetime(2026, 11, 20, 8, tzinfo=UTC),
    )
    assert decode.vendor({"Id": "1"}, PROFILE) == Vendor(id="1", external_id="", name="")


def test_submitted_invoice() -> None:
    row = {
        "Id": 880123,
        "ExternalId": {"Value": "E|1|77|1", "SchemeOwner": "Buyer"},
        "Number": "77",
        "VendorExternalSystemID": "E|1|MAIN",
        "GrossAmount": "1250.00",
        "ApprovalStatus": "REJECTED",
        "RejectReason": "Wrong department",
        "LastChangedDate": "2026-11-20T08:00:00",
        "Images": {"ContentHash": "sha256:ab"},
    }
    assert decode.submitted_invoice(row, PROFILE) == SubmittedInvoice(
        id="880123",
        external_id="E|1|77|1",
        number="77",
        vendor_external_id="E|1|MAIN",
        gross_amount=Decimal("1250.00"),
        approval_status="Rejected",
        reject_reason="Wrong department",
        changed_at=datetime(2026, 11, 20, 8, tzinfo=UTC),
        image_count=1,
        image_hashes=("sha256:ab",),
    )
    odd = decode.submitted_invoice({**row, "ApprovalStatus": {"Description": "On leave"}, "ImageCount": 3}, PROFILE)
    assert (odd.approval_status, odd.image_count) == ("On leave", 3)


def test_captured_batch_needs_its_control_totals() -> None:
    row: dict[str, Any] = {
        "BatchGUID": "g-1",
        "BatchName": "Week 47",
        "InvoiceCount": "2",
        "BatchTotal": 10.5,
        "DateClosed": "2026-11-20T08:00:00",
        "Links": [{"Rel": "self", "Href": "/s"}, {"Rel": "Full-Details", "Href": "/d"}],
    }
    row["BatchTotal"] = Decimal("10.50")
    assert decode.captured_batch(row, PROFILE) == CapturedBatch(
        guid="g-1",
        name="Week 47",
        invoice_count=2,
        total=Decimal("10.50"),
        closed_at=datetime(2026, 11, 20, 8, tzinfo=UTC),
        details_href="/d",
    )
    for name in ("BatchGUID", "InvoiceCount", "BatchTotal", "DateClosed"):
        with pytest.raises(Unreadable, match=f"^{name} is missing$"):
            decode.captured_batch({**row, name: None}, PROFILE)
    assert decode.captured_batch({**row, "Links": None}, PROFILE).details_href == ""


def test_captured_invoice_with_lines_along_a_tenant_s_own_paths() -> None:
    profile = Profile.from_overrides(
        {"fields": {"captured.lines": "Coding.Splits", "line.amount": "Money.Net", "line.gl_account": "Account.Number"}}
    )
    row = {
        "Id": 880010,
        "Number": "C-1",
        "InvoiceDate": "2026-11-18T00:00:00-05:00",
        "InvoiceDueDate": "2026-12-18",
        "GrossAmount": -12.34,
        "Currency": "USD",
        "PONumber": 4500123,
        "Memo": None,
        "ImageUrl": "https://h.invalid/i",
        "LastChangedDate": "2026-11-18T12:00:00Z",
        "BuyerVendor": {"VendorName": "Quill Works", "VendorExternalSystemID": "E|1|MAIN"},
        "BuyerVendorAccount": {"AccountNo": "none"},
        "TermType": {"termTypeName": "Net 30"},
        "Coding": {"Splits": {"Money": {"Net": "-12.34"}, "Account": {"Number": "6100-00"}, "Quantity": 1}},
    }
    row["GrossAmount"] = Decimal("-12.34")
    assert decode.captured_invoice(row, profile) == CapturedInvoice(
        id="880010",
        number="C-1",
        invoice_date=date(2026, 11, 18),
        due_date=date(2026, 12, 18),
        gross_amount=Decimal("-12.34"),
        currency="USD",
        po_number="4500123",
        image_url="https://h.invalid/i",
        vendor_name="Quill Works",
        vendor_external_id="E|1|MAIN",
        term_type_name="Net 30",
        changed_at=datetime(2026, 11, 18, 12, tzinfo=UTC),
        lines=(
            CapturedLine(
                line_number=1, amount=Decimal("-12.34"), gl_account="6100-00", quantity=Decimal(1), unit_price=None
            ),
        ),
    )


def test_an_invoice_with_an_unreadable_line_is_not_shortened() -> None:
    row = {"Id": 1, "GrossAmount": 5, "Lines": [{"Amount": 2}, {"Amount": "three"}]}
    with pytest.raises(Unreadable, match=r"^line 2: Amount is not a number$"):
        decode.captured_invoice(row, PROFILE)


def test_pairs() -> None:
    row = {"ID": 17, "Name": "Main", "ClientId": "OPER", "Status": {"Description": "Synced"}}
    assert decode.pair(row, PROFILE, kind="accounting_system", second="name") == ("17", "Main")
    assert decode.pair(row, PROFILE, kind="bank_account", second="status") == ("OPER", "Synced")
