"""OData over HTTP: legal behaviour that breaks naive clients, one test a lesson (field-lessons, section 3)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from connector.epicor import odata, records
from connector.epicor.records import Vendor, day
from connector.transport.errors import Misconfigured
from tests.epicor.connected import Connected, connected
from tests.transport.far_side import FarSide


def vendors(here: Connected, **options: Any) -> list[int]:
    return [
        row.vendor_num for page in here.client.pages(records.VENDORS, **options) for row in page.rows
        if isinstance(row, Vendor)
    ]  # fmt: skip


def everyone(here: Connected) -> list[int]:
    return sorted(row["VendorNum"] for row in here.rows("Vendor"))


def test_a_space_leaves_as_percent_20() -> None:
    with connected() as here:
        where = odata.and_(odata.eq("Company", "EPIC06"), odata.ge("VendorNum", 0))
        assert vendors(here, where=where) == everyone(here)  # the stand-in refuses a plus for a space
        assert all("+" not in attempt.url and "%20" in attempt.url for attempt in here.attempts)


def test_a_quote_is_doubled_and_then_encoded() -> None:
    with connected() as here:
        quoted = [row for row in here.rows("Vendor") if "'" in row["Name"] or "&" in row["Name"]]
        assert {"'", "&"} <= set("".join(row["Name"] for row in quoted))
        for row in quoted:
            found = here.client.find(records.VENDORS, odata.eq("Name", row["Name"]))
            assert row["VendorNum"] in [vendor.vendor_num for vendor in found if isinstance(vendor, Vendor)]


def test_every_option_has_its_dollar() -> None:
    with connected(config={"paging": "skip", "page_size": 20}) as here:
        vendors(here, where=odata.ge("VendorNum", 0))
        here.client.find(records.VENDORS, odata.eq("VendorNum", 1))
        options = [set(option) for option in here.options("Vendors")]
        assert set().union(*options) == {"$select", "$filter", "$orderby", "$top", "$skip", "$count"}


@pytest.mark.parametrize("paging", ["keyset", "skip"])
def test_a_top_above_the_servers_maximum_is_cut_in_silence(paging: str) -> None:
    with connected(config={"paging": paging, "page_size": 50}, max_top=7) as here:
        assert vendors(here) == everyone(here)
        skips = [int(option.get("$skip", 0)) for option in here.options("Vendors")]
        if paging == "skip":
            assert skips == [*range(0, 60, 7), 60]  # by rows received, not by rows asked for


@pytest.mark.parametrize("link", ["relative", "absolute"])
@pytest.mark.parametrize("paging", ["keyset", "skip"])
def test_a_next_link_may_be_relative_or_absolute(link: str, paging: str) -> None:
    with connected(config={"paging": paging, "page_size": 25}, emit_next_link=link) as here:
        assert vendors(here) == everyone(here)


def test_a_next_link_to_another_host_is_refused() -> None:
    with connected(config={"paging": "skip", "page_size": 25}) as here, FarSide() as other:
        page = {
            "value": [{"Company": "EPIC06", "VendorNum": 1, "VendorID": "v"}],
            "@odata.nextLink": f"{other.url}/steal",
        }
        here.fault(kind="status", status=200, body=page, path="Vendors", headers={"Content-Type": "application/json"})
        with pytest.raises(Misconfigured) as caught:
            vendors(here)
        assert caught.value.code == "foreign_host"
        assert other.asked == []


@pytest.mark.parametrize("size", [0, -1])
def test_a_page_of_no_rows_never_leaves(size: int) -> None:
    with connected() as here:
        with pytest.raises(ValueError, match="at least one row"):
            here.client.pages(records.VENDORS, page_size=size)
        assert here.attempts == []


def test_numbers_may_be_texts() -> None:
    page = {"value": [{"Company": "EPIC06", "VendorNum": "1", "InvoiceNum": "a", "SysRevID": "9007199254740993",
                       "DocInvoiceAmt": "0.10", "DocInvoiceBal": 0.1}]}  # fmt: skip
    with connected() as here:
        here.fault(
            kind="status", status=200, body=page, path="APInvoices", headers={"Content-Type": "application/json"}
        )
        [row] = here.client.peek(records.INVOICES)
        assert isinstance(row, records.Invoice)
        assert (row.vendor_num, row.sys_rev_id) == (1, 9007199254740993)
        assert row.doc_invoice_amt == row.doc_invoice_bal == Decimal("0.10")


def test_null_and_empty_are_told_apart_and_both_read_as_nothing() -> None:
    with connected() as here:
        first, second = here.rows("Vendor")[:2]
        first["EMailAddress"], second["EMailAddress"] = None, ""
        rows = {row.vendor_num: row for row in here.client.find(records.VENDORS, "") if isinstance(row, Vendor)}
        assert (rows[first["VendorNum"]].email, rows[second["VendorNum"]].email) == (None, "")
        assert records.text(None) == records.text("") == ""


@pytest.mark.parametrize(
    "written",
    ["2026-11-02T00:00:00", "2026-11-02T00:00:00Z", "2026-11-02T00:00:00.0000000-05:00", "2026-11-02T23:59:59+14:00",
     "2026-11-02"],
)  # fmt: skip
def test_a_date_is_taken_as_written_whatever_follows_it(written: str) -> None:
    assert day(written) == date(2026, 11, 2)


def test_a_full_instant_is_sent_with_z() -> None:
    assert odata.ge("ChangedOn", datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC)) == "ChangedOn ge 2026-11-02T03:04:05Z"


def test_ge_keeps_the_whole_day_of_a_date_only_column() -> None:
    with connected() as here:
        changed = here.rows("APInvHed")[3]
        here.world.edit("APInvHed", {"VendorNum": changed["VendorNum"], "InvoiceNum": changed["InvoiceNum"]},
                        Description="edited today")  # fmt: skip
        found = here.client.find(records.INVOICES, odata.ge("ChangeDate", here.today))
        assert changed["InvoiceNum"] in [row.invoice_num for row in found if isinstance(row, records.Invoice)]
        assert here.client.find(records.INVOICES, odata.gt("ChangeDate", here.today)) == []  # what gt would have lost


def test_composite_keys_are_filtered_and_never_put_into_a_path() -> None:
    with connected() as here:
        odd = next(row for row in here.rows("APInvHed") if "/" in row["InvoiceNum"] or "'" in row["InvoiceNum"])
        where = odata.and_(odata.eq("VendorNum", odd["VendorNum"]), odata.eq("InvoiceNum", odd["InvoiceNum"]))
        [row] = here.client.find(records.INVOICES, where)
        assert row.sys_row_id == odd["SysRowID"]
        here.client.invoice(odd["VendorNum"], odd["InvoiceNum"])
        assert all("(" not in urlsplit(attempt.url).path for attempt in here.attempts)


def test_text_may_be_compared_without_case() -> None:
    """A look-up by text can bring another spelling; who needs the exact one compares again (``payment_entry.find``)."""
    with connected() as here:
        row = next(row for row in here.rows("Vendor") if row["VendorID"] != row["VendorID"].lower())
        found = here.client.find(records.VENDORS, odata.eq("VendorID", row["VendorID"].lower()))
        assert [vendor.vendor_id for vendor in found if isinstance(vendor, Vendor)] == [row["VendorID"]]
