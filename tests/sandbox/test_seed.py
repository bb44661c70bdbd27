"""The seed: the same every time, awkward where real data is awkward, and right to the cent."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal

import pytest

from connector.sandbox.seed import KEYS, Company, Row, build
from connector.sandbox.seed.vendors import is_clean

TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module")
def main() -> Company:
    """EPIC06 as the demo has it."""
    return build(vendors=300, invoices=200, seed=1, today=TODAY).companies["EPIC06"]


def _below(company: Company, table: str, header: Row) -> list[Row]:
    key = (header["VendorNum"], header["InvoiceNum"])
    return [row for row in company.tables[table] if (row["VendorNum"], row["InvoiceNum"]) == key]


def test_the_same_numbers_give_the_same_rows() -> None:
    first = build(vendors=40, invoices=40, seed=3, today=TODAY)
    second = build(vendors=40, invoices=40, seed=3, today=TODAY)
    assert first == second
    assert first != build(vendors=40, invoices=40, seed=4, today=TODAY)


def test_too_few_vendors_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 10 vendors"):
        build(vendors=9, invoices=0, seed=1, today=TODAY)


@pytest.mark.parametrize("table", KEYS)
def test_keys_are_unique_without_case(main: Company, table: str) -> None:
    keys = [tuple(str(row[column]).casefold() for column in KEYS[table]) for row in main.tables[table]]
    assert len(keys) == len(set(keys))


def test_versions_rise_over_both_companies_and_never_repeat() -> None:
    seed = build(vendors=40, invoices=40, seed=1, today=TODAY)
    rows = [row for company in seed.companies.values() for table in company.tables.values() for row in table]
    assert len({row["SysRevID"] for row in rows}) == len({row["SysRowID"] for row in rows}) == len(rows)


def test_the_second_company_collides_in_keys_and_differs_in_content() -> None:
    seed = build(vendors=300, invoices=200, seed=1, today=TODAY)
    first, second = seed.companies["EPIC06"].tables, seed.companies["EPIC07"].tables
    shown = {"Vendor": "Name", "GLAccount": "AccountDesc", "APInvHed": "Description", "POHeader": "DocTotalOrder"}
    for table, column in shown.items():
        mine = {tuple(row[name] for name in KEYS[table]): row for row in first[table]}
        shared = [row for row in second[table] if tuple(row[name] for name in KEYS[table]) in mine]
        assert shared, f"no colliding {table}"
        differing = [row for row in shared if row[column] != mine[tuple(row[name] for name in KEYS[table])][column]]
        assert len(differing) > len(shared) / 2, table


def test_vendors_hold_what_breaks_careless_code(main: Company) -> None:
    vendors = main.tables["Vendor"]
    names = [row["Name"] for row in vendors]
    assert len(set(names)) == len(names)
    for part in ("'", '"', "&", "=HYPERLINK", "+1 Tools", "@Supply", "株式会社"):
        assert any(part in name for name in names), part
    assert {row["CurrencyCode"] for row in vendors} == {"USD", "CAD"}
    assert any(row["Inactive"] for row in vendors)
    assert any(row["PayHold"] for row in vendors)
    assert any(not row["City"] for row in vendors)
    assert any(len(row["Address1"]) > 80 for row in vendors)
    assert all(row["TaxPayerID"].startswith("00-") for row in vendors)
    assert max(Counter(row["VendorNum"] for row in main.tables["VendRemitTo"]).values()) == 3


def test_the_chart_is_shown_in_another_order_than_it_is_stored(main: Company) -> None:
    accounts = main.tables["GLAccount"]
    assert all(row["GLAcctDispGLAcctDisp"].split("-") == row["GLAccount"].split("|")[::-1] for row in accounts)
    assert any(not row["Active"] for row in accounts)
    assert any(row["EffFrom"] > f"{TODAY}T00:00:00" for row in accounts)
    assert any(row["EffTo"] for row in accounts)


def test_every_invoice_adds_up(main: Company) -> None:
    for header in main.tables["APInvHed"]:
        lines = _below(main, "APInvDtl", header)
        charges = sum((row["DocMiscAmt"] for row in _below(main, "APIHAPInvMsc", header)), Decimal(0))
        assert header["DocInvoiceAmt"] == sum(row["DocExtCost"] for row in lines) + charges
        expenses = _below(main, "APInvExp", header)
        for line in lines:
            parts = [row for row in expenses if row["InvoiceLine"] == line["InvoiceLine"]]
            assert sum(row["DocExpAmt"] for row in parts) == line["DocExtCost"]
        paid = sum(
            (row["DocTranAmt"] for row in _below(main, "APTran", header)),
            Decimal(0),
        )
        assert header["DocInvoiceBal"] == header["DocUnpostedBal"] == header["DocInvoiceAmt"] - paid
        assert header["OpenPayable"] == (header["DocInvoiceBal"] != 0)
        assert header["DocInvoiceVendorAmt"] == header["DocInvoiceAmt"]
        assert header["ScrDocInvoiceAmt"] == abs(header["DocInvoiceAmt"])
        assert (header["DocInvoiceAmt"] < 0) == header["DebitMemo"]


def test_every_state_of_an_invoice_is_there_and_most_open_ones_are_clean(main: Company) -> None:
    headers = main.tables["APInvHed"]
    for column in ("InvoiceHeld", "PayHold", "DebitMemo", "Posted", "OpenPayable"):
        assert {row[column] for row in headers} == {True, False}, column
    assert any(0 < row["DocInvoiceBal"] < row["DocInvoiceAmt"] for row in headers)
    assert any(row["CurrencyCode"] == "CAD" for row in headers)
    numbers = "".join(row["InvoiceNum"] for row in headers)
    assert all(character in numbers for character in "/'# %+&")
    vendors = {row["VendorNum"]: row for row in main.tables["Vendor"]}
    inactive = {row["GLAccount"] for row in main.tables["GLAccount"] if not row["Active"]}
    open_ones = [row for row in headers if row["Posted"] and row["OpenPayable"]]
    clean = [
        row
        for row in open_ones
        if is_clean(vendors[row["VendorNum"]])
        and not row["PayHold"]
        and _below(main, "APInvHedAttch", row)
        and not inactive & {item["GLAccount"] for item in _below(main, "APInvExp", row)}
    ]
    assert 0.8 < len(clean) / len(open_ones) < 0.92


def test_order_invoices_bill_receipts_and_leave_some_for_others(main: Company) -> None:
    billed = [row for row in main.tables["APInvDtl"] if row["LineType"] == "R"]
    slips = {row["SysRowID"]: row for row in main.tables["RcvDtl"]}
    assert billed
    for line in billed:
        slip = slips[line["RelatedToRcvDtlSysRowID"]]
        assert (slip["Invoiced"], slip["InvoiceNum"], slip["PONum"]) == (True, line["InvoiceNum"], line["PONum"])
    free = [row for row in main.tables["RcvDtl"] if row["SupplierUnInvcReceiptQty"] > 0]
    assert len({row["PONum"] for row in free}) >= 10
    assert {row["OpenOrder"] for row in main.tables["POHeader"]} == {True, False}
    assert any(row["VoidOrder"] for row in main.tables["POHeader"])


def test_attachments_are_files_of_several_kinds(main: Company) -> None:
    heads = Counter(content[:4] for _, _, content in main.files.values())
    assert heads.keys() == {b"%PDF", b"II*\x00", b"\x89PNG"}
    assert any(name.endswith(".jpg") and content.startswith(b"%PDF") for name, _, content in main.files.values())
    counts = Counter((row["VendorNum"], row["InvoiceNum"]) for row in main.tables["APInvHedAttch"])
    assert set(counts.values()) == {1, 3}
    assert len(counts) < len(main.tables["APInvHed"])
    content = next(content for _, _, content in main.files.values() if content.startswith(b"%PDF"))
    table = int(content.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    assert content[table:].startswith(b"xref\n0 6\n")
    assert content.endswith(b"%%EOF\n")


def test_twenty_thousand_vendors_have_twenty_thousand_names() -> None:
    vendors = build(vendors=20_000, invoices=0, seed=1, today=TODAY).companies["EPIC06"].tables["Vendor"]
    assert len({row["Name"] for row in vendors}) == 20_000
