"""One column of a posted invoice: read, written, and every way in which Epicor can say no with HTTP 200."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.epicor.invoice_columns import read_column, write_column
from connector.transport.errors import Held, Rejected, Uncertain
from tests.epicor.connected import Connected, connected, open_invoice


@pytest.fixture
def here() -> Iterator[Connected]:
    with connected() as served:
        yield served


def test_a_column_is_written_and_nothing_else_changes(here: Connected) -> None:
    row = open_invoice(here)
    row["Approval_c"] = ""
    before = dict(row)
    write_column(here.client, row["VendorNum"], row["InvoiceNum"], "Approval_c", "Approved")
    assert read_column(here.client, row["VendorNum"], row["InvoiceNum"], "Approval_c") == "Approved"
    changed = {name for name, value in row.items() if before[name] != value}
    assert changed == {"Approval_c", "SysRevID", "ChangeDate", "ChangedBy"}
    assert len(here.calls("UpdateExt")) == 1


def test_an_unknown_column_is_named_before_anything_is_written(here: Connected) -> None:
    row = open_invoice(here)
    for call in (
        lambda: read_column(here.client, row["VendorNum"], row["InvoiceNum"], "Nowhere_c"),
        lambda: write_column(here.client, row["VendorNum"], row["InvoiceNum"], "Nowhere_c", "Approved"),
    ):
        with pytest.raises(Held) as caught:
            call()
        assert caught.value.code == "column_missing"
        assert "Nowhere_c" in caught.value.message
    assert here.calls("UpdateExt") == []


def test_errors_that_come_with_http_200_are_errors(here: Connected) -> None:
    row = open_invoice(here)
    with pytest.raises(Held) as caught:
        write_column(here.client, row["VendorNum"], row["InvoiceNum"], "LegalNumber", "X")
    assert caught.value.message == "UpdateExt: The invoice is posted: LegalNumber cannot be changed."
    assert row["LegalNumber"] == ""


def test_an_error_flag_without_a_reason_is_an_error_too(here: Connected) -> None:
    row = open_invoice(here)
    here.fault(path="UpdateExt", kind="status", status=200, body={"parameters": {"errorsOccurred": True}})
    with pytest.raises(Held) as caught:
        write_column(here.client, row["VendorNum"], row["InvoiceNum"], "InvoiceComment", "Approved")
    assert (caught.value.code, caught.value.message) == ("not_saved", "UpdateExt: no reason given")


def test_an_invoice_that_is_not_there_is_refused(here: Connected) -> None:
    with pytest.raises(Rejected) as caught:
        read_column(here.client, 1, "none such", "InvoiceComment")
    assert caught.value.code == "not_found"


def test_a_lost_reply_is_uncertain_and_the_column_says_what_happened(here: Connected) -> None:
    row = open_invoice(here)
    here.fault(path="UpdateExt", kind="reset_after")
    with pytest.raises(Uncertain):
        write_column(here.client, row["VendorNum"], row["InvoiceNum"], "InvoiceComment", "Rejected")
    assert read_column(here.client, row["VendorNum"], row["InvoiceNum"], "InvoiceComment") == "Rejected"
