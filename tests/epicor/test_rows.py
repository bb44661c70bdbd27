"""Rows from bytes: numbers to the last digit, bad rows set aside, another company never let through."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from connector.epicor import records
from connector.epicor.records import Invoice, Vendor
from connector.epicor.rows import BadRow, decode
from connector.transport.errors import Misconfigured, Retry


def body(*rows: dict[str, Any], **extra: Any) -> bytes:
    return json.dumps({"value": rows, **extra}).encode()


def vendor(number: Any, **columns: Any) -> dict[str, Any]:
    return {"Company": "C1", "VendorNum": number, "VendorID": f"V{number}", "SysRevID": 10, **columns}


def test_a_page_of_good_rows() -> None:
    found = decode(records.VENDORS, body(vendor(1, Name=None), vendor(2, Name="", Unknown={"x": 1})), company="C1")
    assert found.rows == [
        ((1,), Vendor(company="C1", sys_rev_id=10, vendor_num=1, vendor_id="V1", name=None)),
        ((2,), Vendor(company="C1", sys_rev_id=10, vendor_num=2, vendor_id="V2", name="")),
    ]
    assert (found.bad, found.keys, found.next_link, found.count) == ([], [(1,), (2,)], "", None)


def test_numbers_come_from_their_tokens_or_from_texts() -> None:
    raw = b"""{"value": [{"Company": "C1", "VendorNum": "104", "InvoiceNum": "a", "SysRevID": 9007199254740993,
        "DocInvoiceAmt": 12345678901234.123456789, "DocInvoiceBal": "697.940", "DocTaxAmt": 1e2, "Posted": "true"}]}"""
    [(key, row)] = decode(records.INVOICES, raw, company="C1").rows
    assert isinstance(row, Invoice)
    assert key == (104, "a")
    assert (row.doc_invoice_amt, str(row.doc_invoice_bal)) == (Decimal("12345678901234.123456789"), "697.940")
    assert (row.doc_tax_amt, row.sys_rev_id, row.posted) == (Decimal(100), 9007199254740993, True)


def test_one_bad_row_is_set_aside_and_the_page_goes_on() -> None:
    bad = vendor(2, TermsCode=["not", "a", "text"])
    found = decode(records.VENDORS, body(vendor(1), bad, vendor(3)), company="C1")
    assert [key for key, _ in found.rows] == [(1,), (3,)]
    assert found.bad == [BadRow("VendorNum 2", "column TermsCode: Expected `str | null`, got `array`")]
    assert found.keys == [(1,), (2,), (3,)]


def test_a_row_without_a_required_column_says_which() -> None:
    row = vendor(7)
    del row["VendorID"]
    found = decode(records.VENDORS, body(row), company="C1")
    assert found.bad == [BadRow("VendorNum 7", "Object missing required field `VendorID`")]
    assert found.keys == [(7,)]


def test_a_row_whose_key_cannot_be_read_has_none() -> None:
    found = decode(records.VENDORS, body(vendor("x1"), {"Company": "C1"}), company="C1")
    assert found.keys == [None, None]
    assert [bad.key for bad in found.bad] == ["VendorNum x1", "key unreadable"]


@pytest.mark.parametrize("bad", [{}, {"TermsCode": 5}])
def test_another_company_stops_everything_even_in_a_bad_row(bad: dict[str, Any]) -> None:
    rows = body(vendor(1), {**vendor(2, **bad), "Company": "C2"})
    with pytest.raises(Misconfigured) as caught:
        decode(records.VENDORS, rows, company="C1")
    assert caught.value.code == "wrong_company"
    assert caught.value.message == "Vendors: company 'C2' answered where 'C1' was asked. Nothing was stored."


def test_the_case_of_a_company_counts() -> None:
    with pytest.raises(Misconfigured):
        decode(records.VENDORS, body({**vendor(1), "Company": "c1"}), company="C1")


def test_a_row_that_says_no_company_is_bad() -> None:
    row = vendor(1)
    del row["Company"]
    assert decode(records.VENDORS, body(row), company="C1").bad[0].reason == "Object missing required field `Company`"


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b"{}", b'{"value": 5}', b'{"value": [', b"\xff", b'{"value": [1}']
)
def test_an_answer_that_is_no_list_of_rows_is_asked_for_again(raw: bytes) -> None:
    with pytest.raises(Retry) as caught:
        decode(records.VENDORS, raw, company="C1")
    assert caught.value.code == "answer_unreadable"


def test_link_and_count_are_kept_in_both_ways_of_decoding() -> None:
    extra = {"@odata.nextLink": "Vendors?$skip=2", "@odata.count": 2}
    for rows in ([vendor(1)], [vendor(1, TermsCode=5)]):
        found = decode(records.VENDORS, body(*rows, **extra), company="C1")
        assert (found.next_link, found.count) == ("Vendors?$skip=2", 2)


def test_null_key_texts_are_empty_ones() -> None:
    row = {"Company": "C1", "VendorNum": 1, "PurPoint": None, "PackSlip": "p"}
    assert decode(records.RECEIPTS, body(row), company="C1").keys == [(1, "", "p")]
