"""The body of a batch: money byte for byte as it was stored, ids as the wire wants them (contract 2.8, 2.9, 4, 5.1)."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.avidxchange.batches import BatchKind, encode_request
from connector.avidxchange.profile import Profile
from connector.avidxchange.records import (
    GLAccountItem,
    InvoiceItem,
    InvoiceLineItem,
    PurchaseOrderItem,
    ReceiptItem,
    VendorItem,
    encode,
)

PROFILE = Profile()


def invoice(external_id: str, amount: Decimal) -> tuple[str, bytes]:
    item = InvoiceItem(
        external_id=external_id,
        document_type="Invoice",
        vendor_external_system_id="E|1|MAIN",
        number="77",
        invoice_date=date(2026, 11, 2),
        gross_amount=amount,
        currency="USD",
        lines=(InvoiceLineItem(line_number=1, amount=amount, gl_account="6100-00"),),
    )
    return external_id, encode(item)


def test_invoices_as_the_contract_shows_them() -> None:
    body = encode_request(
        BatchKind.INVOICES, "ACME-B1", [invoice("E|1|77|1", Decimal("1250.00"))], PROFILE, accounting_system_id="17"
    )
    assert json.loads(body, parse_float=str) == {
        "BatchId": {"Value": "ACME-B1", "SchemeOwner": "Buyer"},
        "AccountingSystemID": 17,
        "Items": [
            {
                "ExternalId": {"Value": "E|1|77|1", "SchemeOwner": "Buyer"},
                "DocumentType": "Invoice",
                "VendorExternalSystemID": "E|1|MAIN",
                "Number": "77",
                "InvoiceDate": "2026-11-02",
                "GrossAmount": "1250.00",
                "Currency": "USD",
                "Lines": [{"LineNumber": 1, "Amount": "1250.00", "GLAccount": "6100-00"}],
            }
        ],
    }


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**14), max_value=10**14))
def test_money_is_on_the_wire_as_it_was_stored(amount: Decimal) -> None:
    external_id, stored = invoice("E|1|77|1", amount)
    body = encode_request(BatchKind.INVOICES, "B", [(external_id, stored)], PROFILE)
    sent = json.loads(body, parse_float=Decimal, parse_int=Decimal)["Items"][0]
    assert sent["GrossAmount"] == amount
    assert str(sent["GrossAmount"]) == str(json.loads(stored, parse_float=Decimal, parse_int=Decimal)["GrossAmount"])
    assert body.count(f":{amount}".encode()) == 2


def test_a_vendor_s_tax_id_is_an_identifier() -> None:
    vendor = VendorItem(
        vendor_external_system_id="E|1|MAIN", vendor_name="Quill", tax_id="00-1", is_active=True, operation="Upsert"
    )
    profile = Profile.from_overrides({"accounting_system_id": "17"})
    sent = json.loads(encode_request(BatchKind.VENDORS, "B", [("E|1|MAIN", encode(vendor))], profile))
    assert sent["Items"] == [
        {
            "VendorExternalSystemID": "E|1|MAIN",
            "VendorName": "Quill",
            "TaxId": {"Value": "00-1"},
            "IsActive": True,
            "Operation": "Upsert",
            "AccountingSystemID": 17,
        }
    ]


@pytest.mark.parametrize(("system", "sent"), [("17", 17), ("0017", "0017"), ("MAIN", "MAIN"), ("", None)])
def test_the_accounting_system_is_a_number_or_a_text(system: str, sent: object) -> None:
    body = encode_request(BatchKind.INVOICES, "B", [invoice("a", Decimal(1))], PROFILE, accounting_system_id=system)
    assert json.loads(body).get("AccountingSystemID") == sent


def test_every_kind_has_its_key() -> None:
    items = {
        BatchKind.GL_ACCOUNTS: ("61", GLAccountItem(account_number="61", is_active=True, operation="Upsert")),
        BatchKind.PURCHASE_ORDERS: (
            "450",
            PurchaseOrderItem(
                po_number="450",
                vendor_external_system_id="V",
                status="Open",
                total_amount=Decimal(1),
                currency="USD",
                lines=(),
                operation="Upsert",
            ),
        ),
        BatchKind.RECEIPTS: (
            "450",
            ReceiptItem(po_number="450", vendor_external_system_id="V", lines=(), operation="Upsert"),
        ),
    }
    for kind, (external_id, item) in items.items():
        assert json.loads(encode_request(kind, "B", [(external_id, encode(item))], PROFILE))["Items"][0][kind.key_name]
        with pytest.raises(ValueError, match=f"{kind.key_name} of an item is not its external id 'other'"):
            encode_request(kind, "B", [("other", encode(item))], PROFILE)


@pytest.mark.parametrize(
    ("batch_id", "items", "reason"),
    [
        ("B", [], "1 to 50 items, not 0"),
        ("B", [invoice(str(n), Decimal(1)) for n in range(51)], "1 to 50 items, not 51"),
        ("B", [invoice("a", Decimal(1)), invoice("a", Decimal(2))], "twice"),
        ("", [invoice("a", Decimal(1))], "1 to 100 characters"),
        ("x" * 101, [invoice("a", Decimal(1))], "1 to 100 characters"),
    ],
)
def test_a_batch_that_can_never_be_sent(batch_id: str, items: list[tuple[str, bytes]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        encode_request(BatchKind.INVOICES, batch_id, items, PROFILE)
